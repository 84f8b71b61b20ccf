//! The engine: what can be done with runs.

use std::sync::Arc;
use std::time::Duration;

use runwrit_model::breakable::crash_point;
use runwrit_model::cost::{self, Cost, Prices};
use runwrit_model::event::{Event, RunOutcome};
use runwrit_model::history::History;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::{
    Attempt, Created, Ending, Entry, Finished, Record, Resolved, RollbackStarted, VERSION,
};
use runwrit_model::next::{Next, may_roll_back, next};

use crate::clock::{Clock, RunClock};
use crate::drive::Work;
use crate::error::EngineError;
use crate::guest::{Guest, NoGuest};
use crate::host::Host;
use crate::outside::Outside;
use crate::recorder::Recorder;
use crate::resolve;
use crate::store::{self, Claim, NewRun, Store, StoreError};
use crate::view::{self, RunState, RunSummary, RunView};
use crate::worlds::{self, Home};

/// Starts, resumes, rolls back and shows runs.
pub struct Engine {
    store: Arc<dyn Store>,
    host: Host,
}

/// All runs of a store.
#[derive(Debug, Default)]
pub struct Listing {
    /// A line for each, newest first.
    pub runs: Vec<RunSummary>,
    /// Why the journals of some cannot be read.
    pub damaged: Vec<EngineError>,
}

/// What became of a wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceled {
    /// The process that works on the run will see it at its next call.
    Requested,
    /// No process worked on it, so this one rolled it back, as far as the outcome says.
    Ended(RunOutcome),
}

impl Engine {
    /// Builds an engine over a store.
    pub fn new(store: Arc<dyn Store>, host: Host) -> Self {
        Self { store, host }
    }

