//! What compiles guests to `wasm32-unknown-unknown` on this machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use crate::command;
use crate::failure::Failure;

/// The target of all guests: it has no operating system, so a guest imports only what it names.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// A blocked network must end in the next way of getting a toolchain, not in a hang.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// Debian's compiler for browsers; it can build the standard library for Wasm by itself.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// The linker that Debian's compiler calls; a link to the package of LLVM that it was built with.
pub const DEBIAN_LINKER: &str = "/usr/bin/rust-lld";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/std";

/// Where the toolchain may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The first that works, in the order below.
    Any,
    /// The compiler on PATH has the target.
    Installed,
    /// `rustup` adds the target.
    Rustup,
    /// Debian's `rustc-web` builds the standard library itself.
    Debian,
}

/// A toolchain that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// Plain stable cargo.
    Plain,
    /// Debian's compiler, with the standard library built beside the guests.
    Debian,
}

impl Toolchain {
    /// Starts a `cargo build` for guests.
    pub fn cargo_build(self) -> Command {
        let mut build = match self {
            Self::Plain => command::cargo(),
            Self::Debian => {
                let mut cargo = Command::new(DEBIAN_CARGO);
                cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                // A rustup proxy exports its own choice, which Debian's cargo does not know.
                cargo.env_remove("RUSTUP_TOOLCHAIN");
                cargo
            }
        };
        build.args(["build", "--release", "--target", TARGET]);
        if self == Self::Debian {
            build.arg("-Zbuild-std=std,panic_abort");
        }
        build
    }
}

/// Finds a toolchain, or gets one, and says which on standard error.
pub fn prepare(choice: Choice) -> Result<Toolchain, Failure> {
    let may = |one| choice == Choice::Any || choice == one;
    if may(Choice::Installed) && is_installed() {
        eprintln!("wasm target: the installed compiler has `{TARGET}`");
        return Ok(Toolchain::Plain);
    }
    if may(Choice::Rustup) && rustup_adds_it() {
        eprintln!("wasm target: rustup added `{TARGET}`");
        return Ok(Toolchain::Plain);
    }
    if may(Choice::Debian) && has_debian() {
        eprintln!("wasm target: Debian's rustc-web builds the standard library for it");
        return Ok(Toolchain::Debian);
    }
    Err(Failure::NoToolchain(match choice {
        Choice::Any => "the compiler has no such target, rustup could not add it, and Debian's \
                        rustc-web is not installed"
            .to_owned(),
        _ => "the one asked for is not there".to_owned(),
    }))
}

/// Returns whether Debian's packages are complete.
pub fn has_debian() -> bool {
    let parts = [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_SOURCES, DEBIAN_LINKER];
    parts.iter().all(|path| Path::new(path).exists())
}

fn is_installed() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    command::read(&mut rustc).is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn rustup_adds_it() -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    match command::run_within(&mut rustup, RUSTUP_LIMIT) {
        Ok(()) => is_installed(),
        Err(failure) => {
            eprintln!("wasm target: rustup did not help: {failure}");
            false
        }
    }
}
