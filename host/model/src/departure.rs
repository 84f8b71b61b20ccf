//! Where a run left its plan.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a run left its plan: what was planned beside what it was about to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Departure {
    /// The place of the effect, from one.
    pub effect: u32,
    /// How many were planned.
    pub of: u32,
    /// What was planned.
    pub planned: String,
    /// What the run was about to do instead.
    pub actual: String,
    /// Where they differ.
    pub differences: Vec<String>,
}

impl fmt::Display for Departure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { effect, of, planned, actual, differences } = self;
        write!(formatter, "the run left its plan ")?;
        match effect > of {
            true => write!(formatter, "after the last of {of} effects: ")?,
            false => write!(formatter, "before effect {effect} of {of}: ")?,
        }
        write!(formatter, "planned {planned}; actual {actual}")?;
        if differences.is_empty() {
            return Ok(());
        }
        write!(formatter, " ({})", differences.join("; "))
    }
}
