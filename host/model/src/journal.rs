//! The append-only record of one run.
//! Entries are stored as the bytes that were hashed. Each names its version; another is refused.

mod entry;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::entry::EntryError;
pub use crate::chain::{chain, chain_start};
pub use crate::ending::Ending;

use crate::call::{CallClass, CallId, UndoPlan};
use crate::departure::Departure;
use crate::failure::Failure;
use crate::id::{Digest, RunId, Scope};
use crate::provenance::{Endorsement, Provenance};

/// The version of the entry format that this host writes.
pub const VERSION: u32 = 1;

/// Milliseconds since 1970-01-01 UTC by the clock of the host.
pub type UnixMs = u64;

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// The format version.
    pub version: u32,
    /// Dense from zero.
    pub seq: u64,
    /// When it was written.
    pub at: UnixMs,
    /// What happened.
    pub record: Record,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The run was admitted.
    Created(Box<Created>),
    /// A process took the run over.
    Attempt(Attempt),
    /// A step began. It counts as a call of class `local` that is recorded.
    Step(Step),
    /// A runbook refined the undo of an earlier call, or passed its point of no return.
    Refined(Refined),
    /// A call without an effect got its answer: a read, or a refusal before any effect.
    Observed(Observed),
    /// A call is about to have an effect.
    Intent(Box<Intent>),
    /// The outside system took the call.
    Accepted(Accepted),
    /// The call is over.
    Result(CallResult),
    /// The run waits.
    Wait(Wait),
    /// The wait is over.
    Woken(Woken),
    /// A person answered for an unknown outcome or a quarantined undo.
    Resolved(Resolved),
    /// A person asked to stop and roll back.
    CancelRequested(CancelRequested),
    /// The run was about to do something else than its plan says.
    PlanLeft(Departure),
    /// The runbook verified something and found differences: for that it fails.
    Differed(Differed),
    /// The run goes backward from here.
    RollbackStarted(RollbackStarted),
    /// An undo is about to act.
    UndoIntent(UndoIntent),
    /// An undo is over.
    UndoResult(UndoResult),
    /// An undo needs a person.
    UndoQuarantined(Orphan),
    /// The run is over.
    Finished(Finished),
}

/// With what the run was admitted; fixed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Created {
    /// The run.
    pub run: RunId,
    /// The runbook's name and version, `provision-tenant@0.1.0`.
    pub runbook: String,
    /// The component's digest.
    pub component: Digest,
    /// The canonical text of `runbook.toml`.
    pub manifest: String,
    /// The canonical text of the grant: authority of the run and of its undo.
    pub grant: String,
    /// The inputs, typed.
    pub inputs: BTreeMap<String, Value>,
    /// What the configuration said that the run depends on (roles and fallbacks).
    pub settings: Value,
    /// What the run holds alone.
    pub scope: Scope,
    /// The worlds it is bound to, by capability.
    pub worlds: BTreeMap<String, World>,
    /// Who started it.
    pub starter: String,
    /// When it must be over.
    pub deadline: Option<UnixMs>,
    /// What a failure leads to.
    pub on_failure: OnFailure,
    /// The version of the host.
    pub host: String,
    /// The text of the plan that it must follow, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Who vouched for the runbook; nothing in journals from before packages were signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Who answered for the grant; nothing in journals from before grants were signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsement: Option<Endorsement>,
}

/// Where a capability acts: checked before every attempt, resume and rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct World {
    /// The name of the credential; never the credential.
    pub credential: String,
    /// The endpoint.
    pub endpoint: String,
    /// What tells this project, zone, engine or cluster from any other.
    pub marker: String,
}

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Undo everything.
    #[default]
    Rollback,
    /// Keep everything and ask a person.
    Hold,
}

/// Which process works on the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Attempt {
    /// Counts up with every takeover; a write under an older fence is refused.
    pub fence: u64,
    /// The version of the host.
    pub host: String,
    /// The version of the Wasm engine.
    pub engine: String,
}

/// A named stretch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The call that began it or noted something in it.
    pub call: CallId,
    /// The digest that a replay must match.
    pub digest: Digest,
    /// A title, or what was verified.
    pub text: String,
    /// Whether it is a note of the current step.
    pub is_note: bool,
}

/// A refinement of undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Refined {
    /// The call that refined.
    pub call: CallId,
    /// The digest that a replay must match.
    pub digest: Digest,
    /// What changes.
    pub refinement: Refinement,
}

/// What a runbook may say about undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refinement {
    /// The effect of this call index stays.
    Keep(u32),
    /// The undo of this call index is replaced.
    UndoWith(u32, Vec<UndoPlan>),
    /// From here on only forward.
    Pivot,
    /// Data was written to what this call index made: a rollback holds it.
    HoldsData(u32, String),
}

