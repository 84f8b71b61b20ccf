//! One call, without the disk: the gate around it, and its replay.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runwrit_engine::store::{NewRun, SqliteStore, Store};
use runwrit_model::event::RunOutcome;
use runwrit_model::id::RunId;
use runwrit_model::journal::{Entry, Record};
use runwrit_model::limits::JOURNAL_DEFERRED_MAX;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::place::{Place, told};
use crate::row::Row;
use crate::stopwatch::{median, ms};
use crate::toy::{self, Nowhere, Toy};

/// Calls of one run: nearly as many as a journal takes.
const CALLS: u32 = 9_000;
/// Changes of one run, each of three entries.
const CHANGES: u32 = 3_000;
/// Times that a measurement is taken.
const ROUNDS: usize = 5;

/// What one run took.
struct Round {
    /// Of its thread, with the gate.
    with_gate: Duration,
    /// Of the same thread, writing the same journal without a gate.
    without: Duration,
    /// By the clock, replaying it.
    replay: Duration,
}

/// Measures gate and replay.
pub fn measure() -> Result<Vec<Row>, String> {
    on_one_processor(gate_and_replay)
}

/// Measures something on one processor: two that wake each other take longer than what is measured,
/// and never equally long. The threads that it starts stay there too.
fn on_one_processor<T>(measure: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let all = sched_getaffinity(None).map_err(told("the processors"))?;
    let mut one = CpuSet::new();
    (0..CpuSet::MAX_CPU).find(|it| all.is_set(*it)).iter().for_each(|it| one.set(*it));
    sched_setaffinity(None, &one).map_err(told("one processor"))?;
    let measured = measure();
    sched_setaffinity(None, &all).map_err(told("all processors"))?;
    measured
}

fn gate_and_replay() -> Result<Vec<Row>, String> {
    // One thread, as in the product: what it takes is told apart from the thread of the store.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(told("a runtime"))?;
    let (mut reads, mut changes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        reads.push(runtime.block_on(one_run(Toy::reading(CALLS)))?);
        let toy = Toy { changes: CHANGES, ..Toy::reading(0) };
        changes.push(runtime.block_on(one_run(toy))?);
    }
    let (read, change) = (gate(&reads, CALLS)?, gate(&changes, CHANGES)?);
    let replays = reads.iter().map(|round| round.replay).collect();
    let rate = f64::from(CALLS) / median(replays).as_secs_f64();
    let what = "replay by the engine: journal read, chain verified, every call compared";
    Ok(vec![
        Row::at_most(
            "the gate around one read, without its store: time of its thread",
            read,
            " µs",
            20.0,
        ),
        Row::at_most(
            "the gate around one change, without its store: time of its thread",
            change,
            " µs",
            20.0,
        ),
        Row::at_least(what, rate, " calls/s", 100_000.0).of("without the way through a cell"),
    ])
}

/// Returns the microseconds that the gate takes of one call. What wakes a thread takes now more and
/// now less, so the least of all rounds are compared. What took no time was not measured.
fn gate(rounds: &[Round], calls: u32) -> Result<f64, String> {
    let least = |of: fn(&Round) -> Duration| rounds.iter().map(of).min().unwrap_or_default();
    let gate = least(|round| round.with_gate).checked_sub(least(|round| round.without));
    let gate = gate.ok_or("the store alone took longer than the run")?;
    Ok(ms(gate) * 1_000.0 / f64::from(calls))
}

/// Makes the calls of one run, writes their journal once more without a gate, and replays them.
///
/// For the gate the time of the thread counts, not that of the clock: the store has its own thread.
async fn one_run(toy: Toy) -> Result<Round, String> {
    let place = Place::in_memory()?;
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&place.path().join("state")).map_err(told("the store"))?);
    let engine = toy::engine(Arc::clone(&store));
    let run = engine.new_run_id();
    let first = Toy { end: toy::interrupted(), ..toy.clone() };
    let begun = thread_time()?;
    engine.start(toy::created(run.clone()), first, &Nowhere).await.map_err(told("a run"))?;
    let with_gate = thread_time()?.saturating_sub(begun);
    let without = journal_alone(store.as_ref(), &run).await?;
    let begun = Instant::now();
    let ended = engine.resume(&run, Some(toy), &Nowhere).await;
    let replay = begun.elapsed();
    match ended.map_err(told("a replay"))? {
        RunOutcome::Succeeded => Ok(Round { with_gate, without, replay }),
        other => Err(format!("the replay ended with {other:?}")),
    }
}

/// Writes the entries of a run once more, in groups as the engine does, as a run of its own.
async fn journal_alone(store: &dyn Store, run: &RunId) -> Result<Duration, String> {
    let mut entries = store.journal(run).await.map_err(told("the journal"))?;
    let again = RunId::new(1, [9; 10]);
    let rest = entries.split_off(2);
    if let Some(Record::Created(created)) = entries.first_mut().map(|entry| &mut entry.record) {
        **created = toy::created(again.clone());
    }
    let new = NewRun { entries, sealed_seed: vec![0; 64] };
    let claim = store.create_run(new).await.map_err(told("a second run"))?;
    let groups = groups(rest);
    let begun = thread_time()?;
    for group in groups {
        let is_promise = group.iter().any(|entry| matches!(entry.record, Record::Intent(_)));
        store.append(&claim.fence, group).await.map_err(told("some entries"))?;
        if is_promise {
            // Before it sends, the gate has the store confirm that the run is still its own.
            store.append(&claim.fence, Vec::new()).await.map_err(told("the fence"))?;
        }
    }
    Ok(thread_time()?.saturating_sub(begun))
}

/// Returns for how long this thread has computed.
fn thread_time() -> Result<Duration, String> {
    // The kernel adds up what a thread took when it lets another one run.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").map_err(told("the kernel"))?;
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| format!("the kernel tells `{text}`"))
}

/// Splits entries as the engine does: what was seen waits for a full group or for the next promise
/// or acceptance, which are written at once.
fn groups(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let (mut groups, mut group) = (Vec::new(), Vec::new());
    for entry in entries {
        let is_written = matches!(entry.record, Record::Intent(_) | Record::Accepted(_));
        group.push(entry);
        if is_written || group.len() == JOURNAL_DEFERRED_MAX {
            groups.push(std::mem::take(&mut group));
        }
    }
    groups.push(group);
    groups.retain(|group| !group.is_empty());
    groups
}
