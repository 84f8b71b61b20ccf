//! Two state directories on one tenant: by the claim in the project exactly one of them goes on.

use serde_json::json;

use super::losing::{backup, lose, restore};
use super::{breakable, kill_in, only_run, run_breakable, signal, swept, until_stopped};
use crate::cli::shell::{Cloud, Shell};

/// Everything of a tenant, its record sets included.
const ALIVE: usize = 12;

#[test]
fn of_two_stores_that_provision_one_tenant_at_once_exactly_one_goes_on() {
    // Both are stopped before either has a claim, then let go on at once.
    let cloud = Cloud::start();
    let shells = [(); 2].map(|()| Shell::new().with_cloud(&cloud));
    let children = [0, 1].map(|place: usize| {
        let arguments = shells[place].provision();
        let stopped = [("RUNWRIT_STOP_AT", "created/run:1")];
        breakable(&shells[place], &arguments, &stopped).spawn().expect("the product starts")
    });
    children.iter().for_each(until_stopped);
    assert!(cloud.claims().is_empty(), "{:?}", cloud.claims());
    children.iter().for_each(|child| signal(child, "-CONT"));
    let [one, two] = children;
    let ended = [shells[0].wait(one), shells[1].wait(two)];
    let mut codes = [ended[0].code, ended[1].code];
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(7)], "{ended:?}");
    let refused = ended.iter().position(|it| it.code == Some(7)).expect("one of them");
    let told = &ended[refused].stderr;
    assert!(told.contains("placement group `runwrit-claim-acme`"), "{told}");
    assert!(told.contains("work from the state directory of that installation"), "{told}");
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
    assert_eq!(cloud.claims(), ["acme"]);
    let shown = shells[refused].run(&["runs"]);
    assert!(shown.stdout.contains("failed, no effect"), "{}", shown.stdout);
}

#[test]
fn a_claim_is_given_back_with_the_last_thing_of_its_tenant() {
    let cloud = Cloud::start();
    let (shell, other) = (Shell::new().with_cloud(&cloud), Shell::new().with_cloud(&cloud));
    assert_eq!(shell.run(&shell.provision()).code, Some(0));
    assert_eq!(cloud.claims(), ["acme"]);
    let claimed = swept(&shell.run(&["sweep", "--json"])).1;
    assert_eq!((&claimed["left"], &claimed["in-place"]), (&0.into(), &8.into()), "{claimed}");
    let refused = other.run(&other.deprovision());
    assert_eq!(refused.code, Some(7), "{}", refused.stderr);
    let removed = shell.run(&shell.deprovision());
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert_eq!(cloud.claims(), Vec::<String>::new());
    let provisioned = other.run(&other.provision());
    assert_eq!(provisioned.code, Some(0), "{}", provisioned.stderr);
    let reported = shell.run(&["sweep", "--json"]);
    let left = swept(&reported).0;
    assert!(left.iter().all(|it| it["kind"] != "hetzner.placement-group"), "{left:?}");
}

#[test]
fn a_rollback_gives_the_claim_back_and_whoever_only_looks_takes_none() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "4-6/14");
    let rollback = shell.run(&["rollback", &only_run(&shell)]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert_eq!((cloud.alive(), cloud.claims()), (vec![], vec![]));
    let example = crate::cli::shell::packages().join("../../runbooks/check-tenant");
    let grant = std::fs::read(example.join("grants.example.toml")).expect("an example");
    shell.write("check.toml", grant);
    shell.run(&["run", "check-tenant", "--grant", "check.toml", "--input", "tenant=acme"]);
    assert_eq!(cloud.claims(), Vec::<String>::new(), "a run that only looks");
}

