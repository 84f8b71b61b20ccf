//! A run that moves to another state directory: it is here, or in the file, or there; never at two.

use std::fs;

use runwrit_tests::hook::Hook;

use super::losing::{program, recipient, restore};
use super::resolve::webhook;
use super::{breakable, kill_in, only_run, run_breakable, signal, swept, until_stopped};
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

/// Returns the recipient of `key.txt`.
fn known_recipient(shell: &Shell) -> String {
    let told = program(shell, "age-keygen", &["-y", "key.txt"]);
    String::from_utf8(told.stdout).expect("text").trim().to_owned()
}

/// Moves a run out of a state directory.
fn export_from(shell: &Shell, state: &str, run: &str, file: &str) -> Printed {
    let to = known_recipient(shell);
    shell.run(&["--state", state, "runs", "export", run, file, "--recipient", &to])
}

fn take_back(shell: &Shell, file: &str, state: &str) -> Printed {
    let arguments = ["runs", "import", file, "--identity", "key.txt", "--take-back"];
    shell.run(&[&["--state", state], &arguments[..]].concat())
}

/// Returns a file that was exported, as a version that wrote layout 1 would have written it.
fn as_version_1(shell: &Shell, file: &str, old: &str) {
    let told = program(shell, "age", &["-d", "-i", "key.txt", file]);
    let mut document: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    document["version"] = 1.into();
    document.as_object_mut().expect("an object").remove("epoch").expect("it is told");
    let parcel = document["parcel"].as_object_mut().expect("an object");
    parcel.remove("fence").expect("it is told");
    shell.write("plain.json", document.to_string());
    let to = known_recipient(shell);
    let sealed = program(shell, "age", &["-r", &to, "-o", old, "plain.json"]);
    assert!(sealed.status.success(), "{sealed:?}");
}

/// Returns everything that stands in a state directory and is no database.
fn files_in(shell: &Shell, state: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![shell.path(state)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a directory").flatten() {
            let path = entry.path();
            let name = path.display().to_string();
            match path.is_dir() {
                true => folders.push(path),
                false if name.contains("store.sqlite") => {}
                false => files.push((name, fs::read(&path).expect("a file"))),
            }
        }
    }
    files.sort();
    files
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
    // From store to store, each by a file of its own that is imported there alone.
    let mut from = "state".to_owned();
    for boundary in 1.. {
        let (at, state) = (boundary.to_string(), format!("there-{boundary}"));
        let file = format!("to-{boundary}.age");
        let exported = export_from(&shell, &from, &run, &file);
        assert_eq!(exported.code, Some(0), "{}", exported.stderr);
        let arguments = ["--state", &state, "runs", "import", &file, "--identity", "key.txt"];
        let killed = run_breakable(&shell, &arguments, &[("RUNWRIT_CRASH_AT", &at)]);
        kills += usize::from(killed.code.is_none());
        let repeated = import(&shell, &file, &state);
        let is_in = repeated.code == Some(2) && repeated.stderr.contains("exists already");
        assert!(repeated.code == Some(0) || is_in, "boundary {boundary}: {}", repeated.stderr);
        let stores = ["state".to_owned()].into_iter();
        let stores = stores.chain((1..=boundary).map(|it| format!("there-{it}")));
        let living: Vec<String> = stores.filter(|it| !living(&shell, it).is_empty()).collect();
        assert_eq!(living, [state.as_str()], "boundary {boundary}");
        from = state;
        if killed.code.is_some() {
            assert_eq!(killed.code, Some(0), "{}", killed.stderr);
            break;
        }
    }
    let rollback = shell.run(&["--state", &from, "rollback", &run]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert_eq!((cloud.alive(), cloud.claims()), (vec![], vec![]));
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
    assert_eq!(second.run(&["runs"]).code, Some(0));
    let before = files_in(&second, "state");
    let native = import(&second, "run.age", "state");
    assert_eq!(native.code, Some(2), "{}", native.stderr);
    assert!(native.stderr.contains("is a scope of this state directory too"), "{}", native.stderr);
    assert_eq!(files_in(&second, "state"), before, "the refused import left something");
}

#[test]
fn a_refused_import_leaves_no_file_behind() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "2/14");
    let run = only_run(&shell);
    recipient(&shell);
    assert_eq!(export(&shell, &run, "run.age").code, Some(0));
    // Its octet is another tenant's in this store.
    let other = Cloud::start();
    let second = Shell::new().with_cloud(&other);
    assert_eq!(super::provision(&second, "bolt").code, Some(0));
    for name in ["run.age", "key.txt"] {
        fs::copy(shell.path(name), second.path(name)).expect("a copy");
    }
    // Whatever a command touches anyway is touched before.
    assert_eq!(second.run(&["runs"]).code, Some(0));
    let before = files_in(&second, "state");
    let refused = import(&second, "run.age", "state");
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("octet"), "{}", refused.stderr);
    assert_eq!(files_in(&second, "state"), before, "the refused import left something");
    // A run that is here is refused before anything is written, too.
    assert_eq!(import(&shell, "run.age", "there").code, Some(0));
    let before = files_in(&shell, "there");
    let again = import(&shell, "run.age", "there");
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(files_in(&shell, "there"), before, "the refused import left something");
}

