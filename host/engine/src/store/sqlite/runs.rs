//! Runs: who works on which, where each stands, and what each holds alone.

use std::collections::BTreeMap;

use runwrit_model::breakable::is_broken;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::{
    Created, Ending, Entry, Record, Resolved, UnixMs, VERSION, chain_start,
};
use runwrit_model::undo::LateSweep;
use rusqlite::{Row, params};

use super::database::{Database, parsed};
use super::directory::Directory;
use super::{journal, ledger};
use crate::store::{Claim, Fence, Head, NewRun, RunRow, RunState, StoreError};

/// Creates a run in the hands of this process.
pub(super) fn create(
    database: &Database<'_>,
    directory: &Directory,
    created: &Created,
    new: &NewRun,
) -> Result<Claim, StoreError> {
    let run = &created.run;
    if find(database, run)?.is_some() {
        return Err(StoreError::Exists { run: run.clone() });
    }
    let lock = directory.take(run)?;
    insert(database, created, new.entries[0].at)?;
    hold_scope(database, run, &created.scope)?;
    let sql = "INSERT INTO seed (run, sealed) VALUES (?, ?)";
    database.execute("keep the seed", sql, params![run.as_str(), new.sealed_seed])?;
    let tail = journal::tail(database, run)?;
    let head = journal::append(database, run, tail, &new.entries)?;
    let fence = Fence { run: run.clone(), number: 1 };
    Ok(Claim { fence, head, cancel: None, liveness: Box::new(lock) })
}

/// Makes the row of a run that has no entry yet.
pub(super) fn insert(
    database: &Database<'_>,
    created: &Created,
    at: UnixMs,
) -> Result<(), StoreError> {
    let run = &created.run;
    let credentials: BTreeMap<&String, &String> =
        created.worlds.iter().map(|(name, world)| (name, &world.credential)).collect();
    let credentials = serde_json::to_string(&credentials).expect("names are strings");
    let sql = "INSERT INTO run (run, runbook, scope, starter, credentials, created_at, changed_at,
        state, fence, next_seq, head) VALUES (?, ?, ?, ?, ?, ?, ?, 'open', 1, 0, ?)";
    let start = chain_start();
    let values = params![
        run.as_str(),
        created.runbook,
        created.scope.as_str(),
        created.starter,
        credentials,
        at,
        at,
        start.as_bytes()
    ];
    database.execute("create the run", sql, values).map(drop)
}

/// Takes a run over.
pub(super) fn claim(
    database: &Database<'_>,
    directory: &Directory,
    run: &RunId,
) -> Result<Claim, StoreError> {
    let row = expect(database, run)?;
    let lock = directory.take(run)?;
    hold_scope(database, run, &row.scope)?;
    let number = raise_fence(database, run)?;
    let head = journal::tail(database, run)?.head();
    let fence = Fence { run: run.clone(), number };
    Ok(Claim { fence, head, cancel: row.cancel, liveness: Box::new(lock) })
}

/// Gives a run back.
pub(super) fn release(database: &Database<'_>, fence: &Fence) -> Result<(), StoreError> {
    journal::fenced_tail(database, fence)?;
    let sql = "SELECT state = 'finished' FROM run WHERE run = ?";
    let run = fence.run.as_str();
    match database.one("read the run", sql, [run], |row| row.get(0))? {
        Some(true) => free_scope(database, &fence.run),
        Some(false) | None => Ok(()),
    }
}

/// Appends to an open run; one that waited or had finished is open again.
pub(super) fn append(
    database: &Database<'_>,
    fence: &Fence,
    entries: &[Entry],
) -> Result<Head, StoreError> {
    let tail = journal::fenced_tail(database, fence)?;
    let head = journal::append(database, &fence.run, tail, entries)?;
    let sql = "UPDATE run SET state = 'open', wake_at = NULL, ending = NULL
        WHERE run = ? AND state <> 'open'";
    database.execute("open the run", sql, [fence.run.as_str()])?;
    Ok(head)
}

