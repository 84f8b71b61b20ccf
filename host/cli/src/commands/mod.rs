//! One file for each command.

mod run;
mod plan;
mod resume;
mod rollback;
mod cancel;
pub mod cell;
mod runs;
mod show;
mod resolve;
mod sweep;
mod adopt;
mod tick;
mod doctor;
mod state;
mod inspect;
mod key;
mod build;
mod sign;
mod verify;
mod approve;
mod trust;
mod push;
mod pull;
mod copy;
mod lock;
mod grants;
mod simulate;
mod compile;

use clap::Subcommand;
use runwrit_model::exit::Exit;

use crate::error::Error;
use crate::session::Session;

/// What `runwrit` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a runbook with exactly the authority of a grant
    Run(run::Arguments),
    /// Show what a run would do and cost, without doing it
    Plan(plan::Arguments),
    /// Go on with a run that was killed, interrupted or parked
    Resume(resume::Arguments),
    /// Undo everything that a run did
    Rollback(rollback::Arguments),
    /// Ask a run to stop at its next call and to roll back
    Cancel(cancel::Arguments),
    /// List the runs of this installation, or move one elsewhere
    Runs(runs::Arguments),
    /// Show one run: what it did, what exists now, what it costs
    Show(show::Arguments),
    /// Answer for a call whose outcome nobody but a person can know
    Resolve(resolve::Arguments),
    /// Look for what runs left behind, and what it costs
    Sweep(sweep::Arguments),
    /// Take servers, networks and volumes that stand already into a tenant
    Adopt(adopt::Arguments),
    /// Do what waits for time: late sweeps, timers, interrupted rollbacks
    Tick(tick::Arguments),
    /// Look whether this host is fit for runs, with a fix for each finding
    Doctor(doctor::Arguments),
    /// Save the state directory, and restore it
    State(state::Arguments),
    /// Show what a runbook is and asks for, without running any of it
    Inspect(inspect::Arguments),
    /// Pack a runbook: the same bytes from the same source
    Build(build::Arguments),
    /// Make and show keys
    Key(key::Arguments),
    /// Vouch for a package
    Sign(sign::Arguments),
    /// Tell who vouches for a package, and whether that is enough here
    Verify(verify::Arguments),
    /// Say whom this host trusts
    Trust(trust::Arguments),
    /// Put a package with its signatures into a registry, a folder or an archive
    Push(push::Arguments),
    /// Get a package that this host trusts, and pin it
    Pull(pull::Arguments),
    /// Carry a package with its signatures from one place to another, byte by byte
    Copy(copy::Arguments),
    /// Pin packages of this host by name, version and digest
    Lock(lock::Arguments),
    /// Work with grants
    Grants(grants::Arguments),
    /// Serve a stand-in for an outside system
    Simulate(simulate::Arguments),
    /// Compiles a component in a child process under limits
    #[command(name = "__compile", hide = true)]
    Compile(compile::Arguments),
}

impl Command {
    /// Does it.
    pub fn execute(self, session: &Session) -> Result<Exit, Error> {
        match self {
            Self::Run(arguments) => run::execute(arguments, session),
            Self::Plan(arguments) => plan::execute(arguments, session),
            Self::Resume(arguments) => resume::execute(arguments, session),
            Self::Rollback(arguments) => rollback::execute(arguments, session),
            Self::Cancel(arguments) => cancel::execute(arguments, session),
            Self::Runs(arguments) => runs::execute(arguments, session),
            Self::Show(arguments) => show::execute(arguments, session),
            Self::Resolve(arguments) => resolve::execute(arguments, session),
            Self::Sweep(arguments) => sweep::execute(arguments, session),
            Self::Adopt(arguments) => adopt::execute(arguments, session),
            Self::Tick(arguments) => tick::execute(arguments, session),
            Self::Doctor(arguments) => doctor::execute(arguments, session),
            Self::State(arguments) => state::execute(arguments, session),
            Self::Inspect(arguments) => inspect::execute(arguments, session),
            Self::Build(arguments) => build::execute(arguments, session),
            Self::Key(arguments) => key::execute(arguments, session),
            Self::Sign(arguments) => sign::execute(arguments, session),
            Self::Verify(arguments) => verify::execute(arguments, session),
            Self::Trust(arguments) => trust::execute(arguments, session),
            Self::Push(arguments) => push::execute(arguments, session),
            Self::Pull(arguments) => pull::execute(arguments, session),
            Self::Copy(arguments) => copy::execute(arguments, session),
            Self::Lock(arguments) => lock::execute(arguments, session),
            Self::Grants(arguments) => grants::execute(arguments, session),
            Self::Simulate(arguments) => simulate::execute(arguments, session),
            Self::Compile(arguments) => compile::execute(arguments, session),
        }
    }
}
