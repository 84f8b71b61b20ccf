//! One call, without the disk: the permit, the gate around it, and its replay.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use runwrit_engine::store::{NewRun, SqliteStore, Store};
use runwrit_model::event::RunOutcome;
use runwrit_model::grant::Grant;
use runwrit_model::id::RunId;
use runwrit_model::limits::JOURNAL_DEFERRED_MAX;

use crate::place::{Place, told};
use crate::row::Row;
use crate::stopwatch::{median, ms, time};
use crate::toy::{self, Nowhere, Toy};

/// Permits asked for in a row.
const PERMITS: u32 = 1_000_000;
/// Calls of one run: nearly as many as a journal takes.
const CALLS: u32 = 9_000;
/// Times that a measurement is taken.
const ROUNDS: usize = 5;

/// Counts what is allocated.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every request is handed on to the allocator of the system as it came.
#[expect(unsafe_code, reason = "an allocator that counts is the only way to see an allocation")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of the system.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Measures permits, gate and replay.
pub fn measure() -> Result<Vec<Row>, String> {
    let (permit, allocations) = permits();
    let runtime = tokio::runtime::Runtime::new().map_err(told("a runtime"))?;
    let (mut gates, mut replays) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (gate, replay) = runtime.block_on(one_run())?;
        gates.push(gate);
        replays.push(replay);
    }
    let (gate, replay) = (median(gates), median(replays));
    let what = "the gate around one call, without its store";
    let rate = f64::from(CALLS) / replay.as_secs_f64();
    Ok(vec![
        Row::at_most("the permit of one call", ms(permit) * 1_000.0, " µs", 1.0),
        Row::at_most("allocations of one permit", allocations, "", 0.0),
        Row::at_most(what, ms(gate) * 1_000.0 / f64::from(CALLS), " µs", 20.0),
        Row::at_least("replay, journal read and chain verified", rate, " calls/s", 100_000.0),
    ])
}

/// Returns the time and the allocations of one permit.
fn permits() -> (Duration, f64) {
    let text = "version = 1\nexpires = 2099-01-01T00:00:00Z\nrunbook.name = \"toy\"\n\n\
        [audit]\noperations = [\"events.append\"]\nkinds = [\"ONE\", \"TWO\", \"TOY\"]\n\
        subjects = [\"acme\", \"bolt\", \"crab\", \"toy\"]\n";
    let grant = Grant::parse("toy.toml", text).expect("it is sound");
    let ask = || grant.append_event(black_box("TOY"), black_box("toy"), 1).is_ok();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let (took, granted) = time(|| (0..PERMITS).filter(|_| black_box(ask())).count());
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(granted, PERMITS as usize, "every one was granted");
    (took / PERMITS, allocated as f64 / f64::from(PERMITS))
}

/// Returns what the calls of one run take beyond writing their journal, and what its replay takes.
async fn one_run() -> Result<(Duration, Duration), String> {
    let place = Place::in_memory()?;
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&place.path().join("state")).map_err(told("the store"))?);
    let engine = toy::engine(Arc::clone(&store));
    let run = engine.new_run_id();
    let toy = Toy { end: toy::interrupted(), ..Toy::reading(CALLS) };
    let begun = std::time::Instant::now();
    engine.start(toy::created(run.clone()), toy, &Nowhere).await.map_err(told("a run"))?;
    let with_gate = begun.elapsed();
    let bare = journal_alone(store.as_ref(), &run).await?;
    let begun = std::time::Instant::now();
    let ended = engine.resume(&run, Some(Toy::reading(CALLS)), &Nowhere).await;
    let replay = begun.elapsed();
    match ended.map_err(told("a replay"))? {
        RunOutcome::Succeeded => Ok((with_gate.saturating_sub(bare), replay)),
        other => Err(format!("the replay ended with {other:?}")),
    }
}

/// Writes the entries of a run once more, in groups as the engine does, as a run of its own.
async fn journal_alone(store: &dyn Store, run: &RunId) -> Result<Duration, String> {
    let mut entries = store.journal(run).await.map_err(told("the journal"))?;
    let again = RunId::new(1, [9; 10]);
    let mut rest = entries.split_off(2);
    if let Some(runwrit_model::journal::Record::Created(created)) =
        entries.first_mut().map(|entry| &mut entry.record)
    {
        **created = toy::created(again.clone());
    }
    let new = NewRun { entries, sealed_seed: vec![0; 64] };
    let claim = store.create_run(new).await.map_err(told("a second run"))?;
    let begun = std::time::Instant::now();
    while !rest.is_empty() {
        let group = rest.drain(..rest.len().min(JOURNAL_DEFERRED_MAX)).collect();
        store.append(&claim.fence, group).await.map_err(told("some entries"))?;
    }
    Ok(begun.elapsed())
}
