//! The loop around a run: asks the model what is next, and does it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use runwrit_capabilities::gate::Stop;
use runwrit_model::breakable::crash_point;
use runwrit_model::departure::Departure;
use runwrit_model::event::{Event, RunOutcome};
use runwrit_model::history::History;
use runwrit_model::id::RunId;
use runwrit_model::journal::{
    CancelRequested, Differed, Ending, Finished, Record, RollbackStarted, UnixMs,
};
use runwrit_model::limits;
use runwrit_model::next::{self, Next, Park};
use runwrit_model::orphan::reports;
use runwrit_model::plan::{Follower, Plan};
use runwrit_model::replay;
use runwrit_model::timing::after;

use crate::books::Books;
use crate::error::EngineError;
use crate::gate::{RunGate, Seat, nondeterministic};
use crate::guest::{Guest, GuestEnd};
use crate::host::Host;
use crate::outside::Outside;
use crate::recorder::Recorder;
use crate::seed;
use crate::view;
use crate::watch::{Notebook, Watch};
use crate::worlds;

/// A claimed run in the hands of this process.
pub(crate) struct Work {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) host: Host,
    rehearsal: Option<(Notebook, Books)>,
    /// Until when a rollback may wait in memory.
    patient_until: Option<UnixMs>,
}

/// What a stretch of work led to.
pub(crate) enum Stretch {
    /// Ask the model again.
    GoOn,
    /// The process stops working on the run.
    Leave(RunOutcome, String),
}

impl Work {
    pub(crate) fn new(recorder: Recorder, host: Host) -> Self {
        let patient_until = host.patience.map(|patience| after(host.clock.now(), patience));
        Self { recorder: Arc::new(recorder), host, rehearsal: None, patient_until }
    }

    /// Notes what happens, and keeps the books of the installation as they are.
    pub(crate) fn rehearsing(self, notebook: Notebook, books: Books) -> Self {
        Self { rehearsal: Some((notebook, books)), ..self }
    }

    /// Returns who looks at the next attempt.
    fn watch(&self) -> Result<Watch, EngineError> {
        if let Some((notebook, _)) = &self.rehearsal {
            return Ok(Watch::Rehearsal(Arc::clone(notebook)));
        }
        let Some(text) = self.recorder.with(|history| history.created.plan.clone()) else {
            return Ok(Watch::Nobody);
        };
        let plan = Plan::parse("the journaled plan", &text);
        let plan =
            plan.map_err(|source| EngineError::PlanUnreadable { run: self.run(), source })?;
        Ok(Watch::Plan(Box::new(Mutex::new(Follower::new(plan)))))
    }

    pub(crate) fn run(&self) -> RunId {
        self.recorder.run().clone()
    }

    fn now(&self) -> UnixMs {
        self.host.clock.now()
    }

    /// Tells that this process works on the run.
    pub(crate) fn tell_started(&self, is_resumed: bool) {
        let (runbook, scope) = self
            .recorder
            .with(|history| (history.created.runbook.clone(), history.created.scope.to_string()));
        self.host.report(Event::Started { run: self.run(), runbook, scope, is_resumed });
    }

    pub(crate) async fn append(&self, record: Record) -> Result<(), EngineError> {
        let written = self.recorder.append(vec![record]).await;
        written.map(drop).map_err(|stop| self.error(stop))
    }

    pub(crate) fn error(&self, stop: Stop) -> EngineError {
        EngineError::stopped(self.recorder.run(), stop)
    }

    /// Works on the run until it is over, waits without a process, or is interrupted.
    ///
    /// A bug in the host ends the work, not the run: what is in memory is not to be trusted any
    /// more, but what is on disk is, and a fresh process goes on from there.
    pub(crate) async fn drive<G: Guest>(
        self,
        guest: Option<G>,
        outside: &dyn Outside,
    ) -> Result<RunOutcome, EngineError> {
        let run = self.run();
        let ended = AssertUnwindSafe(self.go_on(guest, outside)).catch_unwind().await;
        ended.unwrap_or(Err(EngineError::Panicked(run)))
    }

