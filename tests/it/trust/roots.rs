//! The ceremony of roots, and hosts that follow a chain without a network.

use super::*;

/// The people of a house: three hold the root, two publish, one grants.
const PEOPLE: [&str; 6] = ["alice", "bob", "carol", "ops-1", "ops-2", "desk"];

/// A shell whose keyring follows a chain that begins with `1.root.json`.
pub fn house() -> Shell {
    let mut shell = Shell::new();
    PEOPLE.iter().for_each(|id| drop(key(&shell, id)));
    let made = shell.run(
        &[
            &["trust", "rotate", "--first", "--out", "1.root.json", "--threshold", "root=2"][..],
            &["--key", "alice=alice.pub", "--key", "bob=bob.pub", "--key", "carol=carol.pub"],
            &["--key", "ops-1=ops-1.pub", "--key", "desk=desk.pub", "--role", "grant=desk"],
            &["--role", "root=alice", "--role", "root=bob", "--role", "root=carol"],
            &["--role", "runbook=ops-1", "--name", "ops-1=acme:*"],
        ]
        .concat(),
    );
    succeeds(&made);
    sign_root(&shell, "1.root.json", &["alice", "bob"]);
    shell.set("RUNWRIT_TRUST", "host/trust.toml");
    succeeds(&shell.run(&["trust", "init", "--root", "1.root.json"]));
    unsigned(&shell, "package");
    succeeds(&shell.run(&["sign", "--grant", "hello.toml", "--key", "desk"]));
    release(&shell, "ops-1", 3);
    shell
}

pub fn sign_root(shell: &Shell, file: &str, people: &[&str]) {
    for id in people {
        succeeds(&shell.run(&["trust", "sign-root", file, "--key", id]));
    }
}

/// Makes the root after the newest one that the host follows.
pub fn rotate(shell: &Shell, out: &str, changes: &[&str]) {
    succeeds(&shell.run(&[&["trust", "rotate", "--out", out], changes].concat()));
}

pub fn release(shell: &Shell, by: &str, sequence: u32) {
    let sequence = sequence.to_string();
    let who = ["sign", "package", "--key", by, "--namespace", "acme", "--sequence", &sequence];
    succeeds(&shell.run(&[&who[..], &["--replace"]].concat()));
}

/// What the next root takes when the laptop of `ops-1` was lost.
pub const SUCCESSION: [&str; 8] = [
    "--remove",
    "ops-1",
    "--key",
    "ops-2=ops-2.pub",
    "--role",
    "runbook=ops-2",
    "--name",
    "ops-2=acme:*",
];

fn followed(shell: &Shell) -> u64 {
    shell.run(&["trust", "show", "--json"]).objects()[0]["root"].as_u64().expect("a chain")
}

#[test]
fn a_package_brings_the_next_root_along() {
    let shell = house();
    succeeds(&run(&shell, "./package", &[]));
    rotate(&shell, "2.root.json", &SUCCESSION);
    let half = shell.run(&["trust", "sign-root", "2.root.json", "--key", "alice"]);
    succeeds(&half);
    assert!(
        half.stderr.contains("- runbook    1 of ops-1"),
        "who signs sees what changes: {half:?}"
    );
    assert!(half.stderr.contains("missing: `bob`, `carol`"), "{half:?}");
    let text = fs::read(shell.path("2.root.json")).expect("readable");
    shell.write("package/trust/2.root.json", &text);
    let short = "root 2 needs 2 signatures by the keys of root 1, and 1 counts: `alice`";
    refused(&run(&shell, "./package", &[]), short);
    refused(&shell.run(&["trust", "advance", "2.root.json"]), short);
    assert_eq!(followed(&shell), 1);
    sign_root(&shell, "2.root.json", &["carol"]);
    let text = fs::read(shell.path("2.root.json")).expect("readable");
    shell.write("package/trust/2.root.json", &text);
    // The root counts even where the package that brought it does not any more.
    refused(&run(&shell, "./package", &[]), "which is not in the keyring");
    assert_eq!(followed(&shell), 2);
    // Its floors went with the key that had raised them: a lower number runs.
    release(&shell, "ops-2", 2);
    succeeds(&run(&shell, "./package", &[]));
    let shown = shell.run(&["show", &shell.last_run()]).stdout;
    assert!(shown.contains("granted   by `desk` (DIGEST)"), "{shown}");
    succeeds(&shell.run(&["trust", "check"]));
}

