//! A run that moves to another state directory: it is here, or in the file, or there; never at two.

use std::fs;

use super::losing::{program, recipient, restore};
use super::{kill_in, only_run, run_breakable, swept};
use crate::cli::shell::{Cloud, Printed, Shell};

/// Everything of a tenant, its record sets included.
const ALIVE: usize = 12;

fn export(shell: &Shell, run: &str, file: &str) -> Printed {
    let told = program(shell, "age-keygen", &["-y", "key.txt"]);
    let recipient = String::from_utf8(told.stdout).expect("text").trim().to_owned();
    shell.run(&["runs", "export", run, file, "--recipient", &recipient])
}

fn import(shell: &Shell, file: &str, state: &str) -> Printed {
    shell.run(&["--state", state, "runs", "import", file, "--identity", "key.txt"])
}

/// Returns the ids of the runs of a state directory that are not tombstones.
fn living(shell: &Shell, state: &str) -> Vec<String> {
    let output = shell.command(&["--state", state, "runs", "--json"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().map(|line| serde_json::from_str(line).expect("an object"));
    let rows = rows.filter(|row: &serde_json::Value| !row["state"].to_string().contains("moved"));
    rows.map(|row| row["run"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn a_run_that_was_killed_goes_on_in_the_store_that_it_moved_to_and_its_tenant_is_removed_there() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let run = only_run(&shell);
    recipient(&shell);
    let exported = export(&shell, &run, "run.age");
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    for command in ["resume", "rollback", "cancel"] {
        let refused = shell.run(&[command, &run]);
        assert_eq!(refused.code, Some(2), "{command}: {}", refused.stderr);
        let moved = refused.stderr.contains("was moved: to `FOLDER/run.age` at TIME by tester@");
        assert!(moved, "{command}: {}", refused.stderr);
    }
    let imported = import(&shell, "run.age", "there");
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    let resumed = shell.run(&["--state", "there", "resume", &run]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
    let sweep = shell.run(&["--state", "there", "sweep", "--json"]);
    assert_eq!((sweep.code, &swept(&sweep).1["in-place"]), (Some(0), &8.into()), "{sweep:?}");
    let old = shell.run(&["sweep", "--delete", "--json"]);
    assert!(swept(&old).0.iter().all(|it| it["cause"] == "moved"), "{}", old.stdout);
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
    // The tenant moved with its run: the old store works on it no more, the new one removes it.
    let refused = shell.run(&shell.deprovision());
    assert_eq!(refused.code, Some(7), "{}", refused.stderr);
    // Its backup holds the key that came along.
    let told = program(&shell, "age-keygen", &["-y", "key.txt"]);
    let to = String::from_utf8(told.stdout).expect("text").trim().to_owned();
    let saved = ["--state", "there", "state", "backup", "there.age", "--recipient", &to];
    assert_eq!(shell.run(&saved).code, Some(0));
    let restored = restore(&shell, "there.age", "third");
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    let removed = shell.run(&[&["--state", "third"], &shell.deprovision()[..]].concat());
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert_eq!((cloud.alive(), cloud.claims()), (vec![], vec![]));
}

#[test]
fn a_run_that_moved_is_rolled_back_there_and_may_come_back() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "4-6/14");
    let run = only_run(&shell);
    recipient(&shell);
    assert_eq!(export(&shell, &run, "run.age").code, Some(0));
    assert_eq!(import(&shell, "run.age", "there").code, Some(0));
    let told = program(&shell, "age-keygen", &["-y", "key.txt"]);
    let to = String::from_utf8(told.stdout).expect("text").trim().to_owned();
    let back = ["--state", "there", "runs", "export", &run, "back.age", "--recipient", &to];
    assert_eq!(shell.run(&back).code, Some(0));
    let again = import(&shell, "back.age", "state");
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!((living(&shell, "state"), living(&shell, "there")), (vec![run.clone()], vec![]));
    let rollback = shell.run(&["rollback", &run]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert_eq!((cloud.alive(), cloud.claims()), (vec![], vec![]));
}

#[test]
fn what_may_still_land_late_is_looked_for_where_the_run_is() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let text = fs::read_to_string(shell.path("runwrit.toml")).expect("it stands there");
    shell.write("runwrit.toml", text.replace("[timing]\n", "[timing]\nsweep-ms = [1]\n"));
    let killed = [("RUNWRIT_CRASH_AT", "intent-committed/hetzner.networks.create:1")];
    assert_eq!(run_breakable(&shell, &shell.provision(), &killed).code, None);
    let run = only_run(&shell);
    assert_eq!(shell.run(&["rollback", &run]).code, Some(1));
    let to = recipient(&shell);
    let mut from = "state";
    for (file, state) in [("one.age", "there"), ("two.age", "state")] {
        let arguments = ["--state", from, "runs", "export", &run, file, "--recipient", &to];
        assert_eq!(shell.run(&arguments).code, Some(0), "{file}");
        assert_eq!(shell.run(&["--state", from, "tick"]).stdout, "", "{from}: it went along");
        assert_eq!(import(&shell, file, state).code, Some(0), "{file}");
        from = state;
    }
    let tick = shell.run(&["tick"]);
    assert_eq!(tick.stdout, "late-sweep of run RUN: call 21: nothing landed late\n", "{tick:?}");
}

#[test]
fn killed_at_any_instant_a_run_lives_at_one_place_at_most_and_is_never_lost() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "2/14");
    let run = only_run(&shell);
    let to = recipient(&shell);
    let mut kills = 0;
    for boundary in 1.. {
        let at = boundary.to_string();
        let file = format!("run-{boundary}.age");
        let arguments = ["runs", "export", &run, &file, "--recipient", &to];
        let killed = run_breakable(&shell, &arguments, &[("RUNWRIT_CRASH_AT", &at)]);
        kills += usize::from(killed.code.is_none());
        assert_eq!(living(&shell, "state"), Vec::<String>::new(), "boundary {boundary}");
        if killed.code.is_some() {
            assert_eq!(killed.code, Some(0), "{}", killed.stderr);
            break;
        }
    }
    assert_eq!(export(&shell, &run, "again.age").code, Some(0), "it is told again");
    for boundary in 1.. {
        let (at, state) = (boundary.to_string(), format!("there-{boundary}"));
        let arguments = ["--state", &state, "runs", "import", "again.age", "--identity", "key.txt"];
        let killed = run_breakable(&shell, &arguments, &[("RUNWRIT_CRASH_AT", &at)]);
        kills += usize::from(killed.code.is_none());
        let repeated = import(&shell, "again.age", &state);
        let is_in = repeated.code == Some(2) && repeated.stderr.contains("exists already");
        assert!(repeated.code == Some(0) || is_in, "boundary {boundary}: {}", repeated.stderr);
        assert_eq!(living(&shell, &state), [run.as_str()], "boundary {boundary}");
        if killed.code.is_some() {
            assert_eq!(killed.code, Some(0), "{}", killed.stderr);
            break;
        }
    }
    assert!(kills >= 5, "only {kills} kills struck");
}

#[test]
fn what_cannot_be_moved_is_refused_and_nothing_changes() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "2/14");
    let run = only_run(&shell);
    recipient(&shell);
    shell.write("there.age", "something");
    let taken = export(&shell, &run, "there.age");
    assert!(taken.stderr.contains("exists already"), "{}", taken.stderr);
    let nowhere = export(&shell, &run, "no/such/folder.age");
    assert_eq!(nowhere.code, Some(2), "{}", nowhere.stderr);
    let unknown = export(&shell, "01M7YQ1DPXPQT2QRXR0J67KEK7", "x.age");
    assert!(unknown.stderr.contains("there is no run"), "{}", unknown.stderr);
    assert_eq!(living(&shell, "state"), [run.as_str()], "it was not moved");
    assert_eq!(export(&shell, &run, "run.age").code, Some(0));
    let whole = fs::read(shell.path("run.age")).expect("a file");
    shell.write("short.age", &whole[..whole.len() - 1]);
    let backup = ["state", "backup", "backup.age", "--recipient"];
    let told = program(&shell, "age-keygen", &["-y", "key.txt"]);
    let to = String::from_utf8(told.stdout).expect("text").trim().to_owned();
    assert_eq!(shell.run(&[&backup[..], &[&to]].concat()).code, Some(0));
    for (file, says) in [("short.age", "cannot be"), ("backup.age", "it holds no run")] {
        let refused = import(&shell, file, "there");
        assert_eq!(refused.code, Some(2), "{file}: {}", refused.stderr);
        assert!(refused.stderr.contains(says), "{file}: {}", refused.stderr);
        assert_eq!(living(&shell, "there"), Vec::<String>::new(), "{file}");
    }
    // A store that has worked on the tenant itself has another key for it.
    let other = Cloud::start();
    let second = Shell::new().with_cloud(&other);
    kill_in(&second, "2/14");
    for name in ["run.age", "key.txt"] {
        fs::copy(shell.path(name), second.path(name)).expect("a copy");
    }
    let native = import(&second, "run.age", "state");
    assert_eq!(native.code, Some(2), "{}", native.stderr);
    assert!(native.stderr.contains("is a scope of this state directory too"), "{}", native.stderr);
}
