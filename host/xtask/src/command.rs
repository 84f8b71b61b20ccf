//! Running other programs, loudly and with time limits.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How often a program with a time limit is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Returns cargo as a person would start it: without what it told this program of itself, from
/// which the build scripts of others conclude that everything changed.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| own(name)) {
        cargo.env_remove(name);
    }
    cargo
}

/// Runs `command` to its end with the terminal of this process.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|source| not_started(command, source))?;
    if status.success() { Ok(()) } else { Err(ended(command, status.to_string())) }
}

/// Runs `command` and kills it when it takes longer than `limit`.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<(), Failure> {
    let mut child = command.spawn().map_err(|source| not_started(command, source))?;
    let started = Instant::now();
    while started.elapsed() < limit {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(ended(command, status.to_string())),
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Err(source) => return Err(not_started(command, source)),
        }
    }
    stop(&mut child);
    Err(ended(command, format!("no answer within {} s", limit.as_secs())))
}

/// Runs `command`, shows its errors, and returns what it printed.
pub fn read(command: &mut Command) -> Result<String, Failure> {
    let Output { status, stdout, .. } =
        command.stderr(Stdio::inherit()).output().map_err(|source| not_started(command, source))?;
    if !status.success() {
        return Err(ended(command, status.to_string()));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// Returns whether `command` runs and succeeds; what it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn stop(child: &mut Child) {
    // It may have ended meanwhile; then there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
}

fn not_started(command: &Command, source: std::io::Error) -> Failure {
    Failure::NotStarted { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn ended(command: &Command, status: String) -> Failure {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    Failure::Ended { line: line.join(" "), status }
}
