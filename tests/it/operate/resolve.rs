//! `resolve`: what only a person can know, forward and backward.

use runwrit_simulator::hetzner::{Fault, Rule};
use runwrit_tests::hook::Hook;
use serde_json::{Value, json};

use super::{only_run, run_breakable, swept};
use crate::cli::shell::{Cloud, Printed, Shell, grant};
use crate::plan::everything;

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
    answer(shell, run, ("4", verdict), "the log of the hook says so")
}

fn answer(shell: &Shell, run: &str, (call, verdict): (&str, &str), reason: &str) -> Printed {
    shell.run(&["resolve", run, call, "--as", verdict, "--reason", reason])
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

/// Lets the cloud refuse something from now on.
fn refuse(cloud: &Cloud, method: &str, path: &str, status: u16, code: &str) {
    let (code, message) = (code.to_owned(), "refused by the test".to_owned());
    let fault = Fault::Refuse { status, code, message };
    cloud.handle.desk().add_fault(Rule { times: 0, ..Rule::once(method, path, fault) });
}

/// Returns the only thing that a run leaves for a person, as `show` reports it.
fn left(shell: &Shell, run: &str) -> Value {
    let shown = shell.run(&["show", run, "--json"]).objects().remove(0);
    let left = shown["left"].as_array().expect("a list").clone();
    assert_eq!(left.len(), 1, "{left:?}");
    left[0].clone()
}

/// Lets a provisioning fail whose volume cannot be deleted.
fn quarantined(cloud: &Cloud, shell: &Shell) -> Printed {
    refuse(cloud, "POST", "/zones/*/rrsets", 422, "invalid_input");
    refuse(cloud, "DELETE", "/volumes/*", 403, "forbidden");
    let stuck = shell.run(&shell.provision());
    assert_eq!(stuck.code, Some(3), "{}", stuck.stderr);
    assert_eq!(cloud.alive(), ["acme-data"], "{}", stuck.stderr);
    stuck
}

/// Lets a run fail that declared data on its volume.
fn held(cloud: &Cloud, shell: &Shell) -> Printed {
    let hook = Hook::start(0);
    shell.write("handyman.toml", everything::grant(&hook.url()));
    refuse(cloud, "DELETE", "/volumes/*", 422, "invalid_input");
    let url = format!("url={}", hook.url());
    let inputs = ["--input", "tenant=acme", "--input", "end=well", "--input", &url];
    let run = ["run", "handyman", "--grant", "handyman.toml"];
    let held = shell.run(&[&run[..], &inputs[..]].concat());
    assert_eq!(held.code, Some(3), "{}", held.stderr);
    assert!(held.stderr.contains("held: what nobody needs any more"), "{}", held.stderr);
    assert_eq!(cloud.alive(), ["acme-data"], "{}", held.stderr);
    held
}

#[test]
fn what_is_left_is_reported_with_project_labels_age_and_price() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let stuck = quarantined(&cloud, &shell);
    let run = only_run(&shell);
    let told = left(&shell, &run);
    assert_eq!((&told["kind"], &told["name"]), (&"hetzner.volume".into(), &"acme-data".into()));
    assert_eq!(told["remote-id"], cloud.id_of("acme-data"));
    assert_eq!(
        (&told["eur-per-month"], &told["project"]["credential"]),
        (&"0.572".into(), &"hetzner".into())
    );
    assert!(told["project"]["marker"].as_str().is_some_and(|it| !it.is_empty()), "{told}");
    assert_eq!(told["labels"]["runwrit/tenant"], "acme", "{told}");
    assert!(told["labels"]["runwrit/run"].is_string(), "{told}");
    assert!(told["since"].as_u64().is_some_and(|since| since > 0), "{told}");
    for part in
        ["EUR 0.572 a month, since TIME, in the project ", "runwrit/run=", "runwrit/tenant=acme"]
    {
        assert!(stuck.stderr.contains(part), "`{part}` is missing: {}", stuck.stderr);
    }
    // A sweep says the same, and does not take what has no price for free.
    let desk = cloud.handle.desk();
    let (leftovers, sum) = swept(&shell.run(&["sweep", "--json"]));
    assert_eq!(
        (&leftovers[0]["labels"]["runwrit/tenant"], &sum["eur-per-month"]),
        (&"acme".into(), &"0.572".into())
    );
    assert_eq!(leftovers[0]["project"], told["project"]["marker"]);
    let mut pricing = cloud.get("/pricing")["pricing"].clone();
    pricing["currency"] = json!("USD");
    desk.set_pricing(&pricing);
    let (leftovers, sum) = swept(&shell.run(&["sweep", "--json"]));
    assert_eq!(
        (&leftovers[0]["eur-per-month"], &sum["eur-per-month"], &sum["unpriced"]),
        (&"unknown".into(), &"unknown".into(), &1.into())
    );
    let swept = shell.run(&["sweep"]);
    assert!(swept.stdout.contains("price unknown"), "{}", swept.stdout);
    assert!(swept.stderr.contains("1 left over, of unknown price"), "{}", swept.stderr);
}

