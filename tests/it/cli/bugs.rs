//! A bug in the host itself: a message, its exit code, and a run that can go on.

use super::shell::{Cloud, Shell};
use super::signals::ALIVE;

/// Lets the product panic at a boundary of a run, and returns what it said.
fn panic_at(shell: &mut Shell, place: &str, arguments: &[&str]) {
    shell.set("RUNWRIT_PANIC_AT", place);
    let printed = shell.run_breakable(arguments);
    shell.set("RUNWRIT_PANIC_AT", "");
    assert_eq!(printed.code, Some(70), "{place}: {}", printed.stderr);
    let says = "error: a bug in runwrit stopped the work on run RUN: the message above says where";
    assert!(printed.stderr.contains(says), "{place}: {}", printed.stderr);
    assert!(printed.stderr.contains("`runwrit resume RUN` goes on"), "{}", printed.stderr);
}

#[test]
fn a_panic_stops_the_process_and_not_the_run() {
    for place in ["sent/hetzner.networks.create:1", "observed-noted:3"] {
        let cloud = Cloud::start();
        let mut shell = Shell::new().with_cloud(&cloud);
        let provision = shell.provision();
        panic_at(&mut shell, place, &provision);
        let resumed = shell.run(&["resume", &shell.last_run()]);
        assert_eq!(resumed.code, Some(0), "{place}: {}", resumed.stderr);
        assert_eq!(cloud.alive().len(), ALIVE, "{place}");
    }
}

#[test]
fn a_rollback_goes_on_after_a_panic_too() {
    let cloud = Cloud::start();
    let mut shell = Shell::new().with_cloud(&cloud);
    let provision = shell.provision();
    panic_at(&mut shell, "result-noted/hetzner.servers.create:2", &provision);
    let run = shell.last_run();
    panic_at(&mut shell, "undone:2", &["rollback", &run]);
    assert!(!cloud.alive().is_empty(), "it came half-way");
    let rolled_back = shell.run(&["resume", &run]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}
