//! Verifies, plans, runs, resumes, rolls back; owns the store.

pub mod store;
