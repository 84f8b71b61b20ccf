//! A run acts in the world that it began in. Elsewhere nothing is touched, and nothing is called
//! clean: what is not found there proves nothing.

use serde_json::{Value, json};

use super::shell::{Cloud, OTHER, READ_ONLY, Shell, TOKEN};
use super::signals::{ALIVE, send, start_until};

/// What is said where the project of the run was never marked.
const UNMARKED: &str = "it is another project";
/// What is said where another project is marked: only a comparison with the journal can tell.
const MARKED: &str = "the project of `hetzner` was `";

/// A way to be in the wrong place: what is set, and a part of what is said.
struct Elsewhere {
    name: &'static str,
    token: String,
    endpoint: Option<String>,
    says: &'static str,
}

/// Every wrong place for a run that began in `cloud`, beside an `other` cloud.
fn elsewhere(other: &Cloud) -> Vec<Elsewhere> {
    let row = |name, token: &str, endpoint: Option<String>, says| {
        let token = token.to_owned();
        Elsewhere { name, token, endpoint, says }
    };
    let wrong = format!("simulatedwrong{}", "0".repeat(50));
    let real = "r".repeat(64);
    let endpoint = Some(other.handle.endpoint());
    let api = Some("https://api.hetzner.cloud/v1".to_owned());
    vec![
        row("a wrong token", &wrong, None, "invalid (HTTP 401, `unauthorized`)"),
        row("another project", OTHER, None, UNMARKED),
        row("another endpoint", super::shell::TOKEN, endpoint, UNMARKED),
        row("a real credential at a simulator", &real, None, "holds a real token"),
        row("a made-up token at the API", super::shell::TOKEN, api, "holds a made-up token"),
        row("no token", "", None, "is empty"),
    ]
}

impl Elsewhere {
    fn enter(&self, shell: &mut Shell, home: &Cloud) {
        shell.set("HCLOUD_TOKEN", &self.token);
        let endpoint = self.endpoint.clone().unwrap_or_else(|| home.handle.endpoint());
        shell.set("HCLOUD_ENDPOINT", &endpoint);
    }
}

/// Types a command in every wrong place, and sees that it is refused without a trace: first where
/// no marker tells what project it is, then where one tells that it is another.
fn refused_everywhere(shell: &mut Shell, home: &Cloud, commands: &[&[&str]]) {
    let other = Cloud::start();
    refused(shell, (home, &other), commands, elsewhere(&other));
    for (cloud, token) in [(home, OTHER), (&other, TOKEN)] {
        let labels = json!({"runwrit/project": "anotherproject00"});
        let marker = json!({"name": "runwrit-project", "type": "spread", "labels": labels});
        cloud.send_with(token, "POST", "/placement_groups", &marker);
    }
    let unmarked = elsewhere(&other).into_iter().filter(|it| it.says == UNMARKED);
    let marked: Vec<_> = unmarked.map(|it| Elsewhere { says: MARKED, ..it }).collect();
    assert_eq!(marked.len(), 2);
    refused(shell, (home, &other), commands, marked);
}

fn refused(
    shell: &mut Shell,
    (home, other): (&Cloud, &Cloud),
    commands: &[&[&str]],
    places: Vec<Elsewhere>,
) {
    let before = (home.changes(), other.changes(), home.alive(), other.alive());
    for place in places {
        place.enter(shell, home);
        for command in commands {
            let told = format!("{} from {}", command.join(" "), place.name);
            let printed = shell.run(command);
            assert_eq!(printed.code, Some(2), "{told}: {}", printed.stderr);
            assert!(printed.stderr.contains(place.says), "{told}: {}", printed.stderr);
            for clean in ["nothing is left", "nothing stands", "is gone", "succeeded"] {
                assert!(!printed.stderr.contains(clean), "{told}: {}", printed.stderr);
            }
            let after = (home.changes(), other.changes(), home.alive(), other.alive());
            assert_eq!(after, before, "{told} touched something");
        }
    }
}

