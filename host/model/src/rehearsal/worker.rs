//! A process that works on a run: the thin loop of the engine, one interaction at a time, so that
//! it can die or sleep between any two.

use std::collections::{BTreeMap, BTreeSet};

use crate::breakable::is_broken;
use crate::call::{CallClass, CallId};
use crate::failure::{Failure, Problem};
use crate::history::{Effect, History};
use crate::id::Digest;
use crate::journal::{
    Accepted, Attempt, CallResult, CancelRequested, Ending, Entry, Finished, Observed, Outcome,
    Record, Resolved, RollbackStarted, Step, UndoIntent, UnixMs, VERSION, Verdict, Wait,
    WaitReason, Woken,
};
use crate::labels::Owner;
use crate::next::{GuestEnd, Next, Park, after_guest, next};
use crate::reconcile::{
    Forward, Ownership, Probe, Unanswered, forward, is_refusal_proof, ownership, probe, unanswered,
};
use crate::replay::{Asked, Replay, Request, Standing, replay, unconsumed};
use crate::timing::after;
use crate::undo::{Tried, UndoAct, UndoStep, judge, late_sweeps};

use super::cloud::{Gone, Told, name};
use super::script::{Line, Part, digest, id, intent};
use super::stage::Scene;

/// The only run there is.
const RUN: &str = "run";

/// The process is gone: fenced out, finished, or it aborted.
pub(super) struct Ended;

/// What a worker does next.
enum Phase {
    Begin,
    Decide,
    Guest(u32),
    Check(CallId, bool, u32),
    Send(CallId, bool, u32),
    Accept(CallId, Option<u64>, bool, bool),
    Answer(CallId, Outcome, bool),
    Undo(UndoAct),
    CheckedUndo(UndoAct),
    Judge(CallId, Tried),
    Finish(Ending),
}

/// A process.
pub(super) struct Worker {
    pub(super) fence: u64,
    /// Does nothing before this time.
    pub(super) idle_until: UnixMs,
    history: History,
    phase: Phase,
    /// Promised by this process and not sent yet.
    fresh: BTreeSet<CallId>,
    /// Looked for, and not there: to be sent without another look.
    probed: BTreeSet<CallId>,
}

type Done = Result<(), Ended>;

impl Worker {
    pub(super) fn new(scene: &mut Scene) -> Self {
        scene.store.fence += 1;
        Self {
            fence: scene.store.fence,
            idle_until: 0,
            history: History::of(&scene.store.journal).expect("the journal fits"),
            phase: Phase::Begin,
            fresh: BTreeSet::new(),
            probed: BTreeSet::new(),
        }
    }

    /// Makes one interaction.
    pub(super) fn step(&mut self, scene: &mut Scene) -> Done {
        let phase = std::mem::replace(&mut self.phase, Phase::Decide);
        match phase {
            Phase::Begin => {
                let (host, engine) = (String::new(), String::new());
                let attempt = Attempt { fence: self.fence, host, engine };
                self.append(scene, vec![Record::Attempt(attempt)])
            }
            Phase::Decide => self.decide(scene),
            Phase::Guest(index) => self.guest(scene, index),
            Phase::Check(call, is_repeated, tries) => {
                self.is_holder(scene)?;
                self.phase = Phase::Send(call, is_repeated, tries);
                Ok(())
            }
            Phase::Send(call, is_repeated, tries) => self.send(scene, call, is_repeated, tries),
            Phase::Accept(call, id, is_adopted, is_resent) => {
                let remote_id = id.map(|id| id.to_string());
                let (actions, note) = (Vec::new(), serde_json::Value::Null);
                let accepted = Accepted { call, remote_id, actions, is_adopted, is_resent, note };
                self.phase = Phase::Answer(call, Outcome::Ok(serde_json::Value::Null), false);
                self.append_promised(scene, call, Record::Accepted(accepted))
            }
            Phase::Answer(call, outcome, is_effect_free) => {
                self.phase = Phase::Guest(call.index);
                let result = CallResult { call, outcome, is_effect_free };
                self.append_promised(scene, call, Record::Result(result))
            }
            Phase::Undo(act) => {
                self.is_holder(scene)?;
                self.phase = Phase::CheckedUndo(act);
                Ok(())
            }
            Phase::CheckedUndo(act) => {
                let tried = self.undo(scene, act.call);
                self.phase = Phase::Judge(act.call, tried);
                Ok(())
            }
            Phase::Judge(call, tried) => {
                let record = judge(&self.history, call, &tried, scene.now, &scene.timing);
                self.append(scene, vec![record])
            }
            Phase::Finish(ending) => self.finish(scene, ending),
        }
    }

