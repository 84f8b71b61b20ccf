//! Whose packages run, seen from the shell: keyrings, signatures, memory and revocations.

mod arrivals;
mod attacks;
mod conformance;
mod grants;
mod keyrings;
mod openssl;
mod outsiders;
mod races;
mod revocation;
mod roots;
mod signing;

use std::fs;
use std::path::Path;

use super::cli::shell::{Printed, Shell, packages};

/// Copies the package `hello` to `name` of the folder, without its signatures.
fn unsigned(shell: &Shell, name: &str) {
    for file in ["runbook.toml", "component.wasm"] {
        let bytes = fs::read(packages().join("hello").join(file)).expect("readable");
        shell.write(&format!("{name}/{file}"), bytes);
    }
    let _ = fs::remove_dir_all(shell.path(&format!("{name}/signatures")));
}

/// Makes a key without a passphrase, and returns its hint.
fn key(shell: &Shell, name: &str) -> String {
    let made = shell.run(&["key", "generate", "--out", name, "--no-passphrase", "--json"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    made.objects()[0]["hint"].as_str().expect("a hint").to_owned()
}

/// Appends to the keyring.
fn add(shell: &Shell, text: &str) {
    let path = shell.path("trust.toml");
    let before = fs::read_to_string(&path).expect("readable");
    fs::write(&path, format!("{before}\n{text}\n")).expect("writable");
}

/// Runs `hello` from a folder.
fn run(shell: &Shell, package: &str, more: &[&str]) -> Printed {
    let arguments = ["run", package, "--grant", "hello.toml", "--input", "name=you"];
    shell.run(&[&arguments[..], more].concat())
}

fn succeeds(printed: &Printed) {
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
}

#[track_caller]
fn refused(printed: &Printed, fragment: &str) {
    assert_eq!(printed.code, Some(4), "{}", printed.stderr);
    assert!(printed.stderr.contains(fragment), "`{fragment}` is not told: {}", printed.stderr);
    assert!(printed.stderr.contains("hint: "), "{}", printed.stderr);
}

/// Returns the time in an hour.
fn in_an_hour() -> String {
    let mut date = std::process::Command::new("date");
    let hour = date.args(["-u", "-d", "+1 hour", "+%Y-%m-%dT%H:%M:%SZ"]).output();
    let hour = String::from_utf8(hour.expect("a clock").stdout).expect("digits");
    hour.trim().to_owned()
}

/// Types a command two hours later.
fn two_hours_later(shell: &Shell, arguments: &[&str]) -> Printed {
    let breakable = Path::new(env!("CARGO_BIN_EXE_runwrit-breakable"));
    let mut later = shell.command_of(breakable, arguments);
    later.env("RUNWRIT_CLOCK_SHIFT_MS", "7200000");
    shell.wait(later.spawn().expect("the product starts"))
}

/// Types a command at a terminal of its own, and returns whether it succeeded and what it said.
fn at_terminal(shell: &Shell, arguments: &[&str]) -> (bool, String) {
    let template = shell.command(arguments);
    let line = format!("{} {}", template.get_program().display(), arguments.join(" "));
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(shell.path(".")).env_clear();
    command.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.env("PATH", "/usr/bin:/bin").stdin(std::process::Stdio::null()).output();
    let output = output.expect("`script` is part of util-linux");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
