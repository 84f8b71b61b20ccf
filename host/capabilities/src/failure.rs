//! How errors of capabilities reach a guest: failures as values, stops as traps.

use runwrit_model::failure::{Denial, Failure, Problem};

use crate::Capabilities;
use crate::bindings::runwrit::types::{failures, labels};
use crate::gate::{CallError, Gate};

impl<G: Gate> failures::Host for Capabilities<G> {
    /// Gives a failure to the guest; a stop becomes a trap that carries the `Stop`.
    fn convert_failure(&mut self, error: CallError) -> wasmtime::Result<failures::Failure> {
        match error {
            CallError::Failed(failure) => Ok(failure.into()),
            CallError::Stopped(stop) => Err(wasmtime::Error::new(stop)),
        }
    }
}

impl<G: Gate> labels::Host for Capabilities<G> {}

impl From<Failure> for failures::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(denial) => Self::Denied(denial.into()),
            Failure::NotFound(problem) => Self::NotFound(problem.into()),
            Failure::Conflict(problem) => Self::Conflict(problem.into()),
            Failure::Unavailable(problem) => Self::Unavailable(problem.into()),
            Failure::Invalid(problem) => Self::Invalid(problem.into()),
            Failure::TimedOut(problem) => Self::TimedOut(problem.into()),
            Failure::Failed(problem) => Self::Failed(problem.into()),
        }
    }
}

/// The way back: what a runbook returned from `run`.
impl From<failures::Failure> for Failure {
    fn from(failure: failures::Failure) -> Self {
        match failure {
            failures::Failure::Denied(denial) => Self::Denied(denial.into()),
            failures::Failure::NotFound(problem) => Self::NotFound(problem.into()),
            failures::Failure::Conflict(problem) => Self::Conflict(problem.into()),
            failures::Failure::Unavailable(problem) => Self::Unavailable(problem.into()),
            failures::Failure::Invalid(problem) => Self::Invalid(problem.into()),
            failures::Failure::TimedOut(problem) => Self::TimedOut(problem.into()),
            failures::Failure::Failed(problem) => Self::Failed(problem.into()),
        }
    }
}

impl From<Denial> for failures::Denial {
    fn from(denial: Denial) -> Self {
        let Denial { operation, resource, rule: _, reason, hint } = denial;
        Self { operation, resource, reason, hint }
    }
}

impl From<failures::Denial> for Denial {
    fn from(denial: failures::Denial) -> Self {
        let failures::Denial { operation, resource, reason, hint } = denial;
        Self { operation, resource, rule: "from-runbook".to_owned(), reason, hint }
    }
}

impl From<Problem> for failures::Problem {
    fn from(problem: Problem) -> Self {
        let Problem { code, message, field } = problem;
        Self { code, message, field }
    }
}

impl From<failures::Problem> for Problem {
    fn from(problem: failures::Problem) -> Self {
        let failures::Problem { code, message, field } = problem;
        Self { code, message, field }
    }
}

/// Tells that an interface is linked whose capability the run does not hold: nothing can be sent.
pub(crate) fn not_held(capability: &str) -> CallError {
    let message = format!("this run holds no `{capability}`; `runwrit.toml` may lack its part");
    CallError::Failed(Failure::Failed(Problem::new("not-held", message)))
}