#[test]
fn roots_travel_with_a_package_that_is_pushed_and_pulled() {
    let shell = house();
    rotate(&shell, "2.root.json", &SUCCESSION);
    sign_root(&shell, "2.root.json", &["alice"]);
    let carry = || {
        let text = fs::read(shell.path("2.root.json")).expect("readable");
        shell.write("package/trust/2.root.json", &text);
        succeeds(&shell.run(&["push", "./package", "oci:layout:1"]));
        (text, shell.run(&["pull", "oci:layout:1", "--to", "pulled"]))
    };
    release(&shell, "ops-2", 4);
    let (_, half) = carry();
    refused(&half, "root 2 needs 2 signatures by the keys of root 1, and 1 counts: `alice`");
    assert!(!exists(&shell.path("pulled")), "nothing is kept that is not followed");
    fs::remove_dir_all(shell.path("layout")).expect("it stands there");
    sign_root(&shell, "2.root.json", &["carol"]);
    let (text, pulled) = carry();
    succeeds(&pulled);
    assert!(pulled.stderr.contains("with 1 signature and 1 root"), "{}", pulled.stderr);
    let kept = fs::read(shell.path("pulled/trust/2.root.json")).expect("it came along");
    assert_eq!(kept, text);
    assert_eq!(followed(&shell), 1, "who only pulls follows nothing yet");
    succeeds(&run(&shell, "./pulled", &[]));
    assert_eq!(followed(&shell), 2);
}

#[test]
fn a_chain_neither_skips_nor_goes_back_nor_vanishes() {
    let shell = house();
    rotate(&shell, "2.root.json", &SUCCESSION);
    sign_root(&shell, "2.root.json", &["alice", "bob"]);
    let third = ["trust", "rotate", "2.root.json", "--out", "3.root.json", "--remove", "carol"];
    succeeds(&shell.run(&third));
    sign_root(&shell, "3.root.json", &["alice", "bob"]);
    refused(
        &shell.run(&["trust", "advance", "3.root.json"]),
        "it is root 3, and after root 1 comes",
    );
    let both = shell.run(&["trust", "advance", "3.root.json", "2.root.json", "1.root.json"]);
    succeeds(&both);
    assert!(both.stdout.starts_with("root 3, DIGEST, until TIME"), "{}", both.stdout);
    succeeds(&shell.run(&["trust", "advance", "3.root.json"]));
    // Another root 3, by those who may: two things under one number.
    let other = ["trust", "rotate", "2.root.json", "--out", "other.json", "--remove", "desk"];
    succeeds(&shell.run(&other));
    let by = |id: &str| {
        let sign = ["trust", "sign-root", "other.json", "--from", "2.root.json", "--key", id];
        succeeds(&shell.run(&sign));
    };
    by("alice");
    by("bob");
    refused(&shell.run(&["trust", "advance", "other.json"]), "it is another root 3 than the one");
    for id in ["ops-1", "desk"] {
        let sign = ["trust", "sign-root", "other.json", "--key", id];
        let stranger = shell.run(&sign);
        assert_eq!(stranger.code, Some(2), "{}", stranger.stderr);
        assert!(stranger.stderr.contains("holds the root in neither"), "{}", stranger.stderr);
    }
    fs::remove_dir_all(shell.path("host/roots")).expect("it stands there");
    refused(
        &run(&shell, "./package", &[]),
        "the chain ends with root 1, and this host had come to",
    );
    succeeds(&shell.run(&["trust", "advance", "2.root.json", "3.root.json"]));
    assert_eq!(followed(&shell), 3);
    // The pinned file is what it was, or nothing runs.
    shell.write("host/1.root.json", fs::read(shell.path("2.root.json")).expect("readable"));
    refused(&run(&shell, "./package", &[]), "and the keyring pins DIGEST");
}

