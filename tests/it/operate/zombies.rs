//! A process that a signal stopped, and that goes on when nobody expects it any more.

use std::process::Child;
use std::time::Duration;

use super::{breakable, only_run, run_breakable, signal, swept, until_stopped};
use crate::cli::shell::{Cloud, Printed, Shell};

/// Points of a run before and behind a byte on the wire.
const POINTS: [&str; 7] = [
    "intent-committed/hetzner.networks.create:1",
    "before-send/hetzner.networks.create:1",
    "sent/hetzner.networks.create:1",
    "before-send/hetzner.firewalls.create:1",
    "before-send/hetzner.volumes.create:1",
    "before-send/hetzner.servers.create:3",
    "before-send/dns.records.set:1",
];

/// Points of a rollback, before a byte on the wire.
const UNDO_POINTS: [&str; 4] = [
    "before-undo-send/dns.records.restore:1",
    "before-undo-send/hetzner.servers.delete:1",
    "before-undo-send/hetzner.firewalls.delete:1",
    "before-undo-send/hetzner.networks.delete:1",
];

/// Everything of a tenant: three servers with four addresses, a volume, a network, a firewall and
/// two record sets.
const ALIVE: usize = 12;

/// Starts `provision-tenant` and returns once it is stopped at a point.
fn stopped_at(shell: &Shell, point: &str) -> Child {
    let arguments = shell.provision();
    let mut command = breakable(shell, &arguments, &[("RUNWRIT_STOP_AT", point)]);
    let child = command.spawn().expect("the product starts");
    until_stopped(&child);
    child
}

/// Does the same beside a cloud of its own. In a batch the process may be stopped while its other
/// thread writes, which would keep the store from everybody; another one is stopped then.
fn zombie_at(point: &str) -> (Cloud, Shell, Child) {
    for _ in 0..20 {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        let mut child = stopped_at(&shell, point);
        let store = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a store");
        store.busy_timeout(Duration::ZERO).expect("a setting");
        if store.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            return (cloud, shell, child);
        }
        signal(&child, "-KILL");
        child.wait().expect("it was ours");
    }
    panic!("at {point} every process was writing");
}

/// Lets a stopped process go on to its end.
fn go_on(shell: &Shell, child: Child) -> Printed {
    signal(&child, "-CONT");
    shell.wait(child)
}

/// Takes the lock of a run away from the process that holds it, as somebody does who tidies a state
/// directory, or a file system that keeps no locks.
fn lose_lock(shell: &Shell, run: &str) {
    std::fs::remove_file(shell.path(&format!("state/runs/{run}.lock"))).expect("it was locked");
}

#[test]
fn a_run_whose_process_is_stopped_is_taken_over_only_after_its_end() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let mut child = stopped_at(&shell, POINTS[3]);
    let run = only_run(&shell);
    let process = child.id().to_string();
    for command in ["resume", "rollback"] {
        let refused = shell.run(&[command, &run]);
        assert_eq!(refused.code, Some(7), "{command}: {}", refused.stderr);
        let told = refused.stderr.replace(&process, "PROCESS");
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @r"
            error: process PROCESS holds run `RUN` and is stopped; `kill -CONT PROCESS` lets it go on, or `kill -KILL PROCESS` ends it, then `runwrit resume RUN`
            ");
        }
    }
    signal(&child, "-KILL");
    child.wait().expect("it was ours");
    let resumed = shell.run(&["resume", &run]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
}

#[test]
fn a_zombie_beside_a_rollback_leaves_nothing_after_the_sweep() {
    let mut late = 0;
    for point in POINTS {
        let (cloud, shell, child) = zombie_at(point);
        let run = only_run(&shell);
        lose_lock(&shell, &run);
        let rollback = shell.run(&["rollback", &run]);
        assert_eq!(rollback.code, Some(1), "{point}: {}", rollback.stderr);
        let zombie = go_on(&shell, child);
        assert_eq!(zombie.code, Some(7), "{point}: it was fenced out: {}", zombie.stderr);
        late += usize::from(!cloud.alive().is_empty());
        let sweep = shell.run(&["sweep", "--delete", "--json"]);
        let (left, _) = swept(&sweep);
        assert!(left.iter().all(|it| it["fate"] == "deleted"), "{point}: {left:?}");
        assert_eq!(sweep.code, Some(0), "{point}: {}", sweep.stderr);
        assert!(cloud.alive().is_empty(), "{point}: {:?}", cloud.alive());
    }
    assert!(late >= 2, "only {late} zombies sent anything: the points have moved");
}

