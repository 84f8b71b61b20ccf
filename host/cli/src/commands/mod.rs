//! One file for each command.

mod grants;
mod simulate;

use clap::Subcommand;
use runwrit_model::exit::Exit;

use crate::error::Error;
use crate::session::Session;

/// What `runwrit` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Work with grants
    Grants(grants::Arguments),
    /// Serve a stand-in for an outside system
    Simulate(simulate::Arguments),
}

impl Command {
    /// Does it.
    pub fn execute(self, session: &Session) -> Result<Exit, Error> {
        match self {
            Self::Grants(arguments) => grants::execute(arguments, session),
            Self::Simulate(arguments) => simulate::execute(arguments, session),
        }
    }
}