    async fn go_on<G: Guest>(
        self,
        guest: Option<G>,
        outside: &dyn Outside,
    ) -> Result<RunOutcome, EngineError> {
        let own = || Books::new(&self.recorder);
        let books = self.rehearsal.as_ref().map_or_else(own, |(_, books)| books.clone());
        let mut guest = guest;
        let mut is_backward = false;
        loop {
            self.notice_cancel().await?;
            let next =
                self.recorder.with(|history| next::next(history, self.now(), &self.host.timing));
            let stretch = match next {
                Next::Execute => {
                    let guest = guest.take();
                    let guest = guest.ok_or_else(|| EngineError::NeedsComponent(self.run()))?;
                    self.hold_scope(outside).await?;
                    self.execute(guest, &books, outside).await?
                }
                Next::Park(park) => self.park(park).await?,
                Next::TurnBack(started) => self.turn_back(started).await?,
                Next::RollBack(step) => match self.face_back(&mut is_backward, outside).await? {
                    Stretch::GoOn => self.undo(step, outside, &books).await?,
                    leave => leave,
                },
                Next::Finish(ending, message) => {
                    self.vacate(ending, outside).await?;
                    self.finish(ending, message).await?
                }
                Next::Ended(ending) => {
                    let message = self
                        .recorder
                        .with(|history| history.finished.as_ref().map(|end| end.message.clone()));
                    Stretch::Leave(self.outcome(ending), message.unwrap_or_default())
                }
            };
            if let Stretch::Leave(outcome, message) = stretch {
                return self.leave(outcome, message).await;
            }
        }
    }

    /// Makes sure that no other state directory works on the scope. A run that has done nothing yet
    /// ends where one does; any other waits for a person.
    async fn hold_scope(&self, outside: &dyn Outside) -> Result<(), EngineError> {
        let (created, is_new) = self.recorder.with(|history| {
            let is_new = self.recorder.fence().number == 1 && history.effects.is_empty();
            (history.created.clone(), is_new)
        });
        if let Err(error) = worlds::claim(&created, outside).await {
            if is_new {
                self.finish(Ending::FailedClean, error.to_string()).await?;
            }
            self.recorder.flush().await.map_err(|stop| self.error(stop))?;
            self.recorder.store().release(self.recorder.fence()).await?;
            return Err(error);
        }
        crash_point("scope-claimed", "run");
        Ok(())
    }

    /// Gives the claim on the scope back where the end of the run leaves nothing in it. As long as
    /// the run is not over, no other run of this store can take the scope meanwhile.
    async fn vacate(&self, ending: Ending, outside: &dyn Outside) -> Result<(), EngineError> {
        let is_clean =
            matches!(ending, Ending::Succeeded | Ending::RolledBack | Ending::FailedClean);
        let scope = self.recorder.with(|history| history.created.scope.clone());
        let store = self.recorder.store().as_ref();
        if !is_clean || self.rehearsal.is_some() || !worlds::is_vacant(store, &scope).await? {
            return Ok(());
        }
        // Whoever works on the run by now needs its claim.
        self.recorder.check_fence().await.map_err(|stop| self.error(stop))?;
        if let Err(error) = outside.release().await {
            // It costs nothing and is in nobody's way but another installation's.
            tracing::warn!(%scope, %error, "the claim stays; `runwrit sweep --delete` deletes it");
        }
        crash_point("scope-released", "run");
        Ok(())
    }

    /// Takes a wish to cancel into the journal, where it counts.
    async fn notice_cancel(&self) -> Result<(), EngineError> {
        let is_new = self.recorder.with(|history| {
            history.cancel.is_none() && history.rollback.is_none() && history.finished.is_none()
        });
        if !is_new {
            return Ok(());
        }
        let asked = self.recorder.cancel_requested().await.map_err(|stop| self.error(stop))?;
        match asked {
            Some(by) => self.append(Record::CancelRequested(CancelRequested { by })).await,
            None => Ok(()),
        }
    }

