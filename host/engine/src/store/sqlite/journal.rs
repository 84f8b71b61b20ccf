//! Journals: fenced appends, the chain over the stored bytes, and what follows from each entry.

use std::collections::BTreeMap;

use runwrit_model::call::CallClass;
use runwrit_model::id::{Digest, RunId};
use runwrit_model::journal::{
    Entry, Orphan, Record, UndoOutcome, UnixMs, Verdict, chain, chain_start,
};
use runwrit_model::limits::JOURNAL_ENTRY_BYTES_MAX;
use rusqlite::{Row, params};

use super::database::{Database, json};
use crate::store::{Fence, Head, StoreError};

/// What an append needs to know of its run.
pub(super) struct Tail {
    fence: u64,
    next_seq: u64,
    hash: Digest,
    credentials: BTreeMap<String, String>,
}

/// One stored entry.
struct Stored {
    seq: u64,
    at: u64,
    kind: String,
    bytes: Vec<u8>,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

impl Tail {
    /// Returns the head as it stands.
    pub(super) fn head(&self) -> Head {
        Head { next_seq: self.next_seq, hash: self.hash }
    }
}

/// Reads the end of a journal.
pub(super) fn tail(database: &Database<'_>, run: &RunId) -> Result<Tail, StoreError> {
    let sql = "SELECT fence, next_seq, head, credentials FROM run WHERE run = ?";
    let read = |row: &Row<'_>| {
        Ok(Tail {
            fence: row.get("fence")?,
            next_seq: row.get("next_seq")?,
            hash: Digest::from(row.get::<_, [u8; 32]>("head")?),
            credentials: json(row, "credentials")?,
        })
    };
    let tail = database.one("read the run", sql, [run.as_str()], read)?;
    tail.ok_or_else(|| StoreError::NotFound { run: run.clone() })
}

/// Reads the end of a journal for whoever holds the fence; nobody else may write.
pub(super) fn fenced_tail(database: &Database<'_>, fence: &Fence) -> Result<Tail, StoreError> {
    let tail = tail(database, &fence.run)?;
    match tail.fence == fence.number {
        true => Ok(tail),
        false => Err(StoreError::Fenced {
            run: fence.run.clone(),
            held: fence.number,
            current: tail.fence,
        }),
    }
}

/// Appends entries to the journal that ends in `tail`.
pub(super) fn append(
    database: &Database<'_>,
    run: &RunId,
    tail: Tail,
    entries: &[Entry],
) -> Result<Head, StoreError> {
    let Tail { mut next_seq, mut hash, credentials, .. } = tail;
    for entry in entries {
        if entry.seq != next_seq {
            let (run, found) = (run.clone(), entry.seq);
            return Err(StoreError::OutOfOrder { run, expected: next_seq, found });
        }
        let bytes = entry.encode();
        if bytes.len() > JOURNAL_ENTRY_BYTES_MAX {
            let (run, size) = (run.clone(), bytes.len());
            return Err(StoreError::EntrySize { run, size, max: JOURNAL_ENTRY_BYTES_MAX });
        }
        let next_hash = chain(run, entry.seq, &hash, &bytes);
        let sql = "INSERT INTO journal (run, seq, at, kind, bytes, previous, hash)
            VALUES (?, ?, ?, ?, ?, ?, ?)";
        let values = params![
            run.as_str(),
            entry.seq,
            entry.at,
            kind(&entry.record),
            bytes,
            hash.as_bytes(),
            next_hash.as_bytes()
        ];
        database.execute("append an entry", sql, values)?;
        project(database, run, entry, &credentials)?;
        hash = next_hash;
        next_seq += 1;
    }
    if let Some(last) = entries.last() {
        let sql = "UPDATE run SET next_seq = ?, head = ?, changed_at = ? WHERE run = ?";
        let values = params![next_seq, hash.as_bytes(), last.at, run.as_str()];
        database.execute("append an entry", sql, values)?;
    }
    Ok(Head { next_seq, hash })
}

