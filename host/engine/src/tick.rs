//! What time alone brings: runs to go on with, and late looks that are due.

use runwrit_model::due::{self, Due, Rest};
use runwrit_model::id::RunId;
use runwrit_model::limits::CLOCK_MIN;
use runwrit_model::timing::after;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::store::{RunState, Sweep, SweepOutcome};

impl Engine {
    /// Returns the runs that should go on now, oldest first, and why.
    pub async fn due_runs(&self) -> Result<Vec<(RunId, Due)>, EngineError> {
        let now = self.host().clock.now();
        let mut found = Vec::new();
        for row in self.store().runs().await?.into_iter().rev() {
            let rest = match row.state {
                RunState::Parked(at) => Rest::Parked(at),
                RunState::Interrupted => Rest::Interrupted,
                RunState::Working | RunState::Finished(_) => continue,
            };
            let history = self.history(&row.run).await?;
            let why = due::due(&history, rest, row.cancel.is_some(), now);
            found.extend(why.map(|why| (row.run, why)));
        }
        Ok(found)
    }

    /// Returns the late looks that are due, oldest first. One that a wrong clock scheduled for a
    /// time that cannot be is set right first: a look in 1970 would be over before anything landed.
    pub async fn due_sweeps(&self) -> Result<Vec<Sweep>, EngineError> {
        let (now, timing) = (self.host().clock.now(), &self.host().timing);
        let longest = timing.sweeps.iter().max().copied().unwrap_or_default();
        let soonest = timing.sweeps.iter().min().copied().unwrap_or_default();
        let soonest = u64::try_from(soonest.as_millis()).unwrap_or_default();
        let possible = CLOCK_MIN.min(now)..=after(now, longest);
        self.store().realign_sweeps(now, possible, soonest).await?;
        Ok(self.store().due_sweeps(now).await?)
    }

    /// Notes what a late look found; it is not repeated.
    pub async fn close_sweep(&self, id: u64, outcome: SweepOutcome) -> Result<(), EngineError> {
        Ok(self.store().close_sweep(id, outcome, self.host().clock.now()).await?)
    }
}
