//! What an operator gives to one run, and the permits that it mints.

mod addressed;
mod asked;
mod check;
mod dns;
mod document;
mod explain;
mod firewalls;
mod networks;
mod other;
mod rule;
mod schema;
mod servers;
mod things;
mod volumes;

#[cfg(test)]
mod tests;

pub use addressed::{Addressed, Found};
pub use dns::{Holder, RecordChange};
pub use document::{DnsRecords, Document};
pub use explain::Line;
pub use other::UndoCall;
pub use rule::Rule;
pub use schema::SCHEMA;
pub use servers::ServerRequest;

use std::collections::BTreeMap;

use crate::document::{Faults, Lines, read, settle};
use crate::hetzner::Kind;
use crate::id::{RunId, Scope};
use crate::journal::{OnFailure, UnixMs};
use crate::money::Eur;

/// Leave to make one call. Only a grant mints one, so holding one is the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    section: &'static str,
    eur_per_month: Option<Eur>,
    scope_eur_per_month: Option<Eur>,
    scope_count: Option<u32>,
}

impl Permit {
    /// Mints a permit that rests on `section` of the grant. It is minted for every call, so nothing
    /// is allocated.
    pub(in crate::grant) fn mint(section: &'static str) -> Self {
        Self { section, eur_per_month: None, scope_eur_per_month: None, scope_count: None }
    }

    /// Adds how many of `kind` are alive in the scope with what will be created.
    pub(in crate::grant) fn counting(mut self, kind: Kind, situation: &Situation<'_>) -> Self {
        let alive = situation.alive.iter().filter(|holding| holding.kind == kind).count();
        self.scope_count = u32::try_from(alive).ok().map(|alive| alive + 1);
        self
    }

    /// Adds what the effect will cost, alone and with everything alive in the scope.
    pub(in crate::grant) fn costing(mut self, eur: Eur, situation: &Situation<'_>) -> Self {
        let alive: Eur = situation.alive.iter().map(|holding| holding.eur_per_month).sum();
        self.eur_per_month = Some(eur);
        self.scope_eur_per_month = Some(alive + eur);
        self
    }

    /// Returns the section of the grant that it rests on, for example `hetzner.servers`.
    pub fn section(&self) -> &'static str {
        self.section
    }

    /// Returns the net price per month of what will be created; nothing where it is free.
    pub fn eur_per_month(&self) -> Option<&Eur> {
        self.eur_per_month.as_ref()
    }

    /// Returns the net price per month of everything alive in the scope afterwards, where the grant
    /// caps it.
    pub fn scope_eur_per_month(&self) -> Option<Eur> {
        self.scope_eur_per_month
    }

    /// Returns how many of the kind are alive in the scope afterwards, where the grant counts them.
    pub fn scope_count(&self) -> Option<u32> {
        self.scope_count
    }
}

/// A grant file, read and found to be sound.
///
/// It is asked once for each live call. Undo never asks it: the authority to undo a call is the
/// journaled intent that a permit allowed, so it survives the expiry of the grant.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    file: String,
    document: Document,
    expires: UnixMs,
}

/// What is true at the moment of a call that creates something paid or counted.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The time.
    pub now: UnixMs,
    /// Everything alive in the scope, and the earlier items of the same batch.
    pub alive: &'a [Holding],
}

/// Something alive in the scope of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its net price; that of a server includes the public IPv4 address it was created with.
    pub eur_per_month: Eur,
}

impl Grant {
    /// Reads a grant. `file` is its name for errors and hints.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let (document, lines): (Document, Lines) = read(file, text, SCHEMA)?;
        settle(file, &lines, check::faults(&document))?;
        let expires = document.expires_unix_ms();
        Ok(Self { file: file.to_owned(), document, expires })
    }

    /// Returns the text for the journal: the same for every spelling of the same grant.
    pub fn canonical(&self) -> String {
        toml::to_string(&self.document).expect("a grant holds only what TOML can write")
    }

    /// Returns the name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns what the file says.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Returns the tenant whose scope the run holds, where there is one.
    pub fn tenant(&self) -> Option<&str> {
        self.document.scope.as_ref().map(|scope| scope.tenant.as_str())
    }

    /// Returns what a run under this grant holds alone.
    pub fn scope(&self, run: &RunId) -> Scope {
        self.tenant().map_or_else(|| Scope::run(run), Scope::tenant)
    }

    /// Returns when it expires.
    pub fn expires(&self) -> UnixMs {
        self.expires
    }

    /// Returns what a failure leads to, where the grant says so; it wins over the runbook.
    pub fn on_failure(&self) -> Option<OnFailure> {
        self.document.on_failure
    }

    /// Returns until when a run that begins at `start` may go forward, where the grant limits that.
    pub fn deadline(&self, start: UnixMs) -> Option<UnixMs> {
        let minutes = u64::from(self.document.max_minutes?);
        Some(start.saturating_add(minutes * 60_000))
    }

    /// Returns the names of the credentials it uses, by capability.
    pub fn credentials(&self) -> BTreeMap<&'static str, &str> {
        let hetzner = self.document.hetzner.as_ref().map(|it| ("hetzner", &it.credential));
        let dns = self.document.dns.as_ref().map(|it| ("dns", &it.credential));
        hetzner.into_iter().chain(dns).map(|(name, it)| (name, it.as_str())).collect()
    }
}
