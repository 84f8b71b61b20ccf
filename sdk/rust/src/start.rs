//! How the host's call of `run` becomes a call of the runbook's function.

use crate::bindings::runwrit::run::log;
use crate::{Failure, Result};

/// Makes a function of type `fn() -> runwrit_sdk::Result` the `run` of this component.
#[macro_export]
macro_rules! main {
    ($run:path) => {
        struct Runbook;

        impl $crate::bindings::Guest for Runbook {
            fn run() -> ::core::result::Result<(), $crate::Failure> {
                $crate::start($run)
            }
        }

        $crate::bindings::export!(Runbook with_types_in $crate::bindings);
    };
}

/// Runs a runbook; a panic is logged before it traps. Called by [`main!`](crate::main).
pub fn start(run: fn() -> Result) -> std::result::Result<(), Failure> {
    std::panic::set_hook(Box::new(|panic| {
        log::write(log::Level::Error, &format!("the runbook broke: {panic}"));
    }));
    run().map_err(Failure::from)
}
