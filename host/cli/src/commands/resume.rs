//! `runwrit resume`: goes on where the journal ends.

use std::time::Duration;

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_model::id::RunId;

use crate::error::Error;
use crate::readmission::Word;
use crate::session::Session;
use crate::standing::Standing;

/// Which run.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run
    run: RunId,
    /// Answer for a run that came from elsewhere, without being asked; it takes a terminal
    #[arg(long)]
    yes: bool,
}

/// Resumes.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let word = if arguments.yes { Word::Yes } else { Word::Ask };
    session.block_on(go_on(&arguments.run, None, word, session))
}

/// Goes on with a run as far as this process comes. A rollback that must wait for longer than
/// `patience` is parked. `word` counts for one that came from elsewhere.
pub async fn go_on(
    run: &RunId,
    patience: Option<Duration>,
    word: Word,
    session: &Session,
) -> Result<Exit, Error> {
    let standing = Standing::open(run, session).await?.with_patience(patience);
    let guest = standing.guest(word, session).await?;
    let engine = &standing.installation.engine;
    let ended = engine.resume(run, guest, &standing.surroundings).await;
    standing.installation.conclude(run, ended, session).await
}
