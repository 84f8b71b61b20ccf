//! `runwrit resume`: goes on where the journal ends.

use std::time::Duration;

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_model::id::RunId;

use crate::error::Error;
use crate::session::Session;
use crate::standing::Standing;

/// Which run.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run
    run: RunId,
}

/// Resumes.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    session.block_on(go_on(&arguments.run, None, session))
}

/// Goes on with a run as far as this process comes. A rollback that must wait for longer than
/// `patience` is parked.
pub async fn go_on(
    run: &RunId,
    patience: Option<Duration>,
    session: &Session,
) -> Result<Exit, Error> {
    let standing = Standing::open(run, session).await?.with_patience(patience);
    let guest = standing.guest(session).await?;
    let engine = &standing.installation.engine;
    let ended = engine.resume(run, guest, &standing.surroundings).await;
    standing.installation.conclude(run, ended, session).await
}
