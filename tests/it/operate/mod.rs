//! What an operator needs at three in the morning: to find, to wait, to answer, to lose nothing.

mod adopt;
mod audit;
mod claims;
mod clock;
mod damage;
mod doctor;
mod drift;
pub mod losing;
mod moving;
mod resolve;
mod sweep;
mod names;
mod prices;
mod tick;
mod undo_order;
mod upgrade;
mod zombies;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};

use runwrit_tests::hook::Hook;
use serde_json::Value;

use self::resolve::webhook;
use super::cli::shell::{Printed, Shell};

/// The build with crash points.
const BREAKABLE: &str = env!("CARGO_BIN_EXE_runwrit-breakable");

/// Returns a command of the build with crash points.
fn breakable(shell: &Shell, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = shell.command_of(Path::new(BREAKABLE), arguments);
    command.envs(variables.iter().copied());
    command
}

/// Runs a command of the build with crash points to its end.
fn run_breakable(shell: &Shell, arguments: &[&str], variables: &[(&str, &str)]) -> Printed {
    let child = breakable(shell, arguments, variables).spawn().expect("the product starts");
    shell.wait(child)
}

/// Returns the only run of a state directory.
fn only_run(shell: &Shell) -> String {
    let output = shell.command(&["runs", "--json"]).output().expect("the product starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let row: Value = serde_json::from_str(lines.next().expect("a run")).expect("an object");
    assert_eq!(lines.next(), None, "one run was expected");
    row["run"].as_str().expect("an id").to_owned()
}

/// Returns the leftovers and the sum that `sweep --json` printed.
fn swept(printed: &Printed) -> (Vec<Value>, Value) {
    let mut objects = printed.objects();
    let sum = objects.pop().expect("a sum stands at the end");
    assert_eq!(sum["event"], "swept", "{sum}");
    (objects, sum)
}

/// Writes grant and inputs of `provision-tenant` for a tenant of octet 7.
fn provision(shell: &Shell, tenant: &str) -> Printed {
    let arguments = shell.provision();
    for name in ["acme.toml", "inputs.toml"] {
        let text = std::fs::read_to_string(shell.path(name)).expect("it was just written");
        shell.write(name, text.replace("acme", tenant));
    }
    shell.run(&arguments)
}

/// Lets a run of `bolt` wait for ten minutes beside one of `acme`. `limit` is a line of its grant.
fn park_bolt(shell: &Shell, hook: &Hook, limit: &str) {
    let database = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a store");
    // The guest reserves this octet for whatever tenant.
    let sql = "UPDATE tenant SET octet = 9 WHERE octet = 7";
    assert_eq!(database.execute(sql, []).expect("writable"), 1);
    let arguments = webhook(shell, hook, 600, "well");
    let grant = std::fs::read_to_string(shell.path("webhook.toml")).expect("it was just written");
    let grant = grant.replacen("version = 1\n", &format!("version = 1\n{limit}"), 1);
    shell.write("webhook.toml", grant.replace("acme", "bolt"));
    let arguments: Vec<String> =
        arguments.iter().map(|it| it.replace("tenant=acme", "tenant=bolt")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let parked = shell.run(&arguments);
    assert_eq!(parked.code, Some(8), "{}", parked.stderr);
}

/// Waits until a process was stopped by a signal. It counts looks, not seconds.
fn until_stopped(child: &Child) {
    let stat = format!("/proc/{}/stat", child.id());
    for _ in 0..3_000 {
        let text = std::fs::read_to_string(&stat).expect("it was not waited for");
        match text.rsplit_once(") ").map(|(_, rest)| rest.chars().next()) {
            Some(Some('T' | 't')) => return,
            Some(Some('Z')) => panic!("it ended before it was stopped"),
            _ => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    }
    panic!("it was never stopped");
}

fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("`kill` is everywhere").success());
}

/// Kills a run with `kill -9` once a step whose title begins with `title` has begun.
fn kill_in(shell: &Shell, title: &str) {
    let arguments = shell.provision();
    let mut child = shell.command(&arguments).arg("--json").spawn().expect("the product starts");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let events = stdout.lines().map_while(Result::ok);
    let mut events = events.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let found = events.any(|it| it["title"].as_str().is_some_and(|it| it.starts_with(title)));
    assert!(found, "it ended before `{title}`");
    child.kill().expect("it lives");
    child.wait().expect("it was ours");
}
