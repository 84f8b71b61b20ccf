//! The gate protocol on trial: a capability of three calls over a cloud that misbehaves, killed at
//! every boundary of the store and of the cloud, until it ends.

mod claims;
mod cloud;
mod effects;
mod faulty;
mod fixture;
mod fuse;
mod matrix;
mod play;
mod protocol;
mod writing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use runwrit_model::event::{Event, RunOutcome};
use runwrit_model::grant::Grant;
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::journal::{Created, Entry, OnFailure, Record, UnixMs, World};
use runwrit_model::labels::HostKey;
use runwrit_model::timing::Timing;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::host::Host;
use crate::interrupt::Interrupt;
use crate::report::Reporter;
use crate::store::{SqliteStore, Store, StoreError};
use cloud::{Cloud, Weather};
use effects::Toy;
use faulty::{Faulty, Refusal};
use fuse::Fuse;
use play::{Act, Player};

/// A clock that jumps instead of waiting.
pub struct Leap(AtomicU64);

impl Clock for Leap {
    fn now(&self) -> UnixMs {
        // Time never stands still, so that no two entries need to share one.
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()> {
        self.0.fetch_max(until, Ordering::SeqCst);
        Box::pin(tokio::task::yield_now())
    }
}

impl Leap {
    fn advance(&self, wait: Duration) {
        self.0.fetch_add(wait.as_millis() as u64, Ordering::SeqCst);
    }
}

/// Keeps all events.
#[derive(Default)]
pub struct Tape(Mutex<Vec<Event>>);

impl Reporter for Tape {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Tape {
    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

/// A machine, a store and a cloud; processes come and go.
pub struct Bench {
    directory: tempfile::TempDir,
    clock: Arc<Leap>,
    cloud: Arc<Cloud>,
    store: Arc<dyn Store>,
    tape: Arc<Tape>,
    acts: Vec<Act>,
    created: Created,
    seen: Arc<Mutex<Vec<String>>>,
    interrupt: Interrupt,
    timing: Timing,
    grant: String,
    world: World,
}

/// How a process ended.
#[derive(Debug)]
pub enum Exit {
    Killed(String),
    Ended(Result<RunOutcome, EngineError>),
}

const START: UnixMs = 1_800_000_000_000;

impl Bench {
    pub async fn new(acts: &[Act], weather: Weather) -> Self {
        let clock = Arc::new(Leap(AtomicU64::new(START)));
        let cloud = Arc::new(Cloud::new(clock.clone(), weather));
        let directory = directory();
        let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
        Self {
            directory,
            clock,
            cloud,
            store,
            tape: Arc::default(),
            acts: acts.to_vec(),
            created: created(),
            seen: Arc::default(),
            interrupt: Interrupt::default(),
            timing: timing(),
            grant: GRANT.to_owned(),
            world: world(),
        }
    }

    fn run(&self) -> &RunId {
        &self.created.run
    }

    /// What a process holds of the outside.
    fn toy(&self, fuse: &Arc<Fuse>) -> Toy {
        let grant =
            Grant::parse("trial.toml", &self.grant).unwrap_or_else(|error| panic!("{error}"));
        Toy {
            cloud: self.cloud.clone(),
            fuse: fuse.clone(),
            grant: Arc::new(grant),
            world: self.world.clone(),
        }
    }

    fn store(&self, fuse: &Arc<Fuse>, refuses: Option<Arc<Refusal>>) -> Arc<dyn Store> {
        let (inner, fuse) = (self.store.clone(), fuse.clone());
        Arc::new(Faulty { inner, fuse, refuses })
    }

    fn engine(&self, store: &Arc<dyn Store>) -> Engine {
        let host = Host {
            clock: self.clock.clone(),
            reporter: self.tape.clone(),
            interrupt: self.interrupt.clone(),
            key: HostKey::from_bytes([7; 32]),
            timing: self.timing.clone(),
            patience: None,
            entropy: Arc::new(|bytes| bytes.fill(5)),
            version: "0.1.0".to_owned(),
            engine: "trial".to_owned(),
        };
        Engine::new(store.clone(), host)
    }

    fn player(&self, toy: &Toy, store: &Arc<dyn Store>) -> Player {
        self.seen.lock().unwrap().clear();
        Player {
            toy: toy.clone(),
            acts: self.acts.clone(),
            store: store.clone(),
            run: self.run().clone(),
            seen: self.seen.clone(),
        }
    }

    /// Lets one process start or resume the run.
    pub async fn process(&self, fuse: Fuse, refuses: Option<Arc<Refusal>>) -> Exit {
        let fuse = Arc::new(fuse);
        let store = self.store(&fuse, refuses);
        let (engine, toy) = (self.engine(&store), self.toy(&fuse));
        let player = self.player(&toy, &store);
        let is_new = matches!(self.store.run(self.run()).await, Err(StoreError::NotFound { .. }));
        let work = async {
            match is_new {
                true => engine.start(self.created.clone(), player, &toy).await,
                false => engine.resume(self.run(), Some(player), &toy).await,
            }
        };
        // A killed process does nothing any more: dropping its future is that.
        tokio::select! {
            biased;
            () = fuse.blown() => Exit::Killed(fuse.place().unwrap()),
            ended = work => Exit::Ended(ended),
        }
    }

