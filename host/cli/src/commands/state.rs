//! `runwrit state`: the state directory as a whole, saved and restored.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use runwrit_engine::view;
use runwrit_model::exit::Exit;
use serde_json::json;

use crate::backup::{self, Restored, Written};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::output::Style;
use crate::sealing::{Identities, Recipients};
use crate::session::Session;

/// What to do with the state directory.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Save everything into one encrypted file; runs go on meanwhile
    Backup {
        /// The file to make
        file: PathBuf,
        /// Who can read it, a public key of age; repeat for more
        #[arg(long = "recipient", value_name = "age1…", required = true)]
        recipients: Vec<String>,
    },
    /// Make a state directory from a backup, where there is none yet
    Restore {
        /// The backup
        file: PathBuf,
        /// The private key of a recipient, as `age-keygen` writes it
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
    },
}

/// Does it.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    match arguments.task {
        Task::Backup { file, recipients } => save(file, &recipients, session),
        Task::Restore { file, identity } => restore(file, identity, session),
    }
}

fn save(file: PathBuf, recipients: &[String], session: &Session) -> Result<Exit, Error> {
    let recipients = Recipients::parse(recipients)?;
    let state = Configuration::read(session)?.state_directory(session)?;
    let file = session.ambient.directory.join(file);
    let Written { components, bytes } = backup::write(&state, &file, &recipients)?;
    let shown = file.display().to_string();
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "backed-up", "file": shown, "components": components, "bytes": bytes,
        })),
        false => session.output.data(&shown),
    }
    let text = format!("{bytes} bytes, with {components} components; it holds the host key");
    session.note(Style::Good, &text);
    Ok(Exit::Done)
}

fn restore(file: PathBuf, identity: PathBuf, session: &Session) -> Result<Exit, Error> {
    let identities = Identities::read(&session.ambient.directory.join(identity))?;
    let state = Configuration::read(session)?.state_directory(session)?;
    let file = session.ambient.directory.join(file);
    session.block_on(async {
        let restored = backup::restore(&file, &identities, &state).await?;
        tell(&restored, &state.display().to_string(), session);
        Ok(Exit::Done)
    })
}

fn tell(restored: &Restored, state: &str, session: &Session) {
    let Restored { made_at, runs, open } = restored;
    if session.output.is_json {
        return session.output.object(&json!({
            "event": "restored", "state": state, "made-at": view::time(*made_at), "runs": runs,
            "open": open,
        }));
    }
    session.output.data(state);
    let made_at = view::time(*made_at);
    let text = format!("{runs} runs as of {made_at}; every journal is as it was written");
    session.note(Style::Good, &text);
    for run in open {
        session.note(Style::Plain, &format!("  not over: `runwrit resume {run}`"));
    }
    let text = "do not use the directory that was backed up any more: its runs live here now";
    session.note(Style::Warning, text);
    let text = "`runwrit sweep` shows what was made after the backup and is in no journal";
    session.note(Style::Plain, text);
}
