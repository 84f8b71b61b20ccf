//! Why the engine could not do what it was asked.

use runwrit_capabilities::gate::Stop;
use runwrit_model::call::CallId;
use runwrit_model::event::RunOutcome;
use runwrit_model::exit::Exit;
use runwrit_model::history::HistoryError;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::{Ending, EntryError};
use runwrit_model::next::RollbackRefusal;
use runwrit_model::plan::PlanError;
use runwrit_model::world::Mismatch;

use crate::outside::{ClaimsError, WorldsError};
use crate::store::StoreError;

/// Why the engine could not do what it was asked. The run, where there is one, stays as its journal
/// says.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store refused or failed before anything happened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store failed while the run was at work.
    #[error("the store failed during run {run}: {cause}")]
    StoreFailed {
        /// The run.
        run: RunId,
        /// Why.
        cause: String,
    },
    /// Another process took the run over.
    #[error("another process took run {0} over")]
    Fenced(RunId),
    /// The host itself failed; the run stays as its journal says.
    #[error("a bug in runwrit stopped the work on run {0}: the message above says where")]
    Panicked(RunId),
    /// The journal cannot be read.
    #[error("the journal of run {run} is damaged")]
    Damaged {
        /// The run.
        run: RunId,
        /// Why.
        source: HistoryError,
    },
    /// The credentials or endpoints of this process lead elsewhere than the run was bound to.
    #[error("run {run} is bound to another world: {}", list(differences))]
    OtherWorld {
        /// The run.
        run: RunId,
        /// What differs.
        differences: Vec<Mismatch>,
    },
    /// The tenant stands elsewhere than where this process acts.
    #[error("{scope} stands in another project, where run {run} made it: {}", list(differences))]
    OtherProject {
        /// The tenant.
        scope: Scope,
        /// The run that reserved it.
        run: RunId,
        /// What differs.
        differences: Vec<Mismatch>,
    },
    /// Where the capabilities act could not be read.
    #[error("the worlds of run {run} could not be read")]
    Worlds {
        /// The run.
        run: RunId,
        /// Why.
        source: WorldsError,
    },
    /// Another state directory works on the scope.
    #[error("run {run} does not work on {scope}: {source}")]
    Claimed {
        /// The run.
        run: RunId,
        /// The scope.
        scope: Scope,
        /// Who does, or why that is not known.
        source: ClaimsError,
    },
    /// The run goes forward, but the caller brought no component.
    #[error("run {0} goes on with its component, which is not here")]
    NeedsComponent(RunId),
    /// There is nothing to resume.
    #[error("run {run} is over: {ending}; `runwrit show {run}` tells what it did")]
    Over {
        /// The run.
        run: RunId,
        /// How it ended.
        ending: Ending,
    },
    /// It goes on elsewhere.
    #[error("run {run} was moved: {message}")]
    Moved {
        /// The run.
        run: RunId,
        /// Where to, when and by whom.
        message: String,
    },
    /// There is nothing to roll back.
    #[error("run {run} cannot be rolled back: {refusal}")]
    NotRolledBack {
        /// The run.
        run: RunId,
        /// Why.
        refusal: RollbackRefusal,
    },
    /// The plan in the journal cannot be read.
    #[error("the plan of run {run} cannot be read")]
    PlanUnreadable {
        /// The run.
        run: RunId,
        /// Why.
        source: PlanError,
    },
    /// A rehearsal came to no end that a plan can tell.
    #[error("the rehearsal came to no end: {outcome:?}")]
    NotRehearsed {
        /// How it was left.
        outcome: RunOutcome,
    },
    /// A call that a person has nothing to say about.
    #[error("call {call} of run {run} has nothing to resolve: {reason}")]
    NotResolvable {
        /// The run.
        run: RunId,
        /// The call.
        call: CallId,
        /// Why.
        reason: String,
    },
}

impl EngineError {
    /// Tells a stop that ends the work of this process without ending the run.
    pub(crate) fn stopped(run: &RunId, stop: Stop) -> Self {
        match stop {
            Stop::Fenced => Self::Fenced(run.clone()),
            other => Self::StoreFailed { run: run.clone(), cause: other.to_string() },
        }
    }

