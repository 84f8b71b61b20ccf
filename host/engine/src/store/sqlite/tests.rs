//! SQLite passes the conformance suite, and what only a file can suffer.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the tests damage files, and one kills a process that tells when it is ready"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use runwrit_model::journal::Ending;
use runwrit_model::limits;
use rusqlite::Connection;
use tempfile::TempDir;

use super::database::Database;
use super::*;
use crate::store::RunState;
use crate::store::conformance::{Bench, CASES, finished, new_run, note, run_id, wait};

struct Folder(TempDir);

impl Bench for Folder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.0.path()).unwrap())
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn database(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("store.sqlite")).unwrap()
}

/// Makes a run of three entries, and closes the store.
fn with_run(folder: &TempDir) {
    let store = SqliteStore::open(folder.path()).unwrap();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    wait(store.append(&claim.fence, vec![note(2)])).unwrap();
}

#[test]
fn sqlite_does_what_every_store_must() {
    for (name, case) in CASES {
        println!("{name}");
        case(&Folder(folder()));
    }
}

#[test]
fn every_change_of_a_journal_is_found() {
    let rows = [
        ("UPDATE journal SET seq = 7 WHERE seq = 2", "missing or was moved"),
        ("UPDATE journal SET at = at + 1 WHERE seq = 1", "columns say something else"),
        ("UPDATE journal SET kind = 'result' WHERE seq = 1", "columns say something else"),
        ("UPDATE journal SET bytes = x'7b7d' WHERE seq = 1", "do not have its hash"),
        ("UPDATE journal SET previous = zeroblob(32) WHERE seq = 1", "does not continue"),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 1", "do not have its hash"),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 2", "do not have its hash"),
        ("DELETE FROM journal WHERE seq = 1", "missing or was moved"),
        ("DELETE FROM journal WHERE seq = 2", "its journal has 3 entries"),
        ("DELETE FROM journal", "its journal has 3 entries"),
        ("UPDATE run SET head = zeroblob(31)", "31 byte blob"),
        ("UPDATE run SET credentials = 'none'", "onversion error"),
        ("UPDATE run SET head = zeroblob(32)", "its journal has 3 entries"),
        ("UPDATE run SET next_seq = 2", "its journal has 2 entries"),
        ("UPDATE run SET runbook = 'harmless@1.0.0'", "another runbook"),
        ("UPDATE run SET scope = 'tenant:bolt'", "another scope"),
        ("UPDATE run SET starter = 'eve'", "another starter"),
    ];
    for (sql, expected) in rows {
        let folder = folder();
        with_run(&folder);
        assert!(database(&folder).execute(sql, []).unwrap() > 0, "{sql} changed nothing");
        let store = SqliteStore::open(folder.path()).unwrap();
        let error = wait(store.journal(&run_id(1))).expect_err(sql);
        assert!(matches!(error, StoreError::Broken { .. }), "{sql}: {error}");
        assert!(error.to_string().contains(expected), "{sql}: {error}");
        assert!(wait(store.verify_chain(&run_id(1))).is_err(), "{sql}");
    }
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let folder = folder();
    with_run(&folder);
    database(&folder).execute_batch("PRAGMA user_version = 2").unwrap();
    let before = fs::read(folder.path().join("store.sqlite")).unwrap();
    let error = SqliteStore::open(folder.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    assert_eq!(fs::read(folder.path().join("store.sqlite")).unwrap(), before);
}

