//! The gate of one run over its journal: the implementation of what capabilities see.
//!
//! Each call is looked up in the journal first. What is recorded is answered from there; what was
//! promised and not answered is settled; only what is new asks for a permit and acts.

mod act;
mod admit;
mod failing;
mod local;
mod recall;
mod seat;
mod wait;

use runwrit_capabilities::gate::{CallError, Effect, Gate, Notice, Observation, Provenance, Stop};
use runwrit_model::call::{Call, CallId};
use runwrit_model::failure::Failure;
use runwrit_model::journal::{Outcome, Record, Refined, Refinement, Step, UnixMs};
use runwrit_model::plan::Noted;
use runwrit_model::replay::Request;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use std::sync::Arc;

use recall::Past;
pub(crate) use recall::nondeterministic;
pub(crate) use seat::Seat;

/// The gate of one run. It belongs to one guest, which makes one call at a time.
pub struct RunGate {
    seat: Arc<Seat>,
    /// The index of the next call.
    next: u32,
    /// Calls that were on record when this attempt began.
    recorded: u32,
    /// The time of the last entry that the guest consumed.
    now: UnixMs,
    /// Draws of randomness since the last call.
    draws: u32,
    /// The index of the last effect that the guest consumed.
    last_effect: Option<u32>,
}

impl RunGate {
    /// Opens the gate for a fresh instance of the guest.
    pub(crate) fn new(seat: Arc<Seat>) -> Self {
        let (recorded, now) =
            seat.recorder.with(|history| (history.calls.len() as u32, history.created_at));
        Self { seat, next: 0, recorded, now, draws: 0, last_effect: None }
    }

    fn is_replaying(&self) -> bool {
        self.next < self.recorded
    }

    /// Counts a call as consumed, with the time of its last entry.
    fn consume(&mut self, at: UnixMs) {
        self.next += 1;
        self.draws = 0;
        self.now = self.now.max(at);
        self.seat.set_consumed(self.next);
        if self.next == self.recorded {
            self.seat.tell_replayed(self.recorded);
        }
    }

    fn stop(&self, stop: Stop) -> CallError {
        CallError::Stopped(self.seat.stop(stop))
    }

    /// Passes one effect or a batch; both keep the same rules.
    async fn pass_all<E: Effect>(
        &mut self,
        effects: &[E],
        is_batch: bool,
    ) -> Result<Vec<Result<E::Output, Failure>>, CallError> {
        let calls: Vec<Call> = effects.iter().map(Effect::call).collect();
        let digests: Vec<_> = calls.iter().map(Call::digest).collect();
        let request = if is_batch { Request::Batch(&digests) } else { Request::One(digests[0]) };
        let ids = call_ids(self.next, effects.len(), is_batch);
        let past = self.recall(&calls[0], request).map_err(|stop| self.stop(stop))?;
        let stages = match past {
            Past::Answer(Outcome::Err(failure), at) => {
                self.consume(at);
                return Err(failure.into());
            }
            Past::Effects(standings) => {
                self.seat.watch.pass(&ids);
                self.seat.stages(effects, standings).await
            }
            Past::Live => match self.admit(effects, &calls, &ids, request).await {
                Ok(stages) => Ok(stages),
                Err(CallError::Failed(failure)) => return Err(failure.into()),
                Err(CallError::Stopped(stop)) => Err(stop),
            },
            other => Err(other.mismatch(self.next, &calls[0])),
        };
        let stages = stages.map_err(|stop| self.stop(stop))?;
        self.last_effect = Some(self.next);
        let ends = self.seat.act_all(effects, &calls, &ids, stages).await;
        let ends = ends.map_err(|stop| self.stop(stop))?;
        let at = ends.iter().map(|(_, at)| *at).max().unwrap_or(self.now);
        for (call, (outcome, _)) in ids.iter().zip(&ends) {
            self.seat.watch.note(|| Noted::Ended(*call, outcome.clone()));
        }
        self.consume(at);
        ends.into_iter().map(|(outcome, _)| self.decode(outcome)).collect()
    }

    /// Live answers take the same way as replayed ones, so that both are equal.
    fn decode<T: DeserializeOwned>(
        &self,
        outcome: Outcome,
    ) -> Result<Result<T, Failure>, CallError> {
        match outcome {
            Outcome::Err(failure) => Ok(Err(failure)),
            Outcome::Ok(value) => serde_json::from_value(value).map(Ok).map_err(|error| {
                self.stop(Stop::Nondeterministic {
                    call: CallId::single(self.next.saturating_sub(1)),
                    asked: "an answer of this host's shape".to_owned(),
                    recorded: format!("another one: {error}"),
                })
            }),
        }
    }
}

