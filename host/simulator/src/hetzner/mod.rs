//! Hetzner Cloud: a stateful stand-in for its API.
//!
//! `world` decides what a request does, as a pure function of everything that was asked before and
//! of the time; `serving` and `desk` put it on the wire.

// What it is told, and what all rules need.
pub mod options;
pub mod clock;
mod dice;
mod refusal;
mod labels;
mod selector;
mod addresses;
mod fingerprint;
mod money;
pub mod request;
pub mod auth;
mod limiter;
mod validation;
mod paging;

// What a project holds.
pub mod catalogue;
pub mod ledger;
mod actions;
mod project;
mod offers;
mod progress;
mod ssh_keys;
mod networks;
mod rules;
mod firewalls;
mod placement_groups;
mod images;
mod servers;
mod volumes;
mod primary_ips;
mod records;
mod rrsets;
mod zones;
pub mod seed;

// How a request passes, and who watches.
mod router;
pub mod faults;
pub mod world;
pub mod leaks;
pub mod control;

// The wire.
mod desk;
mod wire;
mod serving;

#[cfg(test)]
mod scenarios;

pub use control::Control;
pub use faults::{Fault, Rule};
pub use options::{Options, Seen, Settings, TokenRule, Tokens, Witness};
pub use serving::{Handle, Simulator};
