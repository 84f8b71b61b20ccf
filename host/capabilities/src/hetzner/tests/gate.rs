//! A gate that is always live: it asks, sends, repeats what stays unknown, and keeps what an undo
//! needs. The real one writes a journal; the contract is the same.

use std::collections::BTreeMap;

use runwrit_model::call::{Call, CallId, Reference};
use runwrit_model::failure::Failure;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::Refinement;
use runwrit_model::labels::{HostKey, Thing};

use crate::gate::{
    Acceptance, CallError, Effect, Gate, Notice, Observation, Permit, Provenance, SendError, Stop,
    Ticket, UndoRequest,
};

/// How often an unknown outcome is looked at again.
const REPEATS_MAX: u32 = 8;

/// The gate of a test.
pub struct TestGate {
    key: HostKey,
    scope: Scope,
    run: RunId,
    made: Made,
    next: u32,
    /// What an undo of each effect needs, in order.
    pub undos: Vec<UndoRequest>,
    /// The permits, in order.
    pub permits: Vec<Permit>,
    /// Where acceptances ended up, in order.
    pub acceptances: Vec<Acceptance>,
    /// What runbooks said about undo.
    pub refinements: Vec<Refinement>,
}

#[derive(Default)]
struct Made(BTreeMap<Reference, CallId>);

impl Provenance for Made {
    fn made_by(&self, thing: &Reference) -> Option<CallId> {
        self.0.get(thing).copied()
    }
}

impl TestGate {
    pub fn new(key: HostKey, scope: Scope, run: RunId) -> Self {
        Self {
            key,
            scope,
            run,
            made: Made::default(),
            next: 0,
            undos: Vec::new(),
            permits: Vec::new(),
            acceptances: Vec::new(),
            refinements: Vec::new(),
        }
    }

    pub fn ticket(&self, call: CallId, described: &Call) -> Ticket {
        let labels = match (&described.kind, &described.key) {
            (Some(kind), Some(name)) => {
                let thing = Thing { kind, name };
                let ownership = self.key.ownership(&self.scope, &self.run, call, thing);
                self.key.labels_for(&ownership)
            }
            _ => BTreeMap::new(),
        };
        Ticket { call, labels, previous: None, is_repeated: false }
    }

    async fn live<E: Effect>(&mut self, effect: &E, call: CallId) -> Result<E::Output, CallError> {
        let described = effect.call();
        let previous = effect.previous().await?;
        let mut ticket = self.ticket(call, &described);
        ticket.previous = previous.clone();
        if let Some(plan) = effect.undo(previous.as_ref()) {
            self.undos.push(UndoRequest {
                call,
                plan,
                request: described.request.clone(),
                kind: described.kind.clone(),
                key: described.key.clone(),
                labels: ticket.labels.clone(),
                remote_id: None,
                previous,
                value: None,
            });
        }
        let accepted = loop_send(effect, &mut ticket, &described).await?;
        let remote_id = accepted.remote_id.clone();
        if let Some(undo) = self.undos.iter_mut().find(|undo| undo.call == call) {
            undo.remote_id = remote_id.clone().filter(|_| described.key.is_some());
        }
        if let (Some(kind), Some(_), Some(id)) = (&described.kind, &described.key, remote_id) {
            self.made.0.insert(Reference::new(kind.clone(), id), call);
        }
        self.acceptances.push(accepted.clone());
        for _ in 0..REPEATS_MAX {
            match effect.complete(&accepted).await {
                Ok(value) => return Ok(value),
                Err(SendError::Unknown(_)) => {}
                Err(SendError::Refused(failure) | SendError::FailedAfterEffect(failure)) => {
                    return Err(failure.into());
                }
            }
        }
        Err(unknown(&described, call).into())
    }
}

async fn loop_send<E: Effect>(
    effect: &E,
    ticket: &mut Ticket,
    described: &Call,
) -> Result<Acceptance, CallError> {
    for _ in 0..REPEATS_MAX {
        match effect.send(ticket).await {
            Ok(accepted) => return Ok(accepted),
            Err(SendError::Unknown(_)) => ticket.is_repeated = true,
            Err(SendError::Refused(failure) | SendError::FailedAfterEffect(failure)) => {
                return Err(failure.into());
            }
        }
    }
    Err(unknown(described, ticket.call).into())
}

fn unknown(described: &Call, call: CallId) -> Stop {
    let subject = described.subject.clone();
    Stop::Unknown { call, subject, cause: "too often".to_owned() }
}

impl Gate for TestGate {
    async fn pass<E: Effect>(&mut self, effect: E) -> Result<E::Output, CallError> {
        let permit = effect.permit(&self.made, &[]).await?;
        self.permits.push(permit);
        let call = CallId::single(self.next);
        self.next += 1;
        self.live(&effect, call).await
    }

    async fn pass_batch<E: Effect>(
        &mut self,
        effects: Vec<E>,
    ) -> Result<Vec<Result<E::Output, Failure>>, CallError> {
        for (place, effect) in effects.iter().enumerate() {
            let earlier: Vec<&E> = effects[..place].iter().collect();
            let permit = effect.permit(&self.made, &earlier).await?;
            self.permits.push(permit);
        }
        let index = self.next;
        self.next += 1;
        let mut results = Vec::new();
        for (place, effect) in effects.iter().enumerate() {
            let call = CallId::item(index, u16::try_from(place).expect("batches are small"));
            results.push(match self.live(effect, call).await {
                Ok(value) => Ok(value),
                Err(CallError::Failed(failure)) => Err(failure),
                Err(stopped) => return Err(stopped),
            });
        }
        Ok(results)
    }

    async fn observe<O: Observation>(&mut self, observation: O) -> Result<O::Output, CallError> {
        observation.permit(&self.made).await?;
        observation.read(&self.made).await
    }

    async fn step(&mut self, _: String, _: bool) -> Result<(), CallError> {
        Ok(())
    }

    async fn refine(&mut self, refinement: Refinement) -> Result<(), CallError> {
        self.refinements.push(refinement);
        Ok(())
    }

    async fn sleep(&mut self, _: u32) -> Result<(), CallError> {
        Ok(())
    }

    fn notify(&mut self, _: Notice) {}

    fn now_unix_ms(&self) -> u64 {
        0
    }

    fn random(&mut self, _: u32) -> Vec<u8> {
        Vec::new()
    }

    fn last_call(&self) -> Option<u32> {
        self.next.checked_sub(1)
    }

    fn operation_of(&self, _: u32) -> Option<String> {
        None
    }

    fn provenance(&self) -> &dyn Provenance {
        &self.made
    }
}
