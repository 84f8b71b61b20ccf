//! What a run knows about itself: its inputs, its outputs and what it says to its watchers.

mod host;
mod recovery;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::Grant;
use runwrit_model::limits;
use runwrit_model::text;
use serde_json::Value;

/// The part of a run that needs no outside.
#[derive(Debug)]
pub struct Run {
    inputs: BTreeMap<String, Value>,
    declared: BTreeSet<String>,
    outputs: BTreeMap<String, String>,
    messages: u64,
    /// Without a grant nothing can be said about undo.
    grant: Option<Arc<Grant>>,
}

/// What becomes of a log message.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    Shown(String),
    /// The first beyond the limit: says so once.
    Last(String),
    Dropped,
}

impl Run {
    /// Holds the checked inputs, and the names of the outputs that `runbook.toml` declares.
    pub fn new(inputs: BTreeMap<String, Value>, outputs: BTreeSet<String>) -> Self {
        Self { inputs, declared: outputs, outputs: BTreeMap::new(), messages: 0, grant: None }
    }

    /// Names the grant that may allow refinements of undo.
    pub fn under(mut self, grant: Arc<Grant>) -> Self {
        self.grant = Some(grant);
        self
    }

    /// Returns the outputs that were set.
    pub fn outputs(&self) -> &BTreeMap<String, String> {
        &self.outputs
    }

    /// Returns an input, read as a type.
    fn input<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        let value = self.inputs.get(name).ok_or_else(|| {
            let names = self.inputs.keys().cloned().collect::<Vec<_>>().join("`, `");
            let message = format!("`runbook.toml` declares no input `{name}`, only `{names}`");
            Failure::Invalid(Problem::new("unknown-input", message).with_field(name))
        })?;
        read(value).ok_or_else(|| {
            let message = format!("the input `{name}` is no {expected}; ask for its declared type");
            Failure::Invalid(Problem::new("wrong-input-type", message).with_field(name))
        })
    }

    /// Sets an output.
    fn set_output(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        if !self.declared.contains(name) {
            let message = format!("`runbook.toml` declares no output `{name}`");
            return Err(Failure::Invalid(Problem::new("unknown-output", message).with_field(name)));
        }
        if value.len() > limits::OUTPUT_BYTES_MAX {
            let (has, max) = (value.len(), limits::OUTPUT_BYTES_MAX);
            let message = format!("the output `{name}` has {has} bytes; at most {max} are kept");
            return Err(Failure::Invalid(Problem::new("too-long", message).with_field(name)));
        }
        self.outputs.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Counts a log message and cuts it.
    fn message(&mut self, text: &str) -> Message {
        self.messages += 1;
        let max = limits::LOG_MESSAGES_MAX;
        if self.messages <= max {
            Message::Shown(text::truncate(text, limits::LOG_MESSAGE_BYTES_MAX))
        } else if self.messages == max + 1 {
            Message::Last(format!("this run has logged {max} messages; later ones are not shown"))
        } else {
            Message::Dropped
        }
    }
}

/// Refuses a text for people that is empty or too long.
fn check_chars(field: &str, text: &str, chars_max: usize) -> Result<(), Failure> {
    let chars = text.chars().count();
    if (1..=chars_max).contains(&chars) {
        return Ok(());
    }
    let message = format!("the {field} has {chars} characters; 1 to {chars_max} are allowed");
    Err(Failure::Invalid(Problem::new("wrong-length", message).with_field(field)))
}

/// Refuses a wait that is none, or that nobody would remember.
fn check_sleep(seconds: u32) -> Result<(), Failure> {
    let max = limits::SLEEP_SECONDS_MAX;
    if (1..=max).contains(&seconds) {
        return Ok(());
    }
    let message = format!("a wait of {seconds} seconds was asked for; 1 to {max} are allowed");
    Err(Failure::Invalid(Problem::new("out-of-range", message).with_field("seconds")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run() -> Run {
        let inputs = [("tenant", json!("acme")), ("octet", json!(7)), ("wipe", json!(true))];
        let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Run::new(inputs, ["network".to_owned()].into())
    }

    fn code(failure: Failure) -> String {
        match failure {
            Failure::Invalid(problem) => problem.code,
            other => panic!("expected `invalid`, got {other}"),
        }
    }

    #[test]
    fn inputs_are_read_by_name_and_type_only() {
        let run = run();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        assert_eq!(run.input("tenant", "text", text), Ok("acme".to_owned()));
        assert_eq!(run.input("octet", "integer", Value::as_i64), Ok(7));
        let rows =
            [("octet", "wrong-input-type"), ("Tenant", "unknown-input"), ("", "unknown-input")];
        for (name, expected) in rows {
            let failure = run.input(name, "text", text).expect_err(name);
            assert_eq!(code(failure), expected, "reading `{name}` as a text");
        }
    }

    #[test]
    fn outputs_are_refused_unless_declared_and_short() {
        let mut run = run();
        run.set_output("network", "1").unwrap();
        run.set_output("network", "2").unwrap();
        assert_eq!(run.outputs()["network"], "2", "the last value counts");
        let long = "x".repeat(limits::OUTPUT_BYTES_MAX + 1);
        for (name, value, expected) in
            [("other", "1", "unknown-output"), ("network", long.as_str(), "too-long")]
        {
            assert_eq!(code(run.set_output(name, value).unwrap_err()), expected, "output `{name}`");
        }
    }

    #[test]
    fn a_flood_of_messages_is_cut_once_and_then_dropped() {
        let mut run = run();
        for place in 0..limits::LOG_MESSAGES_MAX {
            assert_eq!(run.message("x"), Message::Shown("x".to_owned()), "message {place}");
        }
        assert!(matches!(run.message("x"), Message::Last(_)));
        assert_eq!(run.message("x"), Message::Dropped);
    }

    #[test]
    fn lengths_and_waits_out_of_range_are_refused() {
        assert!(check_chars("title", "é".repeat(120).as_str(), 120).is_ok());
        for text in ["", "é".repeat(121).as_str()] {
            assert!(check_chars("title", text, 120).is_err(), "`{text}`");
        }
        assert!(check_sleep(1).is_ok() && check_sleep(limits::SLEEP_SECONDS_MAX).is_ok());
        assert!(check_sleep(0).is_err() && check_sleep(limits::SLEEP_SECONDS_MAX + 1).is_err());
    }
}
