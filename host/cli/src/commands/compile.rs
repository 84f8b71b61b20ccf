//! The hidden word with which the program starts itself to compile a component.

use std::io;

use clap::Args;
use runwrit_engine::code_cache::compile_as_child;
use runwrit_model::exit::Exit;

use crate::error::Error;
use crate::session::Session;

/// The limits of the child.
#[derive(Debug, Args)]
pub struct Arguments {
    limits: Vec<String>,
}

/// Compiles standard input to standard output.
pub fn execute(arguments: Arguments, _session: &Session) -> Result<Exit, Error> {
    compile_as_child(&arguments.limits, &mut io::stdin().lock(), &mut io::stdout().lock())
        .map(|()| Exit::Done)
        .map_err(|error| Error::of(Exit::Untrusted, &error))
}
