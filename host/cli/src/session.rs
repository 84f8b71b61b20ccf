//! One use of the command line: what it was given and where it prints.

use std::future::Future;
use std::sync::Arc;

use runwrit_model::exit::Exit;

use crate::ambient::Ambient;
use crate::arguments::Shared;
use crate::error::Error;
use crate::output::{Output, Style};
use crate::signals::Signals;

/// What every command is handed.
pub struct Session {
    /// What the operating system gave.
    pub ambient: Ambient,
    /// The options that every command takes.
    pub shared: Shared,
    /// Where to print.
    pub output: Arc<Output>,
    /// What may interrupt it.
    pub signals: Signals,
}

impl Session {
    /// Writes one line for the person who watches, unless objects were asked for.
    pub fn note(&self, style: Style, line: &str) {
        if !self.output.is_json {
            self.output.note(style, line);
        }
    }

    /// Tells an error that does not end the command.
    pub fn tell(&self, error: &Error) {
        if self.output.is_json {
            self.output.object(&error.object());
        }
        self.output.error(error);
    }

    /// Runs asynchronous work to its end, all of it on this thread: a run waits most of the time,
    /// and to be woken through another thread takes longer than what is then done.
    pub fn block_on<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| {
            Error::new(Exit::Bug, format!("the runtime cannot be started: {source}"))
        })?;
        let result = runtime.block_on(work);
        // What is still blocked has nothing more to say; waiting for it would hold the exit up.
        runtime.shutdown_background();
        result
    }
}
