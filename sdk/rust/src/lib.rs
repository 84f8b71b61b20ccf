//! Write runbooks for Runwrit in Rust.
//!
//! A runbook is one function. It calls capabilities like any library and marks its steps; it need
//! not know about crashes or rollback, which are the host's business:
//!
//! ```ignore
//! use runwrit_sdk::{Result, hetzner::networks, inputs, step, verify};
//!
//! runwrit_sdk::main!(run);
//!
//! fn run() -> Result {
//!     let tenant = inputs::text("tenant")?;
//!     step("network")?;
//!     let networks = networks::list()?;
//!     verify(networks.is_empty(), &format!("`{tenant}` has no network yet"))
//! }
//! ```
//!
//! The same calls with the same answers must follow from the same inputs, because a run that was
//! killed is replayed. There is no clock, no randomness and no environment here but those of
//! [`clock`] and [`random`], so that comes by itself.
//!
//! A component imports only what its code calls. [`main!`] itself needs `run/log`.

pub mod bindings;
mod error;
mod start;
mod steps;

pub use bindings::runwrit::audit::events as audit;
pub use bindings::runwrit::dns::records as dns;
pub use bindings::runwrit::hetzner;
pub use bindings::runwrit::http::requests as http;
pub use bindings::runwrit::registry::tenants as registry;
pub use bindings::runwrit::run::{clock, inputs, log, outputs, random, recovery};
pub use bindings::runwrit::types::failures::{Denial, Failure, Problem};
pub use bindings::runwrit::types::labels::Label;
pub use error::{Context, Error, Result, differs, failed, invalid};
pub use start::start;
pub use steps::{debug, info, step, verified, verify, warn};
