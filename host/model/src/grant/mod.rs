//! What an operator gives to one run, and the permits that it mints.

use crate::money::Eur;

/// Leave to make one call. Only a grant mints one, so holding one is the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    line: String,
    eur_per_month: Option<Eur>,
}

impl Permit {
    /// Mints a permit that rests on `line` of the grant.
    pub(in crate::grant) fn mint(line: impl Into<String>) -> Self {
        Self { line: line.into(), eur_per_month: None }
    }

    /// Adds what the effect will cost.
    pub(in crate::grant) fn costing(mut self, eur_per_month: Eur) -> Self {
        self.eur_per_month = Some(eur_per_month);
        self
    }

    /// Returns the line of the grant, for example `hetzner.servers: acme-db`.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Returns the net price per month of what will be created; nothing where it is free.
    pub fn eur_per_month(&self) -> Option<&Eur> {
        self.eur_per_month.as_ref()
    }
}