#[test]
fn what_is_no_store_is_refused() {
    type Damage<'a> = &'a dyn Fn(&TempDir);
    let page = |folder: &TempDir, at: usize| {
        let path = folder.path().join("store.sqlite");
        let mut bytes = fs::read(&path).unwrap();
        bytes[at..at + 512].fill(0xa5);
        fs::write(&path, bytes).unwrap();
    };
    let rows: [(&str, Damage<'_>); 4] = [
        ("text", &|folder| {
            fs::write(folder.path().join("store.sqlite"), "hello, world".repeat(99)).unwrap();
        }),
        ("a broken header", &|folder| page(folder, 0)),
        ("a broken page", &|folder| page(folder, 4096)),
        ("the database of another program", &|folder| {
            fs::remove_file(folder.path().join("store.sqlite")).unwrap();
            database(folder).execute_batch("CREATE TABLE song (name TEXT)").unwrap();
        }),
    ];
    for (name, damage) in rows {
        let folder = folder();
        with_run(&folder);
        damage(&folder);
        for error in refusals(&folder) {
            let error = error.expect_err(name);
            assert!(matches!(error, StoreError::Damaged { .. }), "{name}: {error}");
        }
    }
}

/// Uses a store in each way that it can be used.
fn refusals(folder: &TempDir) -> Vec<Result<(), StoreError>> {
    let open = || SqliteStore::open(folder.path());
    vec![
        open().and_then(|store| wait(store.runs()).map(drop)),
        open().and_then(|store| wait(store.cancel_requested(&run_id(1))).map(drop)),
        open().and_then(|store| wait(store.create_run(new_run(2, "bolt"))).map(drop)),
        open().and_then(|store| wait(store.claim(&run_id(1))).map(drop)),
        open().and_then(|store| store.snapshot(&folder.path().join("copy.sqlite"))),
    ]
}

#[test]
fn a_large_store_is_opened_without_reading_all_of_it_and_its_damage_is_found_by_a_check() {
    let folder = folder();
    with_run(&folder);
    let (page, count) = (4_096, limits::STORE_PAGES_CHECKED_MAX + 10);
    let sql = format!("INSERT INTO seed VALUES ('{}', zeroblob({page} * {count}))", run_id(2));
    database(&folder).execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    wait(SqliteStore::open(folder.path()).unwrap().check()).unwrap();
    let path = folder.path().join("store.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 5 * page as usize;
    // The chain of pages that one value takes leads out of the file.
    bytes[at..at + 4].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let error = wait(store.check()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_run_that_nobody_works_on_holds_no_file_and_the_directory_is_known_to_be_in_use() {
    let folder = folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let names = || -> Vec<_> {
        let entries = fs::read_dir(folder.path().join("runs")).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    assert!(names().is_empty());
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    assert_eq!(names().len(), 2, "the mark and the lock: {:?}", names());
    drop(claim);
    assert_eq!(names(), ["begun"]);
    // As after a restore: the store has runs, but the directory has no mark.
    fs::remove_file(folder.path().join("runs/begun")).unwrap();
    drop(store);
    drop(SqliteStore::open(folder.path()).unwrap());
    assert_eq!(names(), ["begun"]);
}

#[test]
fn a_lock_file_that_was_replaced_is_neither_trusted_nor_removed() {
    let folder = folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let path = folder.path().join(format!("runs/{}.lock", run_id(1)));
    let first = wait(store.create_run(new_run(1, "acme"))).unwrap();
    // Somebody removes it by hand, and another process takes the run over.
    fs::remove_file(&path).unwrap();
    let second = wait(store.claim(&run_id(1))).unwrap();
    drop(first);
    assert!(path.exists(), "the lock of the second one is not the first one's to remove");
    assert!(matches!(wait(store.claim(&run_id(1))), Err(StoreError::Live { .. })));
    drop(second);
    assert!(!path.exists());
}

#[test]
fn only_the_owner_can_read_or_write() {
    let folder = folder();
    let state = folder.path().join("deep/state");
    drop(SqliteStore::open(&state).unwrap());
    let mode = |path: &str| state.join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("store.sqlite")), (0o700, 0o600));
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    let error = SqliteStore::open(&state).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Exposed { mode: 0o777, .. }), "{error}");
}

/// A process that closes the store takes its log away when nobody else holds a lock on it. To close
/// a file gives up all locks that the process has on it, whoever took them.
#[test]
fn whoever_asks_for_the_database_takes_no_lock_from_the_store() {
    let folder = folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let mark = format!(":{} ", folder.path().join("store.sqlite").metadata().unwrap().ino());
    let locks = || fs::read_to_string("/proc/locks").unwrap().matches(&mark).count();
    let before = locks();
    assert!(before > 0, "an open store holds a lock");
    store.directory.database().unwrap();
    assert_eq!(locks(), before);
}

#[test]
fn a_directory_that_cannot_be_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("state")] {
        let error = SqliteStore::open(&path).map(drop).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
        assert!(matches!(error, StoreError::Directory { .. }), "{error}");
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let folder = folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let limit = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        wait(store.writer.run(move |database| database.batch("limit", &sql))).unwrap();
    };
    limit(1);
    let mut next = 2;
    let error = loop {
        match wait(store.append(&claim.fence, vec![note(next)])) {
            Ok(_) => next += 1,
            Err(error) => break error,
        }
        assert!(next < 10_000, "the disk never got full");
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(wait(store.verify_chain(&run_id(1))).unwrap().next_seq, next);
    limit(1_000_000);
    wait(store.append(&claim.fence, vec![note(next)])).expect("there is room again");
}

