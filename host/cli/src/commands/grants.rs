//! `runwrit grants`: what a grant file gives, in words, and the smallest one for a plan.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use runwrit_engine::view;
use runwrit_model::exit::Exit;
use runwrit_model::plan::suggest;

use crate::ambient;
use crate::documents;
use crate::error::Error;
use crate::output::Style;
use crate::session::Session;

/// How long a suggested grant lasts.
const DAY_MS: u64 = 24 * 3_600 * 1_000;

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
    /// Print the smallest grant that lets exactly this plan run, for a day
    Suggest {
        /// The plan file
        plan: PathBuf,
    },
}

/// Does it.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    match arguments.task {
        Task::Explain { file } => explain(&file, session),
        Task::Suggest { plan } => suggest_for(&plan, session),
    }
}

fn suggest_for(path: &Path, session: &Session) -> Result<Exit, Error> {
    let plan = documents::plan(path)?;
    let expires = view::time((ambient::now_unix_ms() + DAY_MS) / 1_000 * 1_000);
    let text = suggest(&plan, &expires);
    match session.output.is_json {
        true => session.output.object(&serde_json::json!({"event": "suggested", "grant": text})),
        false => text.lines().for_each(|line| session.output.data(line)),
    }
    Ok(Exit::Done)
}

fn explain(file: &Path, session: &Session) -> Result<Exit, Error> {
    let grant = documents::grant(file)?;
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
