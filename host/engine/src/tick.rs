//! What time alone brings: runs to go on with, and late looks that are due.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use runwrit_model::due::{self, Due, Rest};
use runwrit_model::history::History;
use runwrit_model::id::RunId;
use runwrit_model::journal::UnixMs;
use runwrit_model::limits::CLOCK_MIN;
use runwrit_model::timing::after;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::store::{RunState, Sweep, SweepOutcome};

/// The latest time that a store can hold.
const LAST: UnixMs = i64::MAX as UnixMs;

/// What should be done now, by the clock of the machine.
#[derive(Debug, Default)]
pub struct Duties {
    /// The runs that should go on, oldest first, and why.
    pub runs: Vec<(RunId, Due)>,
    /// How many late looks are due, or were scheduled by a clock that was wrong.
    pub looks: usize,
    /// The credentials that all this concerns.
    pub credentials: BTreeSet<String>,
    /// Why some open runs were not looked at: their journals cannot be read.
    pub damaged: Vec<EngineError>,
}

impl Engine {
    /// Looks what should be done now, and changes nothing. A journal that cannot be read keeps none
    /// of the others back.
    pub async fn duties(&self) -> Result<Duties, EngineError> {
        let mut duties = Duties::default();
        self.look_at_runs(&mut duties).await?;
        self.look_at_sweeps(&mut duties).await?;
        Ok(duties)
    }

    async fn look_at_runs(&self, duties: &mut Duties) -> Result<(), EngineError> {
        let now = self.host().clock.now();
        for row in self.store().runs().await?.into_iter().rev() {
            let rest = match row.state {
                RunState::Parked(at) => Rest::Parked(at),
                RunState::Interrupted => Rest::Interrupted,
                RunState::Working | RunState::Finished(_) => continue,
            };
            let history = match self.history(&row.run).await {
                Ok(history) => history,
                Err(error) if error.is_damage() => {
                    duties.damaged.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(why) = due::due(&history, rest, row.cancel.is_some(), now) {
                duties.credentials.extend(credentials(&history));
                duties.runs.push((row.run, why));
            }
        }
        Ok(())
    }

    async fn look_at_sweeps(&self, duties: &mut Duties) -> Result<(), EngineError> {
        let now = self.host().clock.now();
        let possible = self.possible(now);
        let looks = self.store().due_sweeps(LAST).await?.into_iter();
        let looks: Vec<Sweep> =
            looks.filter(|look| look.at <= now || !possible.contains(&look.at)).collect();
        let runs: BTreeSet<&RunId> = looks.iter().map(|look| &look.run).collect();
        for run in runs {
            // Whoever looks for it tells what is wrong with its journal.
            if let Ok(history) = self.history(run).await {
                duties.credentials.extend(credentials(&history));
            }
        }
        duties.looks = looks.len();
        Ok(())
    }

    /// Returns the late looks that are due, oldest first. One that a wrong clock scheduled for a
    /// time that cannot be is set right first: a look in 1970 would be over before anything landed.
    pub async fn due_sweeps(&self) -> Result<Vec<Sweep>, EngineError> {
        let now = self.host().clock.now();
        let soonest = self.host().timing.sweeps.iter().min().copied().unwrap_or_default();
        let soonest = u64::try_from(soonest.as_millis()).unwrap_or_default();
        self.store().realign_sweeps(now, self.possible(now), soonest).await?;
        Ok(self.store().due_sweeps(now).await?)
    }

    /// Returns for when a clock that was right can have scheduled a late look.
    fn possible(&self, now: UnixMs) -> RangeInclusive<UnixMs> {
        let longest = self.host().timing.sweeps.iter().max().copied().unwrap_or_default();
        CLOCK_MIN.min(now)..=after(now, longest)
    }

    /// Notes what a late look found; it is not repeated.
    pub async fn close_sweep(&self, id: u64, outcome: SweepOutcome) -> Result<(), EngineError> {
        Ok(self.store().close_sweep(id, outcome, self.host().clock.now()).await?)
    }
}

fn credentials(history: &History) -> impl Iterator<Item = String> {
    history.created.worlds.values().map(|world| world.credential.clone())
}
