//! What a gate shares with the engine that waits for its guest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use runwrit_capabilities::gate::{Provenance, Stop};
use runwrit_model::call::{CallId, Reference};
use runwrit_model::event::Event;
use runwrit_model::id::RunId;

use crate::host::Host;
use crate::recorder::Recorder;
use crate::watch::Watch;

/// One attempt of one run.
pub(crate) struct Seat {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) host: Host,
    pub(crate) seed: [u8; 32],
    pub(crate) watch: Watch,
    outputs: Mutex<BTreeMap<String, String>>,
    stop: Mutex<Option<Stop>>,
    consumed: AtomicU32,
}

impl Seat {
    pub(crate) fn new(recorder: Arc<Recorder>, host: Host, seed: [u8; 32], watch: Watch) -> Self {
        Self {
            recorder,
            host,
            seed,
            watch,
            outputs: Mutex::default(),
            stop: Mutex::default(),
            consumed: AtomicU32::new(0),
        }
    }

    /// Keeps the first reason to stop: the guest may see more calls fail on its way out.
    pub(crate) fn stop(&self, stop: Stop) -> Stop {
        let mut slot = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(stop).clone()
    }

    /// Returns why the guest was stopped, if it was.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Refuses every call after a stop, whatever a guest makes of its trap.
    pub(super) fn check_stop(&self) -> Result<(), Stop> {
        self.stopped().map_or(Ok(()), Err)
    }

    /// Refuses to do anything new when somebody wants the run to stop.
    pub(crate) async fn check(&self) -> Result<(), Stop> {
        if let Some(by) = self.recorder.cancel_requested().await? {
            return Err(Stop::Canceled(by));
        }
        if self.host.interrupt.is_raised() {
            return Err(Stop::Interrupted);
        }
        let deadline = self.recorder.with(|history| history.created.deadline);
        if deadline.is_some_and(|deadline| self.host.clock.now() >= deadline) {
            return Err(Stop::DeadlinePassed);
        }
        self.recorder.check_size()
    }

    pub(super) fn set_consumed(&self, calls: u32) {
        self.consumed.store(calls, Ordering::Release);
    }

    /// Returns how many calls the guest consumed.
    pub(crate) fn consumed(&self) -> u32 {
        self.consumed.load(Ordering::Acquire)
    }

    pub(super) fn set_output(&self, name: String, value: String) {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }

    /// Returns what the guest put out.
    pub(crate) fn outputs(&self) -> BTreeMap<String, String> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn run(&self) -> RunId {
        self.recorder.run().clone()
    }

    pub(super) fn tell_replayed(&self, calls: u32) {
        self.host.report(Event::Replayed { run: self.run(), calls });
    }

    pub(super) fn tell_step(&self, text: String, is_note: bool, is_replayed: bool) {
        let run = self.run();
        self.host.report(match is_note {
            true => Event::Verified { run, text, is_replayed },
            false => Event::Step { run, title: text, is_replayed },
        });
    }

    /// Shows a message of the runbook; the capability has cut and counted it.
    pub(super) fn tell_message(&self, level: String, message: String) {
        self.host.report(Event::Log { run: self.run(), level, message });
    }
}

impl Provenance for Seat {
    fn made_by(&self, thing: &Reference) -> Option<CallId> {
        self.recorder.with(|history| history.made_by(thing))
    }

    fn is_to_be_adopted(&self, run: &str, call: CallId) -> bool {
        let is_unknown = self.recorder.with(|history| !history.effects.contains_key(&call));
        is_unknown && self.run().short() == run
    }
}
