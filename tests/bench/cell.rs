//! One call of a guest that the host answers at once: through its cell, and beside it without a
//! cell, in the process of the host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use runwrit_capabilities::run::Run;
use runwrit_capabilities::{Capabilities, linker};
use runwrit_engine::books::Books;
use runwrit_engine::gate::RunGate;
use runwrit_engine::guest::{Guest, GuestEnd};
use runwrit_engine::sandbox::{Bounds, Sandbox};
use runwrit_engine::store::{SqliteStore, Store};
use runwrit_model::event::RunOutcome;
use serde_json::json;
use wasmtime::component::Component;

use crate::place::{Place, product, root, run, told};
use crate::row::Row;
use crate::stopwatch::{median, ms, time};
use crate::toy::{self, Nowhere};

/// Calls of one run: so many that starting it weighs little.
const CALLS: u32 = 20_000;
/// Rounds; each is compared with a run that calls nothing.
const ROUNDS: usize = 11;

/// Measures the way of a call.
pub fn measure() -> Result<Vec<Row>, String> {
    let place = Place::on_disk()?;
    let packages = root().join("target/packages");
    let text = format!("version = 1\nstate = \"state\"\npackages = [\"{}\"]\n", packages.display());
    place.write("runwrit.toml", &text)?;
    place.write(
        "chatty.toml",
        "version = 1\nexpires = 2099-12-31T00:00:00Z\nrunbook.name = \"chatty\"\n",
    )?;
    // The first run compiles the component.
    run(&mut command(&place, 0)?)?;
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        let (silent, done) = time(|| command(&place, 0).and_then(|mut it| run(&mut it)));
        done?;
        let (chatty, done) = time(|| command(&place, CALLS).and_then(|mut it| run(&mut it)));
        done?;
        calls.push(chatty.saturating_sub(silent) / CALLS);
    }
    let call = median(calls);
    if call.is_zero() {
        return Err(told("the calls")("they took no time, so none was made"));
    }
    let within = format!("{:.2} µs without a cell", ms(without_cell()?) * 1_000.0);
    let what = "one call of a guest through its cell";
    Ok(vec![Row::at_most(what, ms(call) * 1_000.0, " µs", 100.0).of(&within)])
}

/// Returns what a call takes where the guest runs in the process of its host.
fn without_cell() -> Result<Duration, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(told("a runtime"))?;
    let wasm = fs::read(root().join("target/packages/chatty/component.wasm"));
    let wasm = wasm.map_err(told("the guest `chatty`; use `cargo xtask bench`"))?;
    let sandbox = Sandbox::new(Bounds::default()).map_err(told("the sandbox"))?;
    let component = Component::new(sandbox.engine(), wasm).map_err(told("the guest"))?;
    let place = Place::in_memory()?;
    let store = SqliteStore::open(&place.path().join("state")).map_err(told("the store"))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let engine = toy::engine(store);
    let once = |calls| {
        let guest = Within { sandbox: sandbox.clone(), component: component.clone(), calls };
        let created = toy::created(engine.new_run_id());
        let (took, ended) = time(|| runtime.block_on(engine.start(created, guest, &Nowhere)));
        match ended.map_err(told("a run"))? {
            RunOutcome::Succeeded => Ok(took),
            other => Err(format!("a run ended with {other:?}")),
        }
    };
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        let silent = once(0)?;
        calls.push(once(CALLS)?.saturating_sub(silent) / CALLS);
    }
    Ok(median(calls))
}

/// A guest without a cell.
struct Within {
    sandbox: Sandbox,
    component: Component,
    calls: u32,
}

impl Guest for Within {
    async fn run(self, gate: RunGate, _: Books) -> GuestEnd {
        let inputs = BTreeMap::from([("calls".to_owned(), json!(self.calls))]);
        let run = Run::new(inputs, BTreeSet::new());
        let host = Capabilities {
            gate,
            run,
            registry: None,
            audit: None,
            hetzner: None,
            dns: None,
            http: None,
        };
        let granted = linker::open(&BTreeSet::new());
        self.sandbox.run(&self.component, &granted, host).await
    }
}

fn command(place: &Place, calls: u32) -> Result<Command, String> {
    let mut command = place.command(product()?);
    let calls = format!("calls={calls}");
    command.args(["run", "chatty", "--grant", "chatty.toml", "--yes", "--input", &calls]);
    Ok(command)
}
