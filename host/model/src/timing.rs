//! How long a run waits: limits of the product, or what the configuration says instead.

use std::time::Duration;

use crate::journal::UnixMs;
use crate::limits;

/// The waits that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// After this an unanswered creation can no longer take effect.
    pub settle: Duration,
    /// First pause before an undo is tried again.
    pub undo_backoff_min: Duration,
    /// Longest pause before an undo is tried again.
    pub undo_backoff_max: Duration,
    /// How long an undo is tried before it becomes an orphan.
    pub undo_budget: Duration,
    /// When, after a rollback, what may have landed late is looked for.
    pub sweeps: Vec<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            settle: limits::SETTLE,
            undo_backoff_min: limits::UNDO_BACKOFF_MIN,
            undo_backoff_max: limits::UNDO_BACKOFF_MAX,
            undo_budget: limits::UNDO_BUDGET,
            sweeps: limits::SWEEPS.to_vec(),
        }
    }
}

/// Returns the moment `wait` after `at`.
pub fn after(at: UnixMs, wait: Duration) -> UnixMs {
    at.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}
