//! What a runbook may say about undo, and waits: from a real guest to the last request.

use super::shell::{Cloud, Printed, Shell};

/// Writes a grant for the guest `recovery`, with `recovery` in its section of that name.
fn permit(shell: &Shell, recovery: &str) {
    let text = format!(
        r#"version = 1
expires = 2099-01-01T00:00:00Z
[runbook]
name = "recovery"
[scope]
tenant = "acme"
[hetzner]
operations = ["networks.create", "networks.delete", "networks.get"]
[hetzner.counts]
networks = 1
[[hetzner.networks]]
name = "acme-net"
ip-range = "10.7.0.0/16"
subnets = ["10.7.1.0/24"]
network-zone = "eu-central"
[recovery]
{recovery}
"#
    );
    shell.write("recovery.toml", text);
}

/// Runs the guest, which makes a network, says something about its undo, and fails.
fn run(shell: &Shell, says: &str, id: &str) -> Printed {
    shell.run(&arguments(&format!("says={says}"), &format!("id={id}")))
}

fn arguments<'a>(says: &'a str, id: &'a str) -> [&'a str; 10] {
    let [run, guest, grant, file] = ["run", "recovery", "--grant", "recovery.toml"];
    [run, guest, grant, file, "--input", "tenant=acme", "--input", says, "--input", id]
}