#[test]
fn a_read_only_file_is_named() {
    let folder = folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    wait(store.writer.run(|database| database.batch("forbid", "PRAGMA query_only = ON"))).unwrap();
    let error = wait(store.create_run(new_run(1, "acme"))).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn a_changed_component_is_refused() {
    let folder = folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let digest = wait(store.put_component(b"wasm".to_vec())).unwrap();
    let path = folder.path().join(format!("components/{}.wasm", digest.hex()));
    fs::write(&path, "evil").unwrap();
    let error = wait(store.component(&digest)).unwrap_err();
    assert!(matches!(error, StoreError::Component { .. }), "{error}");
    wait(store.put_component(b"wasm".to_vec())).expect("it is written again");
    wait(store.component(&digest)).expect("and good again");
}

#[test]
fn a_scope_is_freed_without_a_look_at_those_of_all_others() {
    let folder = folder();
    with_run(&folder);
    let plan = format!("EXPLAIN QUERY PLAN {}", runs::FREE_SCOPE);
    let (database, run) = (database(&folder), run_id(1));
    let mut plan = database.prepare(&plan).unwrap();
    let steps = plan.query_map([run.as_str()], |row| row.get("detail")).unwrap();
    let steps: Vec<String> = steps.map(Result::unwrap).collect();
    assert!(steps.iter().all(|step| !step.contains("SCAN")), "{steps:?}");
    assert!(steps.iter().any(|step| step.contains("SEARCH scope")), "{steps:?}");
}

#[test]
fn the_library_is_new_enough() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn the_seed_leaves_the_file_when_the_run_ends() {
    let folder = folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let mut new = new_run(1, "acme");
    new.sealed_seed = b"canary-of-the-seed".to_vec();
    let claim = wait(store.create_run(new)).unwrap();
    wait(store.finish(&claim.fence, vec![finished(2, Ending::Succeeded)], vec![])).unwrap();
    drop((claim, store));
    for file in fs::read_dir(folder.path()).unwrap().flatten().filter(|file| file.path().is_file())
    {
        let bytes = fs::read(file.path()).unwrap();
        let is_there = bytes.windows(18).any(|window| window == b"canary-of-the-seed");
        assert!(!is_there, "the seed is still in {:?}", file.path());
    }
}

/// Not a test by itself: the process that the next one kills.
#[test]
fn child_that_holds_a_run() {
    let Some(state) = std::env::var_os("RUNWRIT_TEST_STATE") else { return };
    let store = SqliteStore::open(Path::new(&state)).unwrap();
    let _claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    println!("\nholding");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_process_gives_its_run_free_at_once() {
    let folder = folder();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["store::sqlite::tests::child_that_holds_a_run", "--exact", "--nocapture"])
        .env("RUNWRIT_TEST_STATE", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.lines().map_while(Result::ok).any(|line| line == "holding"));
    let store = SqliteStore::open(folder.path()).unwrap();
    let refused = wait(store.claim(&run_id(1))).unwrap_err();
    assert!(matches!(refused, StoreError::Live { .. }), "{refused}");
    assert_eq!(wait(store.run(&run_id(1))).unwrap().state, RunState::Working);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(wait(store.run(&run_id(1))).unwrap().state, RunState::Interrupted);
    assert_eq!(wait(store.claim(&run_id(1))).unwrap().fence.number, 2);
}

/// `PRAGMA synchronous` of a group: 2 waits for the disk, 1 does not.
#[tokio::test]
async fn only_what_must_outlive_a_power_failure_waits_for_the_disk() {
    let folder = folder();
    let path = folder.path().join("store.sqlite");
    let writer = Worker::start(schema::open_writer(&path, false).unwrap(), &path);
    let level = |database: &Database<'_>| database.pragma("synchronous");
    for _ in 0..2 {
        assert_eq!(writer.run_passing(level).await.unwrap(), 1);
        assert_eq!(writer.run(level).await.unwrap(), 2);
    }
    // Both share a group when the writer is busy with another one.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = writer.run(move |_| {
        wait.recv().unwrap();
        Ok(())
    });
    let (passing, durable) = (writer.run_passing(level), writer.run(level));
    go.send(()).unwrap();
    busy.await.unwrap();
    assert_eq!((passing.await.unwrap(), durable.await.unwrap()), (2, 2));
}
