//! What things are and what is allowed: pure, without I/O, clock or async.
//!
//! The modules stand in reading order; each imports only those above it.

pub mod limits;
pub mod exit;
pub mod id;
pub mod text;
pub mod money;
pub mod secret;
pub mod breakable;
pub mod nearest;
pub mod endpoint;
pub mod document;
pub mod failure;
pub mod call;
pub mod labels;
pub mod departure;
pub mod provenance;
pub mod chain;
pub mod ending;
pub mod journal;
pub mod timing;
pub mod history;
pub mod replay;
pub mod reconcile;
pub mod undo;
pub mod next;
pub mod due;
pub mod claim;
pub mod hetzner;
pub mod cost;
pub mod orphan;
pub mod dns;
pub mod operations;
pub mod manifest;
pub mod recipe;
pub mod reach;
pub mod inputs;
pub mod settings;
pub mod world;
pub mod grant;
pub mod admission;
pub mod plan;
pub mod event;
pub mod sweep;
pub mod health;

#[cfg(test)]
mod tale;
#[cfg(test)]
mod rehearsal;
