//! How runs end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The runbook returned without an error.
    Succeeded,
    /// It failed and everything was undone.
    RolledBack,
    /// It failed and something is left for a person.
    RollbackIncomplete,
    /// It failed and everything is held for a person, as the grant or a pivot says.
    Held,
    /// It failed before any effect.
    FailedClean,
    /// A replay did not match.
    Nondeterministic,
    /// It was moved to another state directory, where it goes on.
    Moved,
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled back",
            Self::RollbackIncomplete => "stuck",
            Self::Held => "held",
            Self::FailedClean => "failed, no effect",
            Self::Nondeterministic => "nondeterministic",
            Self::Moved => "moved",
        })
    }
}
