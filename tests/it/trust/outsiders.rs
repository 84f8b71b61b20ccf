//! What runwrit signs, others verify, and the other way round: securesystemslib, python-tuf,
//! sigstore-js and tuf-js, unmodified.

use std::path::PathBuf;
use std::process::Command;

use super::roots::{SUCCESSION, house, rotate, sign_root};
use super::*;
use crate::simulator::outsiders::program;

fn file(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/it/trust/outsiders")).join(name)
}

fn python(shell: &Shell, arguments: &[&str]) {
    let mut command = Command::new(program("python"));
    passes(command.arg(file("verify.py")).args(arguments).current_dir(shell.path(".")));
}

fn passes(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
}

/// Returns the folder in which the packages of npm lie; nothing where there is no `node`.
fn node() -> Option<PathBuf> {
    let has_npm = Command::new("npm").arg("--version").output().is_ok_and(|it| it.status.success());
    if !has_npm {
        println!("SKIPPED: `npm` is absent, so sigstore-js and tuf-js judge nothing here");
        return None;
    }
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/outsiders/node"));
    let wanted = fs::read(file("package.json")).expect("the list of pinned packages");
    fs::create_dir_all(&folder).expect("writable");
    let stamp = folder.join("installed.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Some(folder);
    }
    fs::write(folder.join("package.json"), &wanted).expect("writable");
    let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
    passes(Command::new("npm").args(install).current_dir(&folder));
    fs::write(stamp, wanted).expect("writable");
    Some(folder)
}

/// Returns the files of the signers of the package.
fn signature(shell: &Shell) -> String {
    let names = fs::read_dir(shell.path("package/signatures")).expect("a folder");
    let mut paths = names.map(|it| it.expect("readable").path().display().to_string());
    paths.next().expect("a signature")
}

#[test]
fn others_verify_what_runwrit_signed_and_the_other_way_round() {
    let shell = house();
    let bundle = signature(&shell);
    python(&shell, &["bundle", &bundle, "ops-1.pub", "ops-2.pub"]);
    python(&shell, &["resign", &bundle, "ops-1", "ops-1.pub"]);
    succeeds(&shell.run(&["verify", "./package"]));
    succeeds(&run(&shell, "./package", &[]));
    let grant = fs::read_dir(shell.path(".")).expect("a folder").flatten();
    let mut grant = grant.map(|it| it.file_name().to_string_lossy().into_owned());
    let grant = grant.find(|name| name.starts_with("hello.toml.")).expect("it is signed");
    python(&shell, &["bundle", &grant, "desk.pub", "ops-1.pub"]);
    // One by another key says nothing, whoever made it.
    python(&shell, &["resign", &bundle, "ops-2", "ops-2.pub"]);
    refused(&shell.run(&["verify", "./package"]), "it is not by the key `ops-1` that it names");
}

#[test]
fn others_follow_the_roots_of_runwrit_and_the_other_way_round() {
    let shell = house();
    rotate(&shell, "2.root.json", &SUCCESSION);
    sign_root(&shell, "2.root.json", &["alice", "bob"]);
    python(&shell, &["chain", "1.root.json", "2.root.json"]);
    python(&shell, &["next-root", "2.root.json", "3.root.json", "bob"]);
    refused(
        &shell.run(&["trust", "advance", "2.root.json", "3.root.json"]),
        "root 3 needs 2 signatures by the keys of root 2, and 1 counts: `bob`",
    );
    python(&shell, &["next-root", "2.root.json", "3.root.json", "bob", "carol"]);
    python(&shell, &["chain", "1.root.json", "2.root.json", "3.root.json"]);
    succeeds(&shell.run(&["trust", "advance", "2.root.json", "3.root.json"]));
    let shown = shell.run(&["trust", "show"]).stdout;
    assert!(shown.contains("chain      root 3, DIGEST"), "{shown}");
    assert!(shown.contains("key        ops-2: runbook for acme:*"), "{shown}");
}

#[test]
fn sigstore_js_and_tuf_js_agree() {
    let Some(folder) = node() else { return };
    let shell = house();
    rotate(&shell, "2.root.json", &SUCCESSION);
    sign_root(&shell, "2.root.json", &["alice", "bob"]);
    let at = |name: &str| shell.path(name).display().to_string();
    // Packages of npm are found from where the script lies.
    let script = folder.join("verify.js");
    fs::copy(file("verify.js"), &script).expect("writable");
    let bundle = ["bundle", &signature(&shell), &at("ops-1.pub"), &at("ops-2.pub")];
    passes(Command::new("node").arg(&script).args(bundle));
    let chain = ["chain", &at("1.root.json"), &at("2.root.json")];
    passes(Command::new("node").arg(&script).args(chain));
}
