//! A plan: what a run would do, as a document that can be looked at, approved and applied exactly.
//!
//! `document` is its form, `tokens` names what a remote will assign, `draft` writes it from what a
//! rehearsal noted, `follow` compares a run with it, `rows` shows it, `suggest` turns it into the
//! smallest grant.

mod document;
mod tokens;
mod noted;
mod draft;
mod follow;
mod rows;
mod suggest;
pub mod snapshot;

#[cfg(test)]
mod tests;

pub use document::{End, Given, Plan, PlanError, Read, Recovery, Step, VERSION};
pub use draft::{Frame, draft};
pub use follow::{Follower, Start, start};
pub use noted::{Asked, Noted, without_proof};
pub use rows::{Row, rows, total};
pub use suggest::suggest;
