//! `runwrit runs`: the runs of this installation, newest first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use runwrit_engine::engine::Listing;
use runwrit_engine::store::TakeBack;
use runwrit_engine::view::{self, RunState, RunSummary};
use runwrit_model::cost::Cost;
use runwrit_model::exit::Exit;
use runwrit_model::id::{RunId, Scope};
use serde_json::json;

use crate::configuration::Configuration;
use crate::error::Error;
use crate::installation::Installation;
use crate::moving;
use crate::output::Style;
use crate::sealing::{Identities, Recipients};
use crate::session::Session;

/// What to do with runs; they are listed where nothing is said.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Move a run to another state directory: here it can never go on again
    Export {
        /// The run
        run: RunId,
        /// The encrypted file to make
        file: PathBuf,
        /// Who can read it, a public key of age; repeat for more
        #[arg(long = "recipient", value_name = "age1…", required = true)]
        recipients: Vec<String>,
    },
    /// Take a run in that was exported from another state directory
    Import {
        /// The file
        file: PathBuf,
        /// The private key of a recipient, as `age-keygen` writes it
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        /// Take back what left here in this very file: it was imported nowhere else
        #[arg(long)]
        take_back: bool,
    },
}

/// Lists, or moves one.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    match arguments.task {
        None => list(session),
        Some(Task::Export { run, file, recipients }) => export(&run, &file, &recipients, session),
        Some(Task::Import { file, identity, take_back }) => {
            let word = if take_back { TakeBack::Yes } else { TakeBack::No };
            import(&file, &identity, word, session)
        }
    }
}

fn export(
    run: &RunId,
    file: &Path,
    recipients: &[String],
    session: &Session,
) -> Result<Exit, Error> {
    let recipients = Recipients::parse(recipients)?;
    let configuration = Configuration::read(session)?;
    let state = configuration.state_directory(session)?;
    let file = session.ambient.directory.join(file);
    session.block_on(async {
        let by = session.ambient.operator();
        let exported = moving::export((run, &by), &state, &file, &recipients).await?;
        let shown = file.display().to_string();
        match session.output.is_json {
            true => session.output.object(&json!({"event": "exported", "run": run, "file": shown})),
            false => session.output.data(&shown),
        }
        let text = format!("run {run} is in the file alone now: import it once, then destroy it");
        session.note(Style::Warning, &text);
        if !exported.is_claimed {
            let text = "nothing outside tells a second import from the first: each would go on";
            session.note(Style::Warning, text);
        }
        Ok(Exit::Done)
    })
}

fn import(file: &Path, identity: &Path, word: TakeBack, session: &Session) -> Result<Exit, Error> {
    let keys = Identities::read(&session.ambient.directory.join(identity))?;
    let configuration = Configuration::read(session)?;
    let state = configuration.state_directory(session)?;
    let file = session.ambient.directory.join(file);
    session.block_on(async {
        let run = moving::import(&file, &keys, &state, word).await?;
        match session.output.is_json {
            true => session.output.object(&json!({"event": "imported", "run": run})),
            false => session.output.data(&run.to_string()),
        }
        let text = format!("next: runwrit show {run}, then resume it or roll it back");
        session.note(Style::Plain, &text);
        Ok(Exit::Done)
    })
}

fn list(session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    session.block_on(async {
        let installation = Installation::open(session, &configuration)?;
        let Listing { runs, damaged } = installation.engine.list().await?;
        for run in &runs {
            match session.output.is_json {
                true => session.output.object(run),
                false => session.output.data(&line(run)),
            }
        }
        if !session.output.is_json {
            costs(&runs).iter().for_each(|line| session.output.data(line));
        }
        if runs.is_empty() {
            session.note(Style::Plain, "no runs yet");
        }
        let mut exit = Exit::Done;
        for error in damaged.into_iter().map(Error::from) {
            exit = error.exit;
            session.tell(&error);
        }
        Ok(exit)
    })
}

/// Says what each scope costs now, as far as the journals of this installation know.
fn costs(runs: &[RunSummary]) -> Vec<String> {
    let costs: BTreeMap<_, _> =
        runs.iter().filter_map(|run| Some((&run.scope, run.scope_eur_per_month?))).collect();
    let damaged = runs.iter().filter(|run| run.state == RunState::Damaged);
    let damaged: BTreeSet<&Scope> = damaged.map(|run| &run.scope).collect();
    let line = |(scope, cost): (&Scope, Cost)| match cost {
        Cost::Known(eur) => format!("{scope} costs EUR {} a month now, net", eur.plain()),
        Cost::Unknown if damaged.contains(scope) => {
            format!("{scope} costs an unknown amount now: a journal of it cannot be read")
        }
        Cost::Unknown => {
            format!("{scope} costs an unknown amount now: a call of it has no known outcome")
        }
    };
    costs.into_iter().map(line).collect()
}

fn line(run: &RunSummary) -> String {
    let RunSummary { run: id, runbook, scope, created_at, .. } = run;
    let state = state(&run.state, run.is_alive);
    let price = run.eur_per_month.map_or(String::new(), |eur| format!("  EUR {eur} a month"));
    format!("{id}  {}  {state:<20}  {runbook} on {scope}{price}", view::time(*created_at))
}

/// Says how a run stands, in a few words.
pub fn state(state: &RunState, is_alive: bool) -> String {
    match state {
        RunState::Forward | RunState::Backward if is_alive => "running".to_owned(),
        RunState::Forward => "interrupted".to_owned(),
        RunState::Backward => "rollback interrupted".to_owned(),
        RunState::Waiting(until) => format!("waits until {}", view::time(*until)),
        RunState::Asking(call) => format!("asks about call {call}"),
        RunState::Ended(ending) => ending.to_string(),
        RunState::Damaged => "damaged".to_owned(),
    }
}
