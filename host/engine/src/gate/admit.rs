//! From the wish to the promise: permits first, then all intents in one flush.

use runwrit_capabilities::gate::{CallError, Effect, Observation, Permit, Provenance, Stop};
use runwrit_model::breakable::{crash_point, is_broken};
use runwrit_model::call::{Call, CallClass, CallId};
use runwrit_model::event::Event;
use runwrit_model::failure::Failure;
use runwrit_model::id::Digest;
use runwrit_model::journal::{Intent, Observed, Outcome, Record, UnixMs};
use runwrit_model::labels::Thing;
use runwrit_model::plan::{Asked, without_proof};
use runwrit_model::replay::Request;
use serde_json::Value;

use std::collections::BTreeMap;

use super::act::Stage;
use super::{RunGate, Seat, encode};

/// What an effect was allowed with, and what its undo must restore.
type Ready = (Permit, Option<Value>);

impl RunGate {
    /// Asks the grant for all effects and promises them. A refusal of one refuses all, before any
    /// effect; it is recorded, and counts as this call.
    pub(super) async fn admit<E: Effect>(
        &mut self,
        effects: &[E],
        calls: &[Call],
        ids: &[CallId],
        request: Request<'_>,
    ) -> Result<Vec<Stage>, CallError> {
        self.seat.check().await?;
        match authorize(self.seat.as_ref(), effects).await {
            Ok(ready) => {
                self.seat.watch.ask(|| asked(effects, calls, ids, &ready))?;
                Ok(self.seat.promise(effects, calls, (ids, request), ready).await?)
            }
            Err(CallError::Stopped(stop)) => Err(stop.into()),
            Err(CallError::Failed(failure)) => {
                let outcome = Outcome::Err(failure.clone());
                let at = self.record(&calls[0], request, outcome).await?;
                self.tell_refusal(&calls[0], &failure);
                self.consume(at);
                Err(failure.into())
            }
        }
    }

    /// Reads live and records what was seen, a refusal as well. What nothing was built on yet may
    /// be lost: it is looked at again then.
    pub(super) async fn read<O: Observation>(
        &self,
        observation: &O,
        call: &Call,
        request: Request<'_>,
    ) -> Result<(Outcome, UnixMs), Stop> {
        self.seat.check().await?;
        self.seat.recorder.settle().await?;
        let ordered = self.seat.ordered_failure(call, CallId::single(self.next));
        let answer = match (observation.permit(self.seat.as_ref()).await, ordered) {
            (Ok(_permit), None) => observation.read(self.seat.as_ref()).await,
            (Ok(_permit), Some(failure)) => Err(failure.into()),
            (Err(error), _) => Err(error),
        };
        let outcome = match answer {
            Ok(value) => Outcome::Ok(encode(&value)),
            Err(CallError::Failed(failure)) => Outcome::Err(failure),
            Err(CallError::Stopped(stop)) => return Err(stop),
        };
        if let Outcome::Err(failure) = &outcome {
            self.tell_refusal(call, failure);
        }
        let at = self.record(call, request, outcome.clone()).await?;
        Ok((outcome, at))
    }

    async fn record(
        &self,
        call: &Call,
        request: Request<'_>,
        outcome: Outcome,
    ) -> Result<UnixMs, Stop> {
        crash_point("before-observed", &call.operation);
        let observed = Record::Observed(Observed {
            call: CallId::single(self.next),
            operation: call.operation.clone(),
            class: call.class,
            digest: request.digest(),
            outcome,
        });
        let at = self.seat.recorder.defer(observed).await?;
        crash_point("observed-noted", &call.operation);
        Ok(at)
    }

    fn tell_refusal(&self, call: &Call, failure: &Failure) {
        let id = CallId::single(self.next);
        self.seat.tell_ended(id, call, Some(failure.to_string()), false);
    }
}

/// Asks for each permit in order, so that counts and prices of a batch add up.
async fn authorize<E: Effect>(provenance: &Seat, effects: &[E]) -> Result<Vec<Ready>, CallError> {
    let mut permits = Vec::with_capacity(effects.len());
    let mut earlier: Vec<&E> = Vec::with_capacity(effects.len());
    for effect in effects {
        permits.push(effect.permit(provenance as &dyn Provenance, &earlier).await?);
        earlier.push(effect);
    }
    let mut ready = Vec::with_capacity(effects.len());
    for (effect, permit) in effects.iter().zip(permits) {
        ready.push((permit, effect.previous().await?));
    }
    Ok(ready)
}

