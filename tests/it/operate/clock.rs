//! A clock that is wrong: nothing of it may last once it is right again.

use std::fs;
use std::time::Duration;

use runwrit_simulator::hetzner::{Fault, Rule};
use runwrit_tests::hook::Hook;

use super::losing::{backup, lose, restore};
use super::resolve::webhook;
use super::{BREAKABLE, only_run, park_bolt, run_breakable};
use crate::cli::shell::{Cloud, Shell};

/// Seventy years ahead: what grants of these tests still allow.
const FUTURE: (&str, &str) = ("RUNWRIT_CLOCK_SHIFT_MS", "2209032000000");
/// A machine that has lost its battery.
const PAST: (&str, &str) = ("RUNWRIT_CLOCK_SHIFT_MS", "-1700000000000");

/// A shell in which late looks are due at once, and grants last.
fn shell(cloud: &Cloud) -> Shell {
    let shell = Shell::new().with_cloud(cloud);
    let text = fs::read_to_string(shell.path("runwrit.toml")).expect("it stands there");
    shell.write("runwrit.toml", text.replace("[timing]\n", "[timing]\nsweep-ms = [1]\n"));
    shell
}

/// Runs `provision-tenant` under a grant that lasts, with a wrong clock and a kill.
fn provision(shell: &Shell, variables: &[(&str, &str)]) -> Option<i32> {
    let arguments = shell.provision();
    let grant = fs::read_to_string(shell.path("acme.toml")).expect("it was just written");
    shell.write("acme.toml", grant.replace("2027-12-31", "2099-12-31"));
    run_breakable(shell, &arguments, variables).code
}