    /// Runs the guest and takes in how it left off.
    async fn execute<G: Guest>(
        &self,
        guest: G,
        books: &Books,
        outside: &dyn Outside,
    ) -> Result<Stretch, EngineError> {
        let run = self.run();
        let sealed = self.recorder.store().sealed_seed(&run).await?.unwrap_or_default();
        let seed = seed::open(&self.host.key, &run, &sealed);
        let (recorder, host) = (Arc::clone(&self.recorder), self.host.clone());
        let seat = Arc::new(Seat::new(recorder, host, seed, self.watch()?));
        let end = guest.run(RunGate::new(Arc::clone(&seat)), books.clone()).await;
        // The gate knows best why it stopped; a trap is only how the guest felt it.
        let end = seat.stopped().map_or(end, GuestEnd::Stopped);
        if let GuestEnd::Stopped(stop) = end {
            return self.stopped(stop, outside).await;
        }
        // Whatever the end is: it came later when the recorded calls were made.
        let unconsumed = self.recorder.with(|history| replay::unconsumed(history, seat.consumed()));
        if let Some(mismatch) = unconsumed {
            if let GuestEnd::Starved(cause) = end {
                return self.leave_parked(format!("its replay broke off: {cause}")).await;
            }
            return self.stopped(nondeterministic(mismatch), outside).await;
        }
        let is_difference = matches!(&end, GuestEnd::Failed(failure) if failure.is_difference());
        let failure = match end {
            GuestEnd::Failed(failure) => Some(failure.to_string()),
            GuestEnd::Trapped(message) | GuestEnd::Starved(message) => Some(message),
            GuestEnd::Returned | GuestEnd::Stopped(_) => None,
        };
        match (seat.watch.end(failure.as_deref()), failure) {
            (Err(left), _) => self.left_plan(left, outside).await,
            (Ok(()), Some(found)) if is_difference => self.differed(found, outside).await,
            (Ok(()), Some(cause)) => self.failed(cause, outside).await,
            (Ok(()), None) => self.returned(&seat, outside).await,
        }
    }

    /// Writes down where the run left its plan, and turns back.
    async fn left_plan(
        &self,
        left: Departure,
        outside: &dyn Outside,
    ) -> Result<Stretch, EngineError> {
        self.append(Record::PlanLeft(left.clone())).await?;
        self.host.report(Event::LeftPlan { run: self.run(), left: left.clone() });
        self.failed(left.to_string(), outside).await
    }

    /// Writes down that differences were found, and turns back.
    async fn differed(&self, found: String, outside: &dyn Outside) -> Result<Stretch, EngineError> {
        // A process that was killed before it turned may have written it already.
        if !self.recorder.with(|history| history.has_differed) {
            self.append(Record::Differed(Differed { found: found.clone() })).await?;
        }
        self.failed(found, outside).await
    }

    async fn returned(&self, seat: &Seat, outside: &dyn Outside) -> Result<Stretch, EngineError> {
        // The end is a boundary like any call: whoever asked before it is heard.
        match seat.check().await {
            Err(Stop::Canceled(by)) => self.stopped(Stop::Canceled(by), outside).await,
            Err(stop @ (Stop::Store(_) | Stop::Fenced)) => Err(self.error(stop)),
            _ => {
                let (ending, outputs) = (Ending::Succeeded, seat.outputs());
                self.vacate(ending, outside).await?;
                self.write_end(Finished { ending, message: String::new(), outputs }).await
            }
        }
    }

    async fn failed(&self, cause: String, outside: &dyn Outside) -> Result<Stretch, EngineError> {
        self.after(next::GuestEnd::Failed(cause), outside).await
    }

