//! `doctor`: one line for each thing that was looked at, and a fix for each finding.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use runwrit_model::limits::STORE_PAGES_CHECKED_MAX;
use serde_json::Value;

use super::losing::{backup, lose, restore};
use crate::cli::shell::{Cloud, READ_ONLY, Shell, TOKEN, nowhere};
use crate::cli::store::on_disk_of;

/// Runs `doctor --json` and returns its exit code and the findings of one check.
fn findings(shell: &Shell, check: &str) -> (Option<i32>, Vec<Value>) {
    let printed = shell.run(&["doctor", "--json"]);
    let all = printed.objects();
    for finding in &all {
        let is_good = finding["level"] == "good";
        assert_eq!(finding["fix"].is_null(), is_good, "each finding has a fix: {finding}");
        let fix = finding["fix"].as_str().unwrap_or("nothing");
        assert!(fix.split_whitespace().count() > 2 || is_good, "it says what to do: {finding}");
        assert!(!fix.contains("see there"), "it says what to do: {finding}");
    }
    assert!(!printed.stdout.contains(TOKEN) && !printed.stdout.contains(READ_ONLY));
    (printed.code, all.into_iter().filter(|finding| finding["check"] == check).collect())
}

fn used() -> Shell {
    let shell = Shell::new();
    assert_eq!(shell.run(&["runs"]).code, Some(0));
    shell
}

#[test]
fn a_host_that_is_fit_has_a_line_for_everything() {
    let cloud = Cloud::start();
    let shell = used().with_cloud(&cloud);
    let printed = shell.run(&["doctor"]);
    assert_eq!(printed.code, Some(0), "{}{}", printed.stdout, printed.stderr);
    let checks: Vec<&str> =
        printed.stdout.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let expected = [
        "config",
        "keyring",
        "threshold",
        "grants",
        "memory",
        "modes",
        "disk",
        "store",
        "time",
        "tick",
        "code-cache",
        "credential",
        "clock",
        "docker",
        "compose",
    ];
    assert_eq!(checks, expected, "{}", printed.stdout);
    assert_eq!(cloud.alive(), Vec::<String>::new(), "it makes nothing, not even the mark");
}

#[test]
fn a_new_host_has_no_state_yet() {
    let shell = Shell::new();
    let (code, found) = findings(&shell, "state");
    assert_eq!((code, &found[0]["level"]), (Some(0), &"note".into()), "{found:?}");
    assert!(!shell.path("state").exists(), "a look makes nothing");
}

#[test]
fn a_new_host_is_looked_at_before_its_first_run() {
    let cloud = Cloud::start();
    let mut shell = Shell::new().with_cloud(&cloud);
    for check in ["disk", "credential", "clock"] {
        let (code, found) = findings(&shell, check);
        assert_eq!((code, found.len()), (Some(0), 1), "{check}: {found:?}");
        assert_eq!(found[0]["level"], "good", "{check}: {found:?}");
    }
    shell.set("HCLOUD_TOKEN", "short");
    let (code, found) = findings(&shell, "credential");
    assert_eq!((code, &found[0]["level"]), (Some(2), &"wrong".into()), "{found:?}");
    assert!(found[0]["fix"].to_string().contains("token"), "{found:?}");
    assert!(!shell.path("state").exists(), "a look makes nothing");
    assert_eq!(cloud.alive(), Vec::<String>::new(), "nor in the project");
}

/// Returns all that stands in a folder, and below it.
fn all_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("a directory").flatten() {
        names.push(entry.path().display().to_string());
        if entry.path().is_dir() {
            names.extend(all_below(&entry.path()));
        }
    }
    names.sort();
    names
}