    /// Starts processes, the first of them with these fuses, until the run is over.
    pub async fn to_end(&self, fuses: &[u64]) -> (RunOutcome, Vec<String>) {
        let mut killed = Vec::new();
        for turn in 0..40 {
            let fuse = fuses.get(turn).map_or_else(Fuse::default, |at| Fuse::at(*at));
            match self.process(fuse, None).await {
                Exit::Killed(place) => killed.push(place),
                Exit::Ended(Ok(RunOutcome::Parked)) => {
                    self.clock.advance(Duration::from_secs(3_600))
                }
                Exit::Ended(Ok(outcome)) => return (outcome, killed),
                Exit::Ended(Err(EngineError::Over { ending, .. })) => {
                    return (ending.into(), killed);
                }
                Exit::Ended(Err(error)) => panic!("killed at {killed:?}, then: {error}"),
            }
        }
        panic!("killed at {killed:?}, the run does not end");
    }

    /// Returns an engine and the outside of a process that nothing kills.
    fn calm(&self) -> (Engine, Toy) {
        let fuse = Arc::new(Fuse::default());
        (self.engine(&self.store(&fuse, None)), self.toy(&fuse))
    }

    /// Lets one process work on the run.
    async fn once(&self) -> Result<RunOutcome, EngineError> {
        match self.process(Fuse::default(), None).await {
            Exit::Ended(ended) => ended,
            Exit::Killed(place) => panic!("killed at {place} without a fuse"),
        }
    }

    async fn journal(&self) -> Vec<Entry> {
        self.store.journal(self.run()).await.unwrap()
    }
}

/// A memory file system keeps thousands of flushes from wearing out a disk.
fn directory() -> tempfile::TempDir {
    let is_there = std::path::Path::new("/dev/shm").is_dir();
    let made = if is_there { tempfile::tempdir_in("/dev/shm") } else { tempfile::tempdir() };
    made.expect("a directory for the trial")
}

fn timing() -> Timing {
    Timing {
        settle: Duration::from_secs(10),
        undo_backoff_min: Duration::from_secs(1),
        undo_backoff_max: Duration::from_secs(8),
        undo_budget: Duration::from_secs(60),
        ..Timing::default()
    }
}

fn world() -> World {
    World {
        credential: "toy".to_owned(),
        endpoint: "http://toy".to_owned(),
        marker: "one".to_owned(),
    }
}

fn created() -> Created {
    Created {
        run: RunId::new(START, [1; 10]),
        runbook: "trial@0.1.0".to_owned(),
        component: Digest::of(b"trial"),
        manifest: String::new(),
        grant: GRANT.to_owned(),
        inputs: BTreeMap::new(),
        settings: serde_json::Value::Null,
        scope: Scope::tenant("acme"),
        worlds: BTreeMap::from([("toy".to_owned(), world())]),
        starter: "ada".to_owned(),
        deadline: None,
        on_failure: OnFailure::Rollback,
        host: "0.1.0".to_owned(),
        plan: None,
        provenance: None,
        endorsement: None,
    }
}

const GRANT: &str = r#"
version = 1
expires = 2100-01-01T00:00:00Z

[runbook]
name = "trial"

[scope]
tenant = "acme"

[audit]
operations = ["events.append"]
kinds = ["TOY"]
subjects = ["net", "gate", "one", "two", "three", "mark", "link", "shout", "get"]
"#;

/// A toy runbook over a cloud that behaves.
async fn calm(acts: &[Act]) -> Bench {
    Bench::new(acts, Weather::Calm).await
}

/// Returns what the entries of a journal are.
fn kinds(entries: &[Entry]) -> Vec<&'static str> {
    let kind = |entry: &Entry| match entry.record {
        Record::Created(_) => "created",
        Record::Attempt(_) => "attempt",
        Record::Step(_) => "step",
        Record::Observed(_) => "observed",
        Record::Intent(_) => "intent",
        Record::Accepted(_) => "accepted",
        Record::Result(_) => "result",
        Record::CancelRequested(_) => "cancel",
        Record::Differed(_) => "differed",
        Record::RollbackStarted(_) => "rollback",
        Record::UndoIntent(_) => "undo-intent",
        Record::UndoResult(_) => "undo-result",
        Record::Finished(_) => "finished",
        _ => "other",
    };
    entries.iter().map(kind).collect()
}

/// Kills a fresh run at the first boundary of this name.
async fn kill_at(bench: &Bench, name: &str) -> Exit {
    for boundary in 1.. {
        let probe = Bench::new(&bench.acts, Weather::Calm).await;
        match probe.process(Fuse::at(boundary), None).await {
            Exit::Killed(place) if place == name => {
                return bench.process(Fuse::at(boundary), None).await;
            }
            Exit::Killed(_) => {}
            Exit::Ended(_) => panic!("no boundary is called `{name}`"),
        }
    }
    unreachable!("a run has an end")
}
