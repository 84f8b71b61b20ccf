//! The command line: words, arguments, exit codes; the only floor that prints or opens handles.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "unit tests make their own temporary world")
)]

pub mod error;
pub mod ambient;
pub mod output;
pub mod progress;