/// Describes what was permitted, for whoever watches.
fn asked<E: Effect>(effects: &[E], calls: &[Call], ids: &[CallId], ready: &[Ready]) -> Vec<Asked> {
    let all = effects.iter().zip(calls).zip(ids).zip(ready);
    let one =
        |(((effect, call), id), (permit, previous)): (((&E, &Call), &CallId), &Ready)| Asked {
            call: *id,
            operation: call.operation.clone(),
            class: call.class,
            kind: call.kind.clone(),
            subject: call.subject.clone(),
            request: effect.request(),
            found: effect.found(),
            before: previous.as_ref().map(without_proof),
            eur_per_month: permit.eur_per_month().copied(),
            scope_eur_per_month: permit.scope_eur_per_month(),
            scope_count: permit.scope_count(),
        };
    all.map(one).collect()
}

impl Seat {
    /// Writes the intents: from here on the effects may have happened.
    async fn promise<E: Effect>(
        &self,
        effects: &[E],
        calls: &[Call],
        (ids, request): (&[CallId], Request<'_>),
        ready: Vec<Ready>,
    ) -> Result<Vec<Stage>, Stop> {
        let operation = &calls[0].operation;
        let named = ids.iter().copied().zip(request.items().iter().copied());
        let mut intents = Vec::with_capacity(effects.len());
        for (((effect, call), named), ready) in effects.iter().zip(calls).zip(named).zip(ready) {
            intents.push(self.intent(effect, call, named, ready));
        }
        let first = |intent: &Intent| (intent.labels.clone(), intent.previous.clone());
        let sent: Vec<_> = intents.iter().map(first).collect();
        let records = intents.into_iter().map(|intent| Record::Intent(Box::new(intent)));
        crash_point("before-intent", operation);
        match is_broken("no-intent") {
            true => {
                for record in records {
                    self.recorder.defer(record).await?;
                }
            }
            false => self.recorder.append(records.collect()).await.map(drop)?,
        }
        crash_point("intent-committed", operation);
        for (call, id) in calls.iter().zip(ids) {
            self.tell_began(*id, call);
        }
        Ok(sent.into_iter().map(Stage::first).collect())
    }

    fn intent<E: Effect>(
        &self,
        effect: &E,
        call: &Call,
        (id, digest): (CallId, Digest),
        (permit, previous): Ready,
    ) -> Intent {
        Intent {
            call: id,
            operation: call.operation.clone(),
            class: call.class,
            digest,
            request: call.request.clone(),
            subject: call.subject.clone(),
            kind: call.kind.clone(),
            key: call.key.clone(),
            labels: self.labels(call, id),
            undo: effect.undo(previous.as_ref()),
            previous,
            depends_on: self.recorder.with(|history| history.dependencies(&call.references)),
            permit: permit.section().to_owned(),
            eur_per_month: permit.eur_per_month().map(|price| price.plain()),
        }
    }

    /// Proves what a call makes under its key; a call without one marks nothing.
    fn labels(&self, call: &Call, id: CallId) -> BTreeMap<String, String> {
        let is_making = matches!(
            call.class,
            CallClass::KeyedCreate | CallClass::ProbeCreate | CallClass::Converge
        );
        let (true, Some(kind), Some(name)) = (is_making, &call.kind, &call.key) else {
            return BTreeMap::new();
        };
        let key = &self.host.key;
        let scope = self.recorder.with(|history| history.created.scope.clone());
        let thing = Thing { kind, name };
        key.labels_for(&key.ownership(&scope, self.recorder.run(), id, thing))
    }

    fn tell_began(&self, call: CallId, described: &Call) {
        self.host.report(Event::CallBegan {
            run: self.recorder.run().clone(),
            call,
            operation: described.operation.clone(),
            subject: described.subject.clone(),
        });
    }

    /// Tells that a call is over.
    pub(super) fn tell_ended(
        &self,
        call: CallId,
        described: &Call,
        error: Option<String>,
        is_adopted: bool,
    ) {
        self.host.report(Event::CallEnded {
            run: self.recorder.run().clone(),
            call,
            operation: described.operation.clone(),
            subject: described.subject.clone(),
            error,
            is_adopted,
        });
    }
}
