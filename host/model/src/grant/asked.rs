//! One question to a grant: the only place where a refusal is built.

use std::fmt;

use super::{Grant, Holding, Permit, Rule, Situation};
use crate::breakable::is_broken;
use crate::dns::SetId;
use crate::document::rules::NAME;
use crate::failure::Denial;
use crate::hetzner::Kind;
use crate::journal::UnixMs;
use crate::money::Eur;
use crate::operations::is_change;

/// An operation on a resource that asks for its permit.
pub(super) struct Asked<'a> {
    grant: &'a Grant,
    operation: &'a str,
    resource: Resource<'a>,
}

/// What a call is about; it is written out only where the call is refused.
#[derive(Clone, Copy)]
pub(super) enum Resource<'a> {
    Named(&'a str),
    Records(&'a SetId),
}

impl<'a> From<&'a str> for Resource<'a> {
    fn from(name: &'a str) -> Self {
        Self::Named(name)
    }
}

impl<'a> From<&'a String> for Resource<'a> {
    fn from(name: &'a String) -> Self {
        Self::Named(name)
    }
}

impl<'a> From<&'a SetId> for Resource<'a> {
    fn from(set: &'a SetId) -> Self {
        Self::Records(set)
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => formatter.write_str(name),
            Self::Records(set) => formatter.write_str(&set.domain()),
        }
    }
}

/// Why a rule does not hold, and what would make it hold.
pub(super) struct Refusal {
    pub reason: String,
    pub section: &'static str,
    pub line: String,
}

impl Grant {
    /// Begins with the two rules that every call must pass.
    pub(super) fn ask<'a>(
        &'a self,
        operation: &'a str,
        resource: impl Into<Resource<'a>>,
        now: UnixMs,
    ) -> Result<Asked<'a>, Denial> {
        let asked = Asked { grant: self, operation, resource: resource.into() };
        asked.unexpired(now)?;
        asked.operation()?;
        Ok(asked)
    }

    /// Begins with the one rule that a call without an operation in the grant must pass.
    pub(super) fn ask_unlisted<'a>(
        &'a self,
        operation: &'a str,
        resource: impl Into<Resource<'a>>,
        now: UnixMs,
    ) -> Result<Asked<'a>, Denial> {
        let asked = Asked { grant: self, operation, resource: resource.into() };
        asked.unexpired(now)?;
        Ok(asked)
    }

    /// Returns whether the grant names this operation, for example `hetzner.servers.create`.
    pub fn names_operation(&self, operation: &str) -> bool {
        let Some((capability, rest)) = operation.split_once('.') else { return false };
        self.operations(capability).iter().any(|name| name == rest)
    }

    /// Returns whether the grant lets a run change something through a capability.
    pub fn may_change(&self, capability: &str) -> bool {
        self.operations(capability).iter().any(|operation| is_change(operation))
    }

    fn operations(&self, capability: &str) -> &[String] {
        let document = self.document();
        let listed = match capability {
            "hetzner" => document.hetzner.as_ref().map(|section| &section.operations),
            "dns" => document.dns.as_ref().map(|section| &section.operations),
            "registry" => document.registry.as_ref().map(|section| &section.operations),
            "audit" => document.audit.as_ref().map(|section| &section.operations),
            _ => None,
        };
        listed.map_or(&[], Vec::as_slice)
    }
}

