//! The words of the command line that all commands share.

use std::path::PathBuf;

use clap::Args;

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
