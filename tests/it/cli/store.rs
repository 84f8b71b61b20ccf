//! State directories that cannot be used: one clear error, and nothing is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::shell::{Cloud, Shell, binary};

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

/// A file system of a few hundred KiB in a mount namespace of its own; without root, one of a user
/// namespace.
fn on_tiny_disk(shell: &Shell, kib: u32, script: &str) -> std::process::Output {
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
    let output = on_tiny_disk(&shell, 4096, &script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("no space") || stderr.contains("No space"), "{stderr}");
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}