/// What makes something that is left.
type Making = fn(&Cloud, &Shell) -> Printed;

#[test]
fn a_person_settles_what_a_rollback_left_and_is_recorded() {
    // What is said, whether it was deleted by hand before, and what a sweep finds afterwards.
    let rows =
        [("deleted", true, None), ("kept", false, None), ("not-done", false, Some("abandoned"))];
    let makings: [(&str, Making); 2] = [("quarantined", quarantined), ("held", held)];
    for (making, make) in makings {
        for (verdict, is_deleted, cause) in rows {
            let row = format!("{making}, said to be {verdict}");
            let cloud = Cloud::start();
            let shell = Shell::new().with_cloud(&cloud);
            make(&cloud, &shell);
            let run = only_run(&shell);
            let call = left(&shell, &run)["call"].as_str().expect("a call").to_owned();
            cloud.handle.desk().clear_faults();
            if is_deleted {
                let path = format!("/volumes/{}", cloud.id_of("acme-data"));
                cloud.send("DELETE", &path, &Value::Null);
            }
            let ended = answer(&shell, &run, (&call, verdict), "ada saw it in the console");
            assert_eq!(ended.code, Some(1), "{row}: {}", ended.stderr);
            let shown = shell.run(&["show", &run]).stdout;
            let word = format!("answered {verdict} by tester@");
            assert!(shown.contains(&word), "{row}: {shown}");
            assert!(shown.contains("ada saw it in the console"), "{row}: {shown}");
            assert_eq!(cloud.alive().len(), usize::from(!is_deleted), "{row}");
            let (found, _) = swept(&shell.run(&["sweep", "--json"]));
            let found = found.iter().find(|it| it["name"] == "acme-data");
            let found = found.map(|it| it["cause"].as_str().expect("a word"));
            assert_eq!(found, cause, "{row}");
            let again = shell.run(&["rollback", &run]);
            assert_eq!(again.code, Some(2), "{row}: nothing is left: {}", again.stderr);
        }
    }
}

#[test]
fn what_is_said_to_stand_after_all_is_tried_again() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    quarantined(&cloud, &shell);
    let run = only_run(&shell);
    let call = left(&shell, &run)["call"].as_str().expect("a call").to_owned();
    let recorded = answer(&shell, &run, (&call, "done"), "it stands there");
    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    assert!(recorded.stderr.contains("next: runwrit rollback RUN"), "{}", recorded.stderr);
    assert_eq!(cloud.alive(), ["acme-data"]);
    cloud.handle.desk().clear_faults();
    let rolled_back = shell.run(&["rollback", &run]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    let shown = shell.run(&["show", &run]).stdout;
    assert!(shown.contains("it stands there"), "the reason is on record: {shown}");
}

#[test]
fn a_name_that_a_person_keeps_keeps_the_servers_it_leads_to() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let published = [("RUNWRIT_CRASH_AT", "result-noted/dns.records.set:1")];
    assert_eq!(run_breakable(&shell, &shell.provision(), &published).code, None);
    let run = only_run(&shell);
    refuse(&cloud, "DELETE", "/zones/*/rrsets/**", 403, "forbidden");
    let stuck = shell.run(&["rollback", &run]);
    assert_eq!(stuck.code, Some(3), "{}", stuck.stderr);
    let shown = shell.run(&["show", &run, "--json"]).objects().remove(0);
    let left = shown["left"].as_array().expect("a list");
    let names: Vec<&Value> = left.iter().filter(|it| it["kind"] == "dns.record-set").collect();
    assert!(!names.is_empty(), "{shown}");
    for name in names {
        let call = name["call"].as_str().expect("a call");
        let said = answer(&shell, &run, (call, "kept"), "the name is in use");
        assert_eq!(said.code, Some(0), "{}", said.stderr);
    }
    cloud.handle.desk().clear_faults();
    let again = shell.run(&["rollback", &run]);
    assert_eq!(again.code, Some(3), "{}", again.stderr);
    assert!(again.stderr.contains("may lead to it and is kept"), "{}", again.stderr);
    assert!(cloud.alive().iter().any(|it| it == "acme-gateway"), "{:?}", cloud.alive());
}