/// What is granted, what is said, the exit code, a part of what is told, and what is left.
type Row = (&'static str, &'static str, i32, &'static str, &'static [&'static str]);

const KEEP: &str = "keep = [\"hetzner.networks.create\"]";
const UNDO: &str = "undo-with = [\"hetzner.networks.delete\"]";

const ROWS: [Row; 9] = [
    (KEEP, "nothing", 1, "undone: network acme-net", &[]),
    (KEEP, "keep", 1, "kept, as the runbook said: network acme-net", &["acme-net"]),
    (UNDO, "keep", 1, "add `keep = [\"hetzner.networks.create\"]` under `[recovery]`", &[]),
    (UNDO, "undo-with", 1, "undone: network acme-net", &[]),
    (KEEP, "undo-with", 1, "add `undo-with = [\"hetzner.networks.delete\"]` under", &[]),
    ("pivot = true", "pivot", 3, "failed and keeps what it made", &["acme-net"]),
    (KEEP, "pivot", 1, "add `pivot = true` under `[recovery]`", &[]),
    (KEEP, "undo-with-nothing", 1, "on purpose", &["acme-net"]),
    // An undo of nothing is one more way to keep, and no way around the grant.
    (
        UNDO,
        "undo-with-nothing",
        1,
        "add `keep = [\"hetzner.networks.create\"]` under `[recovery]`",
        &[],
    ),
];

#[test]
fn a_runbook_refines_undo_only_as_its_grant_allows() {
    for (granted, says, code, told, left) in ROWS {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        permit(&shell, granted);
        let printed = run(&shell, says, "");
        assert_eq!(printed.code, Some(code), "`{says}` with {granted}: {}", printed.stderr);
        let is_told = printed.stderr.contains(told);
        assert!(is_told, "`{says}` with {granted}: {}", printed.stderr);
        assert_eq!(cloud.alive(), left, "`{says}` with {granted}: {}", printed.stderr);
    }
}

#[test]
fn an_undo_of_a_guest_never_reaches_what_others_made() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let foreign = cloud.plant_network("somebody-elses");
    permit(&shell, UNDO);
    for id in [foreign.clone(), format!("0{foreign}"), format!("{foreign} "), "x".to_owned()] {
        let printed = run(&shell, "undo-with", &id);
        assert_eq!(printed.code, Some(1), "`{id}`: {}", printed.stderr);
        assert!(printed.stderr.contains("is nothing that this run made"), "{}", printed.stderr);
        assert_eq!(cloud.alive(), ["somebody-elses"], "`{id}`: {}", printed.stderr);
    }
    assert_eq!(cloud.handle.desk().request_count("DELETE", &format!("/networks/{foreign}")), 0);
}

#[test]
fn a_held_run_names_both_commands_and_either_works() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    permit(&shell, "pivot = true");
    let held = run(&shell, "pivot", "");
    assert_eq!(held.code, Some(3), "{}", held.stderr);
    let id = shell.last_run();
    assert!(held.stderr.contains("next: runwrit rollback RUN"), "{}", held.stderr);
    let rolled_back = shell.run(&["rollback", &id]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

/// Has the grant hold what a failed run made, and returns its text.
fn hold(shell: &Shell) -> String {
    permit(shell, KEEP);
    let text = std::fs::read_to_string(shell.path("recovery.toml")).expect("it was written");
    let text = text.replace("expires =", "on-failure = \"hold\"\nexpires =");
    shell.write("recovery.toml", &text);
    text
}

#[test]
fn a_grant_that_holds_failures_keeps_everything_for_a_person() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    hold(&shell);
    let held = run(&shell, "nothing", "");
    assert_eq!(held.code, Some(3), "{}", held.stderr);
    assert_eq!(cloud.alive(), ["acme-net"], "{}", held.stderr);
    assert!(!held.stderr.contains("undone:"), "{}", held.stderr);
    let rolled_back = shell.run(&["rollback", &shell.last_run()]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn grants_explain_tells_what_a_file_gives_line_by_line() {
    let shell = Shell::new();
    let text = hold(&shell);
    let told = shell.run(&["grants", "explain", "recovery.toml"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for line in [
        "runbook    `recovery`, any version",
        "scope      the tenant `acme`, alone",
        "on-failure hold",
    ] {
        assert!(told.stdout.lines().any(|it| it == line), "no `{line}` in {}", told.stdout);
    }
    for part in ["networks.create", "acme-net", "10.7.0.0/16", "hetzner.networks.create"] {
        assert!(told.stdout.contains(part), "no `{part}` in {}", told.stdout);
    }
    let objects = shell.run(&["grants", "explain", "recovery.toml", "--json"]).objects();
    assert_eq!(objects.len(), told.stdout.lines().count());
    assert_eq!(objects[0]["section"], "runbook");
    shell.write("recovery.toml", text.replace("on-failure", "on-failures"));
    let refused = shell.run(&["grants", "explain", "recovery.toml"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("on-failures"), "{}", refused.stderr);
}

#[test]
fn a_long_wait_parks_the_run_and_keeps_what_stands() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    permit(&shell, KEEP);
    let parked = run(&shell, "sleep", "");
    assert_eq!(parked.code, Some(8), "{}", parked.stderr);
    assert!(parked.stderr.contains("run RUN waits until TIME\n"), "{}", parked.stderr);
    let id = shell.last_run();
    let sent = cloud.changes();
    let again = shell.run(&["resume", &id]);
    assert_eq!((again.code, cloud.changes()), (Some(8), sent), "{}", again.stderr);
    assert_eq!(cloud.alive(), ["acme-net"]);
    let rolled_back = shell.run(&["cancel", &id]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

/// The seed is all that a guest's randomness depends on: with another one it does something else.
#[test]
fn a_guest_that_does_not_repeat_itself_is_stopped_and_can_be_rolled_back() {
    for is_changed in [false, true] {
        let cloud = Cloud::start();
        let mut shell = Shell::new().with_cloud(&cloud);
        permit(&shell, KEEP);
        shell.set("RUNWRIT_CRASH_AT", "wait-committed:1");
        assert_eq!(shell.run_breakable(&arguments("says=draw", "id=")).code, None, "it is killed");
        shell.set("RUNWRIT_CRASH_AT", "");
        let (id, sent) = (shell.last_run(), cloud.changes());
        if !is_changed {
            let repeated = shell.run(&["resume", &id]);
            assert_eq!(repeated.code, Some(1), "{}", repeated.stderr);
            assert!(repeated.stderr.contains("on purpose"), "{}", repeated.stderr);
            continue;
        }
        let store = rusqlite::Connection::open(shell.path("state/store.sqlite"));
        let changed =
            store.expect("a store").execute("UPDATE seed SET sealed = randomblob(32)", []);
        assert_eq!(changed.expect("writable"), 1);
        let stopped = shell.run(&["resume", &id]);
        assert_eq!((stopped.code, cloud.changes()), (Some(9), sent), "{}", stopped.stderr);
        let says = "does not repeat what its journal holds";
        assert!(stopped.stderr.contains(says), "{}", stopped.stderr);
        assert!(stopped.stderr.contains("next: runwrit rollback RUN"), "{}", stopped.stderr);
        assert_eq!(cloud.alive(), ["acme-net"], "nothing is touched before somebody decides");
        let rolled_back = shell.run(&["rollback", &id]);
        assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
        assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    }
}

#[test]
fn a_component_that_was_swapped_in_the_store_does_not_run() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    permit(&shell, KEEP);
    assert_eq!(run(&shell, "sleep", "").code, Some(8));
    let id = shell.last_run();
    for file in std::fs::read_dir(shell.path("state/components")).expect("they stand there") {
        let path = file.expect("readable").path();
        let mut bytes = std::fs::read(&path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).expect("ours");
    }
    let resumed = shell.run(&["resume", &id]);
    assert_eq!(resumed.code, Some(2), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("was changed"), "{}", resumed.stderr);
    let rolled_back = shell.run(&["rollback", &id]);
    assert_eq!(rolled_back.code, Some(1), "undo needs no component: {}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}