    /// Parks a rollback that has waited for this long in memory, so that it keeps nothing else
    /// back.
    pub fn with_patience(self, patience: Option<Duration>) -> Self {
        Self { host: Host { patience, ..self.host }, ..self }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the id for a new run.
    pub fn new_run_id(&self) -> RunId {
        RunId::new(self.host.clock.now(), self.host.random())
    }

    /// Runs a runbook that was admitted.
    pub async fn start<G: Guest>(
        &self,
        created: Created,
        guest: G,
        outside: &dyn Outside,
    ) -> Result<RunOutcome, EngineError> {
        worlds::check(&created, outside).await?;
        let work = self.create(created).await?;
        work.drive(Some(guest), outside).await
    }

    /// Goes on with a run where it stands: forward with `guest`, backward without it.
    pub async fn resume<G: Guest>(
        &self,
        run: &RunId,
        guest: Option<G>,
        outside: &dyn Outside,
    ) -> Result<RunOutcome, EngineError> {
        let known = self.known_here(run).await?;
        let history = &known.history;
        let now = self.host.clock.now();
        match next(history, now, &self.host.timing) {
            // Whoever repeats `resume` until a run is over learns how it ended.
            Next::Ended(ending) => {
                self.let_go(history).await?;
                return Ok(self.tell_ended(history, ending));
            }
            Next::Execute if guest.is_none() => {
                return Err(EngineError::NeedsComponent(run.clone()));
            }
            _ => {}
        }
        worlds::check(&history.created, outside).await?;
        self.take(run, Some(known)).await?.drive(guest, outside).await
    }

    /// Gives the scope of an ended run free again, where a process took the run to roll it back and
    /// was killed before it turned: its journal is over, but its row is not.
    async fn let_go(&self, history: &History) -> Result<(), EngineError> {
        let run = &history.created.run;
        let (state, end) = (self.store.run(run).await?.state, history.finished.clone());
        match (state, end) {
            (_, None | Some(Finished { ending: Ending::Moved, .. })) => Ok(()),
            (store::RunState::Finished(_), _) => match self.store.claim(run).await {
                Ok(claim) => Ok(self.store.release(&claim.fence).await?),
                // Whoever works in the scope now did not get it from this run.
                Err(StoreError::Busy { .. } | StoreError::Live { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            },
            (_, Some(end)) => {
                let work = self.take(run, None).await?;
                work.write_end(end).await.map(drop)
            }
        }
    }

    /// Tells again how a run ended that is over.
    fn tell_ended(&self, history: &History, ending: Ending) -> RunOutcome {
        let outcome = RunOutcome::of(ending, history);
        let run = history.created.run.clone();
        let message = "the run is over already".to_owned();
        let eur_per_month = view::eur_per_month(history).map(|price| price.plain());
        self.host.report(Event::Finished { run, outcome, message, eur_per_month });
        outcome
    }

    /// Undoes everything that a run did, from its journal alone. A run that was left incomplete
    /// tries again with a fresh budget.
    pub async fn rollback(
        &self,
        run: &RunId,
        by: &str,
        outside: &dyn Outside,
    ) -> Result<RunOutcome, EngineError> {
        let known = self.known_here(run).await?;
        may_roll_back(&known.history)
            .map_err(|refusal| EngineError::NotRolledBack { run: run.clone(), refusal })?;
        worlds::check(&known.history.created, outside).await?;
        let work = self.take(run, Some(known)).await?;
        let cause = format!("rolled back by {by}");
        work.append(Record::RollbackStarted(RollbackStarted { cause })).await?;
        work.drive(None::<NoGuest>, outside).await
    }

    /// Asks the process that works on a run to stop and roll back; does it itself when there is
    /// none. The wish is durable either way.
    pub async fn cancel(
        &self,
        run: &RunId,
        by: &str,
        outside: &dyn Outside,
    ) -> Result<Canceled, EngineError> {
        let known = self.known_here(run).await?;
        if let Some(ending) = known.history.ending() {
            return Err(EngineError::Over { run: run.clone(), ending });
        }
        self.store.request_cancel(run, by).await?;
        crash_point("cancel-requested", "run");
        match self.take(run, Some(known)).await {
            Ok(work) => work.drive(None::<NoGuest>, outside).await.map(Canceled::Ended),
            Err(EngineError::Store(StoreError::Live { .. })) => Ok(Canceled::Requested),
            Err(error) => Err(error),
        }
    }

    /// Records what a person says about a call whose outcome is unknown, or about something left.
    /// Returns how the run ended, when that settled the last of it.
    pub async fn resolve(
        &self,
        run: &RunId,
        word: Resolved,
    ) -> Result<Option<RunOutcome>, EngineError> {
        resolve::check(&self.known_here(run).await?.history, word.call)?;
        self.store.resolve(run, word, self.host.clock.now()).await?;
        crash_point("resolve-committed", "run");
        // The last word on what was left of a rollback ends it.
        let history = self.history(run).await?;
        match next(&history, self.host.clock.now(), &self.host.timing) {
            Next::Finish(ending, message) => {
                self.take(run, None).await?.end(ending, message).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns all runs of the store. One whose journal cannot be read keeps none of the others
    /// back; what its scope costs is unknown.
    pub async fn list(&self) -> Result<Listing, EngineError> {
        let (mut listing, mut histories) = (Listing::default(), Vec::new());
        for row in self.store.runs().await? {
            match self.look(&row.run).await {
                Ok((view, history)) => {
                    listing.runs.push(view.summary());
                    histories.push(history);
                }
                Err(error) if EngineError::is_damage(&error) => {
                    listing.runs.push(RunSummary::damaged(row));
                    listing.damaged.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        let (mut scopes, runs) = (cost::of_scopes(&histories), cost::of_runs(&histories));
        let damaged = listing.runs.iter().filter(|run| run.state == RunState::Damaged);
        scopes.extend(damaged.map(|run| (run.scope.clone(), Cost::Unknown)));
        for summary in &mut listing.runs {
            summary.eur_per_month = runs.get(&summary.run).copied();
            summary.scope_eur_per_month = scopes.get(&summary.scope).copied();
        }
        Ok(listing)
    }

    /// Returns what each thing costs that stands. What a journal says that cannot be read is left
    /// out.
    pub async fn prices(&self) -> Result<Prices, EngineError> {
        let mut histories = Vec::new();
        for row in self.store.runs().await? {
            match self.history(&row.run).await {
                Ok(history) => histories.push(history),
                Err(error) if EngineError::is_damage(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(cost::of_things(&histories))
    }

    /// Returns all that is known about a run.
    pub async fn show(&self, run: &RunId) -> Result<RunView, EngineError> {
        Ok(self.look(run).await?.0)
    }

    /// Returns all that is known about a run, and its folded journal.
    pub async fn look(&self, run: &RunId) -> Result<(RunView, History), EngineError> {
        let entries = self.store.journal(run).await?;
        let is_alive = self.store.run(run).await?.state == store::RunState::Working;
        let now = self.host.clock.now();
        let history = History::of(&entries)
            .map_err(|source| EngineError::Damaged { run: run.clone(), source })?;
        Ok((RunView::of(&history, &entries, is_alive, now, &self.host.timing), history))
    }

    /// Returns the folded journal of a run: what a caller needs to bring its component and its
    /// capabilities.
    pub async fn history(&self, run: &RunId) -> Result<History, EngineError> {
        Ok(self.read(run).await?.history)
    }

    async fn read(&self, run: &RunId) -> Result<Known, EngineError> {
        let entries = self.store.journal(run).await?;
        Known::of(run, &entries)
    }

    /// Returns what is known of a run that is to go on: one that was moved away is refused.
    async fn known_here(&self, run: &RunId) -> Result<Known, EngineError> {
        let known = self.read(run).await?;
        match &known.history.finished {
            Some(Finished { ending: Ending::Moved, message, .. }) => {
                Err(EngineError::Moved { run: run.clone(), message: message.clone() })
            }
            _ => Ok(known),
        }
    }

    /// Returns where the tenant of a scope stands, while it lives.
    pub async fn home(&self, scope: &Scope) -> Result<Option<Home>, EngineError> {
        worlds::home(self.store.as_ref(), scope).await
    }

    /// Writes the first entries, which take the scope.
    pub(crate) async fn create(&self, created: Created) -> Result<Work, EngineError> {
        let (at, run) = (self.host.clock.now(), created.run.clone());
        let records = [Record::Created(Box::new(created)), self.attempt(1)];
        let entry = |(seq, record)| Entry { version: VERSION, seq, at, record };
        let entries: Vec<_> = (0..).zip(records).map(entry).collect();
        let sealed_seed = self.host.random::<32>().to_vec();
        let claim = self.store.create_run(NewRun { entries: entries.clone(), sealed_seed }).await?;
        crash_point("created", "run");
        Ok(self.work(claim, Known::of(&run, &entries)?, (false, false)))
    }

    /// Claims a run and writes the attempt. Refused while another process works on it. `known` is
    /// what was read of it before: whatever the journal has beyond that is read again.
    async fn take(&self, run: &RunId, known: Option<Known>) -> Result<Work, EngineError> {
        let now = self.host.clock.now();
        let state = self.store.run(run).await?.state;
        let has_waited = matches!(state, store::RunState::Parked(Some(at)) if at <= now);
        let claim = self.store.claim(run).await?;
        crash_point("claimed", "run");
        let attempt = self.attempt(claim.fence.number);
        let end = claim.head.next_seq;
        let known = match known.filter(|known| known.history.next_seq == end) {
            Some(known) => known,
            None => self.read(run).await?,
        };
        let work = self.work(claim, known, (true, has_waited));
        work.append(attempt).await?;
        crash_point("attempt-committed", "run");
        Ok(work)
    }

    fn attempt(&self, fence: u64) -> Record {
        let (host, engine) = (self.host.version.clone(), self.host.engine.clone());
        Record::Attempt(Attempt { fence, host, engine })
    }

    fn work(
        &self,
        claim: Claim,
        Known { history, bytes }: Known,
        (is_resumed, has_waited): (bool, bool),
    ) -> Work {
        // A rollback that was parked waited for its own time, not for that of a timer before it.
        let has_waited = has_waited && history.rollback.is_none();
        let waited = history.timer().filter(|_| has_waited).unwrap_or_default();
        let machine = Arc::clone(&self.host.clock);
        let clock: Arc<dyn Clock> = Arc::new(RunClock::new(machine, history.last_at.max(waited)));
        let host = Host { clock: Arc::clone(&clock), ..self.host.clone() };
        let recorder = Recorder::new(Arc::clone(&self.store), clock, claim, history, bytes);
        let work = Work::new(recorder, host);
        work.tell_started(is_resumed);
        work
    }
}

/// A journal that was read and verified.
struct Known {
    history: History,
    bytes: u64,
}

impl Known {
    fn of(run: &RunId, entries: &[Entry]) -> Result<Self, EngineError> {
        let damaged = |source| EngineError::Damaged { run: run.clone(), source };
        let history = History::of(entries).map_err(damaged)?;
        Ok(Self { history, bytes: entries.iter().map(|entry| entry.size() as u64).sum() })
    }
}
