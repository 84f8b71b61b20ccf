//! A run that moves to another store, with what belongs to it: out behind a tombstone, in as a
//! whole.

use data_encoding::BASE64;
use runwrit_model::id::RunId;
use runwrit_model::journal::{Attempt, Created, Ending, Entry, Finished, Record, UnixMs, VERSION};
use runwrit_model::undo::LateSweep;
use rusqlite::params;

use super::database::Database;
use super::directory::Directory;
use super::{books, journal, ledger, runs};
use crate::store::{MovedSweep, Parcel, RunState, StoreError, Sweep, TakeBack};

/// Takes a run out. From the commit on it can never go on here; one that was taken out before is
/// told again as it was.
pub(super) fn take_out(
    database: &Database<'_>,
    directory: &Directory,
    run: &RunId,
    (attempt, message): (&Attempt, &str),
    at: UnixMs,
) -> Result<Parcel, StoreError> {
    let row = runs::expect(database, run)?;
    let lock = directory.take(run)?;
    if row.state != RunState::Finished(Ending::Moved) {
        // One that had finished must not leave behind another run on its scope.
        runs::hold_scope(database, run, &row.scope)?;
        let fence = runs::raise_fence(database, run)?;
        let tail = journal::tail(database, run)?;
        let seq = tail.head().next_seq;
        let attempt = Record::Attempt(Attempt { fence, ..attempt.clone() });
        let (ending, message) = (Ending::Moved, message.to_owned());
        let end = Record::Finished(Finished { ending, message, outputs: Default::default() });
        let entries = [(seq, attempt), (seq + 1, end)];
        let entries = entries.map(|(seq, record)| Entry { version: VERSION, seq, at, record });
        journal::append(database, run, tail, &entries)?;
        let sql = "UPDATE run SET state = 'finished', wake_at = NULL, ending = 'moved'
            WHERE run = ?";
        database.execute("finish the run", sql, [run.as_str()])?;
        runs::free_scope(database, run)?;
    }
    let parcel = pack(database, directory, run)?;
    // What is told twice is told alike: these stay until the run comes back.
    drop(lock);
    Ok(parcel)
}

/// Reads a run that was taken out, as it was before.
fn pack(database: &Database<'_>, directory: &Directory, run: &RunId) -> Result<Parcel, StoreError> {
    let (entries, _) = journal::read(database, run)?;
    let Some(Entry { record: Record::Created(created), .. }) = entries.first() else {
        let reason = "it does not say how it began".to_owned();
        return Err(StoreError::Broken { run: run.clone(), seq: 0, reason });
    };
    let component = directory.component(&created.component)?;
    let tenant = match created.scope.tenant_id() {
        Some(id) => books::tenant(database, id)?,
        None => None,
    };
    let sealed = runs::seed(database, run)?;
    let audit = books::audit_events(database)?.into_iter();
    let audit = audit.filter(|stored| stored.event.writer.run == *run).collect();
    let (entries, fence) = before(&entries);
    let entries = entries.iter().map(|entry| BASE64.encode(&entry.encode())).collect();
    let text = |bytes: Vec<u8>| BASE64.encode(&bytes);
    let (component, sealed) = (component.map(text), sealed.map(text));
    let cancel = runs::expect(database, run)?.cancel;
    let sweeps = ledger::open_sweeps(database, run)?.into_iter().map(moved).collect();
    let run = run.clone();
    Ok(Parcel { run, entries, component, tenant, audit, sealed, cancel, sweeps, fence })
}

/// Parts the journal of a run that was taken out: what it held before, and the fence that was
/// raised then. The tombstone itself stays here: an attempt and an end.
fn before(entries: &[Entry]) -> (&[Entry], Option<u64>) {
    let (kept, tombstone) = entries.split_at(entries.len().saturating_sub(2));
    let fence = match tombstone.first().map(|entry| &entry.record) {
        Some(Record::Attempt(attempt)) => Some(attempt.fence),
        _ => None,
    };
    (kept, fence)
}

fn moved(sweep: Sweep) -> MovedSweep {
    let Sweep { call, at, kind, key, labels, .. } = sweep;
    MovedSweep { call, at, kind, key, labels }
}

/// Takes a run in, as a whole or not at all. One that was taken out here comes back.
pub(super) fn take_in(
    database: &Database<'_>,
    directory: &Directory,
    parcel: &Parcel,
    word: TakeBack,
) -> Result<(), StoreError> {
    write(database, parcel, word)?;
    directory.mark()?;
    match &parcel.component {
        // Kept under its own digest: where that is not the one of the journal, the run has none.
        Some(component) => directory.put_component(&bytes(&parcel.run, component)?).map(drop),
        None => Ok(()),
    }
}

/// Refuses what `take_in` refuses; whatever it would write is taken away again.
pub(super) fn would_take_in(
    database: &Database<'_>,
    parcel: &Parcel,
    word: TakeBack,
) -> Result<(), StoreError> {
    database.batch("begin a look", "SAVEPOINT look")?;
    let judged = write(database, parcel, word);
    database.batch("end a look", "ROLLBACK TO look; RELEASE look")?;
    judged
}

