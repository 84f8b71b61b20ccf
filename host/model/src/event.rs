//! What a run tells while it happens: the same stream for terminals, pipes and `--json`.

use serde::Serialize;

use crate::call::CallId;
use crate::departure::Departure;
use crate::history::History;
use crate::id::RunId;
use crate::journal::{Ending, UndoOutcome};
use crate::orphan::OrphanReport;

/// One event. With `--json` each is one object on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run was admitted, or taken over.
    Started { run: RunId, runbook: String, scope: String, is_resumed: bool },
    /// Recorded calls are being replayed.
    Replayed { run: RunId, calls: u32 },
    /// A step began.
    Step { run: RunId, title: String, is_replayed: bool },
    /// Something was verified in the current step.
    Verified { run: RunId, text: String, is_replayed: bool },
    /// A call is about to act.
    CallBegan { run: RunId, call: CallId, operation: String, subject: String },
    /// A call is over.
    CallEnded {
        run: RunId,
        call: CallId,
        operation: String,
        subject: String,
        error: Option<String>,
        is_adopted: bool,
    },
    /// A message of the runbook.
    Log { run: RunId, level: String, message: String },
    /// The run waits or tries again.
    Waiting { run: RunId, reason: String, until_unix_ms: Option<u64> },
    /// The run was about to do something else than its plan says.
    LeftPlan { run: RunId, left: Departure },
    /// The run goes backward.
    RollbackBegan { run: RunId, cause: String },
    /// An undo is about to act.
    UndoBegan { run: RunId, call: CallId, subject: String, attempt: u32 },
    /// An undo is over, for now or for good.
    UndoEnded { run: RunId, call: CallId, subject: String, outcome: UndoOutcome },
    /// Something is left for a person.
    Orphaned { run: RunId, orphan: OrphanReport },
    /// The process stops working on the run: always the last event.
    Finished { run: RunId, outcome: RunOutcome, message: String, eur_per_month: Option<String> },
}

/// How the work of this process on a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// The runbook returned without an error.
    Succeeded,
    /// It failed and everything was undone.
    RolledBack,
    /// It failed and something is left for a person.
    RollbackIncomplete,
    /// It failed and everything is held for a person.
    Held,
    /// It failed before any effect.
    FailedClean,
    /// A replay did not match.
    Nondeterministic,
    /// It left its plan, and nothing is stuck: everything was undone, or is held as it was.
    LeftPlan,
    /// It found differences, and left nothing of its own behind.
    Differs,
    /// It waits, without a process.
    Parked,
    /// It was interrupted and can be resumed.
    Interrupted,
    /// It was moved to another state directory, where it goes on.
    Moved,
}

impl From<Ending> for RunOutcome {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Succeeded => Self::Succeeded,
            Ending::RolledBack => Self::RolledBack,
            Ending::RollbackIncomplete => Self::RollbackIncomplete,
            Ending::Held => Self::Held,
            Ending::FailedClean => Self::FailedClean,
            Ending::Nondeterministic => Self::Nondeterministic,
            Ending::Moved => Self::Moved,
        }
    }
}

impl RunOutcome {
    /// Returns the outcome of a run that ended so: one that left its plan and one that found
    /// differences are told from one that failed, unless its rollback needs a person.
    pub fn of(ending: Ending, history: &History) -> Self {
        let is_clean = matches!(ending, Ending::RolledBack | Ending::FailedClean);
        let is_settled = is_clean || ending == Ending::Held;
        match ending {
            _ if is_settled && history.plan_left.is_some() => Self::LeftPlan,
            _ if is_clean && history.has_differed => Self::Differs,
            other => other.into(),
        }
    }

    /// Returns the exit code that the outcome stands for.
    pub fn exit(self) -> crate::exit::Exit {
        use crate::exit::Exit;
        match self {
            Self::Succeeded => Exit::Done,
            Self::RolledBack | Self::FailedClean => Exit::RolledBack,
            Self::RollbackIncomplete | Self::Held => Exit::Stuck,
            Self::Nondeterministic => Exit::Nondeterministic,
            Self::Moved => Exit::Usage,
            Self::LeftPlan | Self::Differs => Exit::Differs,
            Self::Parked => Exit::Parked,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::departure::Departure;
    use crate::exit::Exit;
    use crate::journal::{Differed, Record};
    use crate::tale::Tale;

    #[test]
    fn differences_and_plans_that_were_left_are_told_from_failures_where_nobody_is_needed() {
        let plain = Tale::new;
        let found = "acme-db is off".to_owned();
        let differed = || Tale::new().then(Record::Differed(Differed { found: found.clone() }));
        let left = || {
            let (planned, actual) = ("a network".to_owned(), "a server".to_owned());
            let departure = Departure { effect: 1, of: 2, planned, actual, differences: vec![] };
            Tale::new().then(Record::PlanLeft(departure))
        };
        let rows = [
            (plain(), Ending::FailedClean, Exit::RolledBack),
            (plain(), Ending::RolledBack, Exit::RolledBack),
            (differed(), Ending::FailedClean, Exit::Differs),
            (differed(), Ending::RolledBack, Exit::Differs),
            (differed(), Ending::RollbackIncomplete, Exit::Stuck),
            (differed(), Ending::Held, Exit::Stuck),
            (differed(), Ending::Nondeterministic, Exit::Nondeterministic),
            (differed(), Ending::Moved, Exit::Usage),
            (left(), Ending::RolledBack, Exit::Differs),
            (left(), Ending::FailedClean, Exit::Differs),
            (left(), Ending::Held, Exit::Differs),
            (left(), Ending::RollbackIncomplete, Exit::Stuck),
            (left(), Ending::Nondeterministic, Exit::Nondeterministic),
        ];
        for (tale, ending, expected) in rows {
            let history = tale.history();
            let outcome = RunOutcome::of(ending, &history);
            assert_eq!(outcome.exit(), expected, "{ending:?} {:?}", history.plan_left);
        }
    }
}
