//! `tick`: what waits for time is done when it is due, and not before.

use std::process::Command;
use std::time::Duration;

use runwrit_simulator::hetzner::{Fault, Rule};
use runwrit_tests::hook::Hook;

use super::resolve::webhook;
use super::{breakable, kill_in, only_run, park_bolt, run_breakable, signal, until_stopped};
use crate::cli::shell::{Cloud, Shell};

/// An hour later, by the clock that the host sees; a cloud has to be as late.
const LATER: [(&str, &str); 1] = [("RUNWRIT_CLOCK_SHIFT_MS", "3600000")];
const HOUR: Duration = Duration::from_secs(3_600);

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
fn a_rollback_that_cannot_go_on_keeps_no_other_tenant_back() {
    let (cloud, hook) = (Cloud::start(), Hook::start(0));
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let point = ("RUNWRIT_CRASH_AT", "undo-intent-committed:2");
    let killed = run_breakable(&shell, &["rollback", &only_run(&shell)], &[point]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    park_bolt(&shell, &hook, "");
    let fault = Fault::Refuse { status: 503, code: "unavailable".into(), message: "no".into() };
    let desk = cloud.handle.desk();
    desk.advance(HOUR);
    desk.add_fault(Rule { times: 0, ..Rule::once("DELETE", "/**", fault) });
    let mut child = breakable(&shell, &["tick"], &LATER).spawn().expect("it starts");
    // It counts looks, not seconds: a tick that waits for the endpoint would do so for a day.
    let is_over = (0..6_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        child.try_wait().expect("it is ours").is_some()
    });
    if !is_over {
        child.kill().expect("it lives");
    }
    let tick = shell.wait(child);
    assert_eq!(tick.code, Some(0), "{}{}", tick.stdout, tick.stderr);
    insta::assert_snapshot!(tick.stdout, @r"
    rollback of run RUN: exit 8
    timer of run RUN: exit 0
    ");
    assert_eq!(hook.taken(), 1);
    assert!(tick.stderr.contains("waits to go on with its rollback"), "{}", tick.stderr);
    desk.clear_faults();
    desk.advance(HOUR);
    let shift = [("RUNWRIT_CLOCK_SHIFT_MS", "7200000")];
    let healed = run_breakable(&shell, &["tick"], &shift);
    assert_eq!(healed.code, Some(1), "{}{}", healed.stdout, healed.stderr);
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
    assert!(!text[0].contains('@'), "{}", text[0]);
    let line = |start: &str| text[0].lines().find(|line| line.starts_with(start)).expect("a line");
    let path = |name: &str| format!("\"{}\"", shell.path(name).display());
    let command = line("ExecStart=");
    for option in
        [format!("--state {}", path("state")), format!("--config {}", path("runwrit.toml"))]
    {
        assert!(command.contains(&option), "{option} in {command}");
    }
    let owner = Command::new("stat").args(["--format", "%U"]).arg(shell.path(".")).output();
    let owner = String::from_utf8(owner.expect("`stat` is everywhere").stdout).expect("a name");
    assert_eq!(line("User="), format!("User={}", owner.trim()));
    for order in ["After=", "Wants="] {
        assert!(line(order).contains("time-sync.target"), "{}", line(order));
    }
    assert!(text[1].contains("Persistent=true"), "{}", text[1]);
    // Where systemd is not installed, what was read above is all that can be said.
    let Ok(verified) = Command::new("systemd-analyze").arg("verify").args(&units).output() else {
        return;
    };
    let told = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !told.contains("runwrit-tick"), "{told}");
}

#[test]
fn nobody_gets_a_service_on_the_state_of_others() {
    let mut shell = Shell::new();
    shell.set("SUDO_USER", "nobody");
    shell.set("SUDO_UID", "65534");
    let folder = shell.path(".").display().to_string();
    // It would be made in a directory of root.
    let state = "/runwrit-is-not-here";
    let refused = shell.run(&["tick", "--units", &folder, "--state", state]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("is that of `root`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: name yours with `--state DIR`"), "{}", refused.stderr);
    assert!(!shell.path("runwrit-tick.service").exists(), "nothing was written");
}

#[test]
fn a_run_goes_on_by_itself_once_its_question_is_answered() {
    let hook = Hook::start(1);
    let shell = Shell::new();
    let arguments = webhook(&shell, &hook, 0, "well");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(shell.run(&arguments).code, Some(8));
    let early = shell.run(&["tick"]);
    assert_eq!((early.code, early.stdout.as_str()), (Some(0), ""), "{}", early.stderr);
    let run = only_run(&shell);
    let answer = ["resolve", &run, "4", "--as", "done", "--reason", "the log of the hook says so"];
    assert_eq!(shell.run(&answer).code, Some(0));
    let tick = shell.run(&["tick"]);
    assert_eq!(tick.stdout, "answered of run RUN: exit 0\n", "{}", tick.stderr);
    assert_eq!((tick.code, hook.taken()), (Some(0), 1), "nothing was sent again");
    assert_eq!(shell.run(&["tick"]).stdout, "");
}

#[test]
fn a_wish_to_cancel_that_nobody_heard_is_fulfilled() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let run = only_run(&shell);
    let point = ("RUNWRIT_CRASH_AT", "cancel-requested/run:1");
    let killed = run_breakable(&shell, &["cancel", &run], &[point]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let tick = shell.run(&["tick"]);
    assert_eq!(tick.stdout, "cancel of run RUN: exit 1\n", "{}", tick.stderr);
    assert_eq!(tick.code, Some(1), "a run that failed is told: {}", tick.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    assert_eq!(shell.run(&["tick"]).stdout, "");
}
