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

use crate::arguments::Lazy;
use crate::error::Error;
use crate::session::Session;

/// What `runwrit` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a runbook with exactly the authority of a grant
    Run(Lazy<run::Arguments>),
    /// Show what a run would do and cost, without doing it
    Plan(Lazy<plan::Arguments>),
    /// Go on with a run that was killed, interrupted or parked
    Resume(Lazy<resume::Arguments>),
    /// Undo everything that a run did
    Rollback(Lazy<rollback::Arguments>),
    /// Ask a run to stop at its next call and to roll back
    Cancel(Lazy<cancel::Arguments>),
    /// List the runs of this installation, or move one elsewhere
    Runs(Lazy<runs::Arguments>),
    /// Show one run: what it did, what exists now, what it costs
    Show(Lazy<show::Arguments>),
    /// Answer for a call whose outcome nobody but a person can know
    Resolve(Lazy<resolve::Arguments>),
    /// Look for what runs left behind, and what it costs
    Sweep(Lazy<sweep::Arguments>),
    /// Take servers, networks and volumes that stand already into a tenant
    Adopt(Lazy<adopt::Arguments>),
    /// Do what waits for time: late sweeps, timers, interrupted rollbacks
    Tick(Lazy<tick::Arguments>),
    /// Look whether this host is fit for runs, with a fix for each finding
    Doctor(Lazy<doctor::Arguments>),
    /// Save the state directory, and restore it
    State(Lazy<state::Arguments>),
    /// Show what a runbook is and asks for, without running any of it
    Inspect(Lazy<inspect::Arguments>),
    /// Pack a runbook: the same bytes from the same source
    Build(Lazy<build::Arguments>),
    /// Make and show keys
    Key(Lazy<key::Arguments>),
    /// Vouch for a package
    Sign(Lazy<sign::Arguments>),
    /// Tell who vouches for a package, and whether that is enough here
    Verify(Lazy<verify::Arguments>),
    /// Say whom this host trusts
    Trust(Lazy<trust::Arguments>),
    /// Put a package with its signatures into a registry, a folder or an archive
    Push(Lazy<push::Arguments>),
    /// Get a package that this host trusts, and pin it
    Pull(Lazy<pull::Arguments>),
    /// Carry a package with its signatures from one place to another, byte by byte
    Copy(Lazy<copy::Arguments>),
    /// Pin packages of this host by name, version and digest
    Lock(Lazy<lock::Arguments>),
    /// Work with grants
    Grants(Lazy<grants::Arguments>),
    /// Serve a stand-in for an outside system
    Simulate(Lazy<simulate::Arguments>),
    /// Compiles a component in a child process under limits
    #[command(name = "__compile", hide = true)]
    Compile(Lazy<compile::Arguments>),
}

impl Command {
    /// Does it.
    pub fn execute(self, session: &Session) -> Result<Exit, Error> {
        match self {
            Self::Run(Lazy(words)) => run::execute(words, session),
            Self::Plan(Lazy(words)) => plan::execute(words, session),
            Self::Resume(Lazy(words)) => resume::execute(words, session),
            Self::Rollback(Lazy(words)) => rollback::execute(words, session),
            Self::Cancel(Lazy(words)) => cancel::execute(words, session),
            Self::Runs(Lazy(words)) => runs::execute(words, session),
            Self::Show(Lazy(words)) => show::execute(words, session),
            Self::Resolve(Lazy(words)) => resolve::execute(words, session),
            Self::Sweep(Lazy(words)) => sweep::execute(words, session),
            Self::Adopt(Lazy(words)) => adopt::execute(words, session),
            Self::Tick(Lazy(words)) => tick::execute(words, session),
            Self::Doctor(Lazy(words)) => doctor::execute(words, session),
            Self::State(Lazy(words)) => state::execute(words, session),
            Self::Inspect(Lazy(words)) => inspect::execute(words, session),
            Self::Build(Lazy(words)) => build::execute(words, session),
            Self::Key(Lazy(words)) => key::execute(words, session),
            Self::Sign(Lazy(words)) => sign::execute(words, session),
            Self::Verify(Lazy(words)) => verify::execute(words, session),
            Self::Trust(Lazy(words)) => trust::execute(words, session),
            Self::Push(Lazy(words)) => push::execute(words, session),
            Self::Pull(Lazy(words)) => pull::execute(words, session),
            Self::Copy(Lazy(words)) => copy::execute(words, session),
            Self::Lock(Lazy(words)) => lock::execute(words, session),
            Self::Grants(Lazy(words)) => grants::execute(words, session),
            Self::Simulate(Lazy(words)) => simulate::execute(words, session),
            Self::Compile(Lazy(words)) => compile::execute(words, session),
        }
    }
}
