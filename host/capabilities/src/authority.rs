//! Under what one run acts: its grant, its name and the time.

use std::sync::Arc;

use runwrit_model::grant::Grant;
use runwrit_model::id::RunId;
use runwrit_model::journal::UnixMs;

/// Tells the time.
pub type Now = Arc<dyn Fn() -> UnixMs + Send + Sync>;

/// What a capability asks before it acts for a run.
#[derive(Clone)]
pub struct Authority {
    /// The grant.
    pub grant: Arc<Grant>,
    /// The run.
    pub run: RunId,
    /// The clock, since a grant expires.
    pub now: Now,
}
