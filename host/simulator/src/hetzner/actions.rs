//! Actions: asynchronous work that takes effect when it ends.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::written;
use super::project::{Kind, Project};

/// What an action does to the project at its end; an error ends the action as failed.
pub type Effect = Arc<dyn Fn(&mut Project) -> Result<(), Failure> + Send + Sync>;

/// Why an action failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// Work to begin.
#[derive(Clone)]
pub struct Job {
    pub command: &'static str,
    pub resources: Vec<(Kind, u64)>,
    pub holds: Vec<(Kind, u64)>,
    pub effect: Option<Effect>,
    pub undo: Option<Effect>,
    pub after: Option<u64>,
}

/// Work begun.
#[derive(Clone)]
pub struct Action {
    pub id: u64,
    pub job: Job,
    pub status: Status,
    pub started: Timestamp,
    pub due: Timestamp,
    pub finished: Option<Timestamp>,
    pub failure: Option<Failure>,
    /// Sequence number of the request that began it.
    pub cause: u64,
}

/// How far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    Success,
    Error,
}

impl Failure {
    /// Fails with a code and a text.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl Job {
    /// Describes work that holds nothing and changes nothing.
    pub fn new(command: &'static str) -> Self {
        Self {
            command,
            resources: Vec::new(),
            holds: Vec::new(),
            effect: None,
            undo: None,
            after: None,
        }
    }

    /// Names a thing the work is about.
    pub fn on(mut self, kind: Kind, id: u64) -> Self {
        self.resources.push((kind, id));
        self
    }

    /// Names a thing the work is about and locks it until the end.
    pub fn holding(mut self, kind: Kind, id: u64) -> Self {
        self.holds.push((kind, id));
        self.on(kind, id)
    }

    /// Tells what happens at the end.
    pub fn then<F>(mut self, effect: F) -> Self
    where
        F: Fn(&mut Project) -> Result<(), Failure> + Send + Sync + 'static,
    {
        self.effect = Some(Arc::new(effect));
        self
    }

    /// Tells what happens instead when the work fails.
    pub fn or_else<F>(mut self, undo: F) -> Self
    where
        F: Fn(&mut Project) + Send + Sync + 'static,
    {
        self.undo = Some(Arc::new(move |project: &mut Project| {
            undo(project);
            Ok(())
        }));
        self
    }

    /// Lets the work wait for another action, and fail with it.
    pub fn after(mut self, action: u64) -> Self {
        self.after = Some(action);
        self
    }
}

impl Status {
    /// Returns the word of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

impl Action {
    /// Returns the API document as of `now`.
    pub fn document(&self, now: Timestamp) -> Value {
        let resources: Vec<Value> = self
            .job
            .resources
            .iter()
            .map(|(kind, id)| json!({"id": id, "type": kind.name()}))
            .collect();
        json!({
            "id": self.id,
            "command": self.job.command,
            "status": self.status.word(),
            "progress": self.progress(now),
            "started": written(self.started),
            "finished": self.finished.map(written),
            "resources": resources,
            "error": self.failure.as_ref().map(
                |failure| json!({"code": failure.code, "message": failure.message})
            ),
        })
    }

    fn progress(&self, now: Timestamp) -> i64 {
        if self.status != Status::Running {
            return 100;
        }
        let whole = self.due.duration_since(self.started).as_millis().max(1);
        let part = now.duration_since(self.started).as_millis().clamp(0, whole);
        // 100 is kept for the end, so that nobody takes "nearly" for "done".
        i64::try_from(part * 100 / whole).unwrap_or(0).min(99)
    }
}