    fn decide(&mut self, scene: &mut Scene) -> Done {
        if scene.store.cancel && self.history.cancel.is_none() && self.history.finished.is_none() {
            let by = "ada".to_owned();
            return self.append(scene, vec![Record::CancelRequested(CancelRequested { by })]);
        }
        let next = next(&self.history, scene.now, &scene.timing);
        self.follow(scene, next)
    }

    fn follow(&mut self, scene: &mut Scene, next: Next) -> Done {
        match next {
            Next::Execute => self.phase = Phase::Guest(0),
            Next::Park(Park::Until(at)) | Next::RollBack(UndoStep::WaitUntil(at)) => {
                self.idle_until = at;
            }
            Next::Park(Park::Person { call, .. }) => return self.ask(scene, call),
            Next::TurnBack(started) => {
                return self.append(scene, vec![Record::RollbackStarted(started)]);
            }
            Next::RollBack(UndoStep::Act(act)) => {
                self.check_order(act.call);
                let (call, attempt) = (act.call, act.attempt);
                self.append(scene, vec![Record::UndoIntent(UndoIntent { call, attempt })])?;
                self.phase = Phase::Undo(act);
            }
            Next::RollBack(UndoStep::Note(record)) => return self.append(scene, vec![record]),
            Next::RollBack(UndoStep::Finished { .. }) => panic!("`next` finishes by itself"),
            Next::Finish(ending, _) => self.phase = Phase::Finish(ending),
            Next::Ended(Ending::RollbackIncomplete) if scene.store.retries > 0 => {
                scene.store.retries -= 1;
                scene.store.ending = None;
                let cause = "a person tries again".to_owned();
                let started = Record::RollbackStarted(RollbackStarted { cause });
                return self.append(scene, vec![started]);
            }
            Next::Ended(_) => return Err(Ended),
        }
        Ok(())
    }

    /// A person looks when nothing can land any more, and tells the truth.
    fn ask(&mut self, scene: &mut Scene, call: CallId) -> Done {
        let at = after(self.history.last_at, scene.timing.settle);
        if scene.now < at {
            self.idle_until = at;
            return Ok(());
        }
        let is_done = scene.cloud.delivered.contains(&call);
        let verdict = if is_done { Verdict::Done } else { Verdict::NotDone };
        let (reason, by) = (String::new(), String::new());
        self.append(scene, vec![Record::Resolved(Resolved { call, verdict, reason, by })])
    }

    fn guest(&mut self, scene: &mut Scene, index: u32) -> Done {
        if scene.store.cancel && self.history.cancel.is_none() {
            return Ok(());
        }
        let script = scene.script.clone();
        let Some(line) = script.calls.get(index as usize) else {
            return self.guest_ends(scene, index, script.fails);
        };
        match line {
            Line::Effects(class, parts) => self.effects(scene, index, *class, parts),
            Line::Read | Line::Step | Line::Sleep(_) => self.simple(scene, index, line),
        }
    }

