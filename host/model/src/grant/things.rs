//! Permits that all kinds of things share: reading, deleting, SSH keys and public addresses.

use super::asked::{Refusal, quote};
use super::{Addressed, Grant, Holding, Permit, Rule, Situation};
use crate::failure::Denial;
use crate::hetzner::{Kind, PrimaryIpSpec, SshKeySpec};
use crate::journal::UnixMs;
use crate::money::Eur;

impl Grant {
    /// Permits a read that names nothing of a scope: a catalogue, or a list that is filtered to it.
    pub fn read(&self, operation: &str, resource: &str, now: UnixMs) -> Result<Permit, Denial> {
        Ok(self.ask(operation, resource, now)?.permit())
    }

    /// Permits a read of one thing of the scope, for example `hetzner.servers.get`.
    pub fn read_thing(
        &self,
        operation: &str,
        thing: &Addressed,
        now: UnixMs,
    ) -> Result<Permit, Denial> {
        let asked = self.ask(operation, thing.label(), now)?;
        asked.in_scope(thing)?;
        Ok(asked.permit())
    }

    /// Permits reading an SSH key by its name.
    pub fn read_ssh_key(&self, name: &str, now: UnixMs) -> Result<Permit, Denial> {
        let asked = self.ask("hetzner.ssh-keys.get", name, now)?;
        let hetzner = self.document().hetzner.as_ref();
        if !hetzner.is_some_and(|hetzner| hetzner.names(Kind::SshKey, name)) {
            let listed = hetzner.map_or(&[][..], |hetzner| &hetzner.ssh_keys);
            asked.listed(Rule::SshKey, "ssh-keys", listed, name)?;
        }
        Ok(Permit::mint("hetzner.ssh-keys"))
    }

    /// Permits deleting a thing of the scope. Names bound what may be made, and labels what may be
    /// changed, so that leftovers of any name can be removed.
    pub fn delete(&self, kind: Kind, thing: &Addressed, now: UnixMs) -> Result<Permit, Denial> {
        let operation = format!("hetzner.{}.delete", kind.plural());
        let asked = self.ask(&operation, thing.label(), now)?;
        asked.in_scope(thing)?;
        Ok(asked.permit())
    }

    /// Permits an operation that changes one existing thing of the scope: `servers.power-on`,
    /// `servers.power-off`, `volumes.detach`, `volumes.declare-data`.
    pub fn change(
        &self,
        operation: &str,
        thing: &Addressed,
        now: UnixMs,
    ) -> Result<Permit, Denial> {
        let asked = self.ask(operation, thing.label(), now)?;
        asked.in_scope(thing)?;
        Ok(asked.permit())
    }

    /// Permits the host to take something that stands already into the scope, under a name that the
    /// grant lists. No interface offers it, so no runbook can ask.
    pub fn adopt(&self, kind: Kind, holding: &Holding, now: UnixMs) -> Result<Permit, Denial> {
        let operation = format!("hetzner.{}.adopt", kind.plural());
        let asked = self.ask(&operation, &holding.name, now)?;
        asked.named(self, kind, &holding.name)?;
        let situation = Situation { now, alive: &[] };
        asked.cost(holding.eur_per_month, &situation)?;
        Ok(asked.permit().costing(holding.eur_per_month, &situation))
    }

    /// Permits an operation that joins or parts two things of the scope: `volumes.attach`,
    /// `firewalls.apply`, `firewalls.remove`.
    pub fn join(
        &self,
        operation: &str,
        (thing, other): (&Addressed, &Addressed),
        now: UnixMs,
    ) -> Result<Permit, Denial> {
        let asked = self.ask(operation, thing.label(), now)?;
        asked.in_scope(thing)?;
        asked.in_scope(other)?;
        Ok(asked.permit())
    }

    /// Permits creating an SSH key.
    pub fn create_ssh_key(
        &self,
        spec: &SshKeySpec,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        let asked = self.ask("hetzner.ssh-keys.create", &spec.name, situation.now)?;
        asked.named(self, Kind::SshKey, &spec.name)?;
        let keys = self.document().hetzner.iter().flat_map(|hetzner| &hetzner.new_ssh_keys);
        let is_granted =
            keys.into_iter().any(|it| it.name == spec.name && it.public_key == spec.public_key);
        asked.require(Rule::PublicKey, is_granted, || Refusal {
            reason: "another public key is granted under this name".into(),
            section: "[[hetzner.new-ssh-keys]]",
            line: format!("public-key = {}", quote(&spec.public_key)),
        })?;
        asked.count(Kind::SshKey, situation)?;
        Ok(Permit::mint("hetzner.new-ssh-keys").counting(Kind::SshKey, situation))
    }

    /// Permits creating a public address at its price.
    pub fn create_primary_ip(
        &self,
        spec: &PrimaryIpSpec,
        eur_per_month: Eur,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        let asked = self.ask("hetzner.primary-ips.create", &spec.name, situation.now)?;
        asked.named(self, Kind::PrimaryIp, &spec.name)?;
        let listed = self.document().hetzner.as_ref().map_or(&[][..], |it| &it.locations);
        asked.listed(Rule::Location, "locations", listed, &spec.location)?;
        asked.count(Kind::PrimaryIp, situation)?;
        asked.cost(eur_per_month, situation)?;
        let permit = Permit::mint("hetzner.primary-ips").counting(Kind::PrimaryIp, situation);
        Ok(permit.costing(eur_per_month, situation))
    }
}