impl Asked<'_> {
    /// Lets pass what holds, and refuses the rest with the code of the rule. The closure tells why,
    /// and the section and the line that would allow it.
    pub fn require(
        &self,
        rule: Rule,
        holds: bool,
        refusal: impl FnOnce() -> Refusal,
    ) -> Result<(), Denial> {
        if holds || is_broken(rule.code()) {
            return Ok(());
        }
        let Refusal { reason, section, line } = refusal();
        let file = self.grant.file();
        let hint = match section {
            "" => line,
            _ => format!("add `{line}` under `{section}` in {file} and start a new run"),
        };
        Err(Denial {
            operation: self.operation.to_owned(),
            resource: self.resource.to_string(),
            rule: rule.code().to_owned(),
            reason,
            hint,
        })
    }

    /// Mints the permit of a call that only the list of operations bounds.
    pub fn permit(&self) -> Permit {
        Permit::mint(match self.operation.split_once('.') {
            Some(("dns", _)) => "dns.operations",
            Some(("registry", _)) => "registry.operations",
            Some(("audit", _)) => "audit.operations",
            _ => "hetzner.operations",
        })
    }

    fn unexpired(&self, now: UnixMs) -> Result<(), Denial> {
        self.require(Rule::Unexpired, now < self.grant.expires(), || Refusal {
            reason: format!("the grant expired at {}", self.grant.document().expires),
            section: "",
            line: format!("set a later `expires` in {} and start a new run", self.grant.file()),
        })
    }

    fn operation(&self) -> Result<(), Denial> {
        let (capability, rest) = self.operation.split_once('.').unwrap_or_default();
        let section = match capability {
            "hetzner" => "[hetzner]",
            "dns" => "[dns]",
            "registry" => "[registry]",
            _ => "[audit]",
        };
        let holds = self.grant.names_operation(self.operation);
        self.require(Rule::Operation, holds, || Refusal {
            reason: "no grant names this operation".into(),
            section,
            line: format!("operations = [{}]", quote(rest)),
        })
    }

    /// Requires that a list of `[hetzner]` names a value exactly.
    pub fn listed(
        &self,
        rule: Rule,
        key: &'static str,
        listed: &[String],
        value: &str,
    ) -> Result<(), Denial> {
        self.require(rule, listed.iter().any(|name| name == value), || {
            refuse_name(format!("`{key}` does not name {}", quote(value)), value, || Refusal {
                reason: String::new(),
                section: "[hetzner]",
                line: format!("{key} = [{}]", quote(value)),
            })
        })
    }

    /// Requires that no more of `kind` are alive after this call than counted.
    pub fn count(&self, kind: Kind, situation: &Situation<'_>) -> Result<(), Denial> {
        let alive = situation.alive.iter().filter(|holding| holding.kind == kind).count();
        let hetzner = self.grant.document().hetzner.as_ref();
        let max = hetzner.map_or(0, |hetzner| hetzner.counts.of(kind));
        self.require(Rule::Count, alive < max as usize, || Refusal {
            reason: format!("{} {} would be alive, {max} are granted", alive + 1, kind.plural()),
            section: "[hetzner.counts]",
            line: format!("{} = {}", kind.plural(), alive + 1),
        })
    }

    /// Requires that what is alive and this call cost no more than the cap; what is free passes.
    pub fn cost(&self, eur: Eur, situation: &Situation<'_>) -> Result<(), Denial> {
        let alive: Eur = situation.alive.iter().map(price).sum();
        let total = alive + eur;
        let hetzner = self.grant.document().hetzner.as_ref();
        let max = hetzner.and_then(|hetzner| hetzner.max_monthly_eur).unwrap_or(Eur::ZERO);
        self.require(Rule::Cost, eur == Eur::ZERO || total <= max, || Refusal {
            reason: format!(
                "everything alive would cost {} EUR a month net, {} are granted",
                total.plain(),
                max.plain()
            ),
            section: "[hetzner]",
            line: format!("max-monthly-eur = \"{}\"", total.plain()),
        })
    }
}

fn price(holding: &Holding) -> Eur {
    holding.eur_per_month
}

/// Says of a name that no grant can hold that it must be another one.
pub(super) fn refuse_name(reason: String, name: &str, other: impl FnOnce() -> Refusal) -> Refusal {
    if (NAME.holds)(name) {
        return Refusal { reason, ..other() };
    }
    Refusal {
        reason,
        section: "",
        line: format!("no grant can name it: names are {}", NAME.expects),
    }
}

/// Writes a text of a guest as a TOML string of one line, so that a hint can be pasted. What is not
/// plain ASCII is escaped: a look-alike letter shows itself.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in crate::text::truncate(text, 200).chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ => quoted.push_str(&format!("\\U{:08X}", u32::from(letter))),
        }
    }
    quoted + "\""
}
