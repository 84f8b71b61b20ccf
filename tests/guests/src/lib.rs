//! The bindings that all guests here share; each imports only what it calls.

/// The interfaces of the host.
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "runwrit:host/everything",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_run",
        default_bindings_module: "misbehaving_guests::bindings",
    });
}

pub use bindings::Guest;
use bindings::runwrit::registry::tenants;
pub use bindings::runwrit::run::{inputs, log, random, steps};
pub use bindings::runwrit::types::failures::{Failure, Problem};

/// What a run ends with.
pub type Ending = Result<(), Failure>;

/// Has one effect, so that there is something to roll back.
pub fn reserve() -> Ending {
    steps::begin("reserve")?;
    tenants::reserve(&inputs::text("tenant")?, 7)?;
    steps::begin("misbehave")
}

/// Tells how an attempt ended, in a line that tests compare.
pub fn tell<T>(function: &str, attempt: &str, outcome: Result<T, Failure>) {
    match outcome {
        Ok(_) => note(function, attempt, "PASSED"),
        Err(failure) => note(function, attempt, &text(failure)),
    }
}

/// Returns what kind of failure it was, and its words.
pub fn text(failure: Failure) -> String {
    match failure {
        Failure::Denied(denial) => format!("denied: {}", denial.reason),
        Failure::Invalid(problem) => format!("invalid: {}", problem.message),
        Failure::NotFound(problem) => format!("not found: {}", problem.message),
        other => format!("{other:?}"),
    }
}

/// Writes such a line.
pub fn note(function: &str, attempt: &str, verdict: &str) {
    log::write(log::Level::Info, &format!("{function} {attempt:?}: {verdict}"));
}

/// Exports a function as the runbook's `run`.
#[macro_export]
macro_rules! main {
    ($run:path) => {
        struct Runbook;
        impl $crate::Guest for Runbook {
            fn run() -> $crate::Ending {
                $run()
            }
        }
        $crate::bindings::export_run!(Runbook);
    };
}
