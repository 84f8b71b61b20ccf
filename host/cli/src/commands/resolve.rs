//! `runwrit resolve`: a person's word on what nobody else can know.

use clap::{Args, ValueEnum};
use runwrit_model::call::CallId;
use runwrit_model::exit::Exit;
use runwrit_model::id::RunId;
use runwrit_model::journal::{Resolved, Verdict};

use crate::configuration::Configuration;
use crate::error::Error;
use crate::installation::Installation;
use crate::output::Style;
use crate::session::Session;

/// What is said about which call.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run
    run: RunId,
    /// The call, for example `7`, or `4.1` for an item of a batch
    call: CallId,
    /// What became of it
    #[arg(long = "as", value_enum, value_name = "VERDICT")]
    verdict: Word,
    /// How you know
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// What a person may say.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    /// It happened
    Done,
    /// It did not happen
    NotDone,
    /// What it made was deleted by hand
    Deleted,
    /// What it made is kept on purpose
    Kept,
}

impl From<Word> for Verdict {
    fn from(word: Word) -> Self {
        match word {
            Word::Done => Self::Done,
            Word::NotDone => Self::NotDone,
            Word::Deleted => Self::Deleted,
            Word::Kept => Self::Kept,
        }
    }
}

/// Resolves.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let Arguments { run, call, verdict, reason } = arguments;
    if reason.trim().is_empty() {
        return Err(Error::usage("`--reason` is empty")
            .hint("say how you know; it stays in the journal for whoever reads it later"));
    }
    let configuration = Configuration::read(session)?;
    let word = Resolved { call, verdict: verdict.into(), reason, by: session.ambient.operator() };
    session.block_on(async {
        let installation = Installation::open(session, &configuration)?;
        match installation.engine.resolve(&run, word).await? {
            Some(outcome) => installation.conclude(&run, Ok(outcome), session).await,
            None => {
                let view = installation.engine.show(&run).await?;
                let next = view.next_commands.first();
                let next = next.map_or(String::new(), |command| format!("; next: {command}"));
                session.note(Style::Plain, &format!("recorded{next}"));
                Ok(Exit::Done)
            }
        }
    })
}
