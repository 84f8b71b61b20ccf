//! From the promise to the outcome: send, wait, record; and how to go on with a promise that an
//! earlier attempt left open.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use runwrit_capabilities::gate::{Acceptance, Effect, SendError, Stop, Ticket};
use runwrit_model::breakable::crash_point;
use runwrit_model::call::{Call, CallClass, CallId};
use runwrit_model::failure::Failure;
use runwrit_model::history;
use runwrit_model::journal::{
    Accepted, CallResult, Outcome, Record, UnixMs, Wait, WaitReason, Woken,
};
use runwrit_model::limits;
use runwrit_model::reconcile::{self, Forward, Unanswered};
use runwrit_model::timing::after;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::recall::Standing;
use super::{Seat, encode};

/// Where to go on with an effect.
pub(super) enum Stage {
    /// It is over.
    Ended(Outcome, UnixMs),
    /// It is promised, and was sent before or not.
    Send { labels: BTreeMap<String, String>, previous: Option<Value>, is_repeated: bool },
    /// The outside system took it.
    Complete(Acceptance),
}

/// One effect on its way.
struct Item<'a, E> {
    effect: &'a E,
    call: &'a Call,
    id: CallId,
}

/// How sending went.
enum Sent {
    Accepted(Acceptance),
    Ended(Outcome, UnixMs),
}

impl From<(Outcome, UnixMs)> for Sent {
    fn from((outcome, at): (Outcome, UnixMs)) -> Self {
        Self::Ended(outcome, at)
    }
}

impl Stage {
    /// Begins with the first send under `labels`.
    pub(super) fn first((labels, previous): (BTreeMap<String, String>, Option<Value>)) -> Self {
        Self::Send { labels, previous, is_repeated: false }
    }
}

impl Seat {
    /// Decides how to go on with recorded effects; only what is still open asks whether the run
    /// may go on at all.
    pub(super) async fn stages<E: Effect>(
        &self,
        effects: &[E],
        standings: Vec<Standing>,
    ) -> Result<Vec<Stage>, Stop> {
        if standings.iter().any(|standing| matches!(standing, Standing::Recover(_))) {
            self.check().await?;
        }
        let mut stages = Vec::with_capacity(standings.len());
        for (sent, standing) in effects.iter().zip(standings) {
            stages.push(match standing {
                Standing::Answered(result, at) => Stage::Ended(result.outcome, at),
                Standing::Recover(effect) => self.recover(sent, &effect).await?,
            });
        }
        Ok(stages)
    }

    async fn recover<E: Effect>(&self, sent: &E, effect: &history::Effect) -> Result<Stage, Stop> {
        let timing = &self.host.timing;
        let call = effect.intent.call;
        let (labels, previous) = (effect.intent.labels.clone(), effect.intent.previous.clone());
        let forward =
            self.recorder.with(|history| match reconcile::forward(history, effect, timing) {
                Forward::Resend if !sent.is_key_enforced() => {
                    Forward::ProbeAt(after(history.attempt_at, timing.settle))
                }
                other => other,
            });
        match forward {
            Forward::Complete(accepted) => Ok(Stage::Complete(acceptance(accepted))),
            Forward::Resend => Ok(Stage::Send { labels, previous, is_repeated: true }),
            Forward::SendOnce => {
                self.recorder.append(vec![Record::Woken(Woken { call })]).await?;
                Ok(Stage::Send { labels, previous, is_repeated: false })
            }
            Forward::ProbeAt(until) => {
                self.pause(until, "a creation may still land").await?;
                Ok(Stage::Send { labels, previous, is_repeated: true })
            }
            Forward::Ask => Err(self.ask(effect, "the process ended during the call").await?),
            Forward::Fail(failure) => {
                let (outcome, at) = self.record_failure(call, failure, false).await?;
                Ok(Stage::Ended(outcome, at))
            }
        }
    }

    /// Puts an unknown outcome to a person, once.
    async fn ask(&self, effect: &history::Effect, cause: &str) -> Result<Stop, Stop> {
        let intent = &effect.intent;
        if !effect.is_asked {
            let reason = WaitReason::UnknownOutcome(cause.to_owned());
            let wait = Wait { call: intent.call, digest: intent.digest, reason };
            self.recorder.append(vec![Record::Wait(wait)]).await?;
        }
        let (call, subject) = (intent.call, &intent.subject);
        Ok(Stop::Parked(format!("the outcome of call {call} on `{subject}` is unknown: {cause}")))
    }

