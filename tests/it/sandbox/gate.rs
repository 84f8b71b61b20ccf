//! The sandbox by itself, over a gate that lets nothing pass.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runwrit_capabilities::Capabilities;
use runwrit_capabilities::gate::{CallError, Effect, Gate, Notice, Observation, Provenance, Stop};
use runwrit_capabilities::run::Run;
use runwrit_engine::guest::GuestEnd;
use runwrit_engine::sandbox::{Bounds, Sandbox};
use runwrit_model::call::{CallId, Reference};
use runwrit_model::failure::Failure;
use runwrit_model::journal::Refinement;
use wasmtime::component::Component;

use super::bench::{self, wrap};

/// Stops the run at every call.
struct Shut;

impl Provenance for Shut {
    fn made_by(&self, _thing: &Reference) -> Option<CallId> {
        None
    }
}

fn stop() -> Stop {
    Stop::Parked("the gate is shut".to_owned())
}

fn shut<T>() -> Result<T, CallError> {
    Err(CallError::Stopped(stop()))
}

impl Gate for Shut {
    async fn pass<E: Effect>(&mut self, _effect: E) -> Result<E::Output, CallError> {
        shut()
    }

    async fn pass_batch<E: Effect>(
        &mut self,
        _effects: Vec<E>,
    ) -> Result<Vec<Result<E::Output, Failure>>, CallError> {
        shut()
    }

    async fn observe<O: Observation>(&mut self, _observation: O) -> Result<O::Output, CallError> {
        shut()
    }

    async fn step(&mut self, _text: String, _is_note: bool) -> Result<(), CallError> {
        shut()
    }

    async fn refine(&mut self, _refinement: Refinement) -> Result<(), CallError> {
        shut()
    }

    async fn sleep(&mut self, _seconds: u32) -> Result<(), CallError> {
        shut()
    }

    fn notify(&mut self, _notice: Notice) {}

    fn now_unix_ms(&self) -> u64 {
        0
    }

    fn random(&mut self, count: u32) -> Vec<u8> {
        vec![0; count as usize]
    }

    fn last_call(&self) -> Option<u32> {
        None
    }

    fn operation_of(&self, _call: u32) -> Option<String> {
        None
    }

    fn provenance(&self) -> &dyn Provenance {
        self
    }
}

fn capabilities() -> Capabilities<Shut> {
    Capabilities {
        gate: Shut,
        run: Run::new(BTreeMap::new(), BTreeSet::new()),
        registry: None,
        audit: None,
        hetzner: None,
        dns: None,
        http: None,
    }
}

/// Runs a guest that may use `granted`, within bounds that a test can wait for.
async fn run(guest: &str, granted: &[&str]) -> GuestEnd {
    let compute_max = Duration::from_millis(300);
    let bounds = Bounds { compute_max, handles_max: 1_000, ..Bounds::default() };
    let sandbox = Sandbox::new(bounds).expect("the engine starts");
    let component = bench::component(guest);
    let component = Component::new(sandbox.engine(), component).expect("the guest compiles");
    let granted = granted.iter().map(|name| (*name).to_owned()).collect();
    sandbox.run(&component, &granted, capabilities()).await
}

fn trapped(end: GuestEnd) -> String {
    match end {
        GuestEnd::Trapped(text) | GuestEnd::Starved(text) => text,
        other => panic!("it ended as {other:?}"),
    }
}

const RUN: [&str; 5] = ["run/inputs", "run/log", "run/random", "run/steps", "registry/tenants"];

#[tokio::test]
async fn a_stop_of_the_gate_comes_out_as_it_went_in() {
    assert_eq!(run("quiet", &RUN).await, GuestEnd::Stopped(stop()));
}

#[tokio::test]
async fn a_start_function_that_loops_is_ended_as_well() {
    insta::assert_snapshot!(wrap(&trapped(run("endless-start", &[]).await)), @r"
    the runbook computed for 0.3 s without a call, which counts as an endless loop;
      split the work with `steps.begin`, or wait with `clock.sleep`
    ");
}

#[tokio::test]
async fn handles_that_nobody_drops_end_the_run() {
    let text = trapped(run("too-many-handles", &[]).await);
    insta::assert_snapshot!(wrap(&text), @r"
    the runbook holds more than 1000 handles at once; drop what it no longer needs
    ");
}

#[tokio::test]
async fn an_interface_that_was_not_granted_does_not_exist() {
    let text = trapped(run("quiet", &["run/inputs", "run/log", "run/steps"]).await);
    insta::assert_snapshot!(wrap(&text), @r"
    the runbook could not be started: component imports instance
      `runwrit:registry/tenants@0.1.0`, but a matching implementation was not found in
      the linker: instance export `reserve` has the wrong type: function implementation
      is missing
    ");
}

#[tokio::test]
async fn wasi_is_there_for_who_imports_it_and_knows_nothing_of_the_host() {
    assert_eq!(run("inert-wasi", &[]).await, GuestEnd::Returned);
}
