//! A journal that version 1 wrote, killed in the middle: every later version must take it to both
//! of its ends.
//!
//! `RUNWRIT_WRITE_FIXTURE=FILE cargo test -p runwrit-engine fixture` writes a new one; that is only
//! right together with a new format version, and the old file stays.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use runwrit_model::event::RunOutcome;
use runwrit_model::journal::{Entry, Record};
use rusqlite::Connection;
use serde_json::Value;

use super::cloud::Weather;
use super::play::Act::{self, *};
use super::{Bench, SqliteStore, directory, kill_at};

const JOURNAL: &str = include_str!("../../../../tests/fixtures/journal-v1.sql");

const ACTS: &[Act] = &[
    Step("the net"),
    Net("net"),
    Note("it stands"),
    TryNet("forbidden"),
    Sleep(3),
    Servers(&["one", "two"]),
    Read("net"),
    Link("one", "two"),
];

/// Writes a database as SQL: the tables, then the rows.
fn dump(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let pragma = |name: &str| -> i64 {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
    };
    let mut sql = String::new();
    for name in ["application_id", "user_version"] {
        sql += &format!("PRAGMA {name} = {};\n", pragma(name));
    }
    let texts = |query: &str| -> Vec<String> {
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let is_ours = "sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
    let creations = format!("SELECT sql FROM sqlite_schema WHERE {is_ours} ORDER BY type DESC");
    for creation in texts(&creations) {
        sql += &format!("{creation};\n");
    }
    let tables = format!(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND {is_ours} ORDER BY name <> 'run'"
    );
    for table in texts(&tables) {
        let columns = texts(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let quoted: Vec<_> = columns.iter().map(|name| format!("quote({name})")).collect();
        for row in texts(&format!("SELECT {} FROM {table}", quoted.join(" || ', ' || "))) {
            sql += &format!("INSERT INTO {table} VALUES ({row});\n");
        }
    }
    sql
}

/// A machine whose store is the fixture, and a cloud as the killed process left it.
async fn restored() -> Bench {
    let mut bench = Bench::new(ACTS, Weather::Calm).await;
    let fresh = directory();
    let connection = Connection::open(fresh.path().join("store.sqlite")).unwrap();
    connection.execute_batch(JOURNAL).unwrap();
    drop(connection);
    bench.store = Arc::new(SqliteStore::open(fresh.path()).unwrap());
    bench.directory = fresh;
    let entries = bench.journal().await;
    bench.clock.0.fetch_max(entries.last().unwrap().at + 1, std::sync::atomic::Ordering::SeqCst);
    for entry in entries {
        let Record::Intent(intent) = entry.record else { continue };
        if let (Some(kind), Some(name)) = (intent.kind, intent.key) {
            bench.cloud.restore(kind.trim_start_matches("toy."), &name, intent.labels);
        }
    }
    bench
}

#[tokio::test]
async fn fixture_of_version_1_is_resumed() {
    let bench = restored().await;
    let sends = bench.cloud.sends();
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded);
    assert_eq!(bench.cloud.standing(), ["net", "one", "one-two", "two"]);
    assert_eq!(bench.cloud.sends(), sends, "only the link was missing");
    bench.store.verify_chain(bench.run()).await.unwrap();
}

#[tokio::test]
async fn fixture_of_version_1_is_rolled_back() {
    let bench = restored().await;
    let (engine, toy) = bench.calm();
    let outcome = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(outcome, RunOutcome::RolledBack);
    assert!(bench.cloud.standing().is_empty());
}

#[tokio::test]
async fn fixture_is_what_this_version_writes() {
    let bench = Bench::new(ACTS, Weather::Calm).await;
    kill_at(&bench, "before link").await;
    let written = dump(&bench.directory.path().join("store.sqlite"));
    #[expect(clippy::disallowed_methods, reason = "a developer asks for a new fixture this way")]
    if let Ok(file) = std::env::var("RUNWRIT_WRITE_FIXTURE") {
        std::fs::write(file, &written).unwrap();
    }
    let tables = |sql: &str| -> Vec<String> {
        sql.lines().filter(|line| !line.starts_with("INSERT")).map(str::to_owned).collect()
    };
    assert_eq!(tables(&written), tables(JOURNAL), "the tables changed without a new version");
    let then = restored().await.journal().await;
    assert_eq!(shape(&bench.journal().await), shape(&then), "entries changed without one");
}

/// Names every field of every entry.
fn shape(entries: &[Entry]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in entries {
        collect("", &serde_json::to_value(entry).unwrap(), &mut names);
    }
    names
}

fn collect(path: &str, value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(&format!("{path}/{name}"), value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(path, item, names)),
        _ => drop(names.insert(path.to_owned())),
    }
}