fn write(database: &Database<'_>, parcel: &Parcel, word: TakeBack) -> Result<(), StoreError> {
    let run = &parcel.run;
    let entries = unpacked(parcel)?;
    let fence_min = match runs::find(database, run)? {
        Some(row) if row.state == RunState::Finished(Ending::Moved) => {
            let fence = may_come_back(database, parcel, &entries, word)?;
            forget(database, run)?;
            fence
        }
        Some(_) => return Err(StoreError::Exists { run: run.clone() }),
        None => 1,
    };
    let Some(Entry { record: Record::Created(created), .. }) = entries.first() else {
        let reason = "it does not say how it began".to_owned();
        return Err(StoreError::Broken { run: run.clone(), seq: 0, reason });
    };
    if created.run != *run {
        let reason = format!("it is that of run `{}`", created.run);
        return Err(StoreError::Broken { run: run.clone(), seq: 0, reason });
    }
    insert(database, parcel, created, (&entries, fence_min))?;
    if let Some(row) = &parcel.tenant {
        books::adopt(database, row)?;
    }
    for sweep in &parcel.sweeps {
        let MovedSweep { call, at, kind, key, labels } = sweep.clone();
        ledger::schedule(database, run, &LateSweep { call, at, kind, key, labels })?;
    }
    parcel.audit.iter().try_for_each(|stored| books::adopt_audit(database, stored))
}

/// Refuses what an older file brings back: the run may be at work elsewhere by now. Returns the
/// fence that it left with.
fn may_come_back(
    database: &Database<'_>,
    parcel: &Parcel,
    entries: &[Entry],
    word: TakeBack,
) -> Result<u64, StoreError> {
    let run = || parcel.run.clone();
    let (stored, _) = journal::read(database, &parcel.run)?;
    let (kept, left) = before(&stored);
    let left = left.unwrap_or_default();
    // A file of version 1 does not say it: then it is that of the move that is judged.
    let fence = parcel.fence.unwrap_or(left);
    if !entries.starts_with(kept) || fence < left {
        return Err(StoreError::Outdated { run: run() });
    }
    // Another store writes an attempt before it does anything, and raises the fence to move it on.
    let has_been_elsewhere = entries.len() > kept.len() || fence > left;
    match has_been_elsewhere || word == TakeBack::Yes {
        true => Ok(left),
        false => Err(StoreError::Untouched { run: run() }),
    }
}

fn unpacked(parcel: &Parcel) -> Result<Vec<Entry>, StoreError> {
    let run = &parcel.run;
    let decode = |(seq, text): (u64, &String)| {
        Entry::decode(seq, &bytes(run, text)?)
            .map_err(|source| StoreError::Entry { run: run.clone(), source })
    };
    (0..).zip(&parcel.entries).map(decode).collect()
}

fn bytes(run: &RunId, text: &str) -> Result<Vec<u8>, StoreError> {
    BASE64.decode(text.as_bytes()).map_err(|_| {
        let reason = "what was moved is no Base64".to_owned();
        StoreError::Broken { run: run.clone(), seq: 0, reason }
    })
}

fn insert(
    database: &Database<'_>,
    parcel: &Parcel,
    created: &Created,
    (entries, fence_min): (&[Entry], u64),
) -> Result<(), StoreError> {
    let run = &parcel.run;
    runs::insert(database, created, entries[0].at)?;
    let tail = journal::tail(database, run)?;
    journal::append(database, run, tail, entries)?;
    let fence = entries.iter().filter_map(|entry| match &entry.record {
        Record::Attempt(attempt) => Some(attempt.fence),
        _ => None,
    });
    // A later move must raise it above that of each one before.
    let fence = fence.chain(parcel.fence).chain([fence_min]).max().unwrap_or(1);
    let sql = "UPDATE run SET fence = ?, cancel = ? WHERE run = ?";
    database.execute("take the run in", sql, params![fence, parcel.cancel, run.as_str()])?;
    let ending = match entries.last().map(|entry| &entry.record) {
        Some(Record::Finished(end)) => Some(end.ending),
        _ => None,
    };
    if let Some(ending) = ending {
        let sql = "UPDATE run SET state = 'finished', ending = ? WHERE run = ?";
        let word = runs::ending_word(ending);
        return database.execute("finish the run", sql, params![word, run.as_str()]).map(drop);
    }
    runs::hold_scope(database, run, &created.scope)?;
    let sealed = bytes(run, parcel.sealed.as_deref().unwrap_or_default())?;
    let sql = "INSERT INTO seed (run, sealed) VALUES (?, ?)";
    database.execute("keep the seed", sql, params![run.as_str(), sealed]).map(drop)
}

/// Deletes what is left of a run that was taken out; the caller puts all of it back.
fn forget(database: &Database<'_>, run: &RunId) -> Result<(), StoreError> {
    for table in ["seed", "external", "orphan", "sweep", "audit", "journal", "run"] {
        let sql = format!("DELETE FROM {table} WHERE run = ?");
        database.execute("forget a run", &sql, [run.as_str()])?;
    }
    let sql = "DELETE FROM tenant WHERE reserved_run = ?";
    database.execute("forget a run", sql, [run.as_str()]).map(drop)
}
