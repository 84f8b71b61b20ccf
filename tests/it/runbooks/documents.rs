//! Every runbook has its documents, and they fit each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use runwrit_model::admission::{Origin, ask_within_grant};
use runwrit_model::grant::Grant;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::manifest::Manifest;
use runwrit_model::settings::Settings;

/// Returns the folders of all runbooks.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let inside = |folder: &str| fs::read_dir(root.join(folder)).unwrap();
    let all = inside("runbooks").chain(inside("examples")).map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = all.filter(|path| path.join("Cargo.toml").is_file()).collect();
    folders.sort();
    folders
}

fn read(folder: &Path, name: &str) -> (String, String) {
    let path = folder.join(name);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("`{}` cannot be read: {error}", path.display()));
    (path.display().to_string(), text)
}

fn manifest(folder: &Path) -> Manifest {
    let (file, text) = read(folder, "runbook.toml");
    Manifest::parse(&file, &text).unwrap_or_else(|faults| panic!("{faults}"))
}

fn grant(folder: &Path) -> Grant {
    let (file, text) = read(folder, "grants.example.toml");
    Grant::parse(&file, &text).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn there_are_runbooks_to_look_at() {
    let names: BTreeSet<_> = folders().iter().map(|folder| manifest(folder).name).collect();
    for name in ["deprovision-tenant", "hello", "provision-tenant"] {
        assert!(names.contains(name), "`{name}` is missing from {names:?}");
    }
}

#[test]
fn every_runbook_is_named_after_its_folder_and_versioned_with_its_crate() {
    for folder in folders() {
        let manifest = manifest(&folder);
        assert!(folder.ends_with(&manifest.name), "{}: `{}`", folder.display(), manifest.name);
        let (file, text) = read(folder.parent().unwrap(), "Cargo.toml");
        let version = format!("version = \"{}\"", manifest.runbook_version);
        assert!(text.contains(&version), "{file} has no `{version}`");
    }
}

/// The example is what an operator copies: it must open every interface that is asked for.
#[test]
fn the_ask_of_every_runbook_lies_within_its_example_grant() {
    for folder in folders() {
        let (manifest, grant) = (manifest(&folder), grant(&folder));
        let scope = match grant.tenant() {
            Some(tenant) => Scope::tenant(tenant),
            None => Scope::run(&RunId::new(0, [0; 10])),
        };
        let now = grant.expires() - 1;
        let gaps = ask_within_grant((&manifest, &Origin::default()), &grant, &scope, now);
        assert!(gaps.is_empty(), "{}: {gaps:?}", folder.display());
    }
}

#[test]
fn every_readme_says_how_to_start_what_is_asked_and_how_to_undo_by_hand() {
    for folder in folders() {
        let (file, text) = read(&folder, "README.md");
        let name = manifest(&folder).name;
        for words in [&format!("runwrit run {name} --grant"), "ask", "## Undo by hand"] {
            assert!(text.contains(words), "{file} does not say `{words}`");
        }
        for input in manifest(&folder).inputs.keys() {
            assert!(text.contains(&format!("--input {input}=")), "{file} lacks input `{input}`");
        }
    }
}

#[test]
fn the_example_configuration_maps_every_role_of_a_tenant() {
    let folder = folders().into_iter().find(|path| path.ends_with("provision-tenant")).unwrap();
    let (file, text) = read(&folder, "runwrit.example.toml");
    let settings = Settings::parse(&file, &text).unwrap_or_else(|faults| panic!("{faults}"));
    let grant = grant(&folder);
    let granted = &grant.document().hetzner.as_ref().unwrap().server_types;
    for role in ["gateway", "worker", "db"] {
        let types = &settings.hetzner.roles[role];
        assert!(types.len() > 1, "`{role}` has one choice only");
        for name in types {
            assert!(granted.contains(name), "the grant lacks `{name}` of `{role}`");
        }
    }
}
