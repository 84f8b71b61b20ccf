//! Hetzner Cloud: a stateful stand-in for its API.

pub mod auth;
pub mod catalogue;
pub mod clock;
pub mod control;
pub mod faults;
pub mod leaks;
pub mod ledger;
pub mod options;
pub mod request;
pub mod world;

mod actions;
mod addresses;
mod desk;
mod dice;
mod fingerprint;
mod firewalls;
mod images;
mod labels;
mod limiter;
mod money;
mod networks;
mod offers;
mod paging;
mod placement_groups;
mod primary_ips;
mod progress;
mod project;
mod records;
mod refusal;
mod router;
mod rrsets;
#[cfg(test)]
mod scenarios;
mod selector;
mod servers;
mod serving;
mod ssh_keys;
mod validation;
mod volumes;
mod wire;
mod zones;

pub use control::Control;
pub use faults::{Fault, Rule};
pub use options::{Options, Seen, Settings, TokenRule, Tokens, Witness};
pub use serving::{Handle, Simulator};
