//! `tick`: what waits for time is done when it is due, and not before.

use std::process::Command;

use super::hook::Hook;
use super::resolve::webhook;
use super::{breakable, kill_in, only_run, run_breakable, signal, until_stopped};
use crate::cli::shell::{Cloud, Shell};

/// An hour later, by the clock that the host sees.
const LATER: [(&str, &str); 1] = [("RUNWRIT_CLOCK_SHIFT_MS", "3600000")];

#[test]
fn a_timer_that_ended_lets_its_run_go_on() {
    let hook = Hook::start(0);
    let shell = Shell::new();
    let arguments = webhook(&shell, &hook, 600, "well");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let parked = shell.run(&arguments);
    assert_eq!(parked.code, Some(8), "{}", parked.stderr);
    let early = shell.run(&["tick"]);
    assert_eq!((early.code, early.stdout.as_str()), (Some(0), ""), "{}", early.stderr);
    let due = run_breakable(&shell, &["tick"], &LATER);
    assert_eq!(due.code, Some(0), "{}", due.stderr);
    insta::assert_snapshot!(due.stdout, @"timer of run RUN: exit 0");
    let again = run_breakable(&shell, &["tick", "--json"], &LATER);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""), "{}", again.stderr);
    assert_eq!(hook.taken(), 1);
}

#[test]
fn an_interrupted_rollback_goes_on_and_an_interrupted_run_waits_for_a_person() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let (alive, run) = (cloud.alive(), only_run(&shell));
    let tick = shell.run(&["tick"]);
    assert_eq!((tick.code, tick.stdout.as_str()), (Some(0), ""), "{}", tick.stderr);
    assert_eq!(cloud.alive(), alive);
    let point = ("RUNWRIT_CRASH_AT", "undo-intent-committed:2");
    let killed = run_breakable(&shell, &["rollback", &run], &[point]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let tick = shell.run(&["tick"]);
    insta::assert_snapshot!(tick.stdout, @"rollback of run RUN: exit 1");
    assert_eq!(tick.code, Some(1), "a run that failed is told: {}", tick.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_run_that_a_process_works_on_is_left_to_it() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "4-6/14");
    let run = only_run(&shell);
    let point = [("RUNWRIT_STOP_AT", "undo-intent-committed:1")];
    let child = breakable(&shell, &["rollback", &run], &point).spawn().expect("it starts");
    until_stopped(&child);
    let tick = shell.run(&["tick"]);
    assert_eq!((tick.code, tick.stdout.as_str()), (Some(0), ""), "{}", tick.stderr);
    signal(&child, "-CONT");
    assert_eq!(shell.wait(child).code, Some(1));
}

#[test]
fn the_units_are_such_as_systemd_takes() {
    let shell = Shell::new();
    let folder = shell.path(".").display().to_string();
    let printed = shell.run(&["tick", "--units", &folder]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let units = ["runwrit-tick.service", "runwrit-tick.timer"].map(|name| shell.path(name));
    let text = units.each_ref().map(|path| std::fs::read_to_string(path).expect("it was written"));
    assert!(text[0].contains("tick --state \"/") && !text[0].contains('@'), "{}", text[0]);
    assert!(text[1].contains("Persistent=true"), "{}", text[1]);
    // Where systemd is not installed, what was read above is all that can be said.
    let Ok(verified) = Command::new("systemd-analyze").arg("verify").args(&units).output() else {
        return;
    };
    let told = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !told.contains("runwrit-tick"), "{told}");
}
