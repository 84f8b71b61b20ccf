//! `runwrit cancel`: a wish that the run meets at its next call and cannot refuse.

use clap::Args;
use runwrit_engine::engine::Canceled;
use runwrit_model::exit::Exit;
use runwrit_model::id::RunId;
use serde::Serialize;

use crate::error::Error;
use crate::output::Style;
use crate::session::Session;
use crate::standing::Standing;

/// Which run.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run
    run: RunId,
}

/// Says that another process was asked.
#[derive(Serialize)]
struct Requested<'a> {
    event: &'static str,
    run: &'a RunId,
}

/// Cancels.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let run = arguments.run;
    session.block_on(async {
        let standing = Standing::open(&run, session).await?;
        let (engine, by) = (&standing.installation.engine, session.ambient.starter());
        match engine.cancel(&run, &by, &standing.surroundings).await {
            Ok(Canceled::Requested) => {
                if session.output.is_json {
                    session.output.object(&Requested { event: "cancel-requested", run: &run });
                }
                session.note(Style::Plain, &format!("asked: run {run} stops at its next call"));
                Ok(Exit::Done)
            }
            Ok(Canceled::Ended(outcome)) => {
                standing.installation.conclude(&run, Ok(outcome), session).await
            }
            Err(error) => Err(error.into()),
        }
    })
}
