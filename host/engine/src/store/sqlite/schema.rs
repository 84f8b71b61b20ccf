//! The tables, and how a connection is opened so that a commit means a commit.

use std::path::Path;
use std::time::Duration;

use runwrit_model::limits::STORE_PAGES_CHECKED_MAX;
use rusqlite::Connection;

use super::database::Database;
use crate::store::StoreError;

/// The version of the tables.
const SCHEMA: i64 = 1;
/// Marks the file as ours: `RWrt`.
const APPLICATION: i64 = 0x5257_7274;
/// Versions before lose committed pages when two connections reset the log at once.
const LIBRARY_MIN: i32 = 3_051_003;
/// Writers of other processes hold the file for milliseconds; longer means that one hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements that stay compiled: all that a run needs, so that none has to make room for another.
const STATEMENTS_KEPT_MAX: usize = 64;

const TABLES: &str = "
CREATE TABLE run (
    run TEXT PRIMARY KEY, runbook TEXT NOT NULL, scope TEXT NOT NULL, starter TEXT NOT NULL,
    credentials TEXT NOT NULL, created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'parked', 'finished')),
    wake_at INTEGER, ending TEXT, cancel TEXT,
    fence INTEGER NOT NULL, next_seq INTEGER NOT NULL, head BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    run TEXT NOT NULL REFERENCES run, seq INTEGER NOT NULL,
    at INTEGER NOT NULL, kind TEXT NOT NULL,
    bytes BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE scope (
    scope TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES run
) STRICT, WITHOUT ROWID;
CREATE TABLE seed (
    run TEXT PRIMARY KEY REFERENCES run, sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE bucket (
    credential TEXT PRIMARY KEY, tokens REAL NOT NULL, changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE external (
    run TEXT NOT NULL REFERENCES run, call TEXT NOT NULL, credential TEXT,
    kind TEXT NOT NULL, key TEXT, remote_id TEXT, since INTEGER NOT NULL,
    PRIMARY KEY (run, call)
) STRICT, WITHOUT ROWID;
CREATE TABLE orphan (
    run TEXT NOT NULL REFERENCES run, call TEXT NOT NULL,
    orphan TEXT NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (run, call)
) STRICT, WITHOUT ROWID;
CREATE TABLE sweep (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES run, call TEXT NOT NULL,
    due_at INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT, labels TEXT NOT NULL,
    outcome TEXT, found TEXT, closed_at INTEGER,
    UNIQUE (run, call, due_at)
) STRICT;
CREATE INDEX sweep_open ON sweep (due_at) WHERE outcome IS NULL;
CREATE TABLE tenant (
    id TEXT PRIMARY KEY, octet INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'failed', 'deleted')),
    endpoints TEXT NOT NULL, reserved_run TEXT NOT NULL, reserved_call TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tenant_octet ON tenant (octet) WHERE state <> 'deleted';
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run, call TEXT NOT NULL,
    kind TEXT NOT NULL, subject TEXT NOT NULL, details TEXT NOT NULL,
    starter TEXT NOT NULL, at INTEGER NOT NULL,
    UNIQUE (run, call, kind)
) STRICT;
";

/// Opens the database for writing: makes the tables where there are none and no run needed them
/// before, and refuses a newer version. What is damaged is found by [`check_small`].
pub(super) fn open_writer(path: &Path, is_used: bool) -> Result<Connection, StoreError> {
    is_library_sound()?;
    let connection = connect(path)?;
    let database = Database::new(&connection, path);
    // The newer version is looked for first: nothing of its file may be changed.
    match (database.pragma("application_id")?, database.pragma("user_version")?) {
        (0, 0) if is_used && database.count_tables()? == 0 => {
            let detail = "it is empty, though runs were worked on here".to_owned();
            return Err(StoreError::Damaged { path: path.to_owned(), detail });
        }
        (0, 0) => create(&database)?,
        (APPLICATION, SCHEMA) => {}
        (APPLICATION, found) => {
            return Err(StoreError::Newer { path: path.to_owned(), found, known: SCHEMA });
        }
        (application, _) => {
            let detail = format!("it is a database of another program ({application:#010x})");
            return Err(StoreError::Damaged { path: path.to_owned(), detail });
        }
    }
    database.batch("set up the log", "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    is_safe(&database)?;
    Ok(connection)
}

/// Opens the database for reading beside the writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    Database::new(&connection, path).batch("open", "PRAGMA query_only = ON;")?;
    Ok(connection)
}

fn is_library_sound() -> Result<(), StoreError> {
    match rusqlite::version_number() >= LIBRARY_MIN {
        true => Ok(()),
        false => Err(StoreError::Library { found: rusqlite::version().to_owned() }),
    }
}

/// Opens the database as every connection is opened.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path).map_err(super::database::told(path, "open"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(super::database::told(path, "open"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT_MAX);
    let database = Database::new(&connection, path);
    // Functions named in a tampered schema must not run, and a damaged page must be an error rather
    // than a signal.
    let pragmas = "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;
        PRAGMA cell_size_check = ON;
        PRAGMA secure_delete = ON;";
    database.batch("open", pragmas)?;
    Ok(connection)
}

/// Two processes may come here at once, so the version is read again under the lock.
fn create(database: &Database<'_>) -> Result<(), StoreError> {
    let doing = "create the tables";
    database.batch(doing, "BEGIN EXCLUSIVE;")?;
    let made = match database.pragma("user_version")? {
        0 if database.count_tables()? > 0 => Err(StoreError::Damaged {
            path: database.path().to_owned(),
            detail: "it is a database of another program".to_owned(),
        }),
        0 => database.batch(doing, TABLES).and_then(|()| {
            let mark =
                format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};");
            database.batch(doing, &mark)
        }),
        _ => Ok(()),
    };
    match made {
        Ok(()) => database.batch(doing, "COMMIT;"),
        Err(error) => {
            database.batch(doing, "ROLLBACK;")?;
            Err(error)
        }
    }
}

/// A store that does not flush loses promises when the power fails, and no kill shows it.
fn is_safe(database: &Database<'_>) -> Result<(), StoreError> {
    let wanted = [("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0)];
    for (name, value) in wanted {
        let found = database.pragma(name)?;
        if found != value {
            let detail = format!("`PRAGMA {name}` is {found} where {value} is needed");
            return Err(StoreError::Damaged { path: database.path().to_owned(), detail });
        }
    }
    let mode: String = database.pragma_text("journal_mode")?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(StoreError::Damaged {
            path: database.path().to_owned(),
            detail: format!("its file system allows no write-ahead log (mode `{mode}`)"),
        }),
    }
}

/// Reads every page of a store that is not large.
pub(super) fn check_small(database: &Database<'_>) -> Result<(), StoreError> {
    if database.pragma("page_count")? > STORE_PAGES_CHECKED_MAX {
        return Ok(());
    }
    // Each page is looked at once: memory for all of them takes longer to get than they to read.
    let kept = database.pragma("cache_size")?;
    database.batch("check", "PRAGMA cache_size = 8")?;
    let checked = check(database);
    // Damage counts, whatever becomes of the setting.
    checked.and(database.batch("check", &format!("PRAGMA cache_size = {kept}")))
}

/// Reads every page. What is damaged elsewhere is found when it is read.
pub(super) fn check(database: &Database<'_>) -> Result<(), StoreError> {
    let verdict = database.pragma_text("quick_check(1)")?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Damaged { path: database.path().to_owned(), detail: verdict }),
    }
}