#[test]
fn a_look_makes_nothing_in_an_empty_state_directory_nor_beside_the_keyring() {
    let shell = Shell::new();
    let hello = ["run", "hello", "--grant", "hello.toml", "--input", "name=you"];
    assert_eq!(shell.run(&hello).code, Some(0));
    assert_eq!(backup(&shell, "backup.age").code, Some(0));
    lose(&shell);
    // A keyring whose folder of memories does not stand yet.
    let keyring = fs::read_to_string(shell.path("trust.toml")).expect("it was installed");
    let policy = "[policy]\nstate = \"memory/trust-state.json\"\n";
    assert!(keyring.contains("[policy]\n"), "{keyring}");
    shell.write("trust.toml", keyring.replacen("[policy]\n", policy, 1));
    fs::create_dir(shell.path("state")).expect("ours");
    fs::set_permissions(shell.path("state"), fs::Permissions::from_mode(0o700)).expect("ours");
    let before = all_below(&shell.path("."));
    let (code, found) = findings(&shell, "state");
    assert_eq!((code, &found[0]["level"]), (Some(0), &"note".into()), "{found:?}");
    assert_eq!(findings(&shell, "memory").1[0]["level"], "good");
    assert_eq!(all_below(&shell.path(".")), before, "a look makes nothing");
    let restored = restore(&shell, "backup.age", "state");
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
}

#[test]
fn what_is_wrong_is_told_with_its_level() {
    let cloud = Cloud::start();
    type Break = fn(&mut Shell);
    let rows: [(&str, &str, &str, i32, Break); 16] = [
        ("no keyring", "keyring", "wrong", 2, |shell| {
            fs::remove_file(shell.path("trust.toml")).expect("it was installed");
        }),
        ("a code cache that others write", "code-cache", "wrong", 2, |shell| {
            let mode = fs::Permissions::from_mode(0o777);
            fs::create_dir_all(shell.path("state/code")).expect("ours");
            fs::set_permissions(shell.path("state/code"), mode).expect("ours");
        }),
        ("keys that were lent, readable by others", "modes", "wrong", 2, |shell| {
            let mode = fs::Permissions::from_mode(0o755);
            fs::create_dir_all(shell.path("state/lent")).expect("ours");
            fs::set_permissions(shell.path("state/lent"), mode).expect("ours");
        }),
        ("a lent key that is none", "store", "wrong", 2, |shell| {
            shell.write("state/lent/acme.json", "{}");
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(shell.path("state/lent/acme.json"), mode).expect("ours");
        }),
        ("a host key that is cut", "store", "wrong", 2, |shell| {
            shell.write("state/host.key", "short");
        }),
        ("an engine of Docker that does not answer", "docker", "note", 0, |shell| {
            docker(shell, "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
        }),
        ("a token that only reads", "credential", "note", 0, |shell| {
            shell.set("HCLOUD_TOKEN", READ_ONLY);
        }),
        ("a token that nobody knows", "credential", "wrong", 2, |shell| {
            shell.set("HCLOUD_TOKEN", &format!("simulatedx{}", &TOKEN[10..]));
        }),
        ("a token that is malformed", "credential", "wrong", 2, |shell| {
            shell.set("HCLOUD_TOKEN", "simulated-and-much-too-short");
        }),
        ("an endpoint that is not there", "credential", "wrong", 2, |shell| {
            shell.set("HCLOUD_ENDPOINT", &format!("http://{}/v1", nowhere()));
        }),
        ("a readable host key", "modes", "wrong", 2, |shell| {
            let mode = fs::Permissions::from_mode(0o644);
            fs::set_permissions(shell.path("state/store.sqlite"), mode).expect("ours");
        }),
        ("a configuration that others write", "config", "wrong", 2, |shell| {
            let mode = fs::Permissions::from_mode(0o666);
            fs::set_permissions(shell.path("runwrit.toml"), mode).expect("ours");
        }),
        ("a store that is gone", "store", "broken", 3, |shell| {
            fs::remove_file(shell.path("state/store.sqlite")).expect("it stood there");
        }),
        ("a host key that is gone", "store", "broken", 3, |shell| {
            fs::remove_file(shell.path("state/host.key")).expect("it stood there");
        }),
        ("a large store with a damaged page", "store", "broken", 3, break_large_store),
        ("a store that is none", "store", "broken", 3, |shell| {
            let text = "this is no database, however long it may be";
            fs::write(shell.path("state/store.sqlite"), text).expect("ours");
        }),
    ];
    for (name, check, level, exit, damage) in rows {
        let mut shell = used().with_cloud(&cloud);
        damage(&mut shell);
        let (code, found) = findings(&shell, check);
        assert_eq!(found.first().map(|it| &it["level"]), Some(&level.into()), "{name}: {found:?}");
        assert_eq!(code, Some(exit), "{name}: {found:?}");
    }
}

#[test]
fn a_clock_beside_that_of_the_api_is_told_with_its_distance() {
    let cloud = Cloud::start();
    let shell = used().with_cloud(&cloud);
    cloud.handle.desk().advance(Duration::from_secs(3_600));
    let (code, found) = findings(&shell, "clock");
    assert_eq!((code, &found[0]["level"]), (Some(2), &"wrong".into()), "{found:?}");
    let text = found[0]["text"].as_str().expect("a text");
    let seconds: u64 = text.split(' ').next().and_then(|it| it.parse().ok()).expect("seconds");
    assert!((3_590..=3_610).contains(&seconds) && text.ends_with("s behind the API's"), "{text}");
}

#[test]
fn a_disk_that_is_nearly_full_is_told() {
    for (kib, level, exit) in [(2 << 20, "good", 0), (500 << 10, "note", 0), (8 << 10, "wrong", 2)]
    {
        let shell = Shell::new();
        let script = "\"$RUNWRIT\" runs >/dev/null && \"$RUNWRIT\" doctor --json";
        let output = on_disk_of(&shell, kib, script);
        let told = String::from_utf8_lossy(&output.stdout);
        let objects = told.lines().map(|line| serde_json::from_str(line).expect("an object"));
        let mut objects: Vec<Value> = objects.collect();
        objects.retain(|finding| finding["check"] == "disk");
        assert_eq!(objects[0]["level"], level, "{told}");
        assert_eq!(output.status.code(), Some(exit), "{told}");
    }
}

/// Makes the store so large that to open it does not read all of it, and damages a page.
fn break_large_store(shell: &mut Shell) {
    let path = shell.path("state/store.sqlite");
    let store = rusqlite::Connection::open(&path).expect("a store");
    let bytes = 4_096 * (STORE_PAGES_CHECKED_MAX + 10);
    let sql = format!("INSERT INTO seed VALUES ('large', zeroblob({bytes}))");
    store.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).expect("writable");
    drop(store);
    let mut bytes = fs::read(&path).expect("readable");
    let page = bytes.len() - 5 * 4_096;
    // The chain of pages that one value takes leads out of the file.
    bytes[page..page + 4].fill(0xff);
    fs::write(&path, bytes).expect("ours");
}

