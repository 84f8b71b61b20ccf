//! `runwrit tick`: does what waits for time, and leaves. A systemd timer calls it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use runwrit_engine::store::{Sweep, SweepOutcome};
use runwrit_engine::tick::Duties;
use runwrit_engine::view;
use runwrit_model::due::Due;
use runwrit_model::exit::Exit;
use runwrit_model::id::RunId;
use runwrit_model::limits::{CLOCK_MIN, SLEEP_INLINE_MAX};
use serde::Serialize;

use super::resume;
use crate::ambient;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::installation::Installation;
use crate::readmission::Word;
use crate::session::Session;
use crate::site::Site;
use crate::units;
use crate::witness;

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write a systemd service and timer into this directory, and do nothing else
    #[arg(long, value_name = "DIR")]
    units: Option<PathBuf>,
}

/// One thing done, for a program.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Done<'a> {
    event: &'static str,
    run: &'a RunId,
    what: &'static str,
    found: String,
    exit: u8,
}

/// Ticks.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    if let Some(directory) = arguments.units {
        return units::write(&directory, session, &configuration);
    }
    let now = ambient::now_unix_ms();
    if now < CLOCK_MIN {
        let message = format!("the clock says {}, which cannot be", view::time(now));
        return Err(Error::usage(message).hint("set it; nothing was done"));
    }
    session.block_on(async {
        let installation = Installation::open(session, &configuration)?;
        tick(&installation, session, &configuration).await
    })
}

/// Does what is due, where the clock can be trusted. Nobody is asked for the time where nothing is.
async fn tick(
    installation: &Installation,
    session: &Session,
    configuration: &Configuration,
) -> Result<Exit, Error> {
    let Duties { runs, looks, credentials, damaged } = installation.engine.duties().await?;
    let mut exit = Exit::Done;
    for error in damaged.into_iter().map(Error::from) {
        session.tell(&error);
        exit = worse(exit, error.exit);
    }
    if runs.is_empty() && looks == 0 {
        return Ok(exit);
    }
    witness::confirm(&credentials, installation, session, configuration).await?;
    exit = worse(exit, sweep(installation, session, configuration).await?);
    go_on(runs, exit, installation, session).await
}

/// Goes on with runs, one after the other.
async fn go_on(
    runs: Vec<(RunId, Due)>,
    mut exit: Exit,
    installation: &Installation,
    session: &Session,
) -> Result<Exit, Error> {
    session.signals.watch(&installation.progress);
    for (run, why) in runs {
        if session.signals.interrupt.is_raised() {
            return Ok(worse(exit, Exit::Interrupted));
        }
        // One rollback that waits for its endpoint must not keep the others back.
        let patience = Some(SLEEP_INLINE_MAX);
        let ended = match resume::go_on(&run, patience, Word::Nothing, session).await {
            Ok(ended) => ended,
            // Another process was faster.
            Err(error) if error.exit == Exit::Busy => continue,
            Err(error) => {
                session.tell(&error);
                error.exit
            }
        };
        tell(&run, word(why), format!("exit {}", ended.code()), ended, session);
        exit = worse(exit, ended);
        if ended == Exit::Interrupted {
            return Ok(exit);
        }
    }
    Ok(exit)
}

/// Looks for what may have landed late. One that cannot be looked at stays due and keeps none of
/// the others back.
async fn sweep(
    installation: &Installation,
    session: &Session,
    configuration: &Configuration,
) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    let mut sites: BTreeMap<String, Site> = BTreeMap::new();
    for sweep in installation.engine.due_sweeps().await? {
        let looked = look(&sweep, &mut sites, installation, session, configuration).await;
        let ended = match looked {
            Ok(None) => continue,
            Ok(Some(outcome)) => {
                let (found, ended) = found(&sweep, &outcome);
                installation.engine.close_sweep(sweep.id, outcome).await?;
                tell(&sweep.run, "late-sweep", found, ended, session);
                ended
            }
            Err(error) => {
                session.tell(&error);
                tell(&sweep.run, "late-sweep", "tried again later".into(), error.exit, session);
                error.exit
            }
        };
        exit = worse(exit, ended);
    }
    Ok(exit)
}

async fn look(
    sweep: &Sweep,
    sites: &mut BTreeMap<String, Site>,
    installation: &Installation,
    session: &Session,
    configuration: &Configuration,
) -> Result<Option<SweepOutcome>, Error> {
    let history = installation.engine.history(&sweep.run).await?;
    let capability = sweep.kind.split('.').next().unwrap_or_default();
    let Some(world) = history.created.worlds.get(capability) else {
        // What this store holds itself (the registry, the audit log) never lands late.
        return Ok(Some(SweepOutcome::Nothing));
    };
    let name = world.credential.clone();
    if !sites.contains_key(&name) {
        let site = Site::open(&name, session, installation, configuration)?;
        sites.insert(name.clone(), site);
    }
    Ok(installation.engine.sweep_late(sweep, &sites[&name]).await?)
}

fn found(sweep: &Sweep, outcome: &SweepOutcome) -> (String, Exit) {
    let kind = sweep.kind.trim_start_matches("hetzner.");
    let call = sweep.call;
    match outcome {
        SweepOutcome::Nothing => (format!("call {call}: nothing landed late"), Exit::Done),
        SweepOutcome::Deleted(name) => {
            (format!("call {call}: {kind} {name} had landed late and was deleted"), Exit::Done)
        }
        SweepOutcome::Reported(name) => {
            let text = format!("call {call}: {kind} {name} landed late and cannot be deleted");
            (format!("{text}; `runwrit sweep` shows it"), Exit::Stuck)
        }
    }
}

fn word(why: Due) -> &'static str {
    match why {
        Due::Timer => "timer",
        Due::Rollback => "rollback",
        Due::Cancel => "cancel",
        Due::Deadline => "deadline",
        Due::Answered => "answered",
    }
}

fn tell(run: &RunId, what: &'static str, found: String, exit: Exit, session: &Session) {
    if session.output.is_json {
        let exit = exit.code();
        return session.output.object(&Done { event: "ticked", run, what, found, exit });
    }
    session.output.data(&format!("{what} of run {run}: {found}"));
}

/// Returns the exit code that a person should see first. A run that waits again is as it should be.
fn worse(one: Exit, other: Exit) -> Exit {
    const ORDER: [Exit; 7] = [
        Exit::Bug,
        Exit::Interrupted,
        Exit::Stuck,
        Exit::Nondeterministic,
        Exit::Usage,
        Exit::Differs,
        Exit::RolledBack,
    ];
    let bad = ORDER.into_iter().find(|exit| *exit == one || *exit == other);
    bad.unwrap_or(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_thing_is_told_and_waiting_is_no_bad_thing() {
        let rows = [
            (Exit::Done, Exit::Parked, Exit::Done),
            (Exit::Done, Exit::RolledBack, Exit::RolledBack),
            (Exit::Usage, Exit::RolledBack, Exit::Usage),
            (Exit::Done, Exit::Differs, Exit::Differs),
            (Exit::RolledBack, Exit::Differs, Exit::Differs),
            (Exit::Usage, Exit::Differs, Exit::Usage),
            (Exit::Stuck, Exit::Usage, Exit::Stuck),
            (Exit::Stuck, Exit::Interrupted, Exit::Interrupted),
        ];
        for (one, other, expected) in rows {
            assert_eq!(worse(one, other), expected, "{one:?} {other:?}");
            assert_eq!(worse(other, one), expected, "{other:?} {one:?}");
        }
    }
}