#[test]
fn a_zombie_beside_a_resumed_run_doubles_nothing() {
    for point in POINTS {
        let (cloud, shell, child) = zombie_at(point);
        let run = only_run(&shell);
        lose_lock(&shell, &run);
        let resumed = shell.run(&["resume", &run]);
        assert_eq!(resumed.code, Some(0), "{point}: {}", resumed.stderr);
        let zombie = go_on(&shell, child);
        assert_eq!(zombie.code, Some(7), "{point}: it was fenced out: {}", zombie.stderr);
        let sweep = shell.run(&["sweep", "--json"]);
        assert_eq!(swept(&sweep).1["in-place"], 8, "{point}: {}", sweep.stdout);
        assert_eq!(sweep.code, Some(0), "{point}: {}", sweep.stdout);
        assert_eq!(cloud.alive().len(), ALIVE, "{point}: {:?}", cloud.alive());
    }
}

#[test]
fn a_zombie_in_a_rollback_undoes_nothing_but_what_another_one_undid() {
    for point in UNDO_POINTS {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        let killed = [("RUNWRIT_CRASH_AT", "result-noted/dns.records.set:2")];
        let killed = run_breakable(&shell, &shell.provision(), &killed);
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        assert_eq!(cloud.alive().len(), ALIVE, "{point}: {:?}", cloud.alive());
        let run = only_run(&shell);
        let stop = [("RUNWRIT_STOP_AT", point)];
        let zombie = breakable(&shell, &["rollback", &run], &stop).spawn().expect("it starts");
        until_stopped(&zombie);
        lose_lock(&shell, &run);
        let rollback = shell.run(&["rollback", &run]);
        assert_eq!(rollback.code, Some(1), "{point}: {}", rollback.stderr);
        assert!(cloud.alive().is_empty(), "{point}: {:?}", cloud.alive());
        // The next tenant gets the names, and whatever else the zombie may reach for.
        let next = shell.run(&shell.provision());
        assert_eq!(next.code, Some(0), "{point}: {}", next.stderr);
        let zombie = go_on(&shell, zombie);
        assert_eq!(zombie.code, Some(7), "{point}: it was fenced out: {}", zombie.stderr);
        assert_eq!(cloud.alive().len(), ALIVE, "{point}: {:?}", cloud.alive());
    }
}

/// Lets a process end its run that another one has claimed and not yet written to. Returns whether
/// the run is over by that, and how the other one ended.
fn finish_beside_a_claim(rule: &str) -> (bool, Printed) {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    let variables = [("RUNWRIT_STOP_AT", "before-finish/run:1"), ("RUNWRIT_BREAK", rule)];
    let zombie = breakable(&shell, &arguments, &variables).spawn().expect("the product starts");
    until_stopped(&zombie);
    let run = only_run(&shell);
    lose_lock(&shell, &run);
    let stop = [("RUNWRIT_STOP_AT", "claimed/run:1")];
    let other = breakable(&shell, &["rollback", &run], &stop).spawn().expect("it starts");
    until_stopped(&other);
    let zombie = go_on(&shell, zombie);
    assert_eq!(zombie.code, Some(7), "another process has the run: {}", zombie.stderr);
    let is_over = shell.run(&["runs"]).stdout.contains("succeeded");
    (is_over, go_on(&shell, other))
}

#[test]
fn a_zombie_cannot_end_what_another_process_has_claimed() {
    let (is_over, rollback) = finish_beside_a_claim("");
    assert!(!is_over, "it was fenced out");
    assert_eq!(rollback.code, Some(1), "it went back: {}", rollback.stderr);
}

#[test]
fn a_build_whose_end_is_not_fenced_is_found_out() {
    let (is_over, _) = finish_beside_a_claim("unfenced-finish");
    assert!(is_over, "it called a success what another process was about to undo");
}

#[test]
fn what_a_zombie_sends_is_found_by_the_late_sweep_too() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let text = std::fs::read_to_string(shell.path("runwrit.toml")).expect("it stands there");
    shell.write("runwrit.toml", text.replace("[timing]\n", "[timing]\nsweep-ms = [1, 86400000]\n"));
    let child = stopped_at(&shell, "before-send/hetzner.networks.create:1");
    let run = only_run(&shell);
    lose_lock(&shell, &run);
    assert_eq!(shell.run(&["rollback", &run]).code, Some(1));
    go_on(&shell, child);
    assert_eq!(cloud.alive(), ["acme-net"]);
    let tick = shell.run(&["tick"]);
    assert_eq!(tick.code, Some(0), "{}", tick.stderr);
    insta::assert_snapshot!(tick.stdout, @r"
    late-sweep of run RUN: call 21: network acme-net had landed late and was deleted
    ");
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    // The one a day later is not due yet.
    assert_eq!(shell.run(&["tick"]).stdout, "");
}