/// Puts a program named `docker` first on the path.
fn docker(shell: &mut Shell, script: &str) {
    shell.write("bin/docker", format!("#!/bin/sh\n{script}\n"));
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(shell.path("bin/docker"), mode).expect("ours");
    let path = format!("{}:/usr/bin:/bin", shell.path("bin").display());
    shell.set("PATH", &path);
}

#[test]
fn the_versions_of_docker_and_compose_are_told_and_no_credential_is_handed_on() {
    let cloud = Cloud::start();
    let mut shell = used().with_cloud(&cloud);
    let script = "env > \"$(dirname \"$0\")/seen\"\n\
                  case \"$1\" in compose) echo 2.29.7;; *) echo 27.3.1;; esac";
    docker(&mut shell, script);
    for (check, version) in [("docker", "version 27.3.1"), ("compose", "version 2.29.7")] {
        let (code, found) = findings(&shell, check);
        assert_eq!((code, &found[0]["level"]), (Some(0), &"good".into()), "{found:?}");
        assert_eq!(found[0]["text"], version, "{found:?}");
    }
    let seen = fs::read_to_string(shell.path("bin/seen")).expect("it ran");
    assert!(!seen.contains(TOKEN) && !seen.contains("HCLOUD"), "{seen}");
}

#[test]
fn a_journal_that_was_edited_is_found() {
    let shell = Shell::new();
    let hello = ["run", "hello", "--grant", "hello.toml", "--input", "name=you"];
    assert_eq!(shell.run(&hello).code, Some(0));
    let database = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a store");
    let sql = "UPDATE journal SET bytes =
        CAST(replace(CAST(bytes AS TEXT), 'you', 'him') AS BLOB) WHERE seq = 0";
    assert_eq!(database.execute(sql, []).expect("writable"), 1);
    drop(database);
    let (code, found) = findings(&shell, "store");
    assert_eq!((code, &found[0]["level"]), (Some(3), &"broken".into()), "{found:?}");
}
