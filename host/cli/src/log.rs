//! Diagnostics on standard error, for `-v` and `RUNWRIT_LOG`. Secrets have no text.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::ambient::Ambient;
use crate::error::Error;

/// Begins to write diagnostics, as `RUNWRIT_LOG` says, else as many `-v` were given.
pub fn begin(ambient: &Ambient, verbose: u8) -> Result<(), Error> {
    let by_flag = match verbose {
        0 => "error",
        1 => "runwrit=debug,runwrit_engine=debug,runwrit_capabilities=debug",
        _ => "debug,runwrit=trace,runwrit_engine=trace,runwrit_capabilities=trace",
    };
    let chosen = ambient.variable("RUNWRIT_LOG").unwrap_or(by_flag);
    let filter = EnvFilter::try_new(chosen).map_err(|error| {
        Error::usage(format!("`RUNWRIT_LOG={chosen}` is no filter: {error}"))
            .hint("write a level such as `debug`, or `crate=level` pairs with commas")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(ambient.is_stderr_terminal && ambient.variable("NO_COLOR").is_none())
        // A closed terminal must not end a run by a panic inside of its log.
        .log_internal_errors(false)
        .finish();
    // Only a test that calls this twice finds a subscriber here; the first one stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}
