//! One use of the command line: what it was given and where it prints.

use std::future::Future;
use std::sync::Arc;

use runwrit_model::exit::Exit;

use crate::ambient::Ambient;
use crate::arguments::Shared;
use crate::error::Error;
use crate::output::{Output, Style};

/// What every command is handed.
pub struct Session {
    /// What the operating system gave.
    pub ambient: Ambient,
    /// The options that every command takes.
    pub shared: Shared,
    /// Where to print.
    pub output: Arc<Output>,
}

impl Session {
    /// Writes one line for the person who watches, unless objects were asked for.
    pub fn note(&self, style: Style, line: &str) {
        if !self.output.is_json {
            self.output.note(style, line);
        }
    }

    /// Runs asynchronous work to its end.
    pub fn block_on<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.enable_all().build().map_err(|source| {
            Error::new(Exit::Bug, format!("the runtime cannot be started: {source}"))
        })?;
        let result = runtime.block_on(work);
        // What is still blocked has nothing more to say; waiting for it would hold the exit up.
        runtime.shutdown_background();
        result
    }
}