    async fn stopped(&self, stop: Stop, outside: &dyn Outside) -> Result<Stretch, EngineError> {
        match stop {
            Stop::Fenced | Stop::Store(_) => Err(self.error(stop)),
            Stop::Interrupted => Ok(interrupted()),
            Stop::LeftPlan(left) => self.left_plan(*left, outside).await,
            Stop::Parked(reason) => self.leave_parked(reason).await,
            Stop::Canceled(by) => {
                let is_new = self.recorder.with(|history| history.cancel.is_none());
                if is_new {
                    self.append(Record::CancelRequested(CancelRequested { by })).await?;
                }
                Ok(Stretch::GoOn)
            }
            Stop::Nondeterministic { .. } => {
                let end = next::GuestEnd::Nondeterministic(stop.to_string());
                self.after(end, outside).await
            }
            Stop::Unknown { .. } | Stop::DeadlinePassed | Stop::Limit { .. } => {
                self.failed(stop.to_string(), outside).await
            }
        }
    }

    async fn after(
        &self,
        end: next::GuestEnd,
        outside: &dyn Outside,
    ) -> Result<Stretch, EngineError> {
        match self.recorder.with(|history| next::after_guest(history, &end)) {
            Next::Finish(ending, message) => {
                self.vacate(ending, outside).await?;
                self.finish(ending, message).await
            }
            Next::TurnBack(started) => self.turn_back(started).await,
            _ => Ok(Stretch::GoOn),
        }
    }

    async fn turn_back(&self, started: RollbackStarted) -> Result<Stretch, EngineError> {
        crash_point("before-rollback", "run");
        self.append(Record::RollbackStarted(started)).await?;
        crash_point("rollback-committed", "run");
        Ok(Stretch::GoOn)
    }

    async fn finish(&self, ending: Ending, message: String) -> Result<Stretch, EngineError> {
        let outputs = Default::default();
        self.write_end(Finished { ending, message, outputs }).await
    }

    pub(crate) async fn write_end(&self, end: Finished) -> Result<Stretch, EngineError> {
        crash_point("before-finish", "run");
        let timing = &self.host.timing;
        self.recorder.finish(end, timing).await.map_err(|stop| self.error(stop))?;
        crash_point("finish-committed", "run");
        Ok(Stretch::GoOn)
    }

    /// A short wait is waited out; for a longer one the process leaves.
    async fn park(&self, park: Park) -> Result<Stretch, EngineError> {
        match park {
            Park::Until(at) if at <= after(self.now(), limits::SLEEP_INLINE_MAX) => {
                self.pause(at, "the runbook waits").await
            }
            Park::Until(at) => {
                self.leave_parked(format!("it waits until {}", view::time(at))).await
            }
            Park::Person { call, subject } => {
                let reason = format!("the outcome of call {call} on {subject} is unknown");
                self.leave_parked(reason).await
            }
        }
    }

    /// The row stays, the memory goes.
    async fn leave_parked(&self, reason: String) -> Result<Stretch, EngineError> {
        let (now, timing) = (self.now(), &self.host.timing);
        let until = match self.recorder.with(|history| next::next(history, now, timing)) {
            Next::Park(Park::Until(at)) => Some(self.host.clock.by_machine(at)),
            _ => None,
        };
        self.recorder.park(until).await.map_err(|stop| self.error(stop))?;
        Ok(Stretch::Leave(RunOutcome::Parked, reason))
    }

    /// Waits in memory; an interrupt ends the work, never the run.
    pub(crate) async fn pause(&self, at: UnixMs, reason: &str) -> Result<Stretch, EngineError> {
        self.host.report(Event::Waiting {
            run: self.run(),
            reason: reason.to_owned(),
            until_unix_ms: Some(at),
        });
        tokio::select! {
            () = self.host.clock.sleep_until(at) => Ok(Stretch::GoOn),
            () = self.host.interrupt.raised() => Ok(interrupted()),
        }
    }

