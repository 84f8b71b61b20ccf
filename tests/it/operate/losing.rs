//! A state directory that is lost: its backup brings back every run, and nothing is made twice.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{breakable, kill_in, only_run, run_breakable, signal, swept, until_stopped};
use crate::cli::shell::{Cloud, Printed, Shell};

/// Everything of a tenant: three servers with four addresses, a volume, a network, a firewall, and
/// two record sets.
const ALIVE: usize = 12;

/// Runs a program of Debian in the folder of a shell.
pub fn program(shell: &Shell, name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(shell.path("")).stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("`{name}`: {error}; run `cargo xtask setup`"))
}

/// Makes a key in `key.txt`, and returns its recipient.
pub fn recipient(shell: &Shell) -> String {
    let made = program(shell, "age-keygen", &["-o", "key.txt"]);
    assert!(made.status.success(), "{made:?}");
    let told = program(shell, "age-keygen", &["-y", "key.txt"]);
    String::from_utf8(told.stdout).expect("text").trim().to_owned()
}

/// Backs the state directory up to `key.txt`.
pub fn backup(shell: &Shell, file: &str) -> Printed {
    let recipient = recipient(shell);
    shell.run(&["state", "backup", file, "--recipient", &recipient])
}

/// Restores a backup as a state directory.
pub fn restore(shell: &Shell, file: &str, state: &str) -> Printed {
    shell.run(&["--state", state, "state", "restore", file, "--identity", "key.txt"])
}

/// Returns the modes of everything in a state directory that are not its owner's alone.
fn open_modes(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    for entry in fs::read_dir(folder).expect("a directory").flatten() {
        let metadata = entry.metadata().expect("it stands");
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        if metadata.permissions().mode() & 0o777 != wanted {
            open.push(entry.path().display().to_string());
        }
        if metadata.is_dir() {
            open.extend(open_modes(&entry.path()));
        }
    }
    open
}

/// Takes the state directory away, to `lost`.
pub fn lose(shell: &Shell) {
    fs::rename(shell.path("state"), shell.path("lost")).expect("it stood there");
}

#[test]
fn a_run_that_was_killed_is_resumed_from_its_backup() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let saved = backup(&shell, "backup.age");
    assert_eq!(saved.code, Some(0), "{}", saved.stderr);
    let run = only_run(&shell);
    lose(&shell);
    let restored = restore(&shell, "backup.age", "state");
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    insta::assert_snapshot!(restored.stderr, @r"
    1 runs as of TIME; every journal is as it was written
      not over: `runwrit resume RUN`
    do not use the directory that was backed up any more: its runs live here now
    `runwrit sweep` shows what was made after the backup and is in no journal
    ");
    assert_eq!(open_modes(&shell.path("state")), Vec::<String>::new());
    let resumed = shell.run(&["resume", &run]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
    let sweep = shell.run(&["sweep", "--json"]);
    assert_eq!((sweep.code, &swept(&sweep).1["in-place"]), (Some(0), &8.into()), "{sweep:?}");
}

/// Points at which a process is stopped while a backup is made of its store.
const POINTS: [&str; 4] = [
    "intent-committed/hetzner.networks.create:1",
    "before-send/hetzner.firewalls.create:1",
    "result-noted/hetzner.firewalls.create:1",
    "before-send/hetzner.volumes.create:1",
];

#[test]
fn a_backup_that_is_older_than_the_world_adopts_what_it_does_not_know() {
    for point in POINTS {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        let arguments = shell.provision();
        let child = breakable(&shell, &arguments, &[("RUNWRIT_STOP_AT", point)]).spawn();
        let child = child.expect("the product starts");
        until_stopped(&child);
        let saved = backup(&shell, "backup.age");
        assert_eq!(saved.code, Some(0), "{point}: {}", saved.stderr);
        let run = only_run(&shell);
        signal(&child, "-CONT");
        let ended = shell.wait(child);
        assert_eq!(ended.code, Some(0), "{point}: {}", ended.stderr);
        lose(&shell);
        let restored = restore(&shell, "backup.age", "state");
        assert_eq!(restored.code, Some(0), "{point}: {}", restored.stderr);
        let resumed = shell.run(&["resume", &run]);
        assert_eq!(resumed.code, Some(0), "{point}: {}", resumed.stderr);
        assert_eq!(cloud.alive().len(), ALIVE, "{point}: {:?}", cloud.alive());
        let sweep = shell.run(&["sweep", "--json"]);
        assert_eq!(swept(&sweep).1["in-place"], 8, "{point}: {}", sweep.stdout);
        assert_eq!(sweep.code, Some(0), "{point}: {}", sweep.stdout);
    }
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_or_everything() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "2/14");
    assert_eq!(backup(&shell, "backup.age").code, Some(0));
    let run = only_run(&shell);
    let (mut nothing, mut everything) = (0, 0);
    for boundary in 1.. {
        let state = format!("other/state-{boundary}");
        let arguments =
            ["--state", &state, "state", "restore", "backup.age", "--identity", "key.txt"];
        let killed = run_breakable(
            &shell,
            &arguments,
            &[("RUNWRIT_CRASH_AT", boundary.to_string().as_str())],
        );
        match (killed.code, shell.path(&state).exists()) {
            (Some(0), _) => break,
            (Some(code), _) => panic!("boundary {boundary}: exit {code}: {}", killed.stderr),
            (None, false) => {
                nothing += 1;
                let again = shell.run(&arguments);
                assert_eq!(again.code, Some(0), "boundary {boundary}: {}", again.stderr);
            }
            (None, true) => everything += 1,
        }
        let shown = shell.run(&["--state", &state, "show", &run]);
        assert_eq!(shown.code, Some(0), "boundary {boundary}: {}", shown.stderr);
    }
    assert!(nothing >= 5 && everything >= 1, "{nothing} before and {everything} after the rename");
    let left = fs::read_dir(shell.path("other")).expect("a directory").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count();
    assert_eq!(left, 0, "the next restore deletes what a killed one left");
}

