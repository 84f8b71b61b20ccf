//! `runwrit rollback`: undoes a run from its journal alone.

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

/// Rolls back.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    session.block_on(async {
        let standing = Standing::open(&arguments.run, session).await?;
        let (engine, by) = (&standing.installation.engine, session.ambient.starter());
        let ended = engine.rollback(&arguments.run, &by, &standing.surroundings).await;
        standing.installation.conclude(&arguments.run, ended, session).await
    })
}
