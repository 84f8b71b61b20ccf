//! Steps and messages: what a runbook tells the people who watch it.

use crate::bindings::runwrit::run::{log, steps};
use crate::{Result, failed};

/// Begins a step and ends the one before. Titles hold at most 120 characters.
pub fn step(title: &str) -> Result {
    Ok(steps::begin(title)?)
}

/// Says what was verified in the current step, in one sentence of at most 500 characters.
pub fn verified(what: &str) -> Result {
    Ok(steps::verified(what)?)
}

/// Notes `what` as verified where it holds; fails the run where it does not.
pub fn verify(holds: bool, what: &str) -> Result {
    if holds { verified(what) } else { Err(failed(format!("not so: {what}"))) }
}

/// Writes a message for the author of the runbook.
pub fn debug(message: &str) {
    log::write(log::Level::Debug, message);
}

/// Writes a message for the operator, in passing.
pub fn info(message: &str) {
    log::write(log::Level::Info, message);
}

/// Writes a message that the operator should read.
pub fn warn(message: &str) {
    log::write(log::Level::Warn, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_hold_fails_the_run_in_its_own_words() {
        let error = verify(false, "acme-db is running").expect_err("it does not hold");
        assert!(error.to_string().contains("not so: acme-db is running"), "{error}");
    }
}
