//! Ctrl-C, termination, a closed terminal and a closed pipe: nothing is lost.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

use runwrit_simulator::hetzner::{Fault, Rule};
use serde_json::Value;

use super::shell::{Cloud, Shell};

/// Three servers with four public addresses, a volume, a network, a firewall and two record sets.
pub const ALIVE: usize = 12;

/// Starts `provision-tenant` with JSON events and returns once a step whose title begins with
/// `title` has begun.
pub fn start_until(shell: &Shell, title: &str) -> (Child, String) {
    let arguments = shell.provision();
    let mut command = shell.command(&arguments);
    let mut child = command.arg("--json").spawn().expect("the product starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let Some(run) = read_until(&mut stdout, title) else {
        panic!("it ended too early: {:?}", child.wait());
    };
    // What comes after must still have a reader.
    std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    (child, run)
}

/// Returns the run of the first event whose title begins with `title`.
fn read_until(stdout: &mut impl BufRead, title: &str) -> Option<String> {
    let events = stdout.lines().map_while(Result::ok);
    let mut events = events.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let is_it = |event: &Value| event["title"].as_str().is_some_and(|it| it.starts_with(title));
    events.find(is_it)?["run"].as_str().map(str::to_owned)
}

pub fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("`kill` is everywhere").success());
}

#[test]
fn an_interrupt_says_what_it_waits_for_and_how_to_go_on() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let mut child = shell.command(&shell.provision()).spawn().expect("the product starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut lines = stderr.by_ref().map(|line| line.expect("text"));
    assert!(lines.any(|line| line.starts_with("▸ 4-6/14")), "it ended too early");
    send(&child, "-INT");
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{rest:#?}");
    let first = "interrupted: finishing the call in flight; press Ctrl-C again to stop at once";
    assert!(rest.iter().any(|line| line == first), "{rest:#?}");
    let next = rest.iter().find_map(|line| line.strip_prefix("next: runwrit resume "));
    let run = next.unwrap_or_else(|| panic!("no command to go on: {rest:#?}"));
    assert_eq!(shell.run(&["resume", run]).code, Some(0));
}

#[test]
fn one_interrupt_finishes_the_call_and_a_resume_goes_on() {
    for signal in ["-INT", "-TERM"] {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        let (child, run) = start_until(&shell, "4-6/14");
        send(&child, signal);
        let stopped = shell.wait(child);
        assert_eq!(stopped.code, Some(130), "{signal}: {}", stopped.stderr);
        let resumed = shell.run(&["resume", &run]);
        assert_eq!(resumed.code, Some(0), "{signal}: {}", resumed.stderr);
        assert_eq!(cloud.alive().len(), ALIVE, "{signal}: {:?}", cloud.alive());
    }
}

#[test]
fn a_second_interrupt_stops_at_once_and_loses_nothing() {
    let cloud = Cloud::start();
    // The call in flight takes longer than the two interrupts.
    let slow = Fault::Slow { delay_ms: 5_000 };
    cloud.handle.desk().add_fault(Rule::once("POST", "/servers", slow));
    let shell = Shell::new().with_cloud(&cloud);
    let mut child = shell.command(&shell.provision()).spawn().expect("the product starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut lines = stderr.by_ref().map(|line| line.expect("text"));
    assert!(lines.any(|line| line.starts_with("▸ 4-6/14")), "it ended too early");
    send(&child, "-INT");
    assert!(lines.any(|line| line.starts_with("interrupted: finishing")), "it ended too early");
    send(&child, "-INT");
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{rest:#?}");
    let next = rest.iter().find_map(|line| line.strip_prefix("stopped; next: runwrit resume "));
    let run = next.unwrap_or_else(|| panic!("it did not stop at once: {rest:#?}"));
    let rolled_back = shell.run(&["rollback", run]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_closed_terminal_does_not_stop_a_run() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let (child, _) = start_until(&shell, "2/14");
    send(&child, "-HUP");
    let ended = shell.wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn closed_pipes_do_not_stop_a_run() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    for is_json in [true, false] {
        let arguments = shell.provision();
        let mut command = shell.command(&arguments);
        if is_json {
            command.arg("--json");
        }
        let mut child = command.spawn().expect("the product starts");
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "--json: {is_json}");
    }
    assert_eq!(cloud.alive().len(), ALIVE, "the second run found all of it: {:?}", cloud.alive());
}

#[test]
fn a_second_run_on_the_same_tenant_is_refused_and_the_first_goes_on() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let (child, _) = start_until(&shell, "4-6/14");
    let second = shell.run(&shell.provision());
    assert_eq!(second.code, Some(7), "{}", second.stderr);
    insta::assert_snapshot!(second.told(), @"
    exit 7
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: run `RUN` holds `tenant:acme` until it ends: wait for it, or end it with `runwrit resume RUN` or `runwrit rollback RUN`
    ");
    assert_eq!(shell.wait(child).code, Some(0));
}

#[test]
fn a_cancelled_run_rolls_back() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let (child, run) = start_until(&shell, "4-6/14");
    let asked = shell.run(&["cancel", &run]);
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    let ended = shell.wait(child);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}
