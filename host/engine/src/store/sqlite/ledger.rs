//! What is shared beyond one run: budgets of requests, things that exist, leftovers, sweeps.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use runwrit_model::id::RunId;
use runwrit_model::journal::UnixMs;
use runwrit_model::undo::LateSweep;
use rusqlite::{Row, params};

use super::database::{Database, json, parsed};
use crate::store::{
    Bucket, Correction, External, OrphanRow, StoreError, Sweep, SweepOutcome, Tokens,
};

/// Takes requests from a bucket that fills by the second.
pub(super) fn take_tokens(
    database: &Database<'_>,
    bucket: &Bucket,
    count: u32,
    at: UnixMs,
) -> Result<Tokens, StoreError> {
    let capacity = f64::from(bucket.capacity.max(1));
    let wanted = f64::from(count).min(capacity);
    let (tokens, at) = refilled(database, bucket, at)?;
    if tokens < wanted {
        let wait_ms = ((wanted - tokens) / rate(bucket) * 1_000.0).ceil();
        return Ok(Tokens::Wait(at.saturating_add(wait_ms as u64)));
    }
    set_tokens(database, &bucket.credential, tokens - wanted, at)?;
    Ok(Tokens::Taken)
}

/// Returns what a bucket holds, and the time at which it does.
fn refilled(
    database: &Database<'_>,
    bucket: &Bucket,
    at: UnixMs,
) -> Result<(f64, UnixMs), StoreError> {
    let capacity = f64::from(bucket.capacity.max(1));
    let (kept, changed_at) = stored(database, &bucket.credential)?.unwrap_or((capacity, at));
    let full_after_ms = (capacity / rate(bucket) * 1_000.0) as u64;
    // A time that no refill reaches from here was told by a wrong clock: waiting for it would stop
    // all runs of the credential for years.
    let changed_at = match changed_at.saturating_sub(at) > full_after_ms {
        true => {
            set_tokens(database, &bucket.credential, kept, at)?;
            at
        }
        false => changed_at,
    };
    // The clock of the host may step back; the budget must not grow from that.
    let at = at.max(changed_at);
    let tokens = kept + (at - changed_at) as f64 / 1_000.0 * rate(bucket);
    Ok((tokens.min(capacity), at))
}

fn rate(bucket: &Bucket) -> f64 {
    bucket.refill_per_second.max(f64::MIN_POSITIVE)
}

/// Sets a bucket to what the outside system says is left. A bucket that is smaller than the outside
/// system's own is only lowered: what is left there was never meant for it.
pub(super) fn correct(database: &Database<'_>, correction: &Correction) -> Result<(), StoreError> {
    let Correction { bucket, limit, remaining, at } = correction;
    let remaining = f64::from(*remaining);
    let (tokens, at) = match bucket.capacity < *limit {
        true => {
            let (tokens, at) = refilled(database, bucket, *at)?;
            (tokens.min(remaining), at)
        }
        // The last word of the outside system counts, even when the clock was set back since.
        false => (remaining, *at),
    };
    set_tokens(database, &bucket.credential, tokens, at)
}

fn stored(database: &Database<'_>, credential: &str) -> Result<Option<(f64, UnixMs)>, StoreError> {
    let sql = "SELECT tokens, changed_at FROM bucket WHERE credential = ?";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    database.one("read the budget", sql, [credential], read)
}

