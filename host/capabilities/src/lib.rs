//! The only floor that talks to the outside: one folder per capability.
//!
//! Capabilities never import each other. What they need of the run (its gate, its registry, its
//! audit log) they declare as traits in `gate` and `books`; the engine implements them.

pub mod gate;
pub mod bindings;
pub mod books;
pub mod authority;
mod failure;
pub mod ranks;
pub mod run;
pub mod registry;
pub mod audit;
pub mod http;
pub mod hetzner_api;
pub mod hetzner;
pub mod dns;
pub mod undo;
pub mod linker;
pub mod dispatch;

use std::sync::Arc;

/// What one run holds: the receiver of every call of its guest.
///
/// A capability that was not granted is absent here and not linked either.
pub struct Capabilities<G> {
    /// Where every call passes.
    pub gate: G,
    /// Inputs, outputs and the log.
    pub run: run::Run,
    /// The registry of tenants.
    pub registry: Option<Arc<registry::Tenants>>,
    /// The audit log.
    pub audit: Option<Arc<audit::Events>>,
    /// Hetzner Cloud.
    pub hetzner: Option<Arc<hetzner::Hetzner>>,
    /// Records of the DNS.
    pub dns: Option<Arc<dns::Dns>>,
    /// Requests to granted URLs.
    pub http: Option<Arc<http::Requests>>,
}
