//! The words of the command line that all commands share.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Shared {
    /// Keep runs, tenants and keys in this directory
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Read the configuration from this file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Trust whom this keyring names, where the host has none of its own
    #[arg(long, global = true, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Print one JSON object per line on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error; twice says everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The words of one command, learned only when it is asked for: to learn those of all commands
/// takes longer than the work of most.
#[derive(Debug)]
pub struct Lazy<T>(pub T);

impl<T: Args> Args for Lazy<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(learn::<T>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(learn::<T>)
    }
}

impl<T: Args> FromArgMatches for Lazy<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Adds the words of `T`. What the command says of itself stays: the words come with a text of
/// their own.
fn learn<T: Args>(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    T::augment_args(command).about(about).long_about(None)
}
