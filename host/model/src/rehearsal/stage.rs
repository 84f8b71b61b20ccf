//! Where a run is rehearsed: time, store, cloud and workers, and what must hold at all times.

use std::rc::Rc;
use std::time::Duration;

use crate::call::CallId;
use crate::history::History;
use crate::journal::{Ending, Entry, Record, UnixMs};
use crate::tale::Tale;
use crate::timing::Timing;
use crate::undo::{LateSweep, left};

use super::cloud::{Cloud, Gone, name};
use super::script::Script;
use super::worker::Worker;
use super::{Dice, Weather};

/// A rehearsal that does not end by then hangs.
const TICKS_MAX: u32 = 5_000;
/// A stopped process wakes before the last sweep.
const STOP_MAX: u64 = 3_600_000;

/// What the store keeps of a run.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) journal: Vec<Entry>,
    pub(super) fence: u64,
    pub(super) cancel: bool,
    pub(super) ending: Option<Ending>,
    pub(super) finished_at: UnixMs,
    pub(super) sweeps: Vec<LateSweep>,
    /// How often a person will try again what was left.
    pub(super) retries: u32,
}

/// All that workers touch.
pub(super) struct Scene {
    pub(super) now: UnixMs,
    pub(super) dice: Dice,
    pub(super) timing: Timing,
    pub(super) script: Rc<Script>,
    pub(super) store: Kept,
    pub(super) cloud: Cloud,
    weather: Weather,
}

/// A rehearsal.
pub(super) struct Stage {
    scene: Scene,
    workers: Vec<Worker>,
    pub(super) crashes: u32,
    stops: u32,
    cancel_at: Option<UnixMs>,
}

impl Scene {
    pub(super) fn is_wild(&self) -> bool {
        self.weather != Weather::Calm
    }

    /// No intent on disk, no effect.
    pub(super) fn expect_intent(&self, call: CallId) {
        let is_promised = self.store.journal.iter().any(|entry| match &entry.record {
            Record::Intent(intent) => intent.call == call,
            _ => false,
        });
        assert!(is_promised, "effect without intent: call {call}");
    }
}

