//! The single place every call passes, as the capabilities see it.
//!
//! A capability describes what it wants to do as an [`Effect`] or an [`Observation`]; the gate asks
//! for the permit, writes the intent, lets it act, writes the outcome, and on a replay does none of
//! that but answers from the journal.

use std::collections::BTreeMap;
use std::future::Future;

use runwrit_model::call::{Call, CallId, Reference, UndoPlan};
use runwrit_model::departure::Departure;
use runwrit_model::failure::{Denial, Failure};
use runwrit_model::journal::Refinement;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a call did not give the guest a value.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// An ordinary answer for the guest.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The run stops here; the guest is trapped and never sees it.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

impl From<Denial> for CallError {
    fn from(denial: Denial) -> Self {
        Self::Failed(Failure::Denied(denial))
    }
}

/// Why a run stops inside of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A person asked to cancel: roll back.
    #[error("canceled by {0}")]
    Canceled(String),
    /// A person interrupted the process: leave the run as it is, to be resumed.
    #[error("interrupted")]
    Interrupted,
    /// The run waits; its row stays, its memory goes.
    #[error("parked: {0}")]
    Parked(String),
    /// What the guest asks for is not what the journal holds.
    #[error("call {call} is `{asked}` now, but the journal holds `{recorded}`")]
    Nondeterministic {
        /// The call.
        call: CallId,
        /// What the guest asks for.
        asked: String,
        /// What the journal holds.
        recorded: String,
    },
    /// The outcome of a call stays unknown: the run goes backward, and its undo settles it.
    #[error("the outcome of call {call} on `{subject}` stays unknown: {cause}")]
    Unknown {
        /// The call.
        call: CallId,
        /// On what.
        subject: String,
        /// Why.
        cause: String,
    },
    /// The run is about to do something else than its plan says: roll back.
    #[error("{0}")]
    LeftPlan(Box<Departure>),
    /// The deadline of the run has passed.
    #[error("the deadline of the run has passed")]
    DeadlinePassed,
    /// Another process took the run over; this one must not write any more.
    #[error("another process took the run over")]
    Fenced,
    /// The store refused a write; what may have happened outside is settled by `resume`.
    #[error("the store failed: {0}")]
    Store(String),
    /// A guest passed a limit of the host.
    #[error("{what} is limited to {max}, and this run asked for {asked}")]
    Limit {
        /// What is limited.
        what: String,
        /// The limit.
        max: u64,
        /// What was asked for.
        asked: u64,
    },
}

/// What a permit rests on: the line of the grant, and what the effect will cost.
///
/// Only a grant mints one; nothing acts without one.
pub use runwrit_model::grant::Permit;

/// What this run made itself, by its journal: such ids need no further proof.
pub trait Provenance: Send + Sync {
    /// Returns the call of this run that made `thing`, when one did.
    fn made_by(&self, thing: &Reference) -> Option<CallId>;

    /// Returns whether a thing whose proven labels name `run` and `call` was made by this run
    /// beyond the end of its journal: before the state directory was restored from an older
    /// backup. The call that made it is still to come, and adopts it.
    fn is_to_be_adopted(&self, run: &str, call: CallId) -> bool {
        let _ = (run, call);
        false
    }
}

/// What an effect is sent under.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The call.
    pub call: CallId,
    /// All labels that what is created must carry, with the proof of ownership.
    pub labels: BTreeMap<String, String>,
    /// The state that the intent recorded: an effect must not overwrite what changed since.
    pub previous: Option<Value>,
    /// Whether it may have been sent before: look before you leap, adopt what is ours.
    pub is_repeated: bool,
}

/// What the outside system said when it took an effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// The id that it gave, or that the adopted thing had.
    pub remote_id: Option<String>,
    /// Actions to be waited for.
    pub actions: Vec<String>,
    /// Whether the thing existed already and is ours.
    pub is_adopted: bool,
    /// What else `complete` needs after a crash.
    pub note: Value,
}

/// Why an effect was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Refused before any effect: proven.
    #[error(transparent)]
    Refused(Failure),
    /// It may have happened: a timeout, a lost answer, a server error.
    #[error("{0}")]
    Unknown(String),
    /// It happened, wholly or in part, and then failed: the undo must run.
    #[error(transparent)]
    FailedAfterEffect(Failure),
}

/// A call that changes the outside, in the order in which the gate asks.
pub trait Effect: Send + Sync {
    /// What the guest gets.
    type Output: Serialize + DeserializeOwned + Send;

    /// Describes the call. Pure: a replay compares it with the journal.
    fn call(&self) -> Call;

    /// Returns the whole request for a plan: with the texts that a journal keeps as digests.
    fn request(&self) -> Value {
        self.call().request
    }

    /// Returns what the permit found and a plan depends on: the choice made, or the name of what is
    /// addressed. Asked after the permit.
    fn found(&self) -> Option<Value> {
        None
    }

    /// Asks the grant. Live only. `earlier` are the items before this one in its batch, so that
    /// counts and prices add up. Fetches things that the run did not make, to see their labels.
    fn permit(
        &self,
        provenance: &dyn Provenance,
        earlier: &[&Self],
    ) -> impl Future<Output = Result<Permit, CallError>> + Send;

