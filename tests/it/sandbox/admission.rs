//! What is known of a package before anything of it runs, and what is refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use runwrit_engine::admission::{Inspection, Package};
use runwrit_model::exit::Exit;
use tempfile::TempDir;

use super::bench::{self, wrap};

/// Makes a package of the quiet guest with another component.
fn package_with(component: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let manifest = bench::package("quiet").join("runbook.toml");
    fs::copy(manifest, folder.path().join("runbook.toml")).expect("the folder is writable");
    fs::write(folder.path().join("component.wasm"), component).expect("the folder is writable");
    folder
}

/// Returns why a package is refused, without its path.
fn refusal(folder: &Path) -> (String, Exit) {
    let error = Package::read(folder).expect_err("it should be refused");
    (error.to_string().replace(&folder.display().to_string(), "[package]"), error.exit())
}

fn refused_component(component: &[u8]) -> String {
    let (text, exit) = refusal(package_with(component).path());
    assert_eq!(exit, Exit::Untrusted, "{text}");
    text
}

#[test]
fn what_is_no_component_of_a_runbook_is_refused_by_what_it_is() {
    let quiet = bench::component("quiet");
    let half = &quiet[..quiet.len() / 2];
    let components: [(&str, &[u8]); 5] = [
        ("a script", b"#!/bin/sh"),
        ("a core module", b"\0asm\x01\0\0\0"),
        ("half a component", half),
        ("an empty component", b"\0asm\x0d\0\x01\0"),
        ("a proposal", &bench::component("gc-probe")),
    ];
    let told = components.map(|(what, bytes)| format!("{what}: {}", refused_component(bytes)));
    let told = told.join("\n").replace("`[package]/component.wasm` cannot be admitted: ", "");
    // The length changes with the compiler.
    let told = told.replace(&format!("after {} bytes", half.len()), "after [half] bytes");
    insta::assert_snapshot!(wrap(&told), @r"
    a script: it is no WebAssembly file; give the component that the build of the
      runbook makes
    a core module: it is a core module, not a component; make a component of it with
      `wasm-tools component new` or the crate `wit-component`
    half a component: it ends in the middle, after [half] bytes; copy or build it again
    an empty component: it exports nothing, and a runbook exports a function `run`
    a proposal: it is not valid for this host: gc proposal must be enabled to use
      subtypes (at offset 0x10b); build it without that, or build it again
    ");
}

#[test]
fn every_cut_of_a_component_is_refused() {
    let quiet = bench::component("quiet");
    for length in (0..quiet.len()).step_by(97) {
        let folder = package_with(&quiet[..length]);
        assert!(Package::read(folder.path()).is_err(), "{length} bytes were admitted");
    }
}

#[test]
fn files_that_are_not_what_they_seem_are_refused() {
    let folder = package_with(&bench::component("quiet"));
    let component = folder.path().join("component.wasm");
    let elsewhere = folder.path().join("elsewhere.wasm");
    fs::rename(&component, &elsewhere).expect("both are in the folder");
    symlink(&elsewhere, &component).expect("the folder is writable");
    insta::assert_snapshot!(wrap(&refusal(folder.path()).0), @r"
    `[package]/component.wasm` is no regular file; a package holds no links, so that
      what was checked is what runs
    ");

    fs::remove_file(&component).expect("it is there");
    assert_eq!(refusal(folder.path()).1, Exit::Usage, "a missing file");
    fs::create_dir(&component).expect("the folder is writable");
    assert_eq!(refusal(folder.path()).1, Exit::Untrusted, "a folder instead of a file");

    fs::remove_dir(&component).expect("it is there");
    let large = fs::File::create(&component).expect("the folder is writable");
    large.set_len((64 << 20) + 1).expect("the disk takes files with holes");
    insta::assert_snapshot!(wrap(&refusal(folder.path()).0), @r"
    `[package]/component.wasm` has more than 67108864 bytes; such a file is refused
      unread
    ");
}

#[test]
fn a_path_that_holds_no_package_is_refused() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let (text, exit) = refusal(&folder.path().join("nothing"));
    assert_eq!(exit, Exit::Usage, "{text}");
    let (text, exit) = refusal(folder.path());
    assert_eq!(exit, Exit::Usage, "{text}");
}

#[test]
fn an_inspection_tells_what_a_guest_wants() {
    let package = Package::read(&bench::package("unasked-import")).expect("it is a package");
    let mut inspection = Inspection::of(&package);
    // They change with the compiler.
    inspection.digest = "[digest]".to_owned();
    inspection.bytes = 0;
    inspection.producers.clear();
    let text = serde_json::to_string_pretty(&inspection).expect("it is JSON");
    insta::assert_snapshot!(wrap(&text), @r#"
    {
      "runbook": "unasked-import@0.1.0",
      "description": "Imports more than it asks for",
      "digest": "[digest]",
      "bytes": 0,
      "tier": "pure",
      "world": "runwrit:host/everything@0.1.0",
      "scope": "tenant:{tenant}",
      "asks": [
        {
          "interface": "registry/tenants",
          "why": "one effect, so that there is something to roll back",
          "is-imported": true
        }
      ],
      "imports": [
        {
          "name": "runwrit:types/failures@0.1.0",
          "reach": "types"
        },
        {
          "name": "runwrit:run/inputs@0.1.0",
          "reach": "run"
        },
        {
          "name": "runwrit:run/steps@0.1.0",
          "reach": "run"
        },
        {
          "name": "runwrit:registry/tenants@0.1.0",
          "reach": "granted"
        },
        {
          "name": "runwrit:audit/events@0.1.0",
          "reach": "granted"
        }
      ],
      "exports": [
        "run"
      ],
      "inputs": [
        [
          "tenant",
          "text",
          "the tenant to reserve"
        ]
      ],
      "outputs": [],
      "producers": [],
      "gaps": [
        "`audit/events` is imported, but `runbook.toml` does not ask for it: add to
      runbook.toml and sign again: [[ask]] interface = \"audit/events\", why = \"...\""
      ]
    }
    "#);
}