#[test]
fn a_kill_around_the_claim_leaves_nothing_that_matters() {
    let points = ["scope-claimed/run:1", "scope-released/run:1"];
    for point in points {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        let killed = match point {
            "scope-claimed/run:1" => {
                run_breakable(&shell, &shell.provision(), &[("RUNWRIT_CRASH_AT", point)])
            }
            _ => {
                assert_eq!(shell.run(&shell.provision()).code, Some(0));
                run_breakable(&shell, &shell.deprovision(), &[("RUNWRIT_CRASH_AT", point)])
            }
        };
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        let run = shell.last_run();
        let resumed = shell.run(&["resume", &run]);
        assert_eq!(resumed.code, Some(0), "{point}: {}", resumed.stderr);
        let is_removed = point == "scope-released/run:1";
        assert_eq!(cloud.claims().is_empty(), is_removed, "{point}: {:?}", cloud.claims());
        assert_eq!(cloud.alive().is_empty(), is_removed, "{point}: {:?}", cloud.alive());
    }
}

#[test]
fn a_claim_that_stands_for_nothing_is_swept_by_its_installation_alone() {
    let cloud = Cloud::start();
    let (shell, other) = (Shell::new().with_cloud(&cloud), Shell::new().with_cloud(&cloud));
    // What stood there was deleted by hand, and the run was given up by word.
    let killed =
        run_breakable(&shell, &shell.provision(), &[("RUNWRIT_CRASH_AT", "scope-claimed/run:1")]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let (left, sum) = swept(&shell.run(&["sweep", "--delete", "--json"]));
    assert_eq!((left.len(), cloud.claims()), (0, vec!["acme".to_owned()]), "{sum}: an open run");
    let lost = swept(&other.run(&["sweep", "--delete", "--json"])).0;
    assert_eq!(lost[0]["cause"], "other-installation", "{lost:?}");
    assert_eq!(cloud.claims(), ["acme"]);
    assert_eq!(shell.run(&["rollback", &only_run(&shell)]).code, Some(1));
    assert_eq!(cloud.claims(), Vec::<String>::new());
    // One that came back by another's hand, with the labels that it had.
    let events = cloud.handle.desk().resource_events("runwrit/claim").expect("a selector");
    let labels = events.iter().find(|it| it.touched.name == "runwrit-claim-acme");
    let labels = json!(labels.expect("it stood").touched.labels);
    for name in ["runwrit-claim-acme", "runwrit-claim-bolt"] {
        cloud.post("/placement_groups", &json!({"name": name, "type": "spread", "labels": labels}));
    }
    let (left, _) = swept(&shell.run(&["sweep", "--delete", "--json"]));
    let told: Vec<_> = left.iter().map(|it| (&it["name"], &it["cause"], &it["fate"])).collect();
    let expected = [
        (json!("runwrit-claim-acme"), json!("idle"), json!("deleted")),
        (json!("runwrit-claim-bolt"), json!("forged"), json!("left")),
    ];
    assert_eq!(told, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    assert_eq!(cloud.claims(), ["bolt"]);
}

#[test]
fn of_two_copies_of_one_state_directory_the_restored_one_goes_on() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let run = only_run(&shell);
    assert_eq!(backup(&shell, "backup.age").code, Some(0));
    lose(&shell);
    assert_eq!(restore(&shell, "backup.age", "state").code, Some(0));
    let resumed = shell.run(&["resume", &run]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    for arguments in [["--state", "lost", "resume", &run], ["--state", "lost", "rollback", &run]] {
        let refused = shell.run(&arguments);
        insta::allow_duplicates! {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
            let told = refused.told().replace(&format!("`{}`", host.trim()), "`HOST`");
            let told = told.lines().filter(|line| !line.starts_with("rolling back"));
            insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
            exit 7
            resumed provision-tenant@0.1.0 on tenant:acme: run RUN
            error: run RUN does not work on tenant:acme: a later copy of this state directory, or one that imported its run, on `HOST`, holds it by the placement group `runwrit-claim-acme`
            hint: nothing was touched; use the directory that was restored from this one's backup, or that its run was imported into first: this one is out of date
            ");
        }
    }
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
}

#[test]
fn what_is_no_claim_of_anybody_is_told_and_left_alone() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    cloud.post("/placement_groups", &json!({"name": "runwrit-claim-acme", "type": "spread"}));
    let refused = shell.run(&shell.provision());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("without the labels of a claim"), "{}", refused.stderr);
    assert_eq!(cloud.claims(), ["acme"]);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}
