//! One step of a rollback: by data alone, so it needs no component.

use runwrit_capabilities::gate::{UndoError, UndoRequest, Undone};
use runwrit_model::breakable::crash_point;
use runwrit_model::call::UndoPlan;
use runwrit_model::event::Event;
use runwrit_model::history::Effect;
use runwrit_model::journal::{Outcome, Record, UndoIntent};
use runwrit_model::orphan::OrphanReport;
use runwrit_model::undo::{Tried, UndoAct, UndoStep, judge};

use crate::books::Books;
use crate::drive::{Stretch, Work, interrupted};
use crate::error::EngineError;
use crate::outside::Outside;

impl Work {
    /// Does what the model says is next. A rollback cannot be canceled, but interrupted.
    pub(crate) async fn undo(
        &self,
        step: UndoStep,
        outside: &dyn Outside,
        books: &Books,
    ) -> Result<Stretch, EngineError> {
        if self.host.interrupt.is_raised() {
            return Ok(interrupted());
        }
        match step {
            UndoStep::WaitUntil(at) => self.wait_back(at, "the rollback waits to look again").await,
            UndoStep::Note(record) => self.conclude(record).await,
            UndoStep::Act(act) => self.try_undo(act, outside, books).await,
            // `next` turns this into the end of the run.
            UndoStep::Finished { .. } => Ok(Stretch::GoOn),
        }
    }

    async fn try_undo(
        &self,
        act: UndoAct,
        outside: &dyn Outside,
        books: &Books,
    ) -> Result<Stretch, EngineError> {
        let UndoAct { call, attempt, plans } = act;
        let effect = self.recorder.with(|history| history.effects[&call].clone());
        let operation = plans.first().map_or("", |plan| &plan.operation);
        crash_point("before-undo-intent", operation);
        self.append(Record::UndoIntent(UndoIntent { call, attempt })).await?;
        crash_point("undo-intent-committed", operation);
        let subject = effect.intent.subject.clone();
        self.host.report(Event::UndoBegan { run: self.run(), call, subject, attempt });
        // The check stands as close to the wire as it can: nobody else fences the send.
        self.recorder.check_fence().await.map_err(|stop| self.error(stop))?;
        crash_point("before-undo-send", operation);
        let tried = try_plans(&effect, &plans, outside, books).await;
        crash_point("undone", operation);
        let (now, timing) = (self.host.clock.now(), &self.host.timing);
        let record = self.recorder.with(|history| judge(history, call, &tried, now, timing));
        let stretch = self.conclude(record).await;
        crash_point("undo-result-committed", operation);
        stretch
    }

    /// Writes the outcome of an undo and tells it.
    async fn conclude(&self, record: Record) -> Result<Stretch, EngineError> {
        self.append(record.clone()).await?;
        let run = self.run();
        match record {
            Record::UndoResult(result) => {
                let (call, outcome) = (result.call, result.outcome);
                let subject = self.subject(call);
                self.host.report(Event::UndoEnded { run, call, subject, outcome });
            }
            Record::UndoQuarantined(orphan) => {
                let told = self.recorder.with(|history| OrphanReport::of(history, orphan));
                if let Some(orphan) = told {
                    self.host.report(Event::Orphaned { run, orphan });
                }
            }
            _ => {}
        }
        Ok(Stretch::GoOn)
    }

    fn subject(&self, call: runwrit_model::call::CallId) -> String {
        self.recorder.with(|history| history.effects[&call].intent.subject.clone())
    }
}

/// Tries the plans in their order. One that fails keeps the later ones back: they were meant to
/// come after it, and all are repeated together.
async fn try_plans(
    effect: &Effect,
    plans: &[UndoPlan],
    outside: &dyn Outside,
    books: &Books,
) -> Tried {
    let mut tried = Tried::Absent;
    for plan in plans {
        let request = request(effect, plan.clone());
        match outside.undo(&request, books).await {
            Ok(Undone::Done) if tried != Tried::NotOurs => tried = Tried::Done,
            Ok(Undone::NotOurs) => tried = Tried::NotOurs,
            Ok(Undone::Done | Undone::Absent) => {}
            Err(UndoError::Later(cause)) => return Tried::Later(cause),
            Err(UndoError::Never(cause)) => return Tried::Never(cause),
        }
    }
    tried
}

/// Returns what the undo of an effect needs, all of it from the journal.
pub(crate) fn request(effect: &Effect, plan: UndoPlan) -> UndoRequest {
    let intent = &effect.intent;
    let outcome = effect.result.as_ref().map(|result| result.outcome.clone());
    let value = match outcome {
        Some(Outcome::Ok(value)) => Some(value),
        Some(Outcome::Err(_)) | None => None,
    };
    UndoRequest {
        call: intent.call,
        plan,
        request: intent.request.clone(),
        kind: intent.kind.clone(),
        key: intent.key.clone(),
        labels: intent.labels.clone(),
        remote_id: effect.undo_id().map(str::to_owned),
        previous: intent.previous.clone(),
        value,
    }
}