fn set_tokens(
    database: &Database<'_>,
    credential: &str,
    tokens: f64,
    at: UnixMs,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO bucket (credential, tokens, changed_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (credential) DO UPDATE SET tokens = ?2, changed_at = ?3";
    database.execute("note the budget", sql, params![credential, tokens, at]).map(drop)
}

/// Returns what runs made.
pub(super) fn externals(database: &Database<'_>) -> Result<Vec<External>, StoreError> {
    let sql = "SELECT * FROM external ORDER BY since, run, call";
    database.all("list what exists", sql, [], |row| {
        Ok(External {
            run: parsed(row, "run")?,
            call: parsed(row, "call")?,
            credential: row.get("credential")?,
            kind: row.get("kind")?,
            key: row.get("key")?,
            remote_id: row.get("remote_id")?,
            since: row.get("since")?,
        })
    })
}

/// Returns what needs a person.
pub(super) fn orphans(database: &Database<'_>) -> Result<Vec<OrphanRow>, StoreError> {
    let sql = "SELECT * FROM orphan ORDER BY since, run, call";
    database.all("list what is left", sql, [], |row| {
        Ok(OrphanRow {
            run: parsed(row, "run")?,
            orphan: json(row, "orphan")?,
            since: row.get("since")?,
        })
    })
}

/// Schedules a sweep; one that is there stays.
pub(super) fn schedule(
    database: &Database<'_>,
    run: &RunId,
    sweep: &LateSweep,
) -> Result<(), StoreError> {
    let labels = serde_json::to_string(&sweep.labels).expect("labels are strings");
    let sql = "INSERT INTO sweep (run, call, due_at, kind, key, labels) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (run, call, due_at) DO NOTHING";
    let call = sweep.call.to_string();
    let values = params![run.as_str(), call, sweep.at, sweep.kind, sweep.key, labels];
    database.execute("schedule a sweep", sql, values).map(drop)
}

/// Sets the open sweeps right that a wrong clock scheduled. Of those that were scheduled too early
/// the first of a run is due `soonest` after `at`, and the others as long after it as they were.
pub(super) fn realign_sweeps(
    database: &Database<'_>,
    at: UnixMs,
    possible: &RangeInclusive<UnixMs>,
    soonest: u64,
) -> Result<(), StoreError> {
    let sql = "SELECT * FROM sweep WHERE outcome IS NULL AND due_at < ? ORDER BY due_at, id";
    let early = database.all("list the sweeps", sql, [possible.start()], sweep)?;
    let mut first: BTreeMap<RunId, UnixMs> = BTreeMap::new();
    for Sweep { id, run, at: due_at, .. } in early {
        let first_at = *first.entry(run).or_insert(due_at);
        let due_at = at.saturating_add(soonest).saturating_add(due_at - first_at);
        let sql = "UPDATE sweep SET due_at = ? WHERE id = ?";
        database.execute("set a sweep right", sql, params![due_at, id])?;
    }
    let latest = possible.end();
    let sql = "UPDATE sweep SET due_at = ?1 + max(0, due_at -
            (SELECT changed_at FROM run WHERE run.run = sweep.run))
        WHERE outcome IS NULL AND due_at > ?2";
    database.execute("set the sweeps right", sql, params![at, latest]).map(drop)
}

/// Returns the open sweeps that are due. Those of a run that was moved away went with it.
pub(super) fn due_sweeps(database: &Database<'_>, at: UnixMs) -> Result<Vec<Sweep>, StoreError> {
    let sql = "SELECT * FROM sweep WHERE outcome IS NULL AND due_at <= ? AND NOT EXISTS
            (SELECT 1 FROM run WHERE run.run = sweep.run AND run.ending = 'moved')
        ORDER BY due_at, id";
    database.all("list the sweeps", sql, [at], sweep)
}

/// Returns the open sweeps of a run.
pub(super) fn open_sweeps(database: &Database<'_>, run: &RunId) -> Result<Vec<Sweep>, StoreError> {
    let sql = "SELECT * FROM sweep WHERE outcome IS NULL AND run = ? ORDER BY due_at, id";
    database.all("list the sweeps of a run", sql, [run.as_str()], sweep)
}

fn sweep(row: &Row<'_>) -> rusqlite::Result<Sweep> {
    Ok(Sweep {
        id: row.get("id")?,
        run: parsed(row, "run")?,
        call: parsed(row, "call")?,
        at: row.get("due_at")?,
        kind: row.get("kind")?,
        key: row.get("key")?,
        labels: json(row, "labels")?,
    })
}

/// Closes a sweep; a closed one stays as it is.
pub(super) fn close_sweep(
    database: &Database<'_>,
    sweep: u64,
    outcome: &SweepOutcome,
    at: UnixMs,
) -> Result<(), StoreError> {
    let (word, found) = match outcome {
        SweepOutcome::Nothing => ("nothing", None),
        SweepOutcome::Deleted(id) => ("deleted", Some(id)),
        SweepOutcome::Reported(id) => ("reported", Some(id)),
    };
    let sql = "UPDATE sweep SET outcome = ?, found = ?, closed_at = ?
        WHERE id = ? AND outcome IS NULL";
    database.execute("close a sweep", sql, params![word, found, at, sweep]).map(drop)
}
