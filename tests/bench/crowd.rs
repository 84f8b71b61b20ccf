//! A thousand runs at work at once, each guest in its cell.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use runwrit_capabilities::Capabilities;
use runwrit_capabilities::run::Run;
use runwrit_engine::books::Books;
use runwrit_engine::cell::{CellGuest, StartingCell};
use runwrit_engine::code_cache::{CodeCache, CompileBounds, Compiler};
use runwrit_engine::gate::RunGate;
use runwrit_engine::sandbox::Bounds;
use runwrit_engine::store::{SqliteStore, Store};
use runwrit_model::journal::{Entry, Record};
use runwrit_model::labels::HostKey;

use crate::place::{Place, product, root, told};
use crate::row::Row;
use crate::toy::{self, Nowhere};

/// Runs at once.
const RUNS: usize = 1_000;
/// What they may take together.
const MIB_MAX: f64 = 1_024.0;
/// How long all of them may take to begin, on a slow machine.
const BEGIN_MAX: Duration = Duration::from_secs(180);

/// Measures the memory of a host with a thousand cells.
pub fn measure() -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(told("a runtime"))?;
    let (host, cells) = runtime.block_on(crowd())?;
    let what = "memory of 1,000 runs at work at once, host and cells";
    let parts = format!("host {host:.0} MiB, each cell {:.2} MiB", cells / RUNS as f64);
    Ok(vec![Row::at_most(what, host + cells, " MiB", MIB_MAX).of(&parts)])
}

/// Returns the MiB of the host and of all cells while all runs wait awake.
async fn crowd() -> Result<(f64, f64), String> {
    let place = Place::in_memory()?;
    let state = place.path().join("state");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&state).map_err(told("the store"))?);
    let engine = toy::engine(Arc::clone(&store));
    let wasm = fs::read(root().join("target/packages/patient/component.wasm"))
        .map_err(told("the guest `patient`; use `cargo xtask bench`"))?;
    let compiler = Compiler { program: product()?, bounds: CompileBounds::default() };
    let cache = CodeCache::open(&state.join("code"), &HostKey::from_bytes([7; 32]), compiler)
        .map_err(told("the code cache"))?;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let cell = StartingCell::start(product()?).ready().await.map_err(told("the cell"))?;
        let code = cache.load(&cell.fingerprint, &wasm).await.map_err(told("the guest"))?;
        let guest = CellGuest::new(cell, code, Bounds::default(), &BTreeSet::new(), capabilities);
        let guest = guest.map_err(told("the cell"))?;
        runs.push(engine.start(toy::created(engine.new_run_id()), guest, &Nowhere));
    }
    tokio::select! {
        ends = join_all(runs) => Err(format!("the runs ended: {:?}", ends.first())),
        seen = all_at_work(store.as_ref()) => seen,
    }
}

fn capabilities(gate: RunGate, _: Books) -> Capabilities<RunGate> {
    let run = Run::new(BTreeMap::new(), BTreeSet::new());
    Capabilities { gate, run, registry: None, audit: None, hetzner: None, dns: None, http: None }
}

/// Waits until the guest of every run has made its first call, and adds up what all take.
async fn all_at_work(store: &dyn Store) -> Result<(f64, f64), String> {
    let begun = std::time::Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let cells = children()?;
        // To look into all journals takes a while.
        let at_work = if cells.len() < RUNS { 0 } else { at_work(store).await? };
        if at_work >= RUNS {
            let host = own_memory()? as f64 / 1_024.0;
            let taken: Result<Vec<u64>, String> = cells.iter().map(|cell| memory(cell)).collect();
            let (taken, count) = (taken?, cells.len());
            if count != RUNS {
                return Err(format!("there are {count} cells"));
            }
            return Ok((host, taken.iter().sum::<u64>() as f64 / 1_024.0));
        }
        if begun.elapsed() > BEGIN_MAX {
            let started = cells.len();
            return Err(format!("{started} cells, {at_work} guests that have made a call"));
        }
    }
}

/// Counts the runs whose guest has made a call.
async fn at_work(store: &dyn Store) -> Result<usize, String> {
    let mut count = 0;
    for row in store.runs().await.map_err(told("the runs"))? {
        let journal = store.journal(&row.run).await.map_err(told("a journal"))?;
        let is_call = |entry: &Entry| matches!(entry.record, Record::Wait(_));
        count += usize::from(journal.iter().any(is_call));
    }
    Ok(count)
}

fn children() -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for task in fs::read_dir("/proc/self/task").map_err(told("the threads"))?.flatten() {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(text.split_whitespace().map(str::to_owned));
    }
    Ok(found)
}

/// Returns the KiB that this process holds.
pub fn own_memory() -> Result<u64, String> {
    memory("self")
}

/// Returns the KiB that are a process's own, and its part of what it shares.
fn memory(process: &str) -> Result<u64, String> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(told(&path))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kib.ok_or_else(|| format!("{path} names no `Pss`"))
}
