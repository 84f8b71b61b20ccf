//! Things that a request names by id, and what is known of them.

use std::collections::BTreeMap;

use super::asked::{Asked, Refusal, quote};
use super::{Grant, Rule};
use crate::call::{CallId, Reference};
use crate::failure::Denial;
use crate::hetzner::Kind;
use crate::id::Scope;
use crate::labels::{HostKey, scope_value};

/// A thing that a request names by id. It can be built in two ways only: this run made it, as its
/// journal says, or it was fetched and its labels were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    kind: Kind,
    id: String,
    standing: Standing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Made(CallId),
    InScope(String),
    Outside,
}

/// What was fetched.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

impl Addressed {
    /// Describes what the call `by` of this run made.
    pub fn made(kind: Kind, id: impl Into<String>, by: CallId) -> Self {
        Self { kind, id: id.into(), standing: Standing::Made(by) }
    }

    /// Describes what was fetched, or that nothing of that id exists. The labels decide: only those
    /// of this installation and scope count, proven by their HMAC.
    pub fn fetched(
        (key, scope): (&HostKey, &Scope),
        kind: Kind,
        id: impl Into<String>,
        found: Option<Found<'_>>,
    ) -> Self {
        let name = found.filter(|found| {
            let owner = key.verify(found.labels, kind.as_str(), found.name);
            owner.is_ok_and(|owner| owner.tenant == scope_value(scope))
        });
        let standing =
            name.map_or(Standing::Outside, |found| Standing::InScope(found.name.to_owned()));
        Self { kind, id: id.into(), standing }
    }

    /// Returns whether it belongs to the scope. A read answers `not-found` when it does not, so
    /// that foreign and absent look the same.
    pub fn is_in_scope(&self) -> bool {
        self.standing != Standing::Outside || crate::breakable::is_broken(Rule::InScope.code())
    }

    /// Returns its kind and id.
    pub fn reference(&self) -> Reference {
        Reference::new(self.kind.as_str(), self.id.clone())
    }

    /// Returns its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns its name where it was fetched, else its id.
    pub fn label(&self) -> &str {
        match &self.standing {
            Standing::InScope(name) => name,
            Standing::Made(_) | Standing::Outside => &self.id,
        }
    }
}

impl Asked<'_> {
    /// Requires that a thing belongs to the scope.
    pub fn in_scope(&self, thing: &Addressed) -> Result<(), Denial> {
        self.require(Rule::InScope, thing.standing != Standing::Outside, || Refusal {
            reason: format!("the scope of this run has no {} `{}`", noun(thing.kind), thing.id),
            section: "",
            line: "address only what this run made, or what carries the labels of its scope".into(),
        })
    }

    /// Requires that the grant lists a name of this kind.
    pub fn named(&self, grant: &Grant, kind: Kind, name: &str) -> Result<(), Denial> {
        let hetzner = grant.document().hetzner.as_ref();
        let listed = hetzner.is_some_and(|hetzner| hetzner.names(kind, name));
        self.require(Rule::Name, listed, || {
            let reason = format!("`{}` does not name {}", section_key(kind), quote(name));
            super::asked::refuse_name(reason, name, || line_for(kind, name))
        })
    }
}

fn line_for(kind: Kind, name: &str) -> Refusal {
    let (section, line) = match kind {
        Kind::Server => ("[hetzner]", format!("servers = [{}]", quote(name))),
        Kind::PrimaryIp => ("[hetzner]", format!("primary-ips = [{}]", quote(name))),
        Kind::Network => ("[[hetzner.networks]]", format!("name = {}", quote(name))),
        Kind::Firewall => ("[[hetzner.firewalls]]", format!("name = {}", quote(name))),
        Kind::Volume => ("[[hetzner.volumes]]", format!("name = {}", quote(name))),
        Kind::SshKey => ("[[hetzner.new-ssh-keys]]", format!("name = {}", quote(name))),
    };
    Refusal { reason: String::new(), section, line }
}

fn section_key(kind: Kind) -> &'static str {
    match kind {
        Kind::SshKey => "new-ssh-keys",
        other => other.plural(),
    }
}

fn noun(kind: Kind) -> &'static str {
    kind.as_str().trim_start_matches("hetzner.")
}
