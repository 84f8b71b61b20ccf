//! Where runs live: one operation-level trait, each operation exactly one transaction.
//!
//! SQLite in the state directory is the embedded implementation. All of them pass the same
//! conformance suite.

mod row;
mod sqlite;

#[cfg(test)]
mod conformance;

pub use row::{
    Bucket, Claim, Correction, External, Fence, Head, MovedSweep, NewRun, OrphanRow, Parcel,
    RunRow, RunState, StoredAudit, Sweep, SweepOutcome, TakeBack, Tokens,
};

pub use sqlite::SqliteStore;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use runwrit_capabilities::books::{AuditEvent, BookError, TenantRow, Writer};
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::journal::{Entry, EntryError, Resolved, UnixMs};
use runwrit_model::undo::LateSweep;

/// What the store answers, later. Dropping it does not undo the operation.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Why the store did not do what was asked. Unless it says otherwise, nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory or a file in it cannot be used.
    #[error("the state directory cannot be used: `{path}`")]
    Directory {
        /// Which path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others could write there.
    #[error("others may write to `{path}` (mode {mode:03o}); run `chmod 700 {path}`")]
    Exposed {
        /// Which path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It was written by a newer host.
    #[error(
        "the store `{path}` has version {found}, this host knows version {known}; \
         use the newer host, nothing was changed"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It is damaged, or no store at all.
    #[error("the store `{path}` is damaged: {detail}; restore the state directory from a backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The SQLite in this binary corrupts write-ahead logs.
    #[error("SQLite {found} may corrupt the store; at least 3.51.3 is needed")]
    Library {
        /// Its version.
        found: String,
    },
    /// The disk is full.
    #[error("no space is left for the store `{path}`; free some, then `runwrit resume`")]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// The file or directory is read-only.
    #[error("the store `{path}` is read-only; check the owner and mode of the state directory")]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// Another process held the file for too long.
    #[error(
        "another process has locked the store `{path}`; try again, and look for one that was \
         stopped while it wrote: `ps -C runwrit -o pid,stat,args`"
    )]
    Locked {
        /// Which file.
        path: PathBuf,
    },
    /// There is no such run.
    #[error("there is no run `{run}`; `runwrit runs` lists those of this state directory")]
    NotFound {
        /// The run.
        run: RunId,
    },
    /// There is one of that id.
    #[error("run `{run}` exists already")]
    Exists {
        /// The run.
        run: RunId,
    },
    /// It was moved, and the file holds it as it was before.
    #[error(
        "run `{run}` went on after that file was written: only what was exported after it left \
         here last can come back"
    )]
    Outdated {
        /// The run.
        run: RunId,
    },
    /// It was moved by the very file that is to bring it back.
    #[error(
        "run `{run}` left this state directory in that very file, and nothing in it tells whether \
         another one took it in meanwhile"
    )]
    Untouched {
        /// The run.
        run: RunId,
    },
    /// Another run holds the scope.
    #[error(
        "run `{holder}` holds `{scope}` until it ends: wait for it, or end it with `runwrit resume \
         {holder}` or `runwrit rollback {holder}`"
    )]
    Busy {
        /// The scope.
        scope: Scope,
        /// Who holds it.
        holder: RunId,
    },
    /// A living process works on the run.
    #[error("{}", live(run, *holder))]
    Live {
        /// The run.
        run: RunId,
        /// The process, where that is known.
        holder: Option<Holder>,
    },
    /// A later claim owns the run; this process must not write any more.
    #[error("run `{run}` was taken over: fence {held} is behind {current}")]
    Fenced {
        /// The run.
        run: RunId,
        /// The fence that was shown.
        held: u64,
        /// The fence of the run.
        current: u64,
    },
    /// Entries do not continue the journal.
    #[error("run `{run}` expects entry {expected}, not {found}")]
    OutOfOrder {
        /// The run.
        run: RunId,
        /// The next place.
        expected: u64,
        /// The place of the first entry given.
        found: u64,
    },
    /// The journal is not what was written.
    #[error("the journal of run `{run}` was changed at entry {seq}: {reason}")]
    Broken {
        /// The run.
        run: RunId,
        /// The first place that does not fit.
        seq: u64,
        /// What does not fit.
        reason: String,
    },
    /// An entry is not readable.
    #[error("the journal of run `{run}` cannot be read")]
    Entry {
        /// The run.
        run: RunId,
        /// Why.
        source: EntryError,
    },
    /// An entry is too large.
    #[error("an entry of run `{run}` has {size} bytes; the limit is {max}")]
    EntrySize {
        /// The run.
        run: RunId,
        /// Its size.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// A book refused a row.
    #[error(transparent)]
    Book(#[from] BookError),
    /// What was stored under a digest has another one.
    #[error("the component stored as `{digest}` was changed; install the package again")]
    Component {
        /// The digest.
        digest: Digest,
    },
    /// The commit failed: what was asked may or may not have been written.
    #[error("the store `{path}` failed to commit: {detail}; `runwrit resume` finds out")]
    Uncertain {
        /// Which file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// Another failure of the database.
    #[error("the store `{path}` failed to {doing}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it was doing.
        doing: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Returns the version of the SQLite in this program.
pub fn library() -> &'static str {
    rusqlite::version()
}

/// The process that holds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its id on this machine.
    pub process: u32,
    /// Whether a signal stopped it: it does nothing now and may go on at any time.
    pub is_stopped: bool,
}

fn live(run: &RunId, holder: Option<Holder>) -> String {
    match holder {
        Some(Holder { process, is_stopped: true }) => format!(
            "process {process} holds run `{run}` and is stopped; `kill -CONT {process}` lets it go \
             on, or `kill -KILL {process}` ends it, then `runwrit resume {run}`"
        ),
        Some(Holder { process, is_stopped: false }) => {
            format!("process {process} is working on run `{run}`; `runwrit cancel {run}` stops it")
        }
        None => format!("a process is working on run `{run}`; `runwrit cancel {run}` stops it"),
    }
}

/// A store. Times are arguments: it has no clock.
pub trait Store: Send + Sync {
    /// Creates a run with its first entries and takes its scope: one run holds a scope from here
    /// until it finishes. Fails with `Busy` when another holds it.
    fn create_run(&self, new: NewRun) -> Reply<'_, Claim>;

    /// Takes a run over, whatever its state: the fence rises, so that whoever held it before can
    /// no longer write. Fails with `Live` when a living process works on it, with `Busy` when it
    /// had finished and its scope is held by another.
    fn claim<'a>(&'a self, run: &'a RunId) -> Reply<'a, Claim>;

    /// Gives a run back as it is. A finished run gives its scope free again.
    fn release<'a>(&'a self, fence: &'a Fence) -> Reply<'a, ()>;

    /// Appends entries, all or none. They must continue the journal.
    fn append<'a>(&'a self, fence: &'a Fence, entries: Vec<Entry>) -> Reply<'a, Head>;

    /// Appends entries, perhaps none, and marks the run as waiting: until a time, or for a person.
    fn park<'a>(
        &'a self,
        fence: &'a Fence,
        until: Option<UnixMs>,
        entries: Vec<Entry>,
    ) -> Reply<'a, Head>;

    /// Appends entries that end in `finished`, frees the scope, destroys the seed and schedules
    /// the sweeps.
    fn finish<'a>(
        &'a self,
        fence: &'a Fence,
        entries: Vec<Entry>,
        sweeps: Vec<LateSweep>,
    ) -> Reply<'a, Head>;

    /// Appends a person's word on a call. Fails with `Live` when a process works on the run.
    fn resolve<'a>(&'a self, run: &'a RunId, word: Resolved, at: UnixMs) -> Reply<'a, Head>;

    /// Asks whoever works on the run, now or later, to stop and roll back. The first to ask stays.
    fn request_cancel<'a>(&'a self, run: &'a RunId, by: &'a str) -> Reply<'a, ()>;

    /// Returns who asked to cancel. Cheap: to be called often.
    fn cancel_requested<'a>(&'a self, run: &'a RunId) -> Reply<'a, Option<String>>;

    /// Returns all runs, newest first.
    fn runs(&self) -> Reply<'_, Vec<RunRow>>;

    /// Returns one run.
    fn run<'a>(&'a self, run: &'a RunId) -> Reply<'a, RunRow>;

    /// Returns the journal of a run after verifying its chain.
    fn journal<'a>(&'a self, run: &'a RunId) -> Reply<'a, Vec<Entry>>;

    /// Verifies the chain of a run over the stored bytes.
    fn verify_chain<'a>(&'a self, run: &'a RunId) -> Reply<'a, Head>;

    /// Reads the whole store for damage, which takes the longer the larger it is; to open one looks
    /// only where it is small.
    fn check(&self) -> Reply<'_, ()>;

    /// Returns the sealed seed; nothing once the run has finished.
    fn sealed_seed<'a>(&'a self, run: &'a RunId) -> Reply<'a, Option<Vec<u8>>>;

    /// Keeps a component. Keeping it again changes nothing.
    fn put_component(&self, bytes: Vec<u8>) -> Reply<'_, Digest>;

    /// Returns a component after verifying its digest.
    fn component<'a>(&'a self, digest: &'a Digest) -> Reply<'a, Option<Vec<u8>>>;

    /// Takes requests from the budget that all runs with a credential share. A power failure may
    /// take that back: the outside system counts as well, and says so.
    fn take_tokens<'a>(&'a self, bucket: &'a Bucket, count: u32, at: UnixMs) -> Reply<'a, Tokens>;

    /// Corrects the budget by what the outside system said.
    fn correct_tokens(&self, correction: Correction) -> Reply<'_, ()>;

    /// Returns what runs made and, as far as their journals tell, still exists.
    fn externals(&self) -> Reply<'_, Vec<External>>;

    /// Returns what needs a person, oldest first.
    fn orphans(&self) -> Reply<'_, Vec<OrphanRow>>;

    /// Sets the open sweeps right that are due at no possible time, as none can be by a clock that
    /// was right. Those beyond it become due as long after `at` as they were to be after the
    /// end of their run; of those before it, the first of a run `soonest` milliseconds after `at`,
    /// and the others as long after it as they were.
    fn realign_sweeps(
        &self,
        at: UnixMs,
        possible: RangeInclusive<UnixMs>,
        soonest: u64,
    ) -> Reply<'_, ()>;

    /// Returns the sweeps that are due.
    fn due_sweeps(&self, at: UnixMs) -> Reply<'_, Vec<Sweep>>;

    /// Closes a sweep.
    fn close_sweep(&self, sweep: u64, outcome: SweepOutcome, at: UnixMs) -> Reply<'_, ()>;

    /// Returns a tenant.
    fn tenant<'a>(&'a self, id: &'a str) -> Reply<'a, Option<TenantRow>>;

    /// Returns all tenants, by id.
    fn tenants(&self) -> Reply<'_, Vec<TenantRow>>;

    /// Writes a row whose revision is one more than the stored one, unless a living tenant holds
    /// its octet.
    fn write_tenant<'a>(&'a self, fence: &'a Fence, row: TenantRow) -> Reply<'a, ()>;

    /// Appends an event unless its writer wrote one of the same kind. Returns whether it was new.
    fn append_audit<'a>(
        &'a self,
        fence: &'a Fence,
        event: AuditEvent,
        at: UnixMs,
    ) -> Reply<'a, bool>;

    /// Returns the events that one call wrote, oldest first.
    fn audit_by<'a>(&'a self, writer: &'a Writer) -> Reply<'a, Vec<AuditEvent>>;

    /// Returns the whole audit log, oldest first.
    fn audit_events(&self) -> Reply<'_, Vec<StoredAudit>>;
}

impl From<StoreError> for BookError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Book(error) => error,
            StoreError::Fenced { .. } => Self::Fenced,
            error => Self::Store(error.to_string()),
        }
    }
}
