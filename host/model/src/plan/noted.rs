//! What a gate tells about a run while it happens, for a draft and for a comparison alike.

use serde_json::Value;

use crate::call::{CallClass, CallId};
use crate::journal::{Outcome, Refinement};
use crate::labels;
use crate::money::Eur;

/// One thing that was noted.
#[derive(Debug, Clone, PartialEq)]
pub enum Noted {
    /// A step began.
    Step(String),
    /// The runbook refined undo.
    Refined(Refinement),
    /// A read got its answer.
    Read {
        /// The call.
        call: CallId,
        /// The operation.
        operation: String,
        /// The request.
        request: Value,
        /// The answer.
        outcome: Outcome,
    },
    /// An effect is about to be promised.
    Asked(Box<Asked>),
    /// An effect is over.
    Ended(CallId, Outcome),
}

/// An effect that was permitted and is not promised yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The call.
    pub call: CallId,
    /// The operation.
    pub operation: String,
    /// Its class.
    pub class: CallClass,
    /// The kind of the thing.
    pub kind: Option<String>,
    /// What to show to people.
    pub subject: String,
    /// The whole request, with texts that journals keep as digests.
    pub request: Value,
    /// What the permit found.
    pub found: Option<Value>,
    /// The state before, `without_proof`.
    pub before: Option<Value>,
    /// The price.
    pub eur_per_month: Option<Eur>,
    /// The price of the scope afterwards.
    pub scope_eur_per_month: Option<Eur>,
    /// How many of the kind are alive afterwards.
    pub scope_count: Option<u32>,
}

impl Asked {
    /// Returns whether the effect deletes something.
    pub fn is_deletion(&self) -> bool {
        self.operation.ends_with(".delete")
    }
}

/// Returns a state before without the host's own labels: they name the run that made it, and where
/// that is the run itself, it is another one when the plan is applied.
pub fn without_proof(before: &Value) -> Value {
    let is_proof = |key: &str| key.starts_with(labels::PREFIX);
    match before {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !is_proof(key));
            kept.map(|(key, value)| (key.clone(), without_proof(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_proof).collect(),
        other => other.clone(),
    }
}
