//! Why a task ended early.

use std::path::{Path, PathBuf};

/// Why a task ended early, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A program could not be started.
    #[error("error: `{program}` did not start: {source}\nhint: install it, or put it on PATH")]
    NotStarted {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program ended with an error.
    #[error("error: `{line}` failed with {status}")]
    Ended {
        /// The command line.
        line: String,
        /// How it ended.
        status: String,
    },
    /// A file could not be read or written.
    #[error("error: `{}` could not be {verb}: {source}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A core module did not become a component.
    #[error("error: `{name}` is no component: {cause}")]
    Component {
        /// The guest.
        name: String,
        /// Why.
        cause: String,
    },
    /// Nothing on this machine can build Wasm.
    #[error(
        "error: no toolchain for `wasm32-unknown-unknown`: {0}\nhint: `rustup target add \
         wasm32-unknown-unknown`, or as root `apt-get install \
              rustc-web rust-web-src rust-web-llvm cargo-web`"
    )]
    NoToolchain(String),
    /// What was measured is worse than what is promised.
    #[error("error: not every promise of the table is kept\nhint: look for `**no**` in it")]
    Promise,
    /// Something is missing that only a person can bring.
    #[error("error: {0}\nhint: {1}")]
    Missing(String, String),
}

impl Failure {
    /// Tells which file could not be read or written.
    pub fn file(path: &Path, verb: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, verb, source }
    }
}