impl Gate for RunGate {
    async fn pass<E: Effect>(&mut self, effect: E) -> Result<E::Output, CallError> {
        let mut ends = self.pass_all(std::slice::from_ref(&effect), false).await?;
        ends.remove(0).map_err(CallError::Failed)
    }

    async fn pass_batch<E: Effect>(
        &mut self,
        effects: Vec<E>,
    ) -> Result<Vec<Result<E::Output, Failure>>, CallError> {
        let max = runwrit_model::limits::BATCH_ITEMS_MAX;
        if effects.is_empty() {
            return Ok(Vec::new());
        }
        if effects.len() > max {
            return Err(self.stop(Stop::Limit {
                what: "items of one batch".to_owned(),
                max: max as u64,
                asked: effects.len() as u64,
            }));
        }
        self.pass_all(&effects, true).await
    }

    async fn observe<O: Observation>(&mut self, observation: O) -> Result<O::Output, CallError> {
        let call = observation.call();
        let request = Request::One(call.digest());
        let past = self.recall(&call, request);
        let (outcome, at) = match past.map_err(|stop| self.stop(stop))? {
            Past::Answer(outcome, at) => (outcome, at),
            Past::Live => {
                let observed = self.read(&observation, &call, request).await;
                observed.map_err(|stop| self.stop(stop))?
            }
            other => return Err(self.stop(other.mismatch(self.next, &call))),
        };
        self.seat.watch.note(|| Noted::Read {
            call: CallId::single(self.next),
            operation: call.operation,
            request: call.request,
            outcome: outcome.clone(),
        });
        self.consume(at);
        self.decode(outcome)?.map_err(CallError::Failed)
    }

    async fn step(&mut self, text: String, is_note: bool) -> Result<(), CallError> {
        let call = local::step(&text, is_note);
        let digest = call.digest();
        let (place, said) = (CallId::single(self.next), text.clone());
        let record = Record::Step(Step { call: place, digest, text: said, is_note });
        let is_replayed = self.is_replaying();
        self.say((&call, digest), record, false).await.map_err(|stop| self.stop(stop))?;
        if !is_note {
            self.seat.watch.note(|| Noted::Step(text.clone()));
        }
        self.seat.tell_step(text, is_note, is_replayed);
        Ok(())
    }

    async fn refine(&mut self, refinement: Refinement) -> Result<(), CallError> {
        self.check_refinement(&refinement)?;
        let call = local::refinement(&refinement);
        let digest = call.digest();
        let (place, said) = (CallId::single(self.next), refinement.clone());
        let record = Record::Refined(Refined { call: place, digest, refinement: said });
        self.say((&call, digest), record, true).await.map_err(|stop| self.stop(stop))?;
        self.seat.watch.note(|| Noted::Refined(refinement));
        Ok(())
    }

    async fn sleep(&mut self, seconds: u32) -> Result<(), CallError> {
        self.wait(seconds).await.map_err(|stop| self.stop(stop))
    }

    fn notify(&mut self, notice: Notice) {
        match notice {
            Notice::Output(name, value) => self.seat.set_output(name, value),
            Notice::Log(level, message) => {
                // What stands before a recorded call was shown when that call was recorded.
                if !self.is_replaying() {
                    self.seat.tell_message(level, message);
                }
            }
        }
    }

    fn now_unix_ms(&self) -> u64 {
        self.now
    }

    fn random(&mut self, count: u32) -> Vec<u8> {
        let bytes = local::random(&self.seat.seed, self.next, self.draws, count);
        self.draws += 1;
        bytes
    }

    fn last_call(&self) -> Option<u32> {
        self.last_effect
    }

    fn operation_of(&self, call: u32) -> Option<String> {
        let is_it = |id: &CallId| id.index == call && call < self.next;
        self.seat.recorder.with(|history| {
            let mut effects = history.effects.iter();
            effects.find(|(id, _)| is_it(id)).map(|(_, effect)| effect.intent.operation.clone())
        })
    }

    fn provenance(&self) -> &dyn Provenance {
        self.seat.as_ref()
    }
}

/// Names the items of a call.
fn call_ids(index: u32, count: usize, is_batch: bool) -> Vec<CallId> {
    match is_batch {
        true => (0..count).map(|item| CallId::item(index, item as u16)).collect(),
        false => vec![CallId::single(index)],
    }
}

/// Encodes an answer for the journal.
fn encode<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("answers hold only strings, numbers and maps of strings")
}