#[test]
fn a_boot_in_the_far_future_stops_no_rollback_no_late_look_and_no_later_run() {
    let cloud = Cloud::start();
    let shell = shell(&cloud);
    let killed = ("RUNWRIT_CRASH_AT", "intent-committed/hetzner.servers.create:1");
    assert_eq!(provision(&shell, &[FUTURE, killed]), None);
    let run = only_run(&shell);
    // By the right clock: undo, settle times and the budget of requests all come from the future.
    let rollback = shell.run(&["rollback", &run]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    let tick = shell.run(&["tick"]);
    assert_eq!(tick.code, Some(0), "{}", tick.stderr);
    assert_eq!(tick.stdout.lines().count(), 3, "one look for each server: {}", tick.stdout);
    let again = shell.run(&shell.provision());
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

#[test]
fn a_rollback_that_ended_in_the_future_has_its_late_look_today() {
    let cloud = Cloud::start();
    let shell = shell(&cloud);
    let killed = ("RUNWRIT_CRASH_AT", "intent-committed/hetzner.networks.create:1");
    assert_eq!(provision(&shell, &[FUTURE, killed]), None);
    let rollback = run_breakable(&shell, &["rollback", &only_run(&shell)], &[FUTURE]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    let first = shell.run(&["tick"]);
    // The first tick sets it right, to a millisecond from then; the second finds it due.
    let told = format!("{}{}", first.stdout, shell.run(&["tick"]).stdout);
    assert_eq!(told, "late-sweep of run RUN: call 21: nothing landed late\n", "{}", first.stderr);
}

#[test]
fn a_timer_that_was_set_in_the_future_ends_as_long_after_today() {
    let hook = Hook::start(0);
    let shell = Shell::new();
    let arguments = webhook(&shell, &hook, 600, "well");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let parked = run_breakable(&shell, &arguments, &[FUTURE]);
    assert_eq!(parked.code, Some(8), "{}", parked.stderr);
    // Today it is parked again, for ten minutes; before they have passed nothing is due.
    assert_eq!(shell.run(&["tick"]).stdout, "timer of run RUN: exit 8\n");
    assert_eq!(shell.run(&["tick"]).stdout, "");
    let later = run_breakable(&shell, &["tick"], &[("RUNWRIT_CLOCK_SHIFT_MS", "660000")]);
    assert_eq!(later.stdout, "timer of run RUN: exit 0\n", "{}", later.stderr);
    assert_eq!(hook.taken(), 1);
}

#[test]
fn a_machine_without_a_battery_ticks_nothing_and_rolls_back_as_ever() {
    let cloud = Cloud::start();
    let shell = shell(&cloud);
    let killed = ("RUNWRIT_CRASH_AT", "intent-committed/hetzner.servers.create:1");
    assert_eq!(provision(&shell, &[killed]), None);
    let tick = run_breakable(&shell, &["tick"], &[PAST]);
    assert_eq!(tick.code, Some(2), "{}", tick.stderr);
    insta::assert_snapshot!(tick.stderr, @r"
    error: the clock says TIME, which cannot be
    hint: set it; nothing was done
    ");
    let rollback = run_breakable(&shell, &["rollback", &only_run(&shell)], &[PAST]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_rollback_of_a_machine_without_a_battery_has_its_late_looks_as_long_after_today() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let killed = ("RUNWRIT_CRASH_AT", "intent-committed/hetzner.networks.create:1");
    assert_eq!(provision(&shell, &[killed]), None);
    let rollback = run_breakable(&shell, &["rollback", &only_run(&shell)], &[PAST]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    let look = "late-sweep of run RUN: call 21: nothing landed late\n";
    // At once, after a quarter of an hour, soon after that, and a day later.
    let rows = [(0, ""), (960_000, look), (1_800_000, ""), (86_460_000, look)];
    let mut passed = 0;
    for (shift, expected) in rows {
        cloud.handle.desk().advance(Duration::from_millis(shift - passed));
        passed = shift;
        let shift = shift.to_string();
        let tick = run_breakable(&shell, &["tick"], &[("RUNWRIT_CLOCK_SHIFT_MS", &shift)]);
        assert_eq!(tick.stdout, expected, "{shift}: {}", tick.stderr);
    }
}

#[test]
fn a_boot_in_the_far_future_ends_no_late_look_and_no_run_of_today() {
    let (cloud, hook) = (Cloud::start(), Hook::start(0));
    let shell = shell(&cloud);
    let killed = ("RUNWRIT_CRASH_AT", "intent-committed/hetzner.networks.create:1");
    assert_eq!(provision(&shell, &[killed]), None);
    assert_eq!(shell.run(&["rollback", &only_run(&shell)]).code, Some(1));
    park_bolt(&shell, &hook, "max-minutes = 60\n");
    let desk = cloud.handle.desk();
    let count = || desk.request_count("", "/**");
    let asked = count();
    let wrong = run_breakable(&shell, &["tick"], &[FUTURE]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""), "{}", wrong.stderr);
    insta::assert_snapshot!(wrong.stderr, @r"
    error: the clock says TIME, and the endpoint of `hetzner` says TIME
    hint: set it (`timedatectl set-ntp true`); nothing was done, and all that is due stays so
    ");
    assert_eq!(count(), asked + 1, "it asks for the time, and for nothing else");
    let runs = shell.run(&["runs"]).stdout;
    assert!(runs.contains("waits until TIME"), "{runs}");
    let today = shell.run(&["tick"]);
    let look = "late-sweep of run RUN: call 21: nothing landed late\n";
    assert_eq!((today.code, today.stdout.as_str()), (Some(0), look), "{}", today.stderr);
    let asked = count();
    assert_eq!(shell.run(&["tick"]).stdout, "");
    assert_eq!(count(), asked, "nothing is due, so nobody is asked");
    desk.advance(Duration::from_millis(660_000));
    let later = run_breakable(&shell, &["tick"], &[("RUNWRIT_CLOCK_SHIFT_MS", "660000")]);
    assert_eq!(later.stdout, "timer of run RUN: exit 0\n", "{}", later.stderr);
    assert_eq!(hook.taken(), 1);
}

#[test]
fn where_nobody_tells_the_time_no_rollback_is_given_up() {
    let cloud = Cloud::start();
    let shell = shell(&cloud);
    let killed = ("RUNWRIT_CRASH_AT", "intent-committed/hetzner.servers.create:1");
    assert_eq!(provision(&shell, &[killed]), None);
    let run = only_run(&shell);
    let point = ("RUNWRIT_CRASH_AT", "undo-intent-committed:2");
    assert_eq!(run_breakable(&shell, &["rollback", &run], &[point]).code, None);
    let desk = cloud.handle.desk();
    let fault = Fault::Refuse { status: 503, code: "unavailable".into(), message: "no".into() };
    desk.add_fault(Rule { times: 0, ..Rule::once("DELETE", "/**", fault) });
    assert_eq!(shell.run(&["tick"]).stdout, "rollback of run RUN: exit 8\n");
    // The world can be read, but nobody says what time it is there.
    desk.add_fault(Rule { times: 0, ..Rule::once("GET", "/locations", Fault::DropBefore) });
    let unsure = run_breakable(&shell, &["tick"], &[FUTURE]);
    assert_eq!((unsure.code, unsure.stdout.as_str()), (Some(2), ""), "{}", unsure.stderr);
    let told = "the clock says TIME, and no endpoint confirms it";
    assert!(unsure.stderr.contains(told), "{}", unsure.stderr);
    desk.clear_faults();
    desk.advance(Duration::from_secs(3_600));
    let healed = run_breakable(&shell, &["tick"], &[("RUNWRIT_CLOCK_SHIFT_MS", "3600000")]);
    assert_eq!(healed.stdout, "rollback of run RUN: exit 1\n", "{}", healed.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn what_a_restore_in_the_far_future_claimed_is_taken_over_by_one_of_today() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    assert_eq!(provision(&shell, &[]), Some(0));
    assert_eq!(backup(&shell, "backup.age").code, Some(0));
    lose(&shell);
    let there = ["state", "restore", "backup.age", "--identity", "key.txt"];
    let restored = run_breakable(&shell, &there, &[FUTURE]);
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    assert_eq!(provision(&shell, &[FUTURE]), Some(0), "it claims the tenant");
    fs::rename(shell.path("state"), shell.path("future")).expect("it stood there");
    let restored = restore(&shell, "backup.age", "state");
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    let gone = shell.run(&shell.deprovision());
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    assert_eq!((cloud.alive(), cloud.claims()), (vec![], vec![]));
}

#[test]
fn doctor_tells_a_journal_from_the_future() {
    let shell = Shell::new();
    let hello = ["run", "hello", "--grant", "hello.toml", "--input", "name=you"];
    assert_eq!(run_breakable(&shell, &hello, &[FUTURE]).code, Some(0), "{BREAKABLE}");
    let printed = shell.run(&["doctor"]);
    assert!(printed.stdout.contains("in the future: the clock was wrong"), "{}", printed.stdout);
}
