//! `cargo xtask test`: everything that a change must pass, cheapest first.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::failure::Failure;
use crate::guests;
use crate::place::Place;
use crate::setup;

/// Whether what is missing is a failure: so on the machine that decides about a change.
const REQUIRE: &str = "RUNWRIT_REQUIRE_SHARED";
/// The official description of the API that the simulator stands in for.
const SPECIFICATION: &str = "RUNWRIT_HETZNER_SPEC";
/// How many examples of each operation the fuzzer tries.
const EXAMPLES: &str = "RUNWRIT_SCHEMATHESIS_EXAMPLES";

/// Sets up, builds and tests everything, and says at the end what was left out.
pub fn run(place: &Place) -> Result<(), Failure> {
    let setup::Ready { toolchain, mut missing } = setup::run(place)?;
    missing.extend(missing_specification(place));
    missing.extend(missing_checkers());
    if !missing.is_empty() && std::env::var(REQUIRE).is_ok_and(|value| value == "1") {
        return Err(Failure::Missing(
            format!("`{REQUIRE}=1`, but these are missing: {}", missing.join("; ")),
            "bring them, or unset the variable to leave their tests out".to_owned(),
        ));
    }
    style(place)?;
    guests::build(place, &toolchain, &[])?;
    missing.extend(guests::check(place, &toolchain)?);
    // With the switches that put one rule off each, so that a rule which no test needs is found.
    let units = ["test", "--no-fail-fast", "--workspace", "--exclude", "runwrit-tests"];
    cargo(place, &[&units[..], &["--features", "runwrit/breakable"]].concat())?;
    cargo(place, &["build", "--package", "runwrit"])?;
    command::run(&mut integration(place)?)?;
    report(&missing);
    Ok(())
}

/// Sets up and runs the fuzzer of the simulator with so many examples of each operation.
pub fn schemathesis(place: &Place, examples: u32) -> Result<(), Failure> {
    let setup::Ready { mut missing, .. } = setup::run(place)?;
    missing.extend(missing_specification(place));
    if let Some(what) = missing.first() {
        return Err(Failure::Missing(what.clone(), "the fuzzer needs it: bring it".to_owned()));
    }
    let mut test = integration(place)?;
    test.args(["--test", "it", "--", "--nocapture", "simulator::fuzz"]);
    command::run(test.env(EXAMPLES, examples.to_string()))
}

/// Returns the integration tests, against the product and the build whose rules can be broken.
fn integration(place: &Place) -> Result<Command, Failure> {
    let binaries = binaries()?;
    let mut test = command::cargo();
    test.args(["test", "--package", "runwrit-tests"]);
    test.current_dir(place.root()).env("RUNWRIT_BIN", binaries.join("runwrit"));
    say(&test);
    Ok(test)
}

/// Returns which checkers of format and lints are not there.
fn missing_checkers() -> Vec<String> {
    let parts =
        [("fmt", "the format (no `cargo fmt`)"), ("clippy", "the lints (no `cargo clippy`)")];
    let missing = parts.into_iter().filter(|(part, _)| !has(part));
    missing.map(|(_, what)| what.to_owned()).collect()
}

fn has(part: &str) -> bool {
    command::succeeds(command::cargo().args([part, "--version"]))
}

/// Checks format and lints of host and guests, with what is there.
fn style(place: &Place) -> Result<(), Failure> {
    if has("fmt") {
        cargo(place, &["fmt", "--all", "--check"])?;
        for workspace in guests::workspaces(place) {
            let manifest = workspace.join("Cargo.toml").display().to_string();
            cargo(place, &["fmt", "--all", "--check", "--manifest-path", &manifest])?;
        }
    }
    match has("clippy") {
        true => {
            cargo(place, &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
        }
        false => Ok(()),
    }
}

fn missing_specification(place: &Place) -> Option<String> {
    let default = place.root().join("../shared/hetzner/cloud.spec.json");
    let path = std::env::var_os(SPECIFICATION).map_or(default, PathBuf::from);
    let what = "the official API description that responses are compared with";
    (!path.is_file()).then(|| format!("{what} (`{SPECIFICATION}` names it)"))
}

/// Where cargo puts binaries: where this one lies.
fn binaries() -> Result<PathBuf, Failure> {
    let unknown = |_| {
        let what = "the folder of this program is unknown".to_owned();
        Failure::Missing(what, "run it as `cargo xtask test`".to_owned())
    };
    let program = std::env::current_exe().map_err(unknown)?;
    Ok(program.parent().unwrap_or(Path::new(".")).to_owned())
}

fn cargo(place: &Place, arguments: &[&str]) -> Result<(), Failure> {
    let mut cargo = command::cargo();
    cargo.args(arguments).current_dir(place.root());
    say(&cargo);
    command::run(&mut cargo)
}

fn say(command: &Command) {
    let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    eprintln!("\n== cargo {}", arguments.join(" "));
}

fn report(missing: &[String]) {
    eprintln!();
    for what in missing {
        eprintln!("SKIPPED: {what}");
    }
    match missing.len() {
        0 => eprintln!("all tests passed, none was left out"),
        count => eprintln!("all other tests passed; {count} of the checks above were LEFT OUT"),
    }
}
