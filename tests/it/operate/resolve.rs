//! `resolve`: what only a person can know, forward and backward.

use super::hook::Hook;
use super::only_run;
use crate::cli::shell::{Printed, Shell, grant};

/// Writes the grant of `webhook`, and returns the arguments that start it.
pub fn webhook(shell: &Shell, hook: &Hook, seconds: u32, end: &str) -> Vec<String> {
    let url = hook.url();
    let rest = format!(
        "[scope]\ntenant = \"acme\"\n[registry]\noperations = [\"tenants.reserve\"]\n\
         [[registry.tenants]]\nid = \"acme\"\noctet = 7\n\
         [http]\nrequests = [{{ method = \"POST\", url = \"{url}\" }}]\n"
    );
    shell.write("webhook.toml", grant("webhook", &rest));
    let inputs = [
        "tenant=acme".to_owned(),
        format!("url={url}"),
        format!("seconds={seconds}"),
        format!("end={end}"),
    ];
    let mut arguments = ["run", "webhook", "--grant", "webhook.toml"].map(str::to_owned).to_vec();
    arguments.extend(inputs.into_iter().flat_map(|input| ["--input".to_owned(), input]));
    arguments
}

fn start(shell: &Shell, hook: &Hook, end: &str) -> Printed {
    let arguments = webhook(shell, hook, 0, end);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    shell.run(&arguments)
}

fn resolve(shell: &Shell, run: &str, verdict: &str) -> Printed {
    shell.run(&["resolve", run, "4", "--as", verdict, "--reason", "the log of the hook says so"])
}

#[test]
fn a_parked_request_is_shown_with_everything_known_and_a_word_lets_it_go_on() {
    let hook = Hook::start(1);
    let shell = Shell::new();
    let parked = start(&shell, &hook, "well");
    assert_eq!(parked.code, Some(8), "{}", parked.stderr);
    let run = only_run(&shell);
    let shown = shell.run(&["show", &run]).stdout;
    let asked = shown.lines().skip_while(|line| !line.contains("http.requests.send"));
    let asked: Vec<&str> = asked.take_while(|line| !line.starts_with("next")).collect();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    4  http.requests.send POST http://ADDRESS/hook, outcome not on record
       sent     TIME or later
       request  {"body-bytes":28,"body-sha256":"DIGEST","headers":[["x-tenant","acme"]],"method":"POST","timeout-seconds":2,"url":"http://ADDRESS/hook"}
       seen     failed: `http://ADDRESS/hook`: client error (SendRequest): connection closed before message completed (`broken`)
    "#);
    assert!(!shown.contains("a body that no journal keeps"), "{shown}");
    let resumed = shell.run(&["resume", &run]);
    assert_eq!(resumed.code, Some(8), "without a word nothing goes on: {}", resumed.stderr);
    assert_eq!(resolve(&shell, &run, "done").code, Some(0));
    let resumed = shell.run(&["resume", &run]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(hook.taken(), 1, "nothing was sent blindly again");
    let shown = shell.run(&["show", &run]).stdout;
    let word = "answered done by tester@";
    assert!(shown.contains(word) && shown.contains("the log of the hook says so"), "{shown}");
}

#[test]
fn each_word_has_its_own_consequence() {
    // The exit code of the resume, and what the hook was sent in all.
    let rows = [("not-done", 0, 2), ("kept", 0, 1), ("deleted", 1, 1)];
    for (verdict, exit, taken) in rows {
        let hook = Hook::start(1);
        let shell = Shell::new();
        assert_eq!(start(&shell, &hook, "well").code, Some(8), "{verdict}");
        let run = only_run(&shell);
        assert_eq!(resolve(&shell, &run, verdict).code, Some(0), "{verdict}");
        let resumed = shell.run(&["resume", &run]);
        assert_eq!(resumed.code, Some(exit), "{verdict}: {}", resumed.stderr);
        assert_eq!(hook.taken(), taken, "{verdict}");
    }
}

#[test]
fn a_word_ends_a_rollback_that_only_an_unknown_outcome_kept_open() {
    for verdict in ["done", "not-done", "deleted", "kept"] {
        let hook = Hook::start(1);
        let shell = Shell::new();
        assert_eq!(start(&shell, &hook, "well").code, Some(8), "{verdict}");
        let run = only_run(&shell);
        let stuck = shell.run(&["rollback", &run]);
        assert_eq!(stuck.code, Some(3), "{verdict}: {}", stuck.stderr);
        let ended = resolve(&shell, &run, verdict);
        assert_eq!(ended.code, Some(1), "{verdict}: {}", ended.stderr);
        assert_eq!(hook.taken(), 1, "{verdict}");
    }
}

#[test]
fn what_is_known_needs_no_word() {
    let hook = Hook::start(0);
    let shell = Shell::new();
    let failed = start(&shell, &hook, "badly");
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let refused = resolve(&shell, &only_run(&shell), "done");
    insta::assert_snapshot!(refused.told(), @r"
    exit 2
    error: call 4 of run RUN has nothing to resolve: its outcome is known
    hint: look at it with `runwrit show RUN`
    ");
    let silent = shell.run(&["resolve", &only_run(&shell), "4", "--as", "done", "--reason", " "]);
    assert_eq!(silent.code, Some(2), "{}", silent.stderr);
}
