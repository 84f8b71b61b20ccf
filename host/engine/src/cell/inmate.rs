//! The side of the cell: gets ready, takes its code in, puts up the walls, runs the guest.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::confine::{ConfineError, confine};
use super::desk::Remote;
use super::wire::{self, Ended, Said, Start};
use crate::code_cache::Code;
use crate::guest::GuestEnd;
use crate::sandbox::{Bounds, Sandbox, SandboxError, engine, fingerprint};

/// The hidden word with which the binary starts itself as a cell.
pub const CELL_WORD: &str = "__cell";

/// Why a cell did not run its guest.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// It was not started by the host.
    #[error("`{CELL_WORD}` is an internal word: it takes a stream as its input")]
    Stream(#[source] io::Error),
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The code.
    #[error("the code of the runbook does not load in its cell")]
    Code,
    /// The walls.
    #[error(transparent)]
    Walls(#[from] ConfineError),
    /// The executor of the guest.
    #[error("the guest's executor does not start")]
    Executor(#[source] io::Error),
}

/// Lets go of everything that was passed on to this process beside the stream and the place for
/// complaints: whoever started the host may have left files open for all its children.
#[expect(unsafe_code, reason = "no library closes descriptors that it does not own")]
pub fn let_go() {
    const FIRST: libc::c_uint = 3;
    // SAFETY: the process has just begun and has opened nothing itself, so that nobody uses a
    // descriptor from here on.
    unsafe { libc::close_range(FIRST, libc::c_uint::MAX, 0) };
}

/// Is the cell: `input` is the stream to the host. Returns when the guest has ended.
///
/// What takes time is done before the host has said anything, which it may do late, or never.
pub fn run_as_cell(input: OwnedFd) -> Result<(), CellError> {
    let mut stream = UnixStream::from(input);
    let engine = match engine() {
        Ok(engine) => engine,
        Err(error) => {
            tell_end(&mut stream, not_set(&SandboxError::Engine(error)));
            return Ok(());
        }
    };
    let vacant = Said::Vacant(fingerprint(&engine));
    wire::send(&mut stream, &vacant).map_err(CellError::Stream)?;
    let sandbox = Sandbox::around(engine, Bounds::default());
    let (start, code) = wire::take_in(&mut stream).map_err(CellError::Stream)?;
    let ran = sandbox.map_err(CellError::from).and_then(|it| run(it, start, code, &mut stream));
    if let Err(error) = ran {
        tell_end(&mut stream, not_set(&error));
    }
    Ok(())
}

fn run(
    sandbox: Sandbox,
    Start { granted, bounds }: Start,
    code: OwnedFd,
    stream: &mut UnixStream,
) -> Result<(), CellError> {
    let sandbox = sandbox.within(bounds);
    let component = Code::handed(code).map(sandbox.engine()).ok_or(CellError::Code)?;
    let executor = tokio::runtime::Builder::new_current_thread().build();
    let executor = executor.map_err(CellError::Executor)?;
    let desk = Remote(stream.try_clone().map_err(CellError::Stream)?);
    confine()?;
    wire::send(stream, &Said::Ready).map_err(CellError::Stream)?;
    let ended = match executor.block_on(sandbox.run(&component, &granted, desk)) {
        GuestEnd::Returned => Ended::Returned,
        GuestEnd::Failed(failure) => Ended::Failed(failure),
        GuestEnd::Trapped(text) => Ended::Trapped(text),
        GuestEnd::Starved(text) => Ended::Starved(text),
        // Stops are the host's: it has ended this cell before.
        GuestEnd::Stopped(stop) => Ended::Trapped(stop.to_string()),
    };
    // The host waits for this, and for nothing of what is taken down after it.
    tell_end(stream, ended);
    Ok(())
}

/// When the host is gone nobody wants to know.
fn tell_end(stream: &mut UnixStream, ended: Ended) {
    let _ = wire::send(stream, &Said::Ended(ended));
}

fn not_set(error: &dyn std::error::Error) -> Ended {
    Ended::NotSet(chain(error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
