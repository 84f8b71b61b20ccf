//! What a guest calls: the interfaces of `runwrit:run`.

use jiff::Timestamp;
use runwrit_model::limits;
use serde_json::Value;

use super::{Message, check_chars, check_sleep};
use crate::Capabilities;
use crate::bindings::runwrit::run::{clock, inputs, log, outputs, random, steps};
use crate::gate::{CallError, Gate, Notice, Stop};

impl<G: Gate> inputs::Host for Capabilities<G> {
    fn text(&mut self, name: String) -> Result<String, CallError> {
        Ok(self.run.input(&name, "text", |value| value.as_str().map(str::to_owned))?)
    }

    fn integer(&mut self, name: String) -> Result<i32, CallError> {
        let read = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
        Ok(self.run.input(&name, "integer of 32 bits", read)?)
    }

    fn boolean(&mut self, name: String) -> Result<bool, CallError> {
        Ok(self.run.input(&name, "boolean", Value::as_bool)?)
    }
}

impl<G: Gate> outputs::Host for Capabilities<G> {
    fn set(&mut self, name: String, value: String) -> Result<(), CallError> {
        self.run.set_output(&name, &value)?;
        self.gate.notify(Notice::Output(name, value));
        Ok(())
    }
}

impl<G: Gate> steps::Host for Capabilities<G> {
    async fn begin(&mut self, title: String) -> Result<(), CallError> {
        check_chars("title", &title, limits::STEP_TITLE_CHARS_MAX)?;
        self.gate.step(title, false).await
    }

    async fn verified(&mut self, what: String) -> Result<(), CallError> {
        check_chars("note", &what, limits::STEP_NOTE_CHARS_MAX)?;
        self.gate.step(what, true).await
    }
}

impl<G: Gate> log::Host for Capabilities<G> {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        match self.run.message(&message) {
            Message::Shown(text) => self.gate.notify(Notice::Log(level.to_owned(), text)),
            Message::Last(text) => self.gate.notify(Notice::Log("warn".to_owned(), text)),
            Message::Dropped => {}
        }
        Ok(())
    }
}

impl<G: Gate> clock::Host for Capabilities<G> {
    fn now(&mut self) -> wasmtime::Result<String> {
        let unix_ms = i64::try_from(self.gate.now_unix_ms()).unwrap_or(i64::MAX);
        Ok(Timestamp::from_millisecond(unix_ms)?.to_string())
    }

    async fn sleep(&mut self, seconds: u32) -> Result<(), CallError> {
        check_sleep(seconds)?;
        self.gate.sleep(seconds).await
    }
}

impl<G: Gate> random::Host for Capabilities<G> {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        let max = limits::RANDOM_BYTES_MAX;
        if count > max {
            let what = "the bytes of one `random.bytes`".to_owned();
            let stop = Stop::Limit { what, max: max.into(), asked: count.into() };
            return Err(wasmtime::Error::new(stop));
        }
        Ok(self.gate.random(count))
    }
}
