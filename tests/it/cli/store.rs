//! State directories that cannot be used: one clear error, and nothing is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::shell::{Cloud, Shell, binary};
use super::signals::{ALIVE, send, start_until};

/// Room for the component and for half of a journal.
const LEFT_KIB: u32 = 700;

#[test]
fn a_store_that_is_damaged_newer_or_open_to_others() {
    let shell = Shell::new();
    let hello = ["run", "hello", "--grant", "hello.toml", "--input", "name=you"];
    assert_eq!(shell.run(&hello).code, Some(0));
    let database = shell.path("state/store.sqlite");
    let connection = rusqlite::Connection::open(&database).expect("a database");
    connection.pragma_update(None, "user_version", 9_999).expect("writable");
    drop(connection);
    let newer = shell.run(&["runs"]);
    insta::assert_snapshot!(newer.told(), @"
    exit 2
    error: the store `FOLDER/state/store.sqlite` has version 9999, this host knows version 1; use the newer host, nothing was changed
    ");
    fs::write(&database, "this is no database, however long it may be").expect("writable");
    let damaged = shell.run(&["runs"]);
    insta::assert_snapshot!(damaged.told(), @"
    exit 2
    error: the store `FOLDER/state/store.sqlite` is damaged: file is not a database; restore the state directory from a backup
    ");
    fs::set_permissions(shell.path("state"), fs::Permissions::from_mode(0o777)).expect("ours");
    let exposed = shell.run(&["runs"]);
    insta::assert_snapshot!(exposed.told(), @"
    exit 2
    error: others may write to `FOLDER/state` (mode 777); run `chmod 700 FOLDER/state`
    ");
}

#[test]
fn a_store_or_a_key_that_is_gone_is_no_new_installation() {
    let shell = Shell::new();
    let hello = ["run", "hello", "--grant", "hello.toml", "--input", "name=you"];
    assert_eq!(shell.run(&hello).code, Some(0));
    let (key, database) = (shell.path("state/host.key"), shell.path("state/store.sqlite"));
    let kept = fs::read(&key).expect("it stands");
    fs::remove_file(&key).expect("ours");
    insta::assert_snapshot!(shell.run(&["runs"]).told(), @"
    exit 2
    error: the host key `FOLDER/state/host.key` is gone, though runs need it
    hint: restore it from a backup: with a new key nothing that runs made could be recognized
    ");
    assert!(!key.exists(), "no new key was made");
    fs::write(&key, kept).expect("ours");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("ours");
    assert_eq!(shell.run(&["runs"]).code, Some(0));
    for damage in [|path: &Path| fs::write(path, ""), |path: &Path| fs::remove_file(path)] {
        damage(&database).expect("ours");
        insta::allow_duplicates! {
            insta::assert_snapshot!(shell.run(&["runs"]).told(), @"
            exit 2
            error: the store `FOLDER/state/store.sqlite` is damaged: it is empty, though runs were worked on here; restore the state directory from a backup
            ");
        }
    }
}

#[test]
fn a_run_that_is_unknown() {
    let shell = Shell::new();
    let printed = shell.run(&["show", "01M7YQ1DPXPQT2QRXR0J67KEK7"]);
    insta::assert_snapshot!(printed.told(), @"
    exit 2
    error: there is no run `RUN`; `runwrit runs` lists those of this state directory
    ");
}

#[test]
fn a_host_key_that_is_short() {
    let shell = Shell::new();
    shell.run(&["runs"]);
    let key = shell.path("state/host.key");
    fs::write(key, "short").expect("ours");
    let printed = shell.run(&["runs"]);
    insta::assert_snapshot!(printed.told(), @"
    exit 2
    error: the host key `FOLDER/state/host.key` has 5 bytes
    hint: restore its 32 bytes from a backup: without them nothing that runs made can be recognized
    ");
}

/// Runs a script beside a state directory on a file system of so many KiB, in a mount namespace of
/// its own; without root, one of a user namespace.
pub fn on_disk_of(shell: &Shell, kib: u32, script: &str) -> std::process::Output {
    let state = shell.path("state");
    fs::create_dir_all(&state).expect("writable");
    let mount = format!("mount -t tmpfs -o size={kib}k,mode=0700 tmpfs {}", state.display());
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &format!("{mount} && {script}")]);
    let template = shell.command(&[]);
    for (name, value) in template.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("RUNWRIT", binary()).current_dir(shell.path("."));
    command.output().expect("`unshare` is part of every Debian")
}

#[test]
fn a_full_disk_stops_a_run_with_one_error_and_no_half_written_promise() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    // It fills what is left once the store stands, then runs.
    let script = format!(
        "\"$RUNWRIT\" runs && dd if=/dev/zero of=state/fill bs=1k 2>/dev/null; \
         \"$RUNWRIT\" {}",
        arguments.join(" ")
    );
    let output = on_disk_of(&shell, 4096, &script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("no space") || stderr.contains("No space"), "{stderr}");
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_disk_that_fills_up_during_a_run_stops_it_and_a_resume_ends_it() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision().join(" ");
    let wrong = format!("simulatedwrong{}", "0".repeat(50));
    // The wrong token lets it compile and end; then only a few pages are left for the journal.
    let script = format!(
        "HCLOUD_TOKEN={wrong} \"$RUNWRIT\" {arguments}; \
         dd if=/dev/zero of=state/fill bs=1k 2>/dev/null; truncate -s -{LEFT_KIB}K state/fill; \
         \"$RUNWRIT\" {arguments}; echo \"first: $?\" >&2; rm state/fill; \
         run=$(\"$RUNWRIT\" runs --json | sed -n 's/.*\"run\":\"\\([^\"]*\\)\".*/\\1/p'); \
         \"$RUNWRIT\" resume \"$run\""
    );
    let output = on_disk_of(&shell, 8192, &script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("first: 130"), "{stderr}");
    assert!(stderr.contains("no space is left for the store"), "{stderr}");
    assert!(stderr.contains("is settled by `runwrit resume"), "{stderr}");
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(cloud.alive().len(), ALIVE, "{:?}", cloud.alive());
    assert_eq!(cloud.handle.desk().request_count("POST", "/networks"), 1, "{stderr}");
}

#[test]
fn a_journal_that_somebody_changed_is_not_acted_upon() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let (child, run) = start_until(&shell, "4-6/14");
    send(&child, "-INT");
    assert_eq!(shell.wait(child).code, Some(130));
    let (sent, alive) = (cloud.changes(), cloud.alive());
    let store = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a database");
    let edit =
        "UPDATE journal SET bytes = CAST(replace(CAST(bytes AS TEXT), 'acme-net', 'acme-nex')
                AS BLOB) WHERE seq > 5";
    assert!(store.execute(edit, []).expect("writable") > 0);
    drop(store);
    for command in ["resume", "rollback", "show"] {
        let refused = shell.run(&[command, &run]);
        assert_eq!(refused.code, Some(2), "{command}: {}", refused.stderr);
        let says = "the journal of run `RUN` was changed at entry ";
        assert!(refused.stderr.contains(says), "{command}: {}", refused.stderr);
    }
    assert_eq!((cloud.changes(), cloud.alive()), (sent, alive));
}

#[test]
fn a_store_that_was_cut_off_is_damaged() {
    let shell = Shell::new();
    let hello = ["run", "hello", "--grant", "hello.toml", "--input", "name=you"];
    assert_eq!(shell.run(&hello).code, Some(0));
    let database = shell.path("state/store.sqlite");
    let bytes = fs::read(&database).expect("readable");
    fs::write(&database, &bytes[..bytes.len() / 2]).expect("writable");
    for command in [&["runs"][..], &hello] {
        let printed = shell.run(command);
        assert_eq!(printed.code, Some(2), "{command:?}: {}", printed.stderr);
        assert!(printed.stderr.contains("is damaged"), "{command:?}: {}", printed.stderr);
        assert!(printed.stderr.contains("from a backup"), "{command:?}: {}", printed.stderr);
    }
}
