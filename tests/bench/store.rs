//! Many runs: how many small ones a second, and what parked ones cost.

use std::fs;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use runwrit_engine::engine::Engine;
use runwrit_engine::store::{SqliteStore, Store};
use runwrit_model::event::RunOutcome;

use crate::crowd::own_memory;
use crate::place::{Place, told};
use crate::row::Row;
use crate::toy::{self, Nowhere, Toy};

/// Small runs, and how many of them at once.
const SMALL: usize = 8_000;
const AT_ONCE: usize = 256;
/// Runs that wait for a day.
const PARKED: usize = 100_000;

/// Measures crowds of runs without a component.
pub fn measure() -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(told("a runtime"))?;
    let rate = runtime.block_on(small())?;
    let Parked { grown, bytes, files } = runtime.block_on(parked())?;
    let what = "small runs with a flush to the disk each, in groups";
    let held = Row::at_most("memory that 100,000 parked runs hold", grown, " MiB", 64.0);
    let on_disk = format!("{bytes:.0} bytes of the store for each");
    Ok(vec![
        Row::at_least(what, rate, " runs/s", 2_000.0),
        held.of(&on_disk),
        Row::at_most("files beside the store that they hold", files as f64, "", 1.0)
            .of("the mark of a directory that is in use"),
    ])
}

fn open(place: &Place) -> Result<(Engine, Arc<dyn Store>), String> {
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&place.path().join("state")).map_err(told("the store"))?);
    Ok((toy::engine(Arc::clone(&store)), store))
}

/// Runs many small ones on the disk; returns how many a second.
async fn small() -> Result<f64, String> {
    let place = Place::on_disk()?;
    let (engine, _) = open(&place)?;
    let begun = std::time::Instant::now();
    each(&engine, SMALL, RunOutcome::Succeeded, || Toy::reading(1)).await?;
    Ok(SMALL as f64 / begun.elapsed().as_secs_f64())
}

/// What many parked runs hold.
struct Parked {
    /// By how many MiB the process has grown.
    grown: f64,
    /// What a run takes in the store.
    bytes: f64,
    /// Files beside the store.
    files: usize,
}

/// Parks many.
async fn parked() -> Result<Parked, String> {
    let place = Place::in_memory()?;
    let (engine, store) = open(&place)?;
    let before = own_memory()?;
    let day = Some(86_400);
    each(&engine, PARKED, RunOutcome::Parked, || Toy { wait: day, ..Toy::reading(0) }).await?;
    let grown = own_memory()?.saturating_sub(before) as f64 / 1_024.0;
    drop((engine, store));
    let state = place.path().join("state");
    let file = fs::metadata(state.join("store.sqlite")).map_err(told("the store"))?;
    let files = fs::read_dir(state.join("runs")).map_err(told("the lock files"))?.count();
    Ok(Parked { grown, bytes: file.len() as f64 / PARKED as f64, files })
}

/// Starts so many runs, and requires that each ends so.
async fn each(
    engine: &Engine,
    count: usize,
    expected: RunOutcome,
    toy: impl Fn() -> Toy,
) -> Result<(), String> {
    let runs = stream::iter(0..count).map(|_| {
        let created = toy::created(engine.new_run_id());
        engine.start(created, toy(), &Nowhere)
    });
    let ends: Vec<_> = runs.buffer_unordered(AT_ONCE).collect().await;
    for end in ends {
        let outcome = end.map_err(told("a run"))?;
        if outcome != expected {
            return Err(format!("a run ended with {outcome:?}"));
        }
    }
    Ok(())
}
