//! Journals for tests, told one entry at a time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::{CallClass, CallId, Rank, UndoPlan};
use crate::failure::{Failure, Problem};
use crate::history::History;
use crate::id::{Digest, RunId, Scope};
use crate::journal::{
    Accepted, Attempt, CallResult, CancelRequested, Created, Ending, Entry, Finished, Intent,
    Observed, OnFailure, Outcome, Record, Refined, Refinement, Resolved, RollbackStarted, Step,
    UndoIntent, UndoOutcome, UndoResult, UnixMs, VERSION, Verdict, Wait, WaitReason, Woken,
};

/// A journal under construction.
#[derive(Debug, Clone)]
pub struct Tale {
    /// Its entries.
    pub entries: Vec<Entry>,
    now: UnixMs,
}

/// Reads a call id.
pub fn call(text: &str) -> CallId {
    text.parse().expect("a test names a call")
}

/// With what the runs of tests are created.
pub fn created() -> Created {
    Created {
        run: RunId::new(1, [1; 10]),
        runbook: "test@0.1.0".to_owned(),
        component: Digest::of(b"component"),
        manifest: String::new(),
        grant: String::new(),
        inputs: BTreeMap::new(),
        settings: Value::Null,
        scope: Scope::tenant("acme"),
        worlds: BTreeMap::new(),
        starter: "ada".to_owned(),
        deadline: None,
        on_failure: OnFailure::Rollback,
        host: "0.1.0".to_owned(),
        plan: None,
        provenance: None,
        endorsement: None,
    }
}

/// Returns the promise of a call that creates `thing-<call>`.
pub fn intent(id: CallId, class: CallClass) -> Intent {
    Intent {
        call: id,
        operation: "test.things.create".to_owned(),
        class,
        digest: Digest::of(id.to_string().as_bytes()),
        request: json!({}),
        subject: format!("thing {id}"),
        kind: Some("test.thing".to_owned()),
        key: Some(format!("thing-{id}")),
        labels: BTreeMap::from([("runwrit/call".to_owned(), id.to_string())]),
        previous: None,
        undo: Some(UndoPlan {
            operation: "test.things.delete".to_owned(),
            arguments: BTreeMap::new(),
            rank: Rank::Server,
        }),
        depends_on: Vec::new(),
        permit: "test.things: all".to_owned(),
        eur_per_month: Some("1.5".to_owned()),
    }
}

impl Tale {
    /// A run created and begun at 0.
    pub fn new() -> Self {
        Self::of(created())
    }

    /// A run of its own kind.
    pub fn of(created: Created) -> Self {
        let tale = Self { entries: Vec::new(), now: 0 };
        tale.then(Record::Created(Box::new(created))).attempt(1)
    }

    /// What follows happens at this time.
    pub fn at(mut self, now: UnixMs) -> Self {
        self.now = now;
        self
    }

    /// Any record.
    pub fn then(mut self, record: Record) -> Self {
        let seq = self.entries.len() as u64;
        self.entries.push(Entry { version: VERSION, seq, at: self.now, record });
        self
    }

    pub fn attempt(self, fence: u64) -> Self {
        let (host, engine) = ("0.1.0".to_owned(), "48".to_owned());
        self.then(Record::Attempt(Attempt { fence, host, engine }))
    }

    pub fn intent(self, id: &str, class: CallClass) -> Self {
        self.promise(intent(call(id), class))
    }

    /// A creation whose undo has this rank, needing the things of other calls.
    pub fn create(self, id: &str, rank: Rank, needs: &[&str]) -> Self {
        let mut intent = intent(call(id), CallClass::KeyedCreate);
        intent.depends_on = needs.iter().map(|need| call(need)).collect();
        intent.undo.as_mut().expect("it has one").rank = rank;
        self.promise(intent)
    }

    pub fn promise(self, intent: Intent) -> Self {
        self.then(Record::Intent(Box::new(intent)))
    }