    fn guest_ends(&mut self, scene: &mut Scene, index: u32, fails: bool) -> Done {
        assert_eq!(unconsumed(&self.history, index), None, "a replay left something");
        let end = match fails {
            true => GuestEnd::Failed("as the script says".to_owned()),
            false => GuestEnd::Returned,
        };
        let next = after_guest(&self.history, &end);
        self.follow(scene, next)
    }

    fn simple(&mut self, scene: &mut Scene, index: u32, line: &Line) -> Done {
        let (operation, class) = ("test.simple", CallClass::Read);
        let request = Request::One(digest(index));
        let asked = Asked { index, operation, class, request };
        let (call, digest) = (CallId::single(index), digest(index));
        let record = match (replay(&self.history, &asked), line) {
            (Replay::Live, Line::Read) => {
                let (operation, outcome) = (operation.to_owned(), Outcome::Ok(index.into()));
                Record::Observed(Observed { call, operation, class, digest, outcome })
            }
            (Replay::Live, Line::Step) => {
                Record::Step(Step { call, digest, text: String::new(), is_note: false })
            }
            (Replay::Live, Line::Sleep(ms)) => {
                let reason = WaitReason::Timer(scene.now + ms);
                Record::Wait(Wait { call, digest, reason })
            }
            (Replay::Timer { until, woken_at: None }, _) if scene.now < until => {
                self.idle_until = until;
                return Ok(());
            }
            (Replay::Timer { woken_at: None, .. }, _) => Record::Woken(Woken { call }),
            (Replay::Answer(..) | Replay::Said(_) | Replay::Timer { .. }, _) => {
                self.phase = Phase::Guest(index + 1);
                return Ok(());
            }
            (other, _) => panic!("a replay differs: {other:?}"),
        };
        self.phase = Phase::Guest(index);
        self.append(scene, vec![record])
    }

    fn effects(&mut self, scene: &mut Scene, index: u32, class: CallClass, parts: &[Part]) -> Done {
        let intents: Vec<_> = (0..parts.len())
            .map(|item| intent(id(index, item, parts.len()), class, &parts[item]))
            .collect();
        let digests: Vec<Digest> = intents.iter().map(|intent| intent.digest).collect();
        let request = match parts.len() {
            1 => Request::One(digests[0]),
            _ => Request::Batch(&digests),
        };
        let asked = Asked { index, operation: "test.things.create", class, request };
        match replay(&self.history, &asked) {
            Replay::Live => {
                self.fresh.extend(intents.iter().map(|intent| intent.call));
                self.phase = Phase::Guest(index);
                let records = intents.into_iter().map(|intent| Record::Intent(Box::new(intent)));
                let records: Vec<Record> = records.collect();
                match is_broken("no-intent") {
                    true => self.pretend(scene, records),
                    false => self.append(scene, records),
                }
            }
            Replay::Effects(items) => {
                let open = items.iter().find_map(|item| match item {
                    Standing::Recover(effect) => Some((*effect).clone()),
                    Standing::Answered(..) => None,
                });
                let has_failed = items.iter().any(|item| match item {
                    Standing::Answered(result, _) => matches!(result.outcome, Outcome::Err(_)),
                    Standing::Recover(_) => false,
                });
                match open {
                    Some(effect) => self.go_on(scene, &effect),
                    None if has_failed => {
                        let end = GuestEnd::Failed("a call failed".to_owned());
                        let next = after_guest(&self.history, &end);
                        self.follow(scene, next)
                    }
                    None => {
                        self.phase = Phase::Guest(index + 1);
                        Ok(())
                    }
                }
            }
            other => panic!("a replay differs: {other:?}"),
        }
    }

