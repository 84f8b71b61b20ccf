//! What a command says when it does not succeed: one line, details, a hint, an exit code.

use std::error::Error as Cause;

use runwrit_model::document::Faults;
use runwrit_model::exit::Exit;

/// A failure, as it is shown: `error: …`, one line for each detail, `hint: …`.
#[derive(Debug, Clone)]
pub struct Error {
    /// What the process exits with.
    pub exit: Exit,
    /// What failed, on what and why: one line.
    pub message: String,
    /// What else is wrong, a line each.
    pub details: Vec<String>,
    /// What to do next, a line each.
    pub hints: Vec<String>,
}

impl Error {
    /// Builds an error without details or hints.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// Builds an error about arguments, inputs or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Builds an error from one of a lower floor, with all its causes in one line.
    pub fn of(exit: Exit, error: &dyn Cause) -> Self {
        Self::new(exit, chain(error))
    }

    /// Returns the same for a program: `{"event":"error",…}`.
    pub fn object(&self) -> serde_json::Value {
        let Self { exit, message, details, hints } = self;
        let exit = exit.code();
        serde_json::json!({
            "event": "error", "exit": exit, "message": message, "details": details, "hints": hints,
        })
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what else is wrong.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

/// All that is wrong with a document, a line each.
impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        let error = Self::usage(format!("`{}` is refused", faults.document));
        faults.faults.iter().fold(error, |error, fault| error.detail(fault.to_string()))
    }
}

/// Joins an error with its causes; a cause that its parent already tells is left out.
pub fn chain(error: &dyn Cause) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let told = next.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("`{0}` failed")]
    struct Outer(&'static str, #[source] std::num::ParseIntError);

    #[test]
    fn a_chain_tells_every_cause_once() {
        let cause = "x".parse::<u8>().unwrap_err();
        assert_eq!(chain(&Outer("port", cause)), "`port` failed: invalid digit found in string");
    }
}