#[test]
fn what_is_no_sound_backup_restores_nothing_and_says_why() {
    let shell = Shell::new();
    shell.run(&["run", "hello", "--grant", "hello.toml", "--input", "name=you"]);
    assert_eq!(backup(&shell, "backup.age").code, Some(0));
    let whole = fs::read(shell.path("backup.age")).expect("a backup");
    shell.write("short.age", &whole[..whole.len() - 1]);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    shell.write("flipped.age", flipped);
    shell.write("plain.age", "no backup");
    shell.write("open.txt", fs::read(shell.path("key.txt")).expect("a key"));
    program(&shell, "age-keygen", &["-o", "other.txt"]);
    shell.write("empty.txt", "# nothing\n");
    fs::set_permissions(shell.path("empty.txt"), fs::Permissions::from_mode(0o600)).expect("ours");
    let rows = [
        ("short.age", "key.txt", "new", "cannot be"),
        ("flipped.age", "key.txt", "new", "cannot be restored"),
        ("plain.age", "key.txt", "new", "cannot be opened"),
        ("none.age", "key.txt", "new", "cannot be read"),
        ("backup.age", "other.txt", "new", "no key of the identity file opens"),
        ("backup.age", "open.txt", "new", "has mode 0644"),
        ("backup.age", "empty.txt", "new", "it holds no key"),
        ("backup.age", "plain.age", "new", "has mode"),
        ("backup.age", "key.txt", "state", "it is not empty"),
    ];
    for (file, key, state, expected) in rows {
        let arguments = ["--state", state, "state", "restore", file, "--identity", key];
        let refused = shell.run(&arguments);
        assert_eq!(refused.code, Some(2), "{file} {key}: {}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{file} {key}: {}", refused.stderr);
        assert!(refused.stderr.contains("hint: ") || file == "none.age", "{}", refused.stderr);
        assert!(!shell.path("new").exists(), "{file} {key}");
    }
    let again = shell.run(&["state", "backup", "backup.age", "--recipient", &recipient_of(&shell)]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(fs::read(shell.path("backup.age")).expect("a backup"), whole);
}

/// Returns the recipient of `key.txt`.
fn recipient_of(shell: &Shell) -> String {
    let told = program(shell, "age-keygen", &["-y", "key.txt"]);
    String::from_utf8(told.stdout).expect("text").trim().to_owned()
}

/// Packs a folder as the programs of Debian do, and encrypts it to `key.txt`.
fn pack(shell: &Shell, folder: &str, names: &[&str]) {
    let mut arguments = vec!["-C", folder, "-cf", "packed.tar", "--format=ustar"];
    arguments.extend(names);
    assert!(program(shell, "tar", &arguments).status.success());
    let recipient = recipient_of(shell);
    let sealed = program(shell, "age", &["-r", &recipient, "-o", "packed.age", "packed.tar"]);
    assert!(sealed.status.success(), "{sealed:?}");
}

#[test]
fn the_programs_of_age_and_tar_open_a_backup_and_what_they_pack_is_checked() {
    let shell = Shell::new();
    shell.run(&["run", "hello", "--grant", "hello.toml", "--input", "name=you"]);
    assert_eq!(backup(&shell, "backup.age").code, Some(0));
    let opened = program(&shell, "age", &["-d", "-i", "key.txt", "-o", "b.tar", "backup.age"]);
    assert!(opened.status.success(), "{opened:?}");
    fs::create_dir(shell.path("by-hand")).expect("writable");
    assert!(program(&shell, "tar", &["-C", "by-hand", "-xf", "b.tar"]).status.success());
    let key = fs::read(shell.path("state/host.key")).expect("a key");
    assert_eq!(fs::read(shell.path("by-hand/host.key")).expect("a key"), key);
    let names = ["runwrit.json", "host.key", "store.sqlite", "components"];
    let files = |shell: &Shell| {
        let found = program(shell, "sh", &["-c", "cd by-hand; echo components/*"]);
        String::from_utf8(found.stdout).expect("text").trim().to_owned()
    };
    let component = files(&shell);
    let whole: Vec<&str> = names[..3].iter().copied().chain([component.as_str()]).collect();
    pack(&shell, "by-hand", &whole);
    assert_eq!(restore(&shell, "packed.age", "good").code, Some(0));

    let refused = |what: &str, names: &[&str], code: i32, expected: &str| {
        pack(&shell, "by-hand", names);
        let printed = restore(&shell, "packed.age", "bad");
        assert_eq!(printed.code, Some(code), "{what}: {}", printed.stderr);
        assert!(printed.stderr.contains(expected), "{what}: {}", printed.stderr);
        assert!(!shell.path("bad").exists(), "{what}");
    };
    refused("no cover", &whole[1..], 2, "does not begin with `runwrit.json`");
    refused("no store", &whole[..2], 2, "it holds no `store.sqlite`");
    let mut strange = whole.clone();
    shell.write("by-hand/passwd", "root");
    strange[3] = "passwd";
    refused("a strange file", &strange, 2, "which does not belong there");
    refused("a folder", &[whole[0], whole[1], whole[2], "components"], 2, "does not belong");
    let link = shell.path("by-hand/linked");
    std::os::unix::fs::symlink("/etc/passwd", link).expect("writable");
    let moved = ["-C", "by-hand", "-cf", "packed.tar", "--transform=s/linked/host.key/"];
    program(&shell, "tar", &[&moved[..], &["runwrit.json", "linked"]].concat());
    program(&shell, "age", &["-r", &recipient_of(&shell), "-o", "link.age", "packed.tar"]);
    let linked = restore(&shell, "link.age", "bad");
    assert!(linked.stderr.contains("does not belong there"), "{}", linked.stderr);
    let cover = fs::read_to_string(shell.path("by-hand/runwrit.json")).expect("a cover");
    shell.write("by-hand/runwrit.json", cover.replace("\"version\":1", "\"version\":2"));
    refused("a newer one", &whole, 2, "it has version 2, this host knows 1");
    shell.write("by-hand/runwrit.json", &cover);
    let store = rusqlite::Connection::open(shell.path("by-hand/store.sqlite")).expect("a store");
    let sql =
        "UPDATE journal SET bytes = CAST(replace(bytes, 'tester', 'tamper') AS BLOB) WHERE seq = 0";
    store.execute(sql, []).expect("writable");
    drop(store);
    refused("an edited journal", &whole, 3, "was changed at entry 0");
}