    /// Waits on the way back: in memory as long as this process has the patience, else as a row
    /// that `tick` takes up again.
    pub(crate) async fn wait_back(&self, at: UnixMs, why: &str) -> Result<Stretch, EngineError> {
        match self.patient_until {
            Some(until) if at > until => {
                let wake_at = self.host.clock.by_machine(at);
                self.recorder.park(Some(wake_at)).await.map_err(|stop| self.error(stop))?;
                let reason = format!("{why}; `tick` goes on after {}", view::time(wake_at));
                Ok(Stretch::Leave(RunOutcome::Parked, reason))
            }
            _ => self.pause(at, why).await,
        }
    }

    /// Tells, once for each process, that the run goes backward, and looks whether it may.
    async fn face_back(
        &self,
        is_backward: &mut bool,
        outside: &dyn Outside,
    ) -> Result<Stretch, EngineError> {
        if std::mem::replace(is_backward, true) {
            return Ok(Stretch::GoOn);
        }
        let rollback = self.recorder.with(|history| history.rollback.clone());
        let cause = rollback.map(|rollback| rollback.cause).unwrap_or_default();
        self.host.report(Event::RollbackBegan { run: self.run(), cause });
        self.find_worlds(outside).await
    }

    /// Makes sure that a rollback acts where the run did. What made the run fail may also keep the
    /// worlds out of reach, so this waits for them as long as an undo would be tried, and then
    /// leaves the run open: what stands is told, and a resume goes on with the rollback.
    async fn find_worlds(&self, outside: &dyn Outside) -> Result<Stretch, EngineError> {
        let created = self.recorder.with(|history| history.created.clone());
        let timing = &self.host.timing;
        let ends_at = after(self.now(), timing.undo_budget);
        let mut pause = timing.undo_backoff_min;
        loop {
            let found = match worlds::check(&created, outside).await {
                Ok(()) => worlds::claim(&created, outside).await,
                lost => lost,
            };
            match found {
                Err(error) if error.is_passing() && self.now() < ends_at => {
                    let until = after(self.now(), pause);
                    pause = (pause * 2).min(timing.undo_backoff_max);
                    let waited = self.wait_back(until, &passing(&error)).await?;
                    if matches!(waited, Stretch::Leave(..)) {
                        return Ok(waited);
                    }
                }
                Err(error @ EngineError::Worlds { .. }) => {
                    let cause = format!("nothing was undone: {error}");
                    return Ok(Stretch::Leave(RunOutcome::RollbackIncomplete, cause));
                }
                found => return found.map(|()| Stretch::GoOn),
            }
        }
    }

    /// Ends the run and leaves it.
    pub(crate) async fn end(
        self,
        ending: Ending,
        message: String,
    ) -> Result<RunOutcome, EngineError> {
        self.finish(ending, message.clone()).await?;
        self.leave(self.outcome(ending), message).await
    }

    fn outcome(&self, ending: Ending) -> RunOutcome {
        self.recorder.with(|history| RunOutcome::of(ending, history))
    }

    /// Gives the run back and tells how it stands.
    async fn leave(&self, outcome: RunOutcome, message: String) -> Result<RunOutcome, EngineError> {
        self.recorder.flush().await.map_err(|stop| self.error(stop))?;
        let (left, price) = self.recorder.with(|history| (reports(history), standing(history)));
        if outcome != RunOutcome::Interrupted {
            for orphan in left {
                self.host.report(Event::Orphaned { run: self.run(), orphan });
            }
        }
        self.recorder.store().release(self.recorder.fence()).await?;
        let eur_per_month = price.map(|price| price.plain());
        self.host.report(Event::Finished { run: self.run(), outcome, message, eur_per_month });
        Ok(outcome)
    }
}

/// Says why the outside does not answer, without the run that everybody knows.
fn passing(error: &EngineError) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The process was asked to stop; the run was not.
pub(crate) fn interrupted() -> Stretch {
    Stretch::Leave(RunOutcome::Interrupted, "interrupted".to_owned())
}

fn standing(history: &History) -> Option<runwrit_model::money::Eur> {
    view::eur_per_month(history)
}