#[test]
fn a_keyring_that_follows_roots_adds_nobody_by_itself() {
    let shell = house();
    let mut other = Shell::new();
    other.set("RUNWRIT_TRUST", "host/trust.toml");
    other.write("1.root.json", fs::read(shell.path("1.root.json")).expect("readable"));
    let wrong = format!("sha256:{}", "0".repeat(64));
    let pinned = other.run(&["trust", "init", "--root", "1.root.json", "--digest", &wrong]);
    refused(&pinned, "and the keyring pins DIGEST");
    let none = other.run(&["trust", "rotate", "--out", "2.root.json"]);
    refused(&none, "there is no keyring");
    let add = ["trust", "add-key", "ops-2.pub", "--id", "ops-2", "--role", "runbook", "--name"];
    let added = shell.run(&[&add[..], &["acme:*"]].concat());
    assert_eq!(added.code, Some(2), "{}", added.stderr);
    assert!(added.stderr.contains("stands beside `[root]`"), "{}", added.stderr);
    let both = ["--role", "grant=ops-1"];
    let made = shell.run(&[&["trust", "rotate", "--out", "2.root.json"], &both[..]].concat());
    assert_eq!(made.code, Some(2), "{}", made.stderr);
    assert!(made.stderr.contains("has both `runbook` and `grant`"), "{}", made.stderr);
    assert!(!exists(&shell.path("2.root.json")));
}

#[test]
fn a_root_withdraws_what_it_names() {
    let component = {
        let bytes = fs::read(packages().join("hello/component.wasm")).expect("readable");
        runwrit_model::id::Digest::of(&bytes).to_string()
    };
    let why = ["--reason", "it was bad"];
    let rows = [
        (vec!["--floor", "acme:hello/stable=9"], "has sequence 3 in `stable`, and this host has"),
        (vec!["--revoke", "acme:hello@0.1.0"], "acme:hello@0.1.0 was revoked: it was bad"),
        (vec!["--revoke", &component], "the component DIGEST was revoked: it was bad"),
        (vec!["--not-after", "ops-1=2026-01-01T00:00:00Z"], "its key `ops-1` has expired on TIME"),
        (vec!["--threshold", "grant=2", "--key", "x=ops-2.pub", "--role", "grant=x"], "2 of 2 sig"),
    ];
    let shell = house();
    succeeds(&run(&shell, "./package", &[]));
    let first = fs::read(shell.path("host/trust-state.json")).expect("something ran");
    for (changes, says) in rows {
        let more = if changes[0] == "--revoke" { &why[..] } else { &[] };
        rotate(&shell, "2.root.json", &[&changes[..], more].concat());
        sign_root(&shell, "2.root.json", &["alice", "bob"]);
        succeeds(&shell.run(&["trust", "advance", "2.root.json"]));
        refused(&run(&shell, "./package", &[]), says);
        // Back to the first root, for the next row.
        fs::remove_file(shell.path("2.root.json")).expect("it stands there");
        fs::remove_dir_all(shell.path("host/roots")).expect("it stands there");
        shell.write("host/trust-state.json", &first);
        succeeds(&run(&shell, "./package", &[]));
    }
}

#[test]
fn a_holder_of_the_root_whom_this_host_has_revoked_signs_nothing_new() {
    let shell = house();
    rotate(&shell, "2.root.json", &["--remove", "carol"]);
    sign_root(&shell, "2.root.json", &["alice", "carol"]);
    sign_root(&shell, "2.root.json", &["bob"]);
    let hint = shell.run(&["key", "show", "carol.pub", "--json"]);
    let hint = hint.objects()[0]["hint"].as_str().expect("a hint").to_owned();
    let keyring = fs::read_to_string(shell.path("host/trust.toml")).expect("readable");
    let revoked = format!("{keyring}\n[[revoked]]\nkey = \"{hint}\"\nreason = \"robbed\"\n");
    rotate(&shell, "other.json", &["--floor", "acme:hello/stable=2"]);
    sign_root(&shell, "other.json", &["alice", "carol"]);
    shell.write("host/trust.toml", &revoked);
    let short = "root 2 needs 2 signatures by the keys of root 1, and 1 counts: `alice`";
    refused(&shell.run(&["trust", "advance", "other.json"]), short);
    // Enough others stand behind this one.
    succeeds(&shell.run(&["trust", "advance", "2.root.json"]));
    // What was followed before a revocation stays followed.
    let shell = house();
    rotate(&shell, "2.root.json", &["--floor", "acme:hello/stable=2"]);
    sign_root(&shell, "2.root.json", &["alice", "bob"]);
    succeeds(&shell.run(&["trust", "advance", "2.root.json"]));
    let hint = shell.run(&["key", "show", "alice.pub", "--json"]);
    let hint = hint.objects()[0]["hint"].as_str().expect("a hint").to_owned();
    let keyring = fs::read_to_string(shell.path("host/trust.toml")).expect("readable");
    let revoked = format!("{keyring}\n[[revoked]]\nkey = \"{hint}\"\nreason = \"robbed\"\n");
    shell.write("host/trust.toml", revoked);
    succeeds(&run(&shell, "./package", &[]));
    assert_eq!(followed(&shell), 2);
    // A root that revokes one of its own holders says two things at once.
    let both = ["--revoke", &hint, "--reason", "robbed"];
    let made = shell.run(&[&["trust", "rotate", "--out", "3.root.json"], &both[..]].concat());
    assert_eq!(made.code, Some(2), "{}", made.stderr);
    assert!(made.stderr.contains("no key that holds the root in the same file"), "{}", made.stderr);
}