#[test]
fn an_old_file_does_not_roll_back_what_went_on_elsewhere() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let run = only_run(&shell);
    recipient(&shell);
    assert_eq!(export(&shell, &run, "one.age").code, Some(0));
    as_version_1(&shell, "one.age", "old.age");
    assert_eq!(import(&shell, "one.age", "there").code, Some(0));
    let resumed = shell.run(&["--state", "there", "resume", &run]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    // The store that finished it, and the one that it left.
    let done = import(&shell, "one.age", "there");
    assert!(done.code == Some(2) && done.stderr.contains("exists already"), "{}", done.stderr);
    for file in ["one.age", "old.age"] {
        let refused = import(&shell, file, "state");
        assert_eq!(refused.code, Some(2), "{file}: {}", refused.stderr);
        assert!(refused.stderr.contains("`--take-back` takes it"), "{file}: {}", refused.stderr);
        assert_eq!(living(&shell, "state"), Vec::<String>::new(), "{file}");
    }
    // A person may be wrong: then the claim in the project says so.
    let taken = take_back(&shell, "one.age", "state");
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    for command in ["resume", "rollback"] {
        let refused = shell.run(&[command, &run]);
        assert_eq!(refused.code, Some(7), "{command}: {}", refused.stderr);
        let says = "or one that imported its run";
        assert!(refused.stderr.contains(says), "{command}: {}", refused.stderr);
    }
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
    // What left again is not brought back by the file that it had left by before.
    assert_eq!(export(&shell, &run, "two.age").code, Some(0));
    let outdated = take_back(&shell, "one.age", "state");
    assert_eq!(outdated.code, Some(2), "{}", outdated.stderr);
    assert!(outdated.stderr.contains("went on after that file"), "{}", outdated.stderr);
}

#[test]
fn what_was_imported_nowhere_is_taken_back_by_a_word_and_a_file_of_an_old_version_is_read() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "4-6/14");
    let run = only_run(&shell);
    recipient(&shell);
    assert_eq!(export(&shell, &run, "one.age").code, Some(0));
    let taken = take_back(&shell, "one.age", "state");
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    assert_eq!(export(&shell, &run, "two.age").code, Some(0));
    as_version_1(&shell, "two.age", "old.age");
    let imported = import(&shell, "old.age", "there");
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    let rollback = shell.run(&["--state", "there", "rollback", &run]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert_eq!((cloud.alive(), cloud.claims()), (vec![], vec![]));
}

#[test]
fn of_two_stores_that_import_one_file_only_one_goes_on() {
    for is_at_once in [false, true] {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        kill_in(&shell, "7/14");
        let run = only_run(&shell);
        recipient(&shell);
        assert_eq!(export(&shell, &run, "run.age").code, Some(0));
        for state in ["one", "two"] {
            let imported = import(&shell, "run.age", state);
            assert_eq!(imported.code, Some(0), "{state}: {}", imported.stderr);
        }
        let resumed = ["one", "two"].map(|state| {
            let stopped: &[_] =
                if is_at_once { &[("RUNWRIT_STOP_AT", "claimed/run:1")] } else { &[] };
            let child = breakable(&shell, &["--state", state, "resume", &run], stopped).spawn();
            let child = child.expect("the product starts");
            match is_at_once {
                true => until_stopped(&child),
                false => return Err(shell.wait(child)),
            }
            Ok(child)
        });
        resumed.iter().flatten().for_each(|child| signal(child, "-CONT"));
        let ended = resumed.map(|child| child.map_or_else(|it| it, |child| shell.wait(child)));
        let mut codes = [ended[0].code, ended[1].code];
        if is_at_once {
            codes.sort_unstable();
        }
        assert_eq!(codes, [Some(0), Some(7)], "at once: {is_at_once}: {ended:?}");
        let refused = ended.iter().position(|it| it.code == Some(7)).expect("one of them");
        let rollback = shell.run(&["--state", ["one", "two"][refused], "rollback", &run]);
        assert_eq!(rollback.code, Some(7), "{}", rollback.stderr);
        assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
        assert_eq!(cloud.claims(), ["acme"]);
    }
}

#[test]
fn an_export_says_what_keeps_a_second_import_from_going_on() {
    let told = |shell: &Shell| {
        recipient(shell);
        let exported = export(shell, &only_run(shell), "run.age");
        assert_eq!(exported.code, Some(0), "{}", exported.stderr);
        let once = "is in the file alone now: import it once, then destroy it";
        assert!(exported.stderr.contains(once), "{}", exported.stderr);
        exported.stderr.contains("nothing outside tells a second import from the first")
    };
    let cloud = Cloud::start();
    let claimed = Shell::new().with_cloud(&cloud);
    kill_in(&claimed, "2/14");
    assert!(!told(&claimed), "its claim does");
    let (hook, unclaimed) = (Hook::start(1), Shell::new());
    let arguments = webhook(&unclaimed, &hook, 0, "well");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(unclaimed.run(&arguments).code, Some(8));
    assert!(told(&unclaimed), "nothing does");
}