/// Reads and verifies a journal: every column, the chain, and that its end is the run's.
pub(super) fn read(database: &Database<'_>, run: &RunId) -> Result<(Vec<Entry>, Head), StoreError> {
    read_typed(database, run).map_err(|error| match error {
        StoreError::Sqlite { source, .. } if is_of_another_type(&source) => {
            StoreError::Broken { run: run.clone(), seq: 0, reason: source.to_string() }
        }
        error => error,
    })
}

/// Tells whether a column holds what was never written there: that is damage of one journal, and no
/// failure of the database.
fn is_of_another_type(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    )
}

fn read_typed(database: &Database<'_>, run: &RunId) -> Result<(Vec<Entry>, Head), StoreError> {
    let tail = tail(database, run)?;
    let said = created_columns(database, run)?;
    let sql = "SELECT seq, at, kind, bytes, previous, hash FROM journal WHERE run = ?
        ORDER BY seq";
    let stored = database.all("read a journal", sql, [run.as_str()], |row| {
        Ok(Stored {
            seq: row.get(0)?,
            at: row.get(1)?,
            kind: row.get(2)?,
            bytes: row.get(3)?,
            previous: row.get(4)?,
            hash: row.get(5)?,
        })
    })?;
    let mut entries = Vec::with_capacity(stored.len());
    let mut hash = chain_start();
    for (place, stored) in (0..).zip(&stored) {
        hash = verify(run, place, &hash, stored)?;
        entries.push(decode(run, stored)?);
    }
    let end = entries.len() as u64;
    if (tail.next_seq, tail.hash) != (end, hash) {
        let reason = format!("the run says that its journal has {} entries", tail.next_seq);
        return Err(StoreError::Broken { run: run.clone(), seq: end, reason });
    }
    is_same_run(run, &entries, &said)?;
    Ok((entries, Head { next_seq: end, hash }))
}

/// Reads what the list of runs shows.
fn created_columns(database: &Database<'_>, run: &RunId) -> Result<[String; 3], StoreError> {
    let sql = "SELECT runbook, scope, starter FROM run WHERE run = ?";
    let read = |row: &Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
    let columns = database.one("read the run", sql, [run.as_str()], read)?;
    columns.ok_or_else(|| StoreError::NotFound { run: run.clone() })
}

/// The scope decides which lock a run holds, so the list of runs must not lie either.
fn is_same_run(run: &RunId, entries: &[Entry], said: &[String; 3]) -> Result<(), StoreError> {
    let Some(Entry { record: Record::Created(created), .. }) = entries.first() else {
        return Ok(());
    };
    let told = [created.runbook.as_str(), created.scope.as_str(), created.starter.as_str()];
    let names = ["runbook", "scope", "starter"];
    match (0..3).find(|place| said[*place] != told[*place]) {
        None => Ok(()),
        Some(place) => {
            let reason = format!("the run says that it has another {}", names[place]);
            Err(StoreError::Broken { run: run.clone(), seq: 0, reason })
        }
    }
}

fn verify(
    run: &RunId,
    place: u64,
    previous: &Digest,
    stored: &Stored,
) -> Result<Digest, StoreError> {
    let broken = |reason: &str| {
        let reason = reason.to_owned();
        Err(StoreError::Broken { run: run.clone(), seq: place, reason })
    };
    if stored.seq != place {
        return broken("an entry is missing or was moved");
    }
    if stored.previous != previous.as_bytes() {
        return broken("it does not continue the entry before it");
    }
    let hash = chain(run, place, previous, &stored.bytes);
    if stored.hash != hash.as_bytes() {
        return broken("its bytes do not have its hash");
    }
    Ok(hash)
}