    /// Carries all effects of a call to their ends, at most a few at once.
    pub(super) async fn act_all<E: Effect>(
        &self,
        effects: &[E],
        calls: &[Call],
        ids: &[CallId],
        stages: Vec<Stage>,
    ) -> Result<Vec<(Outcome, UnixMs)>, Stop> {
        let places = Semaphore::new(limits::BATCH_SENDS_MAX);
        let mut work = Vec::with_capacity(effects.len());
        for (((effect, call), id), stage) in effects.iter().zip(calls).zip(ids).zip(stages) {
            let places = &places;
            work.push(async move {
                let _place = places.acquire().await;
                self.act(Item { effect, call, id: *id }, stage).await
            });
        }
        // All are carried to their ends even when one stops: a send cannot be taken back.
        join_all(work).await.into_iter().collect()
    }

    async fn act<E: Effect>(
        &self,
        item: Item<'_, E>,
        stage: Stage,
    ) -> Result<(Outcome, UnixMs), Stop> {
        let (acceptance, is_new) = match stage {
            Stage::Ended(outcome, at) => return Ok((outcome, at)),
            Stage::Complete(acceptance) => (acceptance, false),
            Stage::Send { labels, previous, is_repeated } => {
                let ticket = Ticket { call: item.id, labels, previous, is_repeated };
                match self.send(&item, ticket).await? {
                    Sent::Accepted(acceptance) => (acceptance, true),
                    Sent::Ended(outcome, at) => return Ok((outcome, at)),
                }
            }
        };
        if is_new {
            crash_point("accepted-noted", &item.call.operation);
        }
        self.complete(&item, &acceptance).await
    }

    /// Sends until the outside system has said something definite, within a bound.
    async fn send<E: Effect>(&self, item: &Item<'_, E>, ticket: Ticket) -> Result<Sent, Stop> {
        let mut ticket = ticket;
        let operation = &item.call.operation;
        for attempt in 1.. {
            // The check stands as close to the wire as it can: nobody else fences the send.
            self.recorder.check_fence().await?;
            crash_point("before-send", operation);
            let answer = match self.ordered_failure(item.call, item.id) {
                Some(failure) => Err(SendError::Refused(failure)),
                None => item.effect.send(&ticket).await,
            };
            crash_point("sent", operation);
            match answer {
                Ok(acceptance) => {
                    let record =
                        Record::Accepted(accepted(item.id, acceptance.clone(), attempt > 1));
                    match item.effect.is_over_when_accepted() {
                        true => self.recorder.defer(record).await?,
                        false => self.recorder.append(vec![record]).await?,
                    };
                    return Ok(Sent::Accepted(acceptance));
                }
                // A refusal of a repeated send proves nothing about the sends before it.
                Err(SendError::Refused(failure)) => {
                    let is_proof = reconcile::is_refusal_proof(ticket.is_repeated);
                    return self.fail(item, failure, is_proof).await.map(Sent::from);
                }
                Err(SendError::FailedAfterEffect(failure)) => {
                    return self.fail(item, failure, false).await.map(Sent::from);
                }
                Err(SendError::Unknown(cause)) => self.unknown(item, cause, attempt).await?,
            }
            ticket.is_repeated = true;
        }
        unreachable!("the loop above ends only by returning")
    }

    /// Returns when the send may be repeated; else stops the run, or puts the outcome to a person.
    async fn unknown<E: Effect>(
        &self,
        item: &Item<'_, E>,
        cause: String,
        attempt: u32,
    ) -> Result<(), Stop> {
        if reconcile::unanswered(item.call.class) == Unanswered::Ask {
            let effect = self.recorder.with(|history| history.effects[&item.id].clone());
            return Err(self.ask(&effect, &cause).await?);
        }
        if attempt >= limits::SENDS_MAX {
            let subject = item.call.subject.clone();
            return Err(Stop::Unknown { call: item.id, subject, cause });
        }
        let reason = format!("`{}` on {}: {cause}", item.call.operation, item.call.subject);
        let may_double =
            item.call.class == CallClass::ProbeCreate || !item.effect.is_key_enforced();
        self.pause(self.retry_at(may_double, attempt), &reason).await?;
        self.check().await
    }

