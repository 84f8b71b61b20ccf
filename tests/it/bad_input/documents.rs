//! Grants, manifests and configurations: each shipped one is sound, and each fault in it is told
//! once, with field, value, fix and line.

use std::fs;
use std::path::{Path, PathBuf};

use runwrit_model::document::variants::{Variant, variants};
use runwrit_model::document::{Fault, Faults, Field};
use runwrit_model::grant::{self, Grant};
use runwrit_model::manifest::{self, Manifest};
use runwrit_model::recipe::{self, Recipe};
use runwrit_model::settings::{self, Settings};
use runwrit_trust::keyring::{self, Keyring};

/// One kind of document by the name of its files.
pub struct Kind {
    pub file: &'static str,
    pub schema: &'static [Field],
    pub read: fn(&str) -> Result<(), Faults>,
}

/// The kinds of documents that people write.
pub const KINDS: [Kind; 5] = [
    Kind {
        file: "grants.example.toml",
        schema: grant::SCHEMA,
        read: |text| Grant::parse("document", text).map(drop),
    },
    Kind {
        file: "runbook.toml",
        schema: manifest::SCHEMA,
        read: |text| Manifest::parse("document", text).map(drop),
    },
    Kind {
        file: recipe::FILE,
        schema: recipe::SCHEMA,
        read: |text| Recipe::parse("document", text).map(drop),
    },
    Kind {
        file: "trust.example.toml",
        schema: keyring::SCHEMA,
        read: |text| Keyring::parse("document", text).map(drop),
    },
    Kind {
        file: "runwrit.example.toml",
        schema: settings::SCHEMA,
        read: |text| Settings::parse("document", text).map(drop),
    },
];

/// Returns all files of this name below `runbooks` and `examples`.
pub fn shipped(name: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand below it");
    let folders = ["runbooks", "examples"].map(|folder| root.join(folder));
    let packages = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<PathBuf> =
        packages.flatten().map(|entry| entry.path().join(name)).filter(|it| it.exists()).collect();
    files.sort();
    files
}

#[test]
fn every_shipped_document_is_sound() {
    for kind in KINDS {
        let files = shipped(kind.file);
        assert!(!files.is_empty(), "no `{}` was found", kind.file);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            (kind.read)(&text).unwrap_or_else(|faults| panic!("{}: {faults}", file.display()));
        }
    }
}

#[test]
fn every_fault_of_one_field_is_told_once_with_field_value_fix_and_line() {
    let mut count = 0;
    for kind in KINDS {
        for file in shipped(kind.file) {
            let text = fs::read_to_string(&file).unwrap();
            for variant in variants(&text.parse().unwrap(), kind.schema) {
                let fault = only_fault(&kind, &file, &variant);
                expect_clear(&fault, &variant);
                count += 1;
            }
        }
    }
    assert!(count > 500, "only {count} documents were tried");
}

fn only_fault(kind: &Kind, file: &Path, variant: &Variant) -> Fault {
    let told = format!("{}: `{}` {}", file.display(), variant.field, variant.fault);
    let Err(mut faults) = (kind.read)(&variant.text) else { panic!("accepted: {told}") };
    assert_eq!(faults.faults.len(), 1, "{told}\n{faults}");
    faults.faults.remove(0)
}

fn expect_clear(fault: &Fault, variant: &Variant) {
    let shown = fault.to_string();
    let is_group = fault.problem.contains("exactly one of");
    assert!(fault.field == variant.field || is_group, "{shown} for `{}`", variant.field);
    assert!(fault.line.is_some(), "{shown}");
    let (problem, fix) = (&fault.problem, &fault.fix);
    match variant.fault {
        "missing" => assert!(problem.contains("is missing") && fix.contains("write"), "{shown}"),
        "unknown" => assert!(problem == "is no known field", "{shown}"),
        _ => assert!(problem.starts_with("is ") && fix.starts_with("expected "), "{shown}"),
    }
}
