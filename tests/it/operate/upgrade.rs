//! What an earlier version left in the middle of a run, this build takes to either of its ends.
//!
//! `RUNWRIT_WRITE_FIXTURE=FOLDER cargo test --package runwrit-tests operate::upgrade` writes a new
//! fixture, which is only right together with a new version of the journal; the old one stays.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regex::Regex;
use runwrit_model::plan::snapshot::{BELONGINGS, CATALOGUE, Snapshot};
use serde_json::{Value, json};

use super::{only_run, run_breakable};
use crate::cli::shell::{Cloud, Shell, TOKEN};

/// Where the run acted, which its journal holds. No other test listens there.
const ADDRESS: ([u8; 4], u16) = ([127, 83, 17, 71], 18_471);
/// Where it was killed: the volume was ordered, and nobody had written down that it was.
const POINT: &str = "sent/hetzner.volumes.create:1";
/// Three servers with four addresses, a network, a firewall and a volume.
const STOOD: usize = 10;
/// Everything of a tenant.
const ALIVE: usize = 12;

/// Returns the folder of the fixture. Its key proves things in simulated clouds alone.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/provision-tenant-v1")
}

fn cloud() -> Cloud {
    Cloud::start_at(SocketAddr::from(ADDRESS))
}

/// Returns what stands in a project, without the catalogue.
fn project(cloud: &Cloud) -> BTreeMap<String, Vec<Value>> {
    let collection = |name: &&str| ((*name).to_owned(), cloud.all(&format!("/{name}"), name));
    let mut project: BTreeMap<String, Vec<Value>> = BELONGINGS.iter().map(collection).collect();
    let zones: Vec<Value> = project["zones"].iter().map(|zone| zone["id"].clone()).collect();
    for zone in zones {
        let path = format!("zones/{zone}/rrsets");
        let sets = cloud.all(&format!("/{path}"), "rrsets");
        project.insert(path, sets);
    }
    project
}

/// Returns a shell whose state directory is that of the fixture, and its cloud as the killed
/// process left it.
fn restored() -> (Shell, Cloud) {
    let cloud = cloud();
    let text = fs::read_to_string(fixture().join("cloud.json")).expect("a fixture");
    let mut collections: BTreeMap<String, Vec<Value>> = serde_json::from_str(&text).expect("JSON");
    for name in CATALOGUE {
        collections.insert(name.to_owned(), cloud.all(&format!("/{name}"), name));
    }
    let pricing = cloud.get("/pricing")["pricing"].take();
    let snapshot = Snapshot { collections, pricing };
    cloud.handle.desk().seed(TOKEN, &snapshot).expect("documents of this API");
    let shell = Shell::new().with_cloud(&cloud);
    for name in ["trust.toml", "runwrit.toml"] {
        let text = fs::read_to_string(fixture().join(name)).expect("a fixture");
        shell.write(name, text);
    }
    let own = |name: &str, mode: u32| {
        let path = shell.path(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    for entry in files(&fixture().join("state")) {
        let name = format!("state/{entry}");
        shell.write(&name, fs::read(fixture().join(&name)).expect("a fixture"));
        own(&name, 0o600);
    }
    own("state", 0o700);
    (shell, cloud)
}

/// Returns the paths of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().is_dir() {
            true => {
                found.extend(files(&entry.path()).iter().map(|below| format!("{name}/{below}")));
            }
            false => found.push(name),
        }
    }
    found
}

/// Kills a run of this version in the middle, and writes down what it leaves.
fn write(folder: &Path) {
    let cloud = cloud();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    let grant = fs::read_to_string(shell.path("acme.toml")).expect("it was just written");
    let endless = Regex::new(r"expires = \S+").expect("a pattern");
    shell.write("acme.toml", &*endless.replace(&grant, "expires = 2099-01-01T00:00:00Z"));
    let killed = run_breakable(&shell, &arguments, &[("RUNWRIT_CRASH_AT", POINT)]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    fs::create_dir_all(folder.join("state/components")).expect("writable");
    let text = serde_json::to_string_pretty(&project(&cloud)).expect("documents");
    fs::write(folder.join("cloud.json"), format!("{text}\n")).expect("writable");
    let store = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a store");
    let into = folder.join("state/store.sqlite").display().to_string();
    store.execute("VACUUM INTO ?", [into]).expect("writable");
    let components = files(&shell.path("state/components"));
    let kept = components.into_iter().map(|name| format!("state/components/{name}"));
    for name in kept.chain(["state/host.key", "trust.toml"].map(str::to_owned)) {
        fs::copy(shell.path(&name), folder.join(&name)).expect("writable");
    }
    let text = fs::read_to_string(shell.path("runwrit.toml")).expect("it was just written");
    let lines = text.lines().filter(|line| !line.starts_with("packages = "));
    fs::write(folder.join("runwrit.toml"), lines.collect::<Vec<_>>().join("\n")).expect("writable");
}

#[test]
fn a_run_that_version_1_left_in_the_middle_is_resumed_and_rolled_back() {
    if let Ok(folder) = std::env::var("RUNWRIT_WRITE_FIXTURE") {
        write(Path::new(&folder));
    }
    let (shell, cloud) = restored();
    let run = only_run(&shell);
    assert_eq!(cloud.alive().len(), STOOD, "{:?}", cloud.alive());
    let resumed = shell.run(&["resume", &run]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
    let volumes = cloud.alive().iter().filter(|name| *name == "acme-data").count();
    assert_eq!(volumes, 1, "it is found again by its name and its proof");
    drop(cloud);

    let (shell, cloud) = restored();
    let rolled_back = shell.run(&["rollback", &run]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    let shown = shell.run(&["show", &run, "--json"]).objects().remove(0);
    assert_eq!(shown["left"], json!([]), "{shown}");
}
