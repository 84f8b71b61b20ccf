//! Locations, server types, images, prices, SSH keys and primary IPs.

use runwrit_model::hetzner::{Family, PrimaryIpSpec, SshKeySpec};

use super::{checked, create, delete, get, list};
use crate::Capabilities;
use crate::bindings::runwrit::hetzner::{
    images, locations, pricing, primary_ips, server_types, ssh_keys,
};
use crate::bindings::runwrit::types::labels::Label;
use crate::gate::{CallError, Gate};
use crate::hetzner::observations::{GetImage, GetKey, Locations, Offers, ScopePrice, Wanted};
use crate::hetzner::scope::not_found;
use crate::hetzner::wire::{PrimaryIp, SshKey};

impl<G: Gate> locations::Host for Capabilities<G> {
    async fn get(&mut self, name: String) -> Result<locations::Location, CallError> {
        let gone = not_found(&format!("location `{name}`"), "the API offers none");
        let wanted = Locations { hetzner: self.project()?, name: Some(name) };
        Ok(self.gate.observe(wanted).await?.pop().ok_or(gone)?)
    }

    async fn list(&mut self) -> Result<Vec<locations::Location>, CallError> {
        let all = Locations { hetzner: self.project()?, name: None };
        self.gate.observe(all).await
    }
}

impl<G: Gate> server_types::Host for Capabilities<G> {
    async fn candidates(
        &mut self,
        role: String,
        location: String,
    ) -> Result<Vec<server_types::Offer>, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(Offers { hetzner, wanted: Wanted::Role(role), location }).await
    }

    async fn get(
        &mut self,
        server_type: String,
        location: String,
    ) -> Result<server_types::Offer, CallError> {
        let hetzner = self.project()?;
        let gone = not_found(&format!("`{server_type}` in `{location}`"), "it is not offered");
        let wanted = Wanted::Type(server_type);
        let mut found = self.gate.observe(Offers { hetzner, wanted, location }).await?;
        Ok(found.pop().ok_or(gone)?)
    }
}

impl<G: Gate> images::Host for Capabilities<G> {
    async fn get(
        &mut self,
        name: String,
        architecture: String,
    ) -> Result<images::Image, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(GetImage { hetzner, name, architecture }).await
    }
}

impl<G: Gate> pricing::Host for Capabilities<G> {
    async fn scope(&mut self) -> Result<pricing::Estimate, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(ScopePrice { hetzner }).await
    }
}

impl<G: Gate> ssh_keys::Host for Capabilities<G> {
    async fn get(&mut self, name: String) -> Result<ssh_keys::SshKey, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(GetKey { hetzner, name }).await
    }

    async fn list(&mut self) -> Result<Vec<ssh_keys::SshKey>, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(list::<SshKey, _>(hetzner)).await
    }

    async fn create(
        &mut self,
        name: String,
        public_key: String,
        labels: Vec<Label>,
    ) -> Result<ssh_keys::SshKey, CallError> {
        let hetzner = self.project()?;
        let spec = SshKeySpec { name, public_key, labels: checked(labels)? };
        self.gate.pass(create(hetzner, spec)).await
    }

    async fn delete(&mut self, id: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(delete::<SshKey>(hetzner, id)).await
    }
}

impl<G: Gate> primary_ips::Host for Capabilities<G> {
    async fn get(&mut self, id: String) -> Result<primary_ips::PrimaryIp, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(get::<PrimaryIp, _>(hetzner, id)).await
    }

    async fn list(&mut self) -> Result<Vec<primary_ips::PrimaryIp>, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(list::<PrimaryIp, _>(hetzner)).await
    }

    async fn create(
        &mut self,
        name: String,
        family: primary_ips::Family,
        location: String,
        labels: Vec<Label>,
    ) -> Result<primary_ips::PrimaryIp, CallError> {
        let hetzner = self.project()?;
        let family = match family {
            primary_ips::Family::Ipv4 => Family::Ipv4,
            primary_ips::Family::Ipv6 => Family::Ipv6,
        };
        let spec = PrimaryIpSpec { name, family, location, labels: checked(labels)? };
        self.gate.pass(create(hetzner, spec)).await
    }

    async fn delete(&mut self, id: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(delete::<PrimaryIp>(hetzner, id)).await
    }
}