#[test]
fn a_keyring_that_stands_there_keeps_its_pinned_root() {
    let shell = house();
    let before = fs::read(shell.path("host/1.root.json")).expect("it was pinned");
    let other = house();
    let root = fs::read(other.path("1.root.json")).expect("readable");
    assert_ne!(root, before);
    shell.write("1.root.json", root);
    let again = shell.run(&["trust", "init", "--root", "1.root.json"]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("stands there already"), "{}", again.stderr);
    assert_eq!(fs::read(shell.path("host/1.root.json")).expect("readable"), before);
    succeeds(&run(&shell, "./package", &[]));
}

/// Kills the program at every boundary around the files that it writes. Whatever it left, the host
/// follows no less than before, and the same command gets through.
#[test]
fn a_host_that_is_killed_while_it_follows_roots_is_none_the_worse() {
    let mut shell = house();
    succeeds(&run(&shell, "./package", &[]));
    rotate(&shell, "2.root.json", &SUCCESSION);
    sign_root(&shell, "2.root.json", &["alice", "bob"]);
    let third = ["trust", "rotate", "2.root.json", "--out", "3.root.json", "--remove", "carol"];
    succeeds(&shell.run(&third));
    sign_root(&shell, "3.root.json", &["alice", "bob"]);
    release(&shell, "ops-2", 4);
    for root in ["2.root.json", "3.root.json"] {
        let text = fs::read(shell.path(root)).expect("readable");
        shell.write(&format!("package/trust/{root}"), text);
    }
    let memory = fs::read(shell.path("host/trust-state.json")).expect("something ran");
    let mut kills = 0;
    for point in ["trust-file-opened", "trust-file-written", "trust-file-renamed"] {
        for count in 1.. {
            let _ = fs::remove_dir_all(shell.path("host/roots"));
            fs::write(shell.path("host/trust-state.json"), &memory).expect("writable");
            shell.set("RUNWRIT_CRASH_AT", &format!("{point}:{count}"));
            let killed = shell.run_breakable(&RUN);
            shell.set("RUNWRIT_CRASH_AT", "");
            if killed.code.is_some() {
                succeeds(&killed);
                break;
            }
            kills += 1;
            let place = format!("{point}:{count}");
            // Before anything else is written: what the next command sees is old or new.
            let seen = followed(&shell);
            assert!((1..=3).contains(&seen), "{place}: {seen}");
            let printed = shell.run(&RUN);
            assert_eq!(printed.code, Some(0), "{place}: {}", printed.stderr);
            assert_eq!(followed(&shell), 3, "{place}");
            let floors = shell.run(&["trust", "show", "--json"]).objects()[0]["memory"].clone();
            assert_eq!(floors["floors"][0]["sequence"], 4, "{place}: {floors}");
            assert_eq!(floors["root"]["version"], 3, "{place}: {floors}");
        }
    }
    // Two roots, the memory after them, and the memory of the release, three boundaries each.
    assert_eq!(kills, 12, "files that decide about trust were written without a boundary");
}

const RUN: [&str; 6] = ["run", "./package", "--grant", "hello.toml", "--input", "name=you"];