/// Appends and marks the run as waiting.
pub(super) fn park(
    database: &Database<'_>,
    fence: &Fence,
    until: Option<UnixMs>,
    entries: &[Entry],
) -> Result<Head, StoreError> {
    let tail = journal::fenced_tail(database, fence)?;
    let head = journal::append(database, &fence.run, tail, entries)?;
    let sql = "UPDATE run SET state = 'parked', wake_at = ? WHERE run = ?";
    database.execute("park the run", sql, params![until, fence.run.as_str()])?;
    Ok(head)
}

/// Ends a run: scope and seed go, sweeps come.
pub(super) fn finish(
    database: &Database<'_>,
    fence: &Fence,
    entries: &[Entry],
    ending: Ending,
    sweeps: &[LateSweep],
) -> Result<Head, StoreError> {
    let run = &fence.run;
    let tail = match is_broken("unfenced-finish") {
        true => journal::tail(database, run)?,
        false => journal::fenced_tail(database, fence)?,
    };
    let head = journal::append(database, run, tail, entries)?;
    let sql = "UPDATE run SET state = 'finished', wake_at = NULL, ending = ? WHERE run = ?";
    database.execute("finish the run", sql, params![ending_word(ending), run.as_str()])?;
    free_scope(database, run)?;
    database.execute("destroy the seed", "DELETE FROM seed WHERE run = ?", [run.as_str()])?;
    sweeps.iter().try_for_each(|sweep| ledger::schedule(database, run, sweep))?;
    Ok(head)
}

/// Appends a person's word.
pub(super) fn resolve(
    database: &Database<'_>,
    directory: &Directory,
    run: &RunId,
    word: Resolved,
    at: UnixMs,
) -> Result<Head, StoreError> {
    let row = expect(database, run)?;
    let lock = directory.take(run)?;
    raise_fence(database, run)?;
    let tail = journal::tail(database, run)?;
    let seq = tail.head().next_seq;
    let entry = Entry { version: VERSION, seq, at, record: Record::Resolved(word) };
    let head = journal::append(database, run, tail, &[entry])?;
    if matches!(row.state, RunState::Parked(_)) {
        let sql = "UPDATE run SET state = 'open', wake_at = NULL WHERE run = ?";
        database.execute("open the run", sql, [run.as_str()])?;
    }
    drop(lock);
    Ok(head)
}

/// Notes a wish to cancel.
pub(super) fn request_cancel(
    database: &Database<'_>,
    run: &RunId,
    by: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE run SET cancel = coalesce(cancel, ?) WHERE run = ?";
    match database.execute("request the end", sql, params![by, run.as_str()])? {
        0 => Err(StoreError::NotFound { run: run.clone() }),
        _ => Ok(()),
    }
}

/// Returns who asked to cancel.
pub(super) fn cancel_requested(
    database: &Database<'_>,
    run: &RunId,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT cancel FROM run WHERE run = ?";
    let row = database.one("read the run", sql, [run.as_str()], |row| row.get(0))?;
    row.ok_or_else(|| StoreError::NotFound { run: run.clone() })
}

/// Returns all runs, newest first.
pub(super) fn list(
    database: &Database<'_>,
    directory: &Directory,
) -> Result<Vec<RunRow>, StoreError> {
    let sql = "SELECT * FROM run ORDER BY created_at DESC, run DESC";
    let rows = database.all("list the runs", sql, [], row)?;
    rows.into_iter().map(|row| with_liveness(directory, row)).collect()
}

/// Returns one run.
pub(super) fn one(
    database: &Database<'_>,
    directory: &Directory,
    run: &RunId,
) -> Result<RunRow, StoreError> {
    with_liveness(directory, expect(database, run)?)
}

/// Returns the sealed seed.
pub(super) fn seed(database: &Database<'_>, run: &RunId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT sealed FROM seed WHERE run = ?";
    database.one("read the seed", sql, [run.as_str()], |row| row.get(0))
}