    /// What has a unique key may be sent again soon; what has only a mark must be looked for, and
    /// that proves nothing before the send before can no longer land.
    fn retry_at(&self, may_double: bool, attempt: u32) -> UnixMs {
        let timing = &self.host.timing;
        let pause = match may_double {
            true => timing.settle,
            false => timing.undo_backoff_min * 2_u32.pow(attempt - 1),
        };
        after(self.host.clock.now(), pause)
    }

    /// Waits for what was accepted, and starts again what an action refused because another one
    /// held the thing. It may be repeated.
    async fn complete<E: Effect>(
        &self,
        item: &Item<'_, E>,
        acceptance: &Acceptance,
    ) -> Result<(Outcome, UnixMs), Stop> {
        for attempt in 1.. {
            let answer = item.effect.complete(acceptance).await;
            crash_point("completed", &item.call.operation);
            match answer {
                Ok(value) => {
                    let outcome = Outcome::Ok(encode(&value));
                    let result = Record::Result(ended(item.id, outcome.clone(), false));
                    let at = match may_wait(item) {
                        true => self.recorder.defer(result).await?,
                        false => self.recorder.append(vec![result]).await?,
                    };
                    crash_point("result-noted", &item.call.operation);
                    self.tell_ended(item.id, item.call, None, acceptance.is_adopted);
                    return Ok((outcome, at));
                }
                // It was accepted, so a refusal now proves nothing.
                Err(SendError::Refused(failure) | SendError::FailedAfterEffect(failure)) => {
                    return self.fail(item, failure, false).await;
                }
                Err(SendError::Unknown(cause)) if attempt >= limits::SENDS_MAX => {
                    let subject = item.call.subject.clone();
                    return Err(Stop::Unknown { call: item.id, subject, cause });
                }
                Err(SendError::Unknown(cause)) => {
                    let reason = format!("{} on {}: {cause}", item.call.operation, item.id);
                    self.pause(self.retry_at(false, attempt), &reason).await?;
                }
            }
        }
        unreachable!("the loop above ends only by returning")
    }

    async fn fail<E: Effect>(
        &self,
        item: &Item<'_, E>,
        failure: Failure,
        is_effect_free: bool,
    ) -> Result<(Outcome, UnixMs), Stop> {
        let error = failure.to_string();
        let end = self.record_failure(item.id, failure, is_effect_free).await?;
        crash_point("result-noted", &item.call.operation);
        self.tell_ended(item.id, item.call, Some(error), false);
        Ok(end)
    }

    async fn record_failure(
        &self,
        call: CallId,
        failure: Failure,
        is_effect_free: bool,
    ) -> Result<(Outcome, UnixMs), Stop> {
        let outcome = Outcome::Err(failure);
        let result = ended(call, outcome.clone(), is_effect_free);
        let at = self.recorder.append(vec![Record::Result(result)]).await?;
        Ok((outcome, at))
    }
}

/// That a thing was made is known from its acceptance, and a later process reads it again. That
/// nothing was made is known from nothing else, and to complete a change again may change what a
/// person did since. What is over when it is accepted brings its acceptance along.
fn may_wait<E: Effect>(item: &Item<'_, E>) -> bool {
    let is_making = matches!(item.call.class, CallClass::KeyedCreate | CallClass::ProbeCreate);
    is_making && !item.effect.is_over_when_accepted()
}

fn ended(call: CallId, outcome: Outcome, is_effect_free: bool) -> CallResult {
    CallResult { call, outcome, is_effect_free }
}

fn accepted(call: CallId, acceptance: Acceptance, is_resent: bool) -> Accepted {
    let Acceptance { remote_id, actions, is_adopted, note } = acceptance;
    Accepted { call, remote_id, actions, is_adopted, is_resent, note }
}

fn acceptance(accepted: Accepted) -> Acceptance {
    let Accepted { remote_id, actions, is_adopted, note, .. } = accepted;
    Acceptance { remote_id, actions, is_adopted, note }
}