    /// Returns the exit code that the error stands for.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(
                StoreError::Busy { .. } | StoreError::Live { .. } | StoreError::Fenced { .. },
            ) => Exit::Busy,
            Self::Store(_) => Exit::Usage,
            Self::Fenced(_) => Exit::Busy,
            Self::Panicked(_) => Exit::Bug,
            Self::StoreFailed { .. } => Exit::Interrupted,
            Self::Damaged { .. } | Self::OtherWorld { .. } | Self::Worlds { .. } => Exit::Usage,
            Self::PlanUnreadable { .. } => Exit::Usage,
            Self::Claimed { source, .. } => match source {
                ClaimsError::Others(_) | ClaimsError::Later(_) => Exit::Busy,
                ClaimsError::Unreachable(_) | ClaimsError::Refused(_) => Exit::Usage,
            },
            Self::OtherProject { .. } => Exit::Usage,
            Self::NeedsComponent(_) | Self::Over { .. } | Self::Moved { .. } => Exit::Usage,
            Self::NotRolledBack { .. } | Self::NotResolvable { .. } => Exit::Usage,
            Self::NotRehearsed { outcome } => outcome.exit(),
        }
    }

    /// Returns whether it may pass by itself: the outside does not answer.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Worlds { source: WorldsError::Unreachable(_), .. }
                | Self::Claimed { source: ClaimsError::Unreachable(_), .. }
        )
    }

    /// Returns whether the journal of one run is not what was written, or cannot be read by this
    /// host: the other runs are not concerned.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Store(StoreError::Broken { .. } | StoreError::Entry { .. })
        )
    }

    /// Returns what to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(StoreError::Entry { source: EntryError::Version { .. }, .. }) => Some(
                "use the version of runwrit that wrote it; the other runs are not concerned"
                    .to_owned(),
            ),
            Self::Store(StoreError::Broken { .. } | StoreError::Entry { .. })
            | Self::Damaged { .. } => Some(
                "restore the state directory from a backup; the other runs are not concerned"
                    .to_owned(),
            ),
            Self::Store(_) => None,
            Self::StoreFailed { run, .. } => Some(format!(
                "what may have happened outside is settled by `runwrit resume {run}`, once the \
                 store can be written again"
            )),
            Self::Panicked(run) => Some(format!(
                "nothing is lost: `runwrit resume {run}` goes on, `runwrit rollback {run}` undoes \
                 it; please report the message with the version"
            )),
            Self::Fenced(run) => Some(format!("watch it with `runwrit show {run}`")),
            Self::PlanUnreadable { .. } => {
                Some("restore the state directory from a backup".to_owned())
            }
            Self::OtherWorld { .. } => Some(
                "nothing was touched; use the credential and endpoint that the run began with"
                    .to_owned(),
            ),
            Self::OtherProject { run, .. } => Some(format!(
                "nothing was touched; use the credential and endpoint of run {run}, which \
                 `runwrit show {run}` tells"
            )),
            Self::Worlds { .. } => Some("nothing was touched; try again".to_owned()),
            Self::Claimed { source, .. } => Some(claimed_hint(source).to_owned()),
            Self::NeedsComponent(run) => Some(format!(
                "put the package of that version back, or give up with `runwrit rollback {run}`"
            )),
            Self::NotRehearsed { .. } => Some("nothing was changed; plan again".to_owned()),
            Self::Moved { run, .. } => Some(format!(
                "nothing was touched; work where it was imported; where it was not yet, \
                 `runwrit runs export {run} FILE` writes the file again"
            )),
            Self::Over { run, ending } => over_hint(run, *ending),
            Self::NotRolledBack { run, .. } | Self::NotResolvable { run, .. } => {
                Some(format!("look at it with `runwrit show {run}`"))
            }
        }
    }
}

fn claimed_hint(source: &ClaimsError) -> &'static str {
    match source {
        ClaimsError::Unreachable(_) => "nothing was touched; try again",
        ClaimsError::Refused(_) => {
            "nothing was touched; look at that placement group in the project, and at the limits \
             of the project"
        }
        ClaimsError::Others(_) => {
            "nothing was touched; work from the state directory of that installation; only where \
             it is lost for good, delete the placement group by hand"
        }
        ClaimsError::Later(_) => {
            "nothing was touched; use the directory that was restored from this one's backup, or \
             that its run was imported into first: this one is out of date"
        }
    }
}

fn list(differences: &[Mismatch]) -> String {
    let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

fn over_hint(run: &RunId, ending: Ending) -> Option<String> {
    match ending {
        Ending::Held | Ending::RollbackIncomplete | Ending::Nondeterministic => {
            Some(format!("undo it with `runwrit rollback {run}`"))
        }
        Ending::Succeeded | Ending::RolledBack | Ending::FailedClean | Ending::Moved => None,
    }
}