#[test]
fn a_run_goes_on_and_back_only_where_it_began() {
    let cloud = Cloud::start();
    let mut shell = Shell::new().with_cloud(&cloud);
    let (child, run) = start_until(&shell, "4-6/14");
    send(&child, "-INT");
    assert_eq!(shell.wait(child).code, Some(130));
    let alive = cloud.alive();
    refused_everywhere(&mut shell, &cloud, &[&["resume", &run], &["rollback", &run]]);
    let state = &shell.run(&["runs", "--json"]).objects()[0]["state"];
    assert_eq!(*state, "forward", "the run stands as before");
    assert_eq!(cloud.alive(), alive);

    let mut shell = shell.with_cloud(&cloud);
    shell.set("HCLOUD_TOKEN", READ_ONLY);
    let unable = shell.run(&["rollback", &run]);
    assert_eq!(unable.code, Some(3), "{}", unable.stderr);
    assert!(unable.stderr.contains("left for a person"), "{}", unable.stderr);
    assert_eq!(cloud.alive(), alive, "a token that only reads deletes nothing");
    let shell = shell.with_cloud(&cloud);
    let rolled_back = shell.run(&["rollback", &run]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_token_that_is_revoked_during_a_run_leaves_it_to_be_rolled_back_later() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let (child, run) = start_until(&shell, "7/14");
    cloud.handle.desk().revoke_token(TOKEN);
    let stuck = shell.wait(child);
    assert_eq!(stuck.code, Some(3), "{}", stuck.stderr);
    assert!(!stuck.stderr.contains("nothing was touched"), "{}", stuck.stderr);
    let shown = shell.run(&["show", &run]);
    assert!(shown.stdout.contains("next      runwrit resume RUN"), "{}", shown.stdout);
    cloud.handle.desk().set_token(TOKEN, Some("project"), false);
    let resumed = shell.run(&["resume", &run]);
    assert_eq!(resumed.code, Some(1), "{}", resumed.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_tenant_is_removed_only_where_it_stands() {
    let cloud = Cloud::start();
    let mut shell = Shell::new().with_cloud(&cloud);
    let (provision, deprovision) = (shell.provision(), shell.deprovision());
    assert_eq!(shell.run(&provision).code, Some(0));
    refused_everywhere(&mut shell, &cloud, &[&deprovision, &provision]);

    let shell = shell.with_cloud(&cloud);
    let again = shell.run(&provision);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stderr.contains("nothing was changed"), "still active: {}", again.stderr);
    assert_eq!(cloud.alive().len(), ALIVE);
    let removed = shell.run(&deprovision);
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    // What is gone may come back anywhere.
    let mut shell = shell;
    shell.set("HCLOUD_TOKEN", OTHER);
    let elsewhere = shell.run(&deprovision);
    assert_eq!(elsewhere.code, Some(0), "{}", elsewhere.stderr);
}

#[test]
fn an_empty_store_calls_nothing_clean_that_another_one_made() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let (provision, deprovision) = (shell.provision(), shell.deprovision());
    assert_eq!(shell.run(&provision).code, Some(0));
    let before = (cloud.changes(), cloud.alive());
    for runbook in [&provision[..], &deprovision[..]] {
        let refused = shell.run(&[runbook, &["--state", "empty"]].concat());
        assert_eq!(refused.code, Some(7), "{runbook:?}: {}", refused.stderr);
        assert_eq!((cloud.changes(), cloud.alive()), before, "{runbook:?} touched something");
    }
    // Without the claim it is the proof in the labels that refuses.
    let claim = cloud.id_of("runwrit-claim-acme");
    cloud.send("DELETE", &format!("/placement_groups/{claim}"), &Value::Null);
    for runbook in [&provision[..], &deprovision[..]] {
        let before = (cloud.changes() + 2, cloud.alive());
        let printed = shell.run(&[runbook, &["--state", "empty"]].concat());
        assert_eq!(printed.code, Some(1), "{runbook:?}: {}", printed.stderr);
        let says = "carry `runwrit/tenant=acme` without the proof of this installation";
        assert!(printed.stderr.contains(says), "{runbook:?}: {}", printed.stderr);
        assert!(printed.stderr.contains("use the state directory that made them"));
        assert!(!printed.stderr.contains("nothing stands"), "{runbook:?}: {}", printed.stderr);
        let after = (cloud.changes(), cloud.alive());
        assert_eq!(after, before, "{runbook:?} touched something but its own claim");
        assert_eq!(cloud.claims(), Vec::<String>::new(), "{runbook:?}");
    }
    let before = (cloud.changes(), cloud.alive());
    let run = shell.last_run();
    let unknown = shell.run(&["rollback", &run, "--state", "empty"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert_eq!((cloud.changes(), cloud.alive()), before);
}
