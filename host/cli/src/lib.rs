//! The command line: words, arguments, exit codes; the only floor that prints or opens handles.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "unit tests make their own temporary world")
)]

pub mod error;
pub mod heap;
pub mod ambient;
pub mod arguments;
pub mod output;
pub mod log;
pub mod progress;
pub mod signals;
pub mod session;
pub mod documents;
pub mod configuration;
pub mod roots;
pub mod keyring;
pub mod endorsement;
pub mod packages;
pub mod source;
pub mod private_key;
pub mod widening;
pub mod simulation;
pub mod credentials;
pub mod registries;
pub mod pins;
pub mod summary;
pub mod lent;
pub mod arrival;
pub mod host_key;
pub mod succession;
pub mod epoch;
pub mod installation;
pub mod budget;
pub mod surroundings;
pub mod site;
pub mod witness;
pub mod launch;
pub mod rehearsal;
pub mod confirm;
pub mod adoption;
pub mod readmission;
pub mod standing;
pub mod units;
pub mod trust_check;
pub mod checkup;
pub mod sealing;
pub mod backup;
pub mod moving;
pub mod commands;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use runwrit_engine::cell::CELL_WORD;
use runwrit_engine::code_cache::COMPILE_WORD;
use runwrit_model::exit::Exit;

use crate::ambient::Ambient;
use crate::arguments::Shared;
use crate::commands::Command;
use crate::error::Error;
use crate::output::Output;
use crate::session::Session;
use crate::signals::Signals;

/// Runs signed runbooks with exactly the authority that you grant
#[derive(Debug, Parser)]
#[command(name = "runwrit", version, about, after_help = EXIT_CODES, infer_long_args = false)]
struct CommandLine {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// The contract with scripts, at the end of `--help`.
const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  failed and rolled back fully
    2  arguments, inputs or configuration are wrong
    3  stuck, or volumes with data are held: a person must look
    4  signature, keyring, floor, or imports outside the ask
    5  the grant is missing something
    6  a verification found differences, or the run left its plan
    7  another run holds the scope
    8  parked: an approval, a timer, an unknown outcome to resolve
    9  stopped because a replay did not match the journal
   70  a bug in runwrit
  130  interrupted; `runwrit resume` goes on";

/// Does what the arguments of the process say.
pub fn main() -> ExitCode {
    let ambient = Ambient::of_process();
    // Only what compiles computes in several threads.
    if ambient.arguments().get(1).is_none_or(|word| word != COMPILE_WORD) {
        heap::share();
    }
    ExitCode::from(enter(ambient).code())
}

fn enter(ambient: Ambient) -> Exit {
    // A cell knows one word; to learn all others takes more memory than most guests.
    if matches!(ambient.arguments(), [_, word] if word == CELL_WORD) {
        let output = Output::new(&ambient, false);
        return guarded(&output, commands::cell::execute);
    }
    let line = match CommandLine::try_parse_from(ambient.arguments()) {
        Ok(line) => line,
        Err(error) => {
            let rendered = error.render();
            let has_colour = ambient.is_stderr_terminal && ambient.variable("NO_COLOR").is_none();
            let text = if has_colour { rendered.ansi().to_string() } else { rendered.to_string() };
            Output::new(&ambient, false).help(&text, error.use_stderr());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let output = Arc::new(Output::new(&ambient, line.shared.json));
    if let Err(error) = log::begin(&ambient, line.shared.verbose) {
        return complain(&output, &error);
    }
    // Another part of the process may have installed one already; any of them will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let session = Session {
        ambient,
        shared: line.shared,
        output: Arc::clone(&output),
        signals: Signals::default(),
    };
    guarded(&output, || line.command.execute(&session))
}

/// Does something and tells what stood in its way, a bug included.
fn guarded(output: &Output, execute: impl FnOnce() -> Result<Exit, Error>) -> Exit {
    match catch_unwind(AssertUnwindSafe(execute)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => complain(output, &error),
        Err(_) => complain(output, &bug()),
    }
}

fn complain(output: &Output, error: &Error) -> Exit {
    if output.is_json {
        output.object(&error.object());
    }
    output.error(error);
    error.exit
}

fn bug() -> Error {
    Error::new(Exit::Bug, "a bug in runwrit: the message above says where")
        .hint("what happened outside stands in the journal; `runwrit runs` shows the run")
        .hint("please report it with that message and the version")
}