impl Stage {
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        let mut dice = Dice(seed.wrapping_mul(3).wrapping_add(weather as u64));
        let script = Rc::new(Script::write(&mut dice, weather));
        let mut cloud = Cloud::default();
        let creations = script.creations();
        for call in &creations {
            match dice.below(40) {
                0 => cloud.plant(name(*call)),
                1 | 2 => drop(cloud.protected.insert(name(*call))),
                _ => {}
            }
        }
        let cancel_at = dice.percent(25).then(|| dice.below(200_000));
        let timing = Timing { undo_budget: Duration::from_secs(3_600), ..Timing::default() };
        let mut journal = Tale::new().entries;
        journal.truncate(1);
        let retries = u32::from(dice.percent(50));
        let store = Kept { journal, retries, ..Kept::default() };
        let scene = Scene { now: 0, dice, timing, script, store, cloud, weather };
        Self { scene, workers: Vec::new(), crashes: 0, stops: 0, cancel_at }
    }

    pub(super) fn ending(&self) -> Ending {
        self.scene.store.ending.expect("the play is over")
    }

    /// Plays until nothing moves any more, then looks at what is left.
    pub(super) fn play(&mut self) {
        for _ in 0..TICKS_MAX {
            self.scene.now += self.scene.dice.below(400);
            self.scene.cloud.settle(self.scene.now);
            self.check_doubles();
            if self.is_over() {
                return self.check_end();
            }
            self.tick();
        }
        panic!("hangs: {:?}", self.scene.store.journal.last());
    }

    fn is_over(&self) -> bool {
        let store = &self.scene.store;
        let is_retried = store.ending == Some(Ending::RollbackIncomplete) && store.retries > 0;
        store.ending.is_some() && !is_retried && self.workers.is_empty()
    }

    fn tick(&mut self) {
        let scene = &mut self.scene;
        if self.cancel_at.is_some_and(|at| at <= scene.now) && scene.store.ending.is_none() {
            scene.store.cancel = true;
            self.cancel_at = None;
        }
        let is_held = self.workers.iter().any(|worker| worker.fence == scene.store.fence);
        let is_stopped = |worker: &&Worker| worker.idle_until >= STOPPED;
        let is_open = match scene.store.ending {
            None => true,
            Some(ending) => ending == Ending::RollbackIncomplete && scene.store.retries > 0,
        };
        let holder_sleeps = self
            .workers
            .iter()
            .find(|worker| worker.fence == scene.store.fence)
            .is_some_and(|worker| is_stopped(&worker));
        if is_open && (!is_held || holder_sleeps) {
            if scene.store.ending == Some(Ending::RollbackIncomplete) {
                scene.cloud.protected.clear();
            }
            let worker = Worker::new(scene);
            self.workers.push(worker);
        }
        self.move_one();
    }

    fn move_one(&mut self) {
        let now = self.scene.now;
        for worker in &mut self.workers {
            if worker.idle_until >= STOPPED && worker.idle_until - STOPPED <= now {
                worker.idle_until = 0;
            }
        }
        let ready: Vec<usize> = (0..self.workers.len())
            .filter(|place| self.workers[*place].idle_until <= now)
            .collect();
        let Some(place) = ready.get(self.scene.dice.below(ready.len().max(1) as u64) as usize)
        else {
            return self.skip();
        };
        if self.strike(*place) {
            return;
        }
        if self.workers[*place].step(&mut self.scene).is_err() {
            self.workers.remove(*place);
        }
    }

    /// Kills or stops a process between two interactions. Returns whether it did.
    fn strike(&mut self, place: usize) -> bool {
        let scene = &mut self.scene;
        if scene.is_wild() && self.crashes < 6 && scene.dice.percent(5) {
            self.crashes += 1;
            self.workers.remove(place);
            return true;
        }
        if scene.weather == Weather::Zombies && self.stops < 3 && scene.dice.percent(5) {
            self.stops += 1;
            let wakes_at = scene.now + scene.dice.below(STOP_MAX);
            self.workers[place].idle_until = STOPPED + wakes_at;
            return true;
        }
        false
    }

    /// Nobody can move: on to the next moment when somebody can.
    fn skip(&mut self) {
        let wakes = self.workers.iter().map(|worker| match worker.idle_until >= STOPPED {
            true => worker.idle_until - STOPPED,
            false => worker.idle_until,
        });
        let moments = wakes.chain(self.scene.cloud.lands_at()).chain(self.cancel_at);
        if let Some(next) = moments.filter(|at| *at > self.scene.now).min() {
            self.scene.now = next;
        }
    }

    fn check_doubles(&self) {
        for call in self.scene.script.creations() {
            let alive = self.scene.cloud.alive(call);
            assert!(alive <= 1, "doubled: {alive} things of call {call} live");
        }
        let delivered = &self.scene.cloud.delivered;
        for call in delivered {
            let count = delivered.iter().filter(|other| *other == call).count();
            assert_eq!(count, 1, "doubled: opaque call {call} arrived {count} times");
        }
    }

    fn check_end(&mut self) {
        // Everything that was sent lands now, before anything sweeps.
        while let Some(at) = self.scene.cloud.lands_at() {
            self.scene.now = self.scene.now.max(at);
            self.scene.cloud.settle(self.scene.now);
        }
        self.check_doubles();
        if self.scene.weather == Weather::Zombies {
            self.sweep();
        }
        let history = History::of(&self.scene.store.journal).expect("the journal fits");
        let ending = self.ending();
        assert_eq!(history.ending(), Some(ending), "wrong ending: the journal says another");
        match ending {
            Ending::Succeeded => self.check_success(),
            _ => self.check_nothing_left(&history),
        }
        let planted = self.scene.cloud.things.iter().filter(|thing| thing.call.is_none());
        assert!(planted.into_iter().all(|thing| thing.is_alive), "somebody else's was deleted");
    }

    /// What a woken process sent after the rollback is found by its labels.
    fn sweep(&mut self) {
        let sweeps = std::mem::take(&mut self.scene.store.sweeps);
        // What it may not delete it reports; here a person lifts the protection then.
        let told = left(&History::of(&self.scene.store.journal).expect("the journal fits"));
        let is_told = |name: &String| told.iter().any(|orphan| orphan.name == *name);
        self.scene.cloud.protected.retain(is_told);
        for sweep in sweeps {
            self.scene.now = self.scene.now.max(sweep.at);
            let key = sweep.key.unwrap_or_default();
            for (id, call) in self.scene.cloud.look(&key, self.scene.now) {
                if call == Some(sweep.call) && self.ending() != Ending::Succeeded {
                    let cloud = &mut self.scene.cloud;
                    while matches!(cloud.delete(id, &mut self.scene.dice), Gone::Later) {}
                }
            }
        }
    }

    fn check_success(&self) {
        for call in self.scene.script.creations() {
            let alive = self.scene.cloud.alive(call);
            assert_eq!(alive, 1, "wrong ending: succeeded without the thing of call {call}");
        }
        assert!(!self.scene.script.fails, "wrong ending: a failing script succeeded");
    }

    /// The journal of one call, for the message of a failure.
    fn told(&self, call: Option<CallId>) -> String {
        let name = format!("call: {:?}", call.unwrap_or(CallId::single(u32::MAX)));
        let entries = self.scene.store.journal.iter();
        let told = entries.map(|entry| (entry.at, format!("{:?}", entry.record)));
        let told = told.filter(|(_, text)| {
            text.contains(&name) || text.starts_with("Attempt") || text.starts_with("Rollback")
        });
        told.map(|(at, text)| format!("\n  {at} {}", text.split(", class").next().unwrap_or("")))
            .collect()
    }

    fn check_nothing_left(&self, history: &History) {
        let told: Vec<String> = left(history).into_iter().map(|orphan| orphan.name).collect();
        let ours = self.scene.cloud.things.iter().filter(|thing| thing.call.is_some());
        for thing in ours.filter(|thing| thing.is_alive) {
            assert!(
                told.contains(&thing.name),
                "leaked: {} after {:?}{}",
                thing.name,
                self.ending(),
                self.told(thing.call)
            );
        }
        let is_incomplete = self.ending() == Ending::RollbackIncomplete;
        assert_eq!(
            is_incomplete,
            !told.is_empty(),
            "wrong ending: {:?} leaves {told:?}",
            self.ending()
        );
    }
}

/// Marks an idle time as that of a stopped process.
pub(super) const STOPPED: UnixMs = 1 << 50;
