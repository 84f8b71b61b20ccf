//! `runwrit grants explain`: what a grant file gives, in words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use runwrit_model::exit::Exit;

use crate::documents;
use crate::error::Error;
use crate::output::Style;
use crate::session::Session;

/// What to do with grants.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Say in words what a grant file gives; what it does not name is refused
    Explain {
        /// The grant file
        file: PathBuf,
    },
}

/// Explains.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let Task::Explain { file } = arguments.task;
    let grant = documents::grant(&file)?;
    let output = &session.output;
    for line in grant.explain() {
        if output.is_json {
            output.object(&line);
        } else {
            output.styled_data(Style::Plain, &format!("{:<10} {}", line.section, line.text));
        }
    }
    Ok(Exit::Done)
}