/// An answer without an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Observed {
    /// The call.
    pub call: CallId,
    /// The operation.
    pub operation: String,
    /// Its class: a mutating class here means that it was refused before any effect.
    pub class: CallClass,
    /// The digest that a replay must match.
    pub digest: Digest,
    /// The answer.
    pub outcome: Outcome,
}

/// A promise to have an effect, on disk before the first byte is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Intent {
    /// The call.
    pub call: CallId,
    /// The operation.
    pub operation: String,
    /// Its class.
    pub class: CallClass,
    /// The digest that a replay must match.
    pub digest: Digest,
    /// The request, secrets replaced by their names.
    pub request: Value,
    /// What to show to people.
    pub subject: String,
    /// The kind of the thing that it makes or changes.
    pub kind: Option<String>,
    /// The unique key of what it creates.
    pub key: Option<String>,
    /// The labels that prove ownership.
    pub labels: BTreeMap<String, String>,
    /// The state before, as the undo needs it.
    pub previous: Option<Value>,
    /// The inverse; nothing where there is none.
    pub undo: Option<UndoPlan>,
    /// Earlier calls whose things the request names.
    pub depends_on: Vec<CallId>,
    /// Which line of the grant allowed it.
    pub permit: String,
    /// Net EUR per month of what it creates, as a decimal string; nothing where it is free.
    pub eur_per_month: Option<String>,
}

/// The outside system took a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Accepted {
    /// The call.
    pub call: CallId,
    /// The id that the outside system gave or already had.
    pub remote_id: Option<String>,
    /// What is still to be waited for.
    pub actions: Vec<String>,
    /// Whether the thing was found to exist already and to be ours.
    pub is_adopted: bool,
    /// Whether an earlier send of the call stayed without an answer, so that it may still land.
    pub is_resent: bool,
    /// What else the capability needs to complete the call after a crash.
    pub note: Value,
}

/// A call is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CallResult {
    /// The call.
    pub call: CallId,
    /// The answer.
    pub outcome: Outcome,
    /// Whether the effect is proven not to have happened.
    pub is_effect_free: bool,
}

/// What a guest was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The value.
    Ok(Value),
    /// The failure.
    Err(Failure),
}

/// A wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wait {
    /// The call that waits.
    pub call: CallId,
    /// The digest that a replay must match.
    pub digest: Digest,
    /// For what.
    pub reason: WaitReason,
}

/// For what a run waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// Until a time.
    Timer(UnixMs),
    /// For a person to say what became of a call.
    UnknownOutcome(String),
}

/// The end of a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Woken {
    /// The call that waited.
    pub call: CallId,
}

/// What a person said about a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Resolved {
    /// The call.
    pub call: CallId,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub by: String,
}

/// What a person may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The effect happened.
    Done,
    /// It did not.
    NotDone,
    /// The thing was deleted by hand.
    Deleted,
    /// The thing is kept on purpose.
    Kept,
}

/// A wish to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CancelRequested {
    /// Who asked.
    pub by: String,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Differed {
    /// In the words of the runbook.
    pub found: String,
}

/// The turning point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RollbackStarted {
    /// Why, for people.
    pub cause: String,
}

/// An undo is about to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UndoIntent {
    /// The call to undo.
    pub call: CallId,
    /// Counts the tries from one.
    pub attempt: u32,
}

/// An undo is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UndoResult {
    /// The call undone.
    pub call: CallId,
    /// How.
    pub outcome: UndoOutcome,
    /// Whether this try removed or restored something, where the outcome does not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_acted: bool,
}

/// How an undo ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoOutcome {
    /// It acted, and what it removed is verified to be gone.
    Done,
    /// There was nothing to undo.
    NothingThere,
    /// What stands under the key is not ours and was left alone.
    NotOurs,
    /// Kept because the runbook said so.
    Kept,
    /// Held because data was written to it: a person must look.
    Held(String),
    /// Looked and saw nothing, but a late creation may still land: look again at this time.
    Settling(UnixMs),
    /// Failed in a way that may pass: try again at this time.
    Retry(UnixMs, String),
}

/// What is left for a person, with its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Orphan {
    /// The call that made it.
    pub call: CallId,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The id, where one is known.
    pub remote_id: Option<String>,
    /// Net EUR per month, as a decimal string; nothing where it is free or unknown.
    pub eur_per_month: Option<String>,
    /// The last error.
    pub error: String,
}

/// The end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Finished {
    /// How.
    pub ending: Ending,
    /// Why, for people; empty for a success.
    pub message: String,
    /// The outputs.
    pub outputs: BTreeMap<String, String>,
}