    /// Settles a promised effect.
    fn go_on(&mut self, scene: &mut Scene, effect: &Effect) -> Done {
        let call = effect.intent.call;
        if self.fresh.remove(&call) {
            self.phase = Phase::Check(call, false, 0);
            return Ok(());
        }
        match forward(&self.history, effect, &scene.timing) {
            Forward::Complete(_) => {
                self.phase = Phase::Answer(call, Outcome::Ok(serde_json::Value::Null), false);
            }
            Forward::Resend => self.phase = Phase::Check(call, true, 0),
            Forward::SendOnce => {
                self.append(scene, vec![Record::Woken(Woken { call })])?;
                self.phase = Phase::Check(call, true, 0);
            }
            Forward::ProbeAt(at) if scene.now < at => {
                self.idle_until = at;
                self.phase = Phase::Guest(call.index);
            }
            Forward::ProbeAt(_) => {
                let mut found = scene.cloud.look(&name(call), scene.now);
                found.retain(|(_, owner)| self.owner(call, *owner) == Ownership::Ours);
                match probe(found.len()) {
                    Probe::Create => {
                        self.probed.insert(call);
                        self.phase = Phase::Check(call, true, 0);
                    }
                    Probe::Adopt => self.phase = Phase::Accept(call, Some(found[0].0), true, true),
                    Probe::Ambiguous => panic!("doubled: two things carry the mark of {call}"),
                }
            }
            Forward::Ask => {
                let reason = WaitReason::UnknownOutcome(String::new());
                let wait = Wait { call, digest: effect.intent.digest, reason };
                return self.append(scene, vec![Record::Wait(wait)]);
            }
            Forward::Fail(failure) => {
                self.phase = Phase::Answer(call, Outcome::Err(failure), false);
            }
        }
        Ok(())
    }

    fn send(&mut self, scene: &mut Scene, call: CallId, is_repeated: bool, tries: u32) -> Done {
        scene.expect_intent(call);
        let class = self.history.effects[&call].intent.class;
        let failed = |code: &str| Outcome::Err(Failure::Failed(Problem::new(code, "no")));
        match scene.cloud.send(call, class, scene.now, &mut scene.dice) {
            Told::Made(id) => self.phase = Phase::Accept(call, Some(id), false, is_repeated),
            Told::Refused => {
                let is_proof = is_refusal_proof(is_repeated);
                self.phase = Phase::Answer(call, failed("stock"), is_proof);
            }
            Told::Conflict => match scene.cloud.look(&name(call), scene.now).first() {
                Some((id, owner)) => match self.owner(call, *owner) {
                    Ownership::Ours => self.phase = Phase::Accept(call, Some(*id), true, true),
                    Ownership::Foreign => {
                        let is_proof = is_refusal_proof(is_repeated);
                        self.phase = Phase::Answer(call, failed("key-conflict"), is_proof);
                    }
                },
                None => self.again(scene, call, tries),
            },
            Told::Unknown
                if matches!(class, CallClass::KeyedCreate | CallClass::Converge) && tries < 3 =>
            {
                self.again(scene, call, tries + 1);
            }
            Told::Unknown => return self.gave_up(scene, call, class),
        }
        Ok(())
    }

    fn again(&mut self, scene: &mut Scene, call: CallId, tries: u32) {
        self.idle_until = scene.now + 2_000;
        self.phase = Phase::Check(call, true, tries);
    }

    fn gave_up(&mut self, scene: &mut Scene, call: CallId, class: CallClass) -> Done {
        match unanswered(class) {
            Unanswered::Ask => {
                let reason = WaitReason::UnknownOutcome(String::new());
                let digest = self.history.effects[&call].intent.digest;
                self.append(scene, vec![Record::Wait(Wait { call, digest, reason })])
            }
            Unanswered::TurnBack => {
                let end = GuestEnd::Failed(format!("call {call} stays unknown"));
                let next = after_guest(&self.history, &end);
                self.follow(scene, next)
            }
        }
    }

    fn owner(&self, call: CallId, owner: Option<CallId>) -> Ownership {
        let of = |call| Owner { run: RUN.to_owned(), call, tenant: String::new() };
        let maker = owner.filter(|_| !is_broken("no-adoption")).map(of);
        ownership(maker.as_ref(), RUN, call)
    }

