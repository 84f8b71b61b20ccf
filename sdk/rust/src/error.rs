//! Errors that a runbook passes on with `?`.

use std::fmt;

use crate::{Failure, Problem};

/// What a runbook returns, and most of its functions.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Why a runbook stops: the failure of a call, with what was being done.
///
/// Returning it from `run` rolls the run back and shows its text to the operator.
#[derive(Clone)]
pub struct Error {
    failure: Failure,
    contexts: Vec<String>,
}

impl Error {
    /// Returns the failure underneath.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self { failure, contexts: Vec::new() }
    }
}

impl From<Error> for Failure {
    /// Puts what was being done before what went wrong.
    fn from(error: Error) -> Self {
        let mut failure = error.failure;
        let told = match &mut failure {
            Failure::Denied(denial) => &mut denial.reason,
            Failure::NotFound(problem)
            | Failure::Conflict(problem)
            | Failure::Unavailable(problem)
            | Failure::Invalid(problem)
            | Failure::TimedOut(problem)
            | Failure::Failed(problem) => &mut problem.message,
        };
        for context in &error.contexts {
            *told = format!("{context}: {told}");
        }
        failure
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.contexts.iter().rev() {
            write!(formatter, "{context}: ")?;
        }
        match &self.failure {
            Failure::Denied(denial) => {
                let crate::Denial { operation, resource, reason, .. } = denial;
                write!(formatter, "`{operation}` on `{resource}` was refused: {reason}")
            }
            Failure::NotFound(problem)
            | Failure::Conflict(problem)
            | Failure::Unavailable(problem)
            | Failure::Invalid(problem)
            | Failure::TimedOut(problem)
            | Failure::Failed(problem) => formatter.write_str(&problem.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Says what was being done when a call failed.
pub trait Context<T> {
    /// Puts `what` before the text of an error.
    fn context(self, what: &str) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: &str) -> Result<T> {
        self.map_err(|error| {
            let mut error = error.into();
            error.contexts.push(what.to_owned());
            error
        })
    }
}

/// Builds the error of a runbook that cannot go on, in one sentence for the operator.
pub fn failed(message: impl Into<String>) -> Error {
    let problem = Problem { code: "runbook".to_owned(), message: message.into(), field: None };
    Failure::Failed(problem).into()
}

/// Builds the error of a runbook that looked at something and found it otherwise than it should be,
/// in one sentence for the operator. A run that ends with it, and leaves nothing of its own behind,
/// exits with code 6, so that a script tells drift from a failure.
pub fn differs(message: impl Into<String>) -> Error {
    // The code is a word between guests and host: `runwrit_model::failure::DIFFERS`.
    let problem = Problem { code: "differs".to_owned(), message: message.into(), field: None };
    Failure::Failed(problem).into()
}

/// Builds the error of an input that is wrong in a way that types cannot tell.
pub fn invalid(input: &str, message: impl Into<String>) -> Error {
    let code = "invalid-input".to_owned();
    let problem = Problem { code, message: message.into(), field: Some(input.to_owned()) };
    Failure::Invalid(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_stand_before_the_cause_outermost_first() {
        let error = Err::<(), _>(failed("boom")).context("inner").context("outer").unwrap_err();
        assert_eq!(error.to_string(), "outer: inner: boom");
        let Failure::Failed(problem) = Failure::from(error) else { panic!("the variant stays") };
        assert_eq!(problem.message, "outer: inner: boom");
    }

    #[test]
    fn a_difference_keeps_its_code_whatever_was_being_done() {
        let error = Err::<(), _>(differs("acme-db is off")).context("comparing").unwrap_err();
        let Failure::Failed(problem) = Failure::from(error) else { panic!("the variant stays") };
        let Problem { code, message, .. } = problem;
        assert_eq!((&*code, &*message), ("differs", "comparing: acme-db is off"));
    }

    #[test]
    fn an_invalid_input_names_its_field() {
        let Failure::Invalid(problem) = Failure::from(invalid("octet", "`300` is no octet")) else {
            panic!("expected `invalid`")
        };
        assert_eq!(problem.field.as_deref(), Some("octet"));
    }
}