/// The columns beside the bytes are only for people who look with other tools; they must not lie.
fn decode(run: &RunId, stored: &Stored) -> Result<Entry, StoreError> {
    let entry = Entry::decode(stored.seq, &stored.bytes)
        .map_err(|source| StoreError::Entry { run: run.clone(), source })?;
    let said = (stored.seq, stored.at, stored.kind.as_str());
    match said == (entry.seq, entry.at, kind(&entry.record)) {
        true => Ok(entry),
        false => {
            let reason = "its columns say something else than its bytes".to_owned();
            Err(StoreError::Broken { run: run.clone(), seq: stored.seq, reason })
        }
    }
}

/// Keeps the tables of things and leftovers in step with the journal, in the same transaction.
fn project(
    database: &Database<'_>,
    run: &RunId,
    entry: &Entry,
    credentials: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    let doing = "note what exists";
    match &entry.record {
        Record::Intent(intent)
            if matches!(intent.class, CallClass::KeyedCreate | CallClass::ProbeCreate) =>
        {
            let kind = intent.kind.as_deref().unwrap_or(&intent.operation);
            let credential = kind.split_once('.').and_then(|(name, _)| credentials.get(name));
            let sql = "INSERT INTO external (run, call, credential, kind, key, since)
                VALUES (?, ?, ?, ?, ?, ?)";
            let call = intent.call.to_string();
            let values = params![run.as_str(), call, credential, kind, intent.key, entry.at];
            database.execute(doing, sql, values)?;
        }
        Record::Accepted(accepted) => {
            let sql = "UPDATE external SET remote_id = ? WHERE run = ? AND call = ?";
            let call = accepted.call.to_string();
            database.execute(doing, sql, params![accepted.remote_id, run.as_str(), call])?;
        }
        Record::Result(result) if result.is_effect_free => {
            forget(database, "external", run, &result.call.to_string())?;
        }
        Record::UndoResult(result) => match result.outcome {
            UndoOutcome::Done | UndoOutcome::NothingThere | UndoOutcome::NotOurs => {
                forget(database, "external", run, &result.call.to_string())?;
                forget(database, "orphan", run, &result.call.to_string())?;
            }
            _ => {}
        },
        Record::UndoQuarantined(orphan) => quarantine(database, run, orphan, entry.at)?,
        Record::Resolved(word) => {
            forget(database, "orphan", run, &word.call.to_string())?;
            if matches!(word.verdict, Verdict::Deleted | Verdict::NotDone) {
                forget(database, "external", run, &word.call.to_string())?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn quarantine(
    database: &Database<'_>,
    run: &RunId,
    orphan: &Orphan,
    at: UnixMs,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(orphan).expect("an orphan holds only strings");
    let sql = "INSERT INTO orphan (run, call, orphan, since) VALUES (?, ?, ?, ?)
        ON CONFLICT (run, call) DO UPDATE SET orphan = excluded.orphan";
    let values = params![run.as_str(), orphan.call.to_string(), text, at];
    database.execute("note what is left", sql, values).map(drop)
}

fn forget(
    database: &Database<'_>,
    table: &'static str,
    run: &RunId,
    call: &str,
) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM {table} WHERE run = ? AND call = ?");
    database.execute("note what exists", &sql, params![run.as_str(), call]).map(drop)
}

/// The word by which a record stands in the journal, for people who look with other tools.
fn kind(record: &Record) -> &'static str {
    match record {
        Record::Created(_) => "created",
        Record::Attempt(_) => "attempt",
        Record::Step(_) => "step",
        Record::Refined(_) => "refined",
        Record::Observed(_) => "observed",
        Record::Intent(_) => "intent",
        Record::Accepted(_) => "accepted",
        Record::Result(_) => "result",
        Record::Wait(_) => "wait",
        Record::Woken(_) => "woken",
        Record::Resolved(_) => "resolved",
        Record::CancelRequested(_) => "cancel-requested",
        Record::PlanLeft(_) => "plan-left",
        Record::Differed(_) => "differed",
        Record::RollbackStarted(_) => "rollback-started",
        Record::UndoIntent(_) => "undo-intent",
        Record::UndoResult(_) => "undo-result",
        Record::UndoQuarantined(_) => "undo-quarantined",
        Record::Finished(_) => "finished",
    }
}