/// Takes the scope for a run, unless another one holds it.
pub(super) fn hold_scope(
    database: &Database<'_>,
    run: &RunId,
    scope: &Scope,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO scope (scope, run) VALUES (?, ?) ON CONFLICT (scope) DO NOTHING";
    database.execute("take the scope", sql, params![scope.as_str(), run.as_str()])?;
    let sql = "SELECT run FROM scope WHERE scope = ?";
    let read = |row: &Row<'_>| parsed(row, "run");
    let holder: Option<RunId> = database.one("read the scope", sql, [scope.as_str()], read)?;
    match holder {
        Some(holder) if holder != *run => Err(StoreError::Busy { scope: scope.clone(), holder }),
        _ => Ok(()),
    }
}

/// Found by its key: a search for the run would look at the scopes of all others that wait.
pub(super) const FREE_SCOPE: &str =
    "DELETE FROM scope WHERE run = ?1 AND scope = (SELECT scope FROM run WHERE run = ?1)";

/// Gives back what a run holds alone.
pub(super) fn free_scope(database: &Database<'_>, run: &RunId) -> Result<(), StoreError> {
    database.execute("free the scope", FREE_SCOPE, [run.as_str()]).map(drop)
}

/// Lets whoever held the run before write no more.
pub(super) fn raise_fence(database: &Database<'_>, run: &RunId) -> Result<u64, StoreError> {
    let sql = "UPDATE run SET fence = fence + 1 WHERE run = ? RETURNING fence";
    let fence = database.one("claim the run", sql, [run.as_str()], |row| row.get(0))?;
    fence.ok_or_else(|| StoreError::NotFound { run: run.clone() })
}

/// Returns whether there is any run.
pub(super) fn are_there(database: &Database<'_>) -> Result<bool, StoreError> {
    let first = database.one("look for runs", "SELECT 1 FROM run LIMIT 1", [], |_| Ok(()))?;
    Ok(first.is_some())
}

/// Returns one run, alive or not; nothing where there is none.
pub(super) fn find(database: &Database<'_>, run: &RunId) -> Result<Option<RunRow>, StoreError> {
    database.one("read the run", "SELECT * FROM run WHERE run = ?", [run.as_str()], row)
}

/// Returns one run, alive or not.
pub(super) fn expect(database: &Database<'_>, run: &RunId) -> Result<RunRow, StoreError> {
    find(database, run)?.ok_or_else(|| StoreError::NotFound { run: run.clone() })
}

fn with_liveness(directory: &Directory, row: RunRow) -> Result<RunRow, StoreError> {
    let is_over = matches!(row.state, RunState::Finished(_));
    match !is_over && directory.is_locked(&row.run)? {
        true => Ok(RunRow { state: RunState::Working, ..row }),
        false => Ok(row),
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let state: String = row.get("state")?;
    let ending: Option<String> = row.get("ending")?;
    let state = match (state.as_str(), ending.as_deref().and_then(ending_of)) {
        ("finished", Some(ending)) => RunState::Finished(ending),
        ("parked", _) => RunState::Parked(row.get("wake_at")?),
        _ => RunState::Interrupted,
    };
    Ok(RunRow {
        run: parsed(row, "run")?,
        runbook: row.get("runbook")?,
        scope: Scope::from(row.get::<_, String>("scope")?),
        starter: row.get("starter")?,
        created_at: row.get("created_at")?,
        changed_at: row.get("changed_at")?,
        state,
        cancel: row.get("cancel")?,
        entries: row.get("next_seq")?,
    })
}

const ENDINGS: [(Ending, &str); 7] = [
    (Ending::Moved, "moved"),
    (Ending::Succeeded, "succeeded"),
    (Ending::RolledBack, "rolled-back"),
    (Ending::RollbackIncomplete, "rollback-incomplete"),
    (Ending::Held, "held"),
    (Ending::FailedClean, "failed-clean"),
    (Ending::Nondeterministic, "nondeterministic"),
];

/// Returns the word by which an ending is stored.
pub(super) fn ending_word(ending: Ending) -> Option<&'static str> {
    ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, word)| *word)
}

fn ending_of(word: &str) -> Option<Ending> {
    ENDINGS.iter().find(|(_, known)| *known == word).map(|(ending, _)| *ending)
}
