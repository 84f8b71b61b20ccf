//! What goes into the store and comes out of it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

use runwrit_capabilities::books::{AuditEvent, TenantRow};
use runwrit_model::call::CallId;
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::journal::{Ending, Entry, Orphan, UnixMs};
use serde::{Deserialize, Serialize};

/// A run to be created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// `created` and the first `attempt`, whose fence is 1.
    pub entries: Vec<Entry>,
    /// The seed, sealed under the host key.
    pub sealed_seed: Vec<u8>,
}

/// The right to write to a run, until somebody claims it after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The run.
    pub run: RunId,
    /// Rises with every claim.
    pub number: u64,
}

/// A run in the hands of this process. While it lives, no other process can claim the run.
pub struct Claim {
    /// What every write must show.
    pub fence: Fence,
    /// Where its journal ends.
    pub head: Head,
    /// Who asked to cancel.
    pub cancel: Option<String>,
    /// Tells others that this process lives.
    #[expect(dead_code, reason = "what counts is that it is dropped with the claim")]
    pub(super) liveness: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fence, head, cancel, liveness: _ } = self;
        formatter
            .debug_struct("Claim")
            .field("fence", fence)
            .field("head", head)
            .field("cancel", cancel)
            .finish_non_exhaustive()
    }
}

/// Where a journal ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The place of the next entry.
    pub next_seq: u64,
    /// The hash of the last entry.
    pub hash: Digest,
}

/// One run, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The runbook's name and version.
    pub runbook: String,
    /// What it holds alone.
    pub scope: Scope,
    /// Who started it.
    pub starter: String,
    /// When.
    pub created_at: UnixMs,
    /// When its last entry was written.
    pub changed_at: UnixMs,
    /// Where it stands.
    pub state: RunState,
    /// Who asked to cancel.
    pub cancel: Option<String>,
    /// How many entries its journal has.
    pub entries: u64,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// A living process works on it.
    Working,
    /// Nobody works on it, and nothing keeps it from going on.
    Interrupted,
    /// It waits until a time, or for a person.
    Parked(Option<UnixMs>),
    /// It is over.
    Finished(Ending),
}

/// The budget of requests of a credential.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The credential's name.
    pub credential: String,
    /// The most that it holds; a new one is full.
    pub capacity: u32,
    /// How fast it fills.
    pub refill_per_second: f64,
}

/// What a bucket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// The requests may be sent.
    Taken,
    /// Ask again at this time; nothing was taken.
    Wait(UnixMs),
}

/// What the outside system says about the budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// Whose budget it is.
    pub bucket: Bucket,
    /// The most that the outside system would let through.
    pub limit: u32,
    /// Requests left of that.
    pub remaining: u32,
    /// When it said so.
    pub at: UnixMs,
}

/// A thing that a run made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// The run.
    pub run: RunId,
    /// The call.
    pub call: CallId,
    /// The credential of the world that it is in; nothing where the capability has none.
    pub credential: Option<String>,
    /// The kind.
    pub kind: String,
    /// The key, where it has one.
    pub key: Option<String>,
    /// The id, once the outside system told it. Without one nobody knows whether it exists.
    pub remote_id: Option<String>,
    /// Since when.
    pub since: UnixMs,
}

/// Something left for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanRow {
    /// The run.
    pub run: RunId,
    /// What.
    pub orphan: Orphan,
    /// Since when.
    pub since: UnixMs,
}

/// An event of the audit log, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StoredAudit {
    /// The event.
    pub event: AuditEvent,
    /// Who started the run that wrote it.
    pub starter: String,
    /// When.
    pub at: UnixMs,
}

/// A run on its way to another store, with what belongs to it; bytes are Base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parcel {
    /// The run.
    pub run: RunId,
    /// Its journal, as it was before it was taken out.
    pub entries: Vec<String>,
    /// Its component, where the store had it.
    pub component: Option<String>,
    /// The tenant of its scope, where the registry had one.
    pub tenant: Option<TenantRow>,
    /// What it wrote into the audit log.
    pub audit: Vec<StoredAudit>,
    /// The sealed seed, while it is not over. It opens only under the host key of its store.
    pub sealed: Option<String>,
    /// Who asked to cancel.
    pub cancel: Option<String>,
    /// The looks for what may still land late; none in files of versions that left them behind. A
    /// host that does not know them refuses a file that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sweeps: Vec<MovedSweep>,
    /// The fence that was raised when it was taken out: of two files of one run the one that was
    /// written by a later move has the higher one. Nothing in files of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
}

/// What a person says about a run that comes back from nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeBack {
    /// Nothing: only a file that another store wrote after the run left is taken.
    No,
    /// That the file which this store wrote was imported nowhere else.
    Yes,
}

/// An open late look, on its way to another store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MovedSweep {
    /// The call.
    pub call: CallId,
    /// When to look.
    pub at: UnixMs,
    /// What to look for.
    pub kind: String,
    /// The name under which it would stand.
    pub key: Option<String>,
    /// The labels that prove that it is ours.
    pub labels: BTreeMap<String, String>,
}

/// A look for a creation that may have landed after its undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Its number.
    pub id: u64,
    /// The run.
    pub run: RunId,
    /// The call.
    pub call: CallId,
    /// When to look.
    pub at: UnixMs,
    /// What to look for.
    pub kind: String,
    /// The name under which it would stand.
    pub key: Option<String>,
    /// The labels that prove that it is ours.
    pub labels: BTreeMap<String, String>,
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepOutcome {
    /// Nothing.
    Nothing,
    /// The thing of this id, and deleted it.
    Deleted(String),
    /// The thing of this id, and left it for a person.
    Reported(String),
}
