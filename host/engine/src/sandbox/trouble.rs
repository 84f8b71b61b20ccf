//! Why the sandbox ended a run, told so that its author knows what to change.

use runwrit_capabilities::gate::{CallError, Stop};
use wasmtime::{Error, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::guest::GuestEnd;

/// Why the sandbox ended a run. Each text says what happened and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// An endless loop, or very slow work.
    #[error(
        "the runbook computed for {seconds} s without a call, which counts as an endless loop; \
         split the work with `steps.begin`, or wait with `clock.sleep`"
    )]
    Compute {
        /// How long.
        seconds: f64,
    },
    /// A loop around calls.
    #[error(
        "the runbook made more than {max} calls, which counts as an endless loop; look for a loop \
         around `log.write` or a read"
    )]
    Calls {
        /// The limit.
        max: u64,
    },
    /// A memory hog.
    #[error(
        "the runbook asked for {} of memory, and a run may have {}; read and keep less at once",
        mebibytes(*asked), mebibytes(*max)
    )]
    Memory {
        /// Bytes, all memories together.
        asked: usize,
        /// The limit.
        max: usize,
    },
    /// A table of functions or references.
    #[error("the runbook asked for a table of {asked} elements, and a run may have {max}")]
    Table {
        /// Elements.
        asked: usize,
        /// The limit.
        max: usize,
    },
    /// Recursion without an end.
    #[error("the runbook exhausted its call stack; look for a recursion without an end")]
    Stack,
    /// A huge list to the host.
    #[error(
        "the runbook passed more than {} to the host in one call; pass it in parts",
        mebibytes(*max)
    )]
    CallBytes {
        /// The limit.
        max: usize,
    },
    /// Handles that nobody drops.
    #[error("the runbook holds more than {max} handles at once; drop what it no longer needs")]
    Handles {
        /// The limit.
        max: usize,
    },
    /// More instances, memories or tables than any real guest has.
    #[error("the runbook is made of too many parts: {0}")]
    Parts(String),
    /// A panic, or an `unreachable` of another language.
    #[error("the runbook panicked{}; its log may tell why", place(.0))]
    Panicked(Option<String>),
    /// Another trap.
    #[error(
        "the runbook trapped{}: {trap}; this is a bug in it or its language's runtime",
        place(at)
    )]
    Trapped {
        /// What the processor or the engine saw.
        trap: String,
        /// The function.
        at: Option<String>,
    },
    /// It ended itself, as programs of WASI do.
    #[error("the runbook exited with status {0}; its log may tell why")]
    Exited(i32),
    /// It does not fit the host.
    #[error("the runbook could not be started: {0}")]
    NotStarted(String),
}

fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn place(function: &Option<String>) -> String {
    function.as_ref().map(|name| format!(" in `{name}`")).unwrap_or_default()
}

/// The limits that wasmtime enforces itself and names only in a text.
#[derive(Debug, Clone, Copy)]
pub struct Enforced {
    /// Bytes from guest to host in one call.
    pub call_bytes_max: usize,
    /// Handles alive at once.
    pub handles_max: usize,
}

/// Tells how a run ended that wasmtime ended with `error`.
pub fn ending(error: &Error, enforced: Enforced) -> GuestEnd {
    if let Some(I32Exit(0)) = error.downcast_ref::<I32Exit>() {
        return GuestEnd::Returned;
    }
    match stop(error) {
        Some(stop) => GuestEnd::Stopped(stop),
        None => match classify(error, enforced) {
            long @ Trouble::Compute { .. } => GuestEnd::Starved(long.to_string()),
            trouble => GuestEnd::Trapped(trouble.to_string()),
        },
    }
}

/// Finds the wish of the gate to stop the run: it passes through the guest as a trap.
fn stop(error: &Error) -> Option<Stop> {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Some(stop.clone());
    }
    match error.downcast_ref::<CallError>() {
        Some(CallError::Stopped(stop)) => Some(stop.clone()),
        _ => None,
    }
}

fn classify(error: &Error, enforced: Enforced) -> Trouble {
    if let Some(trouble) = error.downcast_ref::<Trouble>() {
        return trouble.clone();
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return Trouble::Exited(*status);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Trouble::Stack,
        Some(Trap::UnreachableCodeReached) => Trouble::Panicked(guilty(error)),
        Some(trap) => Trouble::Trapped { trap: trap.to_string(), at: guilty(error) },
        None => from_text(error, enforced),
    }
}

/// Wasmtime has no type for these; the tests of the sandbox meet each of the texts.
fn from_text(error: &Error, enforced: Enforced) -> Trouble {
    let cause = error.root_cause().to_string();
    if cause.contains("too much data is being copied between the host and the guest") {
        return Trouble::CallBytes { max: enforced.call_bytes_max };
    }
    if cause.contains("handle limit exceeded") || cause.contains("no free keys") {
        return Trouble::Handles { max: enforced.handles_max };
    }
    if let Some(part) = cause.strip_prefix("resource limit exceeded: ") {
        return Trouble::Parts(part.to_owned());
    }
    Trouble::Trapped { trap: cause, at: guilty(error) }
}

/// Functions that panic on behalf of others: naming them would help nobody.
const MACHINERY: [&str; 8] =
    ["core::", "std::", "alloc::", "rust_", "__rust", "_rust", "abort", "panic"];

/// Returns the innermost function that the author of the runbook wrote.
fn guilty(error: &Error) -> Option<String> {
    // Only the whole text has readable names: `  0:   0x1f3a - module.wasm!acme::provision`.
    let backtrace = error.downcast_ref::<WasmBacktrace>()?.to_string();
    let names = backtrace.lines().filter_map(|line| line.split_once('!')).map(|(_, name)| name);
    let is_machinery = |name: &str| {
        let name = name.trim_start_matches('<');
        MACHINERY.iter().any(|start| name.starts_with(start))
    };
    names.map(str::trim).find(|name| !is_machinery(name)).map(str::to_owned)
}
