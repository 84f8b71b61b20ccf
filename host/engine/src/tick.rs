//! What time alone brings: runs to go on with, and late looks that are due.

use runwrit_model::due::{self, Due};
use runwrit_model::id::RunId;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::store::{RunState, Sweep, SweepOutcome};

impl Engine {
    /// Returns the runs that should go on now, oldest first, and why.
    pub async fn due_runs(&self) -> Result<Vec<(RunId, Due)>, EngineError> {
        let (now, timing) = (self.host().clock.now(), &self.host().timing);
        let mut found = Vec::new();
        for row in self.store().runs().await?.into_iter().rev() {
            let is_parked = match row.state {
                RunState::Parked(_) => true,
                RunState::Interrupted => false,
                RunState::Working | RunState::Finished(_) => continue,
            };
            let history = self.history(&row.run).await?;
            let why = due::due(&history, is_parked, row.cancel.is_some(), now, timing);
            found.extend(why.map(|why| (row.run, why)));
        }
        Ok(found)
    }

    /// Returns the late looks that are due, oldest first.
    pub async fn due_sweeps(&self) -> Result<Vec<Sweep>, EngineError> {
        Ok(self.store().due_sweeps(self.host().clock.now()).await?)
    }

    /// Notes what a late look found; it is not repeated.
    pub async fn close_sweep(&self, id: u64, outcome: SweepOutcome) -> Result<(), EngineError> {
        Ok(self.store().close_sweep(id, outcome, self.host().clock.now()).await?)
    }
}
