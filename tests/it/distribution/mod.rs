//! Packages on their way, with a real registry and the tools of others.

mod real;
mod carrying;
mod locking;
mod widening;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use runwrit_keyring as keyring;

use self::real::Registry;
use super::cli::shell::{Printed, Shell, packages};

/// A shell whose package directory is its own, with a signed package `hello` in it.
fn shell() -> Shell {
    let shell = Shell::new();
    configure(&shell, "");
    for file in ["runbook.toml", "component.wasm"] {
        let bytes = fs::read(packages().join("hello").join(file)).expect("readable");
        shell.write(&format!("hello/{file}"), bytes);
    }
    keyring::sign(&shell.path("hello"));
    shell
}

/// Writes a configuration with more in it.
fn configure(shell: &Shell, more: &str) {
    shell.write(
        "runwrit.toml",
        format!("version = 1\nstate = \"state\"\npackages = [\"kept\"]\n{more}"),
    );
}

/// Returns the files of a folder, by path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        match path.is_dir() {
            true => {
                let below = files(&path).into_iter();
                found.extend(below.map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
            }
            false => drop(found.insert(name, fs::read(&path).expect("readable"))),
        }
    }
    found
}

/// Types a command that succeeds, and returns its one object as it is.
#[track_caller]
fn object(shell: &Shell, arguments: &[&str]) -> serde_json::Value {
    let output = shell.command(&[arguments, &["--json"]].concat()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[track_caller]
fn refused(printed: &Printed, code: i32, fragment: &str) {
    assert_eq!(printed.code, Some(code), "{}", printed.stderr);
    assert!(printed.stderr.contains(fragment), "`{fragment}` is not told: {}", printed.stderr);
    assert!(printed.stderr.contains("hint: "), "{}", printed.stderr);
}

/// Starts `skopeo`, which belongs to somebody else, and returns what it prints.
#[track_caller]
fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("skopeo").args(arguments).output();
    let output = output.expect("`cargo xtask setup` installs `skopeo`");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "skopeo {arguments:?}: {said}");
    output.stdout
}
