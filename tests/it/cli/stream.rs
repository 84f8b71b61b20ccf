//! `--json`: one object per line, the last one says how it ended.

use runwrit_openapi::Watch;
use runwrit_tests::openapi::{ANSWERS, show_written};

use super::shell::{Cloud, Shell};

#[test]
fn a_run_is_a_stream_of_events_that_ends_with_its_outcome() {
    let shell = Shell::new();
    let arguments = ["run", "hello", "--grant", "hello.toml", "--input", "name=you", "--json"];
    let printed = shell.run(&arguments);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(printed.stdout, @r#"
    {"event":"started","run":"RUN","runbook":"hello@0.1.0","scope":"run:RUN","is_resumed":false}
    {"event":"step","run":"RUN","title":"greet","is_replayed":false}
    {"event":"log","run":"RUN","level":"info","message":"hello, you"}
    {"event":"verified","run":"RUN","text":"the greeting names its guest","is_replayed":false}
    {"event":"finished","run":"RUN","outcome":"succeeded","message":"","eur_per_month":null}
    "#);
}

#[test]
fn every_event_names_its_run_and_the_last_one_its_outcome() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let mut arguments = shell.provision().to_vec();
    arguments.push("--json");
    let printed = shell.run(&arguments);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let events = printed.objects();
    assert!(events.iter().all(|event| event["event"].is_string() && event["run"] == "RUN"));
    assert_eq!(events.first().expect("events")["event"], "started");
    let last = events.last().expect("events");
    assert_eq!((&last["event"], &last["outcome"]), (&"finished".into(), &"succeeded".into()));
    assert_eq!(events.iter().filter(|event| event["event"] == "finished").count(), 1);
}

#[test]
fn runs_and_show_print_objects_too() {
    let shell = Shell::new();
    shell.run(&["run", "hello", "--grant", "hello.toml", "--input", "name=you"]);
    let runs = shell.run(&["runs", "--json"]).objects();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["runbook"], "hello@0.1.0");
    let human = shell.run(&["runs"]).stdout;
    assert!(human.contains("succeeded") && human.contains("hello@0.1.0"), "{human}");
}

#[test]
fn a_simulated_run_leaves_nothing_and_reads_no_credential() {
    let (mut shell, watch) = (Shell::new(), Watch::new());
    let answers = shell.path("answers");
    shell.set(ANSWERS, &answers.display().to_string());
    let mut arguments = shell.provision().to_vec();
    arguments.push("--simulate");
    // The product, and the build that writes down what its cloud answers.
    for printed in [shell.run(&arguments), shell.run_breakable(&arguments)] {
        assert_eq!(printed.code, Some(0), "{}", printed.stderr);
        let said = "simulated: nothing real is touched";
        assert!(printed.stderr.contains(said), "{}", printed.stderr);
        assert!(!shell.path("state").exists(), "the real state directory stays unmade");
    }
    if let Some(judge) = watch.judge() {
        show_written(&answers, &judge);
        let judged = judge.verdict().judged;
        assert!(judged > 40, "only {judged} answers were judged");
    }
}

#[test]
fn what_others_wrote_cannot_move_the_cursor() {
    let shell = Shell::new();
    let name = "name=\u{1b}[2J\u{202e}you";
    let printed = shell.run(&["run", "hello", "--grant", "hello.toml", "--input", name]);
    assert_eq!(printed.code, Some(2), "{}", printed.stderr);
    let shown = printed.stderr + &printed.stdout;
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    assert!(shown.contains("[2J\\u{202e}you"), "{shown}");
}

#[test]
fn an_error_is_an_object_too() {
    let printed = Shell::new().run(&["run", "helo", "--grant", "hello.toml", "--json"]);
    let objects = printed.objects();
    assert_eq!(objects.len(), 1, "{}", printed.stdout);
    assert_eq!((&objects[0]["event"], &objects[0]["exit"]), (&"error".into(), &2.into()));
    assert_eq!(objects[0]["message"], "there is no runbook `helo`");
}
