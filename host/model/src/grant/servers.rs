//! Permits for servers.

use super::asked::{Asked, Refusal};
use super::document::Hetzner;
use super::{Addressed, Grant, Permit, Rule, Situation};
use crate::failure::Denial;
use crate::hetzner::{Candidate, Kind, ServerSpec};
use crate::id::Digest;

/// One server to order, as one type in one location. Trying another candidate after a refusal for
/// lack of stock needs another permit.
#[derive(Debug, Clone, Copy)]
pub struct ServerRequest<'a> {
    /// What the runbook asks for.
    pub spec: &'a ServerSpec,
    /// What would be ordered.
    pub candidate: &'a Candidate,
    /// The networks that the specification names, in its order.
    pub networks: &'a [Addressed],
    /// The firewalls that the specification names, in its order.
    pub firewalls: &'a [Addressed],
}

impl Grant {
    /// Returns those candidates, in their order, whose type and location the grant names.
    pub fn permitted_candidates(&self, candidates: &[Candidate]) -> Vec<Candidate> {
        let Some(hetzner) = &self.document().hetzner else { return Vec::new() };
        let is_named = |candidate: &&Candidate| {
            hetzner.server_types.contains(&candidate.server_type)
                && hetzner.locations.contains(&candidate.location)
        };
        candidates.iter().filter(is_named).cloned().collect()
    }

    /// Permits ordering a server.
    pub fn create_server(
        &self,
        request: &ServerRequest<'_>,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        self.server("hetzner.servers.create", request, situation)
    }

    /// Permits checking what an order would do, by the rules of the order itself but one: it may
    /// come before the firewall that the order must name.
    pub fn check_server(
        &self,
        request: &ServerRequest<'_>,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        self.server("hetzner.servers.check", request, situation)
    }

    fn server(
        &self,
        operation: &str,
        request: &ServerRequest<'_>,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        let ServerRequest { spec, candidate, networks, firewalls } = request;
        let asked = self.ask(operation, &spec.name, situation.now)?;
        let Some(hetzner) = &self.document().hetzner else {
            return self.read(operation, &spec.name, situation.now);
        };
        asked.named(self, Kind::Server, &spec.name)?;
        asked.listed(Rule::Location, "locations", &hetzner.locations, &spec.location)?;
        asked.listed(Rule::Location, "locations", &hetzner.locations, &candidate.location)?;
        let types = &hetzner.server_types;
        asked.listed(Rule::ServerType, "server-types", types, &candidate.server_type)?;
        asked.listed(Rule::Image, "images", &hetzner.images, &spec.image)?;
        ssh_keys(&asked, hetzner, spec)?;
        self.attached(&asked, &spec.networks, networks)?;
        self.attached(&asked, &spec.firewalls, firewalls)?;
        // A check runs before there is a firewall to name; the order itself must name one.
        if operation != "hetzner.servers.check" {
            firewall_present(&asked, hetzner, spec)?;
        }
        user_data(&asked, hetzner, spec)?;
        asked.count(Kind::Server, situation)?;
        asked.cost(candidate.eur_per_month, situation)?;
        let permit = Permit::mint("hetzner.servers").counting(Kind::Server, situation);
        Ok(permit.costing(candidate.eur_per_month, situation))
    }

    /// Requires that exactly the things that the specification names were looked at.
    fn attached(
        &self,
        asked: &Asked<'_>,
        ids: &[String],
        things: &[Addressed],
    ) -> Result<(), Denial> {
        let is_complete = ids.iter().map(String::as_str).eq(things.iter().map(Addressed::id));
        asked.require(Rule::InScope, is_complete, || Refusal {
            reason: "a network or firewall of the request was not looked at".into(),
            section: "",
            line: "this is a fault of the host: report it".into(),
        })?;
        things.iter().try_for_each(|thing| asked.in_scope(thing))
    }
}

fn ssh_keys(asked: &Asked<'_>, hetzner: &Hetzner, spec: &ServerSpec) -> Result<(), Denial> {
    asked.require(Rule::SshKeyPresent, !spec.ssh_keys.is_empty(), || Refusal {
        reason: "without an SSH key the server would get a root password".into(),
        section: "",
        line: "name at least one SSH key in the request".into(),
    })?;
    spec.ssh_keys.iter().try_for_each(|key| {
        // One that the run may create is as good as one that is listed.
        let is_new = hetzner.new_ssh_keys.iter().any(|new| new.name == *key);
        if is_new { Ok(()) } else { asked.listed(Rule::SshKey, "ssh-keys", &hetzner.ssh_keys, key) }
    })
}

fn firewall_present(asked: &Asked<'_>, hetzner: &Hetzner, spec: &ServerSpec) -> Result<(), Denial> {
    let is_public = spec.has_public_ipv4 || spec.has_public_ipv6;
    let holds = !is_public || !spec.firewalls.is_empty() || hetzner.allow_public_without_firewall;
    asked.require(Rule::FirewallPresent, holds, || Refusal {
        reason: "a public server without a firewall is open to everybody".into(),
        section: "[hetzner]",
        line: "allow-public-without-firewall = true".into(),
    })
}

/// A grant that names digests demands one of them: leaving user data out would leave out the
/// firewall of the host that it sets up. Without digests only empty user data passes.
fn user_data(asked: &Asked<'_>, hetzner: &Hetzner, spec: &ServerSpec) -> Result<(), Denial> {
    let digest = Digest::of(spec.user_data.as_bytes());
    let granted = &hetzner.user_data_sha256;
    let holds = granted.contains(&digest) || (granted.is_empty() && spec.user_data.is_empty());
    asked.require(Rule::UserData, holds, || Refusal {
        reason: format!("user data with the digest {digest} is not granted"),
        section: "[hetzner]",
        line: format!("user-data-sha256 = [\"{digest}\"]"),
    })
}
