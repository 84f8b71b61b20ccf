//! The conformance suite of TUF judges how runwrit follows roots, through the adapter
//! `outsiders/conformance.py`. It is not in any registry of Python, so it comes from its source.

use std::path::PathBuf;
use std::process::{Command, Output};

use regex::Regex;

use super::*;
use crate::cli::shell::binary;

/// The suite at the commit whose results the list of expected failures tells.
const SOURCE: &str = "git+https://github.com/theupdateframework/tuf-conformance\
                      @eec841c186f81f2d9d8d30460c7e7deefa615f9e";
/// A folder that holds the suite, for machines that do not reach its source.
const CHECKOUT: &str = "RUNWRIT_TUF_CONFORMANCE";
/// Without a network the installer tries for long.
const INSTALL_SECONDS: &str = "120";
/// Each of its hundred tests starts some Python programs.
const RUN_SECONDS: &str = "900";

/// Returns the program `name` of an environment that holds the suite; nothing where that cannot be
/// made.
fn environment() -> Option<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/outsiders/conformance");
    let folder = PathBuf::from(folder);
    let source = std::env::var(CHECKOUT).unwrap_or_else(|_| SOURCE.to_owned());
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == source) {
        return Some(folder);
    }
    let skipped = |why: &str| {
        println!("SKIPPED: {why}, so the conformance suite of TUF judges nothing here");
        None
    };
    if !answers("faketime") {
        return skipped("`faketime` is absent (`apt-get install faketime`)");
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return skipped("no environment of Python can be made");
    }
    let mut install = limited(INSTALL_SECONDS, &folder.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", &source]);
    let output = install.output().expect("`timeout` is part of coreutils");
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = told.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return skipped(&format!("`{source}` cannot be installed ({})", first.trim()));
    }
    fs::write(stamp, source).expect("the stamp is written");
    Some(folder)
}

fn answers(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|it| it.status.success())
}

fn limited(seconds: &str, program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg(seconds).arg(program);
    command
}

fn suite(environment: &Path) -> Output {
    let python = environment.join("bin/python");
    let find = "import tuf_conformance as it; print(it.__path__[0])";
    let found = Command::new(&python).args(["-c", find]).output().expect("Python starts");
    let tests = String::from_utf8(found.stdout).expect("a path").trim().to_owned();
    let adapter = concat!(env!("CARGO_MANIFEST_DIR"), "/it/trust/outsiders/conformance.py");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", environment.join("bin").display());
    let mut command = limited(RUN_SECONDS, &python);
    command.args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfxX", "--tb=short", &tests]);
    command.args(["--entrypoint", adapter]).env("PATH", path).env("RUNWRIT_BIN", binary());
    command.output().expect("`timeout` is part of coreutils")
}

#[test]
fn the_conformance_suite_of_tuf_finds_that_roots_are_followed_as_they_should_be() {
    let Some(environment) = environment() else { return };
    let output = suite(&environment);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{told}");
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let passed = Regex::new(r"(\d+) passed").expect("a pattern").captures(&told);
    let passed = passed.and_then(|it| it[1].parse().ok()).unwrap_or(0_u32);
    assert!(passed >= 80, "only {passed} tests passed: {told}");
}
