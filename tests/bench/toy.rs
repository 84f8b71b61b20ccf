//! A runbook without a component and a cloud without a wire: what is left is the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use runwrit_capabilities::gate::{
    Acceptance, CallError, Effect, Gate as _, Observation, Permit, Provenance, SendError, Stop,
    Ticket, UndoError, UndoRequest, Undone,
};
use runwrit_engine::books::Books;
use runwrit_engine::clock::Clock;
use runwrit_engine::engine::Engine;
use runwrit_engine::gate::RunGate;
use runwrit_engine::guest::{Guest, GuestEnd};
use runwrit_engine::host::Host;
use runwrit_engine::interrupt::Interrupt;
use runwrit_engine::outside::{ClaimsError, Outside, WorldsError};
use runwrit_engine::report::Reporter;
use runwrit_engine::store::Store;
use runwrit_model::call::{Call, CallClass, Rank, UndoPlan};
use runwrit_model::event::Event;
use runwrit_model::grant::Grant;
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::journal::{Created, OnFailure, UnixMs, World};
use runwrit_model::labels::HostKey;
use runwrit_model::timing::Timing;
use serde_json::{Value, json};

/// What the toy runbooks may do.
pub const GRANT: &str = "version = 1\nexpires = 2099-01-01T00:00:00Z\nrunbook.name = \"toy\"\n\
    [audit]\noperations = [\"events.append\"]\nkinds = [\"TOY\"]\nsubjects = [\"toy\"]\n";

/// The clock of the machine.
struct Real;

impl Clock for Real {
    fn now(&self) -> UnixMs {
        let since = SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        u64::try_from(since.as_millis()).expect("a clock before the year 500,000,000")
    }

    fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()> {
        let wait = Duration::from_millis(until.saturating_sub(self.now()));
        Box::pin(tokio::time::sleep(wait))
    }
}

/// Drops all events.
struct Nobody;

impl Reporter for Nobody {
    fn report(&self, _: Event) {}
}

/// Returns an engine over a store.
pub fn engine(store: Arc<dyn Store>) -> Engine {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let entropy = |bytes: &mut [u8]| {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().zip(drawn.into_iter().rev().cycle()).for_each(|(byte, new)| *byte = new);
    };
    let host = Host {
        clock: Arc::new(Real),
        reporter: Arc::new(Nobody),
        interrupt: Interrupt::default(),
        key: HostKey::from_bytes([7; 32]),
        patience: None,
        timing: Timing::default(),
        entropy: Arc::new(entropy),
        version: "0.1.0".to_owned(),
        engine: "bench".to_owned(),
    };
    Engine::new(store, host)
}

/// Returns with what a new run is admitted.
pub fn created(run: RunId) -> Created {
    Created {
        scope: Scope::run(&run),
        run,
        runbook: "toy@0.1.0".to_owned(),
        component: Digest::of(b"toy"),
        manifest: String::new(),
        grant: GRANT.to_owned(),
        inputs: BTreeMap::new(),
        settings: Value::Null,
        worlds: Nowhere::world(),
        starter: "bench".to_owned(),
        deadline: None,
        on_failure: OnFailure::Rollback,
        host: "0.1.0".to_owned(),
        plan: None,
        provenance: None,
        endorsement: None,
    }
}

/// An outside in which there is nothing.
pub struct Nowhere;

impl Nowhere {
    fn world() -> BTreeMap<String, World> {
        let world = World {
            credential: "toy".to_owned(),
            endpoint: "http://toy".to_owned(),
            marker: "one".to_owned(),
        };
        BTreeMap::from([("toy".to_owned(), world)])
    }
}

impl Outside for Nowhere {
    fn worlds(&self) -> BoxFuture<'_, Result<BTreeMap<String, World>, WorldsError>> {
        Box::pin(async { Ok(Self::world()) })
    }

    fn claim(&self) -> BoxFuture<'_, Result<(), ClaimsError>> {
        Box::pin(async { Ok(()) })
    }

    fn release(&self) -> BoxFuture<'_, Result<(), ClaimsError>> {
        Box::pin(async { Ok(()) })
    }

    fn undo<'a>(
        &'a self,
        _: &'a UndoRequest,
        _: &'a Books,
    ) -> BoxFuture<'a, Result<Undone, UndoError>> {
        Box::pin(async { Ok(Undone::Done) })
    }
}

/// A runbook that reads and changes so often, and then ends so.
#[derive(Clone)]
pub struct Toy {
    /// How often it reads.
    pub reads: u32,
    /// How often it changes something.
    pub changes: u32,
    /// How it ends.
    pub end: GuestEnd,
    /// How long it waits at last, in seconds; nothing where it does not.
    pub wait: Option<u32>,
    /// Its grant.
    pub grant: Arc<Grant>,
}

impl Toy {
    /// Returns one that only reads, to its good end.
    pub fn reading(reads: u32) -> Self {
        let grant = Grant::parse("toy.toml", GRANT).expect("it is sound");
        let grant = Arc::new(grant);
        Self { reads, changes: 0, end: GuestEnd::Returned, wait: None, grant }
    }

    async fn play(&self, gate: &mut RunGate) -> Result<(), CallError> {
        for place in 0..self.reads {
            gate.observe(Read { place, grant: Arc::clone(&self.grant) }).await?;
        }
        for place in 0..self.changes {
            gate.pass(Change { place, grant: Arc::clone(&self.grant) }).await?;
        }
        match self.wait {
            Some(seconds) => gate.sleep(seconds).await,
            None => Ok(()),
        }
    }
}

impl Guest for Toy {
    async fn run(self, mut gate: RunGate, _: Books) -> GuestEnd {
        match self.play(&mut gate).await {
            Ok(()) => self.end,
            Err(CallError::Failed(failure)) => GuestEnd::Failed(failure),
            Err(CallError::Stopped(stop)) => GuestEnd::Stopped(stop),
        }
    }
}

/// How a process that is interrupted ends.
pub fn interrupted() -> GuestEnd {
    GuestEnd::Stopped(Stop::Interrupted)
}

struct Read {
    place: u32,
    grant: Arc<Grant>,
}

impl Observation for Read {
    type Output = String;

    fn call(&self) -> Call {
        call("toy.things.get", CallClass::Read, self.place)
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        Ok(self.grant.append_event("TOY", "toy", 1)?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<String, CallError> {
        Ok("seen".to_owned())
    }
}

struct Change {
    place: u32,
    grant: Arc<Grant>,
}

impl Effect for Change {
    type Output = String;

    fn call(&self) -> Call {
        call("toy.things.create", CallClass::KeyedCreate, self.place)
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        Ok(self.grant.append_event("TOY", "toy", 1)?)
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        let operation = "toy.things.delete".to_owned();
        Some(UndoPlan { operation, arguments: BTreeMap::new(), rank: Rank::Server })
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        Ok(Acceptance { remote_id: Some(self.place.to_string()), ..Acceptance::default() })
    }

    async fn complete(&self, _: &Acceptance) -> Result<String, SendError> {
        Ok("made".to_owned())
    }
}

fn call(operation: &str, class: CallClass, place: u32) -> Call {
    Call {
        operation: operation.to_owned(),
        class,
        request: json!({ "place": place, "name": "a name as long as those of servers" }),
        kind: Some("toy.thing".to_owned()),
        key: Some(format!("thing-{place}")),
        references: Vec::new(),
        subject: format!("thing {place}"),
    }
}