    pub fn accepted(self, id: &str) -> Self {
        let (id, remote_id) = (call(id), Some(format!("id-{id}")));
        let (actions, note) = (Vec::new(), Value::Null);
        self.then(Record::Accepted(Accepted {
            call: id,
            remote_id,
            actions,
            is_adopted: false,
            is_resent: false,
            note,
        }))
    }

    pub fn ok(self, id: &str) -> Self {
        let outcome = Outcome::Ok(json!({ "of": id }));
        let result = CallResult { call: call(id), outcome, is_effect_free: false };
        self.then(Record::Result(result))
    }

    pub fn err(self, id: &str, is_effect_free: bool) -> Self {
        let outcome = Outcome::Err(Failure::Failed(Problem::new("broken", "it broke")));
        self.then(Record::Result(CallResult { call: call(id), outcome, is_effect_free }))
    }

    /// A creation that was taken and answered.
    pub fn made(self, id: &str, rank: Rank, needs: &[&str]) -> Self {
        self.create(id, rank, needs).accepted(id).ok(id)
    }

    pub fn observed(self, id: &str) -> Self {
        let outcome = Outcome::Ok(json!(id));
        let digest = Digest::of(id.as_bytes());
        let (operation, class) = ("test.things.get".to_owned(), CallClass::Read);
        self.then(Record::Observed(Observed { call: call(id), operation, class, digest, outcome }))
    }

    pub fn step(self, id: &str) -> Self {
        let (digest, text) = (Digest::of(id.as_bytes()), "a step".to_owned());
        self.then(Record::Step(Step { call: call(id), digest, text, is_note: false }))
    }

    pub fn refined(self, id: &str, refinement: Refinement) -> Self {
        let digest = Digest::of(id.as_bytes());
        self.then(Record::Refined(Refined { call: call(id), digest, refinement }))
    }

    pub fn timer(self, id: &str, until: UnixMs) -> Self {
        let (digest, reason) = (Digest::of(id.as_bytes()), WaitReason::Timer(until));
        self.then(Record::Wait(Wait { call: call(id), digest, reason }))
    }

    pub fn asked(self, id: &str) -> Self {
        let digest = Digest::of(id.as_bytes());
        let reason = WaitReason::UnknownOutcome("no answer".to_owned());
        self.then(Record::Wait(Wait { call: call(id), digest, reason }))
    }

    pub fn woken(self, id: &str) -> Self {
        self.then(Record::Woken(Woken { call: call(id) }))
    }

    pub fn resolved(self, id: &str, verdict: Verdict) -> Self {
        let (reason, by) = ("I looked".to_owned(), "ada".to_owned());
        self.then(Record::Resolved(Resolved { call: call(id), verdict, reason, by }))
    }

    pub fn canceled(self) -> Self {
        self.then(Record::CancelRequested(CancelRequested { by: "ada".to_owned() }))
    }

    pub fn rollback(self) -> Self {
        let cause = "a test".to_owned();
        self.then(Record::RollbackStarted(RollbackStarted { cause }))
    }

    pub fn undo_intent(self, id: &str, attempt: u32) -> Self {
        self.then(Record::UndoIntent(UndoIntent { call: call(id), attempt }))
    }

    pub fn undo_result(self, id: &str, outcome: UndoOutcome) -> Self {
        self.then(Record::UndoResult(UndoResult { call: call(id), outcome, has_acted: false }))
    }

    pub fn undone(self, id: &str) -> Self {
        self.undo_intent(id, 1).undo_result(id, UndoOutcome::Done)
    }

    pub fn finished(self, ending: Ending) -> Self {
        let (message, outputs) = (String::new(), BTreeMap::new());
        self.then(Record::Finished(Finished { ending, message, outputs }))
    }

    /// The folded view.
    pub fn history(&self) -> History {
        History::of(&self.entries).expect("a test tells a journal")
    }
}
