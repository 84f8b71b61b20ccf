//! `runwrit resume`: goes on where the journal ends.

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
    session.block_on(async {
        let standing = Standing::open(&arguments.run, session).await?;
        let guest = standing.guest().await?;
        let engine = &standing.installation.engine;
        let ended = engine.resume(&arguments.run, guest, &standing.surroundings).await;
        standing.installation.conclude(&arguments.run, ended, session).await
    })
}