    /// Reads the state that an undo must restore. Live only, before the intent.
    fn previous(&self) -> impl Future<Output = Result<Option<Value>, CallError>> + Send {
        async { Ok(None) }
    }

    /// Returns the inverse, as data, given the previous state.
    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan>;

    /// Returns whether the outside refuses a second thing under the key of the call. Where it may
    /// not, a send is repeated only once no earlier one can land any more.
    fn is_key_enforced(&self) -> bool {
        true
    }

    /// Returns whether the effect is over once it is accepted: `complete` waits for nothing and
    /// asks nobody, so that both are written at once.
    fn is_over_when_accepted(&self) -> bool {
        false
    }

    /// Sends. The intent is on disk. A repeated send must adopt what an earlier one made.
    fn send(&self, ticket: &Ticket) -> impl Future<Output = Result<Acceptance, SendError>> + Send;

    /// Waits for what was accepted and reads the value for the guest.
    fn complete(
        &self,
        acceptance: &Acceptance,
    ) -> impl Future<Output = Result<Self::Output, SendError>> + Send;
}

/// A call that only reads.
pub trait Observation: Send + Sync {
    /// What the guest gets.
    type Output: Serialize + DeserializeOwned + Send;

    /// Describes the call. Pure: a replay compares it with the journal.
    fn call(&self) -> Call;

    /// Asks the grant. Live only.
    fn permit(
        &self,
        provenance: &dyn Provenance,
    ) -> impl Future<Output = Result<Permit, CallError>> + Send;

    /// Reads.
    fn read(
        &self,
        provenance: &dyn Provenance,
    ) -> impl Future<Output = Result<Self::Output, CallError>> + Send;
}

/// What a local call tells the watchers of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A message of the runbook, with its level.
    Log(String, String),
    /// An output of the runbook.
    Output(String, String),
}

/// The gate of one run. The engine implements it.
pub trait Gate: Send {
    /// Passes one effect.
    fn pass<E: Effect>(
        &mut self,
        effect: E,
    ) -> impl Future<Output = Result<E::Output, CallError>> + Send;

    /// Passes a batch under one index: all permits first, then all intents in one flush, then all
    /// sends at once. The answers stand in the order of the effects.
    fn pass_batch<E: Effect>(
        &mut self,
        effects: Vec<E>,
    ) -> impl Future<Output = Result<Vec<Result<E::Output, Failure>>, CallError>> + Send;

    /// Passes a read.
    fn observe<O: Observation>(
        &mut self,
        observation: O,
    ) -> impl Future<Output = Result<O::Output, CallError>> + Send;

    /// Begins a step, or notes what was verified in the current one.
    fn step(
        &mut self,
        text: String,
        is_note: bool,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Refines the undo of an earlier call.
    fn refine(
        &mut self,
        refinement: Refinement,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Waits durably.
    fn sleep(&mut self, seconds: u32) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Tells watchers something; a replay does not repeat it.
    fn notify(&mut self, notice: Notice);

    /// Returns the time of the last entry that the guest consumed.
    fn now_unix_ms(&self) -> u64;

    /// Returns bytes derived from the seed of the run and the place of the call.
    fn random(&mut self, count: u32) -> Vec<u8>;

    /// Returns the index of the last effect of this run.
    fn last_call(&self) -> Option<u32>;

    /// Returns the operation of an effect that the guest has consumed.
    fn operation_of(&self, call: u32) -> Option<String>;

    /// Returns what this run made.
    fn provenance(&self) -> &dyn Provenance;
}

/// What the undo of one call needs, all of it from the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct UndoRequest {
    /// The call to undo.
    pub call: CallId,
    /// The inverse.
    pub plan: UndoPlan,
    /// The request of the call.
    pub request: Value,
    /// The kind of the thing.
    pub kind: Option<String>,
    /// The key of the thing.
    pub key: Option<String>,
    /// The labels that prove that it is ours.
    pub labels: BTreeMap<String, String>,
    /// The id, when the outside system told one.
    pub remote_id: Option<String>,
    /// The state before.
    pub previous: Option<Value>,
    /// The value that the guest got, when it got one.
    pub value: Option<Value>,
}

/// What an undo found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// It acted, and verified that the thing is gone or restored.
    Done,
    /// Nothing of ours is there now.
    Absent,
    /// Something stands there that is not ours; it was left alone.
    NotOurs,
}

/// Why an undo did not succeed now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoError {
    /// It may pass: in use, locked, rate limited, unreachable.
    #[error("{0}")]
    Later(String),
    /// It will not pass by itself: forbidden, protected, wrong credential.
    #[error("{0}")]
    Never(String),
}

/// Reverts calls by data alone. Each capability has one.
pub trait Undo: Send + Sync {
    /// Reverts one call. It is repeated until it succeeds, so it must be repeatable.
    fn undo(&self, request: &UndoRequest)
    -> impl Future<Output = Result<Undone, UndoError>> + Send;
}