    fn undo(&mut self, scene: &mut Scene, call: CallId) -> Tried {
        let known = self.history.effects[&call].undo_id().map(str::to_owned);
        let found = match known.and_then(|id| id.parse().ok()) {
            Some(id) => vec![(id, Some(call))],
            None => scene.cloud.look(&name(call), scene.now),
        };
        let mut tried = Tried::Absent;
        for (id, owner) in found {
            if self.owner(call, owner) == Ownership::Foreign {
                if tried == Tried::Absent {
                    tried = Tried::NotOurs;
                }
                continue;
            }
            scene.expect_intent(call);
            match scene.cloud.delete(id, &mut scene.dice) {
                Gone::Deleted => tried = Tried::Done,
                Gone::Absent => {}
                Gone::Later => return Tried::Later("locked".to_owned()),
                Gone::Never => return Tried::Never("protected".to_owned()),
            }
        }
        tried
    }

    /// What an undo takes away must not be needed by anything whose undo is still owed.
    fn check_order(&self, call: CallId) {
        for (later, effect) in &self.history.effects {
            let is_needed = effect.intent.depends_on.contains(&call);
            let is_creation = effect.intent.undo.is_some() && !effect.is_effect_free();
            let is_left = effect.undo.orphan.is_some();
            let is_over = effect.undo.outcome.as_ref().is_some_and(|outcome| {
                use crate::journal::UndoOutcome::{Retry, Settling};
                !matches!(outcome, Settling(_) | Retry(..))
            });
            let is_right = !is_needed || !is_creation || is_over || is_left;
            assert!(is_right, "wrong order: {call} is undone while {later} needs it");
        }
    }

    fn finish(&mut self, scene: &mut Scene, ending: Ending) -> Done {
        let (message, outputs) = (String::new(), BTreeMap::new());
        let record = Record::Finished(Finished { ending, message, outputs });
        match self.is_holder(scene) {
            Ok(()) => scene.store.journal.extend(self.entries(scene, vec![record])),
            Err(Ended) if is_broken("unfenced-finish") => {}
            Err(Ended) => return Err(Ended),
        }
        scene.store.ending = Some(ending);
        scene.store.finished_at = scene.now;
        let sweeps = late_sweeps(&self.history, scene.now, &scene.timing);
        scene.store.sweeps.extend(sweeps);
        Err(Ended)
    }

    fn is_holder(&self, scene: &Scene) -> Done {
        if scene.store.fence == self.fence { Ok(()) } else { Err(Ended) }
    }

    fn entries(&self, scene: &Scene, records: Vec<Record>) -> Vec<Entry> {
        let at = scene.now;
        let seqs = self.history.next_seq..;
        let entry = |(seq, record)| Entry { version: VERSION, seq, at, record };
        seqs.zip(records).map(entry).collect()
    }

    fn append(&mut self, scene: &mut Scene, records: Vec<Record>) -> Done {
        self.is_holder(scene)?;
        for entry in self.entries(scene, records) {
            self.history.push(&entry).unwrap_or_else(|error| panic!("{error}"));
            scene.store.journal.push(entry);
        }
        // It was written, and the store said that it was not: the process aborts.
        if scene.is_wild() && scene.dice.percent(1) { Err(Ended) } else { Ok(()) }
    }

    /// Where the intent was left out, so is what refers to it.
    fn append_promised(&mut self, scene: &mut Scene, call: CallId, record: Record) -> Done {
        debug_assert!(self.history.effects.contains_key(&call));
        self.append(scene, vec![record])
    }

    /// Acts as if the records had been written.
    fn pretend(&mut self, scene: &mut Scene, records: Vec<Record>) -> Done {
        for entry in self.entries(scene, records) {
            self.history.push(&entry).unwrap_or_else(|error| panic!("{error}"));
        }
        Ok(())
    }
}
