//! What a guest calls: `runwrit:registry/tenants`.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::breakable::is_broken;
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::limits;

use super::effects::{Activate, Reserve, Retire};
use super::observations::{Get, List};
use super::{Tenant, Tenants, is_valid_id};
use crate::Capabilities;
use crate::bindings::runwrit::registry::tenants;
use crate::books::TenantState;
use crate::gate::{CallError, Gate};

impl<G: Gate> tenants::Host for Capabilities<G> {
    async fn get(&mut self, id: String) -> Result<Option<tenants::Tenant>, CallError> {
        let tenants = self.tenants()?;
        let found = self.gate.observe(Get { tenants, id: checked(id)? }).await?;
        Ok(found.map(Into::into))
    }

    async fn list(&mut self) -> Result<Vec<tenants::Tenant>, CallError> {
        let tenants = self.tenants()?;
        let found = self.gate.observe(List { tenants }).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    async fn reserve(&mut self, id: String, octet: u8) -> Result<tenants::Tenant, CallError> {
        let tenants = self.tenants()?;
        Ok(self.gate.pass(Reserve { tenants, id: checked(id)?, octet }).await?.into())
    }

    async fn activate(
        &mut self,
        id: String,
        endpoints: Vec<tenants::Endpoint>,
    ) -> Result<tenants::Tenant, CallError> {
        let tenants = self.tenants()?;
        let endpoints = unique(endpoints)?;
        Ok(self.gate.pass(Activate { tenants, id: checked(id)?, endpoints }).await?.into())
    }

    async fn retire(&mut self, id: String) -> Result<tenants::Tenant, CallError> {
        let tenants = self.tenants()?;
        Ok(self.gate.pass(Retire { tenants, id: checked(id)? }).await?.into())
    }
}

impl<G: Gate> Capabilities<G> {
    fn tenants(&self) -> Result<Arc<Tenants>, CallError> {
        self.registry.clone().ok_or_else(|| crate::failure::not_held("registry"))
    }
}

/// Refuses an id before anything else happens, so that look-alikes never reach grant or book.
fn checked(id: String) -> Result<String, CallError> {
    if is_valid_id(&id) || is_broken("tenant-id") {
        return Ok(id);
    }
    let message = format!(
        "`{id}` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter"
    );
    Err(Failure::Invalid(Problem::new("invalid-tenant-id", message).with_field("id")).into())
}

fn unique(endpoints: Vec<tenants::Endpoint>) -> Result<BTreeMap<String, String>, CallError> {
    let refuse = |code: &str, message: String| {
        Err(Failure::Invalid(Problem::new(code, message).with_field("endpoints")).into())
    };
    let (count, max) = (endpoints.len(), limits::LIST_ITEMS_MAX);
    if count > max {
        return refuse("too-many", format!("{count} endpoints were given; at most {max} are kept"));
    }
    let mut unique = BTreeMap::new();
    for tenants::Endpoint { name, address } in endpoints {
        if unique.insert(name.clone(), address).is_some() {
            return refuse("duplicate", format!("the endpoint `{name}` was given twice"));
        }
    }
    Ok(unique)
}

impl From<Tenant> for tenants::Tenant {
    fn from(tenant: Tenant) -> Self {
        let state = match tenant.state {
            TenantState::Pending => tenants::State::Pending,
            TenantState::Active => tenants::State::Active,
            TenantState::Failed => tenants::State::Failed,
            TenantState::Deleted => tenants::State::Deleted,
        };
        let endpoints = tenant.endpoints.into_iter();
        let endpoints = endpoints.map(|(name, address)| tenants::Endpoint { name, address });
        Self { id: tenant.id, octet: tenant.octet, state, endpoints: endpoints.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK_ALIKES: [&str; 8] =
        ["", "a", "ACME", "\u{430}cme", "acme ", "ac\u{200b}me", "1acme", "acme-1"];

    #[test]
    fn look_alikes_of_an_id_are_refused() {
        assert!(checked("acme".to_owned()).is_ok());
        for id in LOOK_ALIKES {
            assert!(checked(id.to_owned()).is_err(), "`{id}`");
        }
    }

    /// Switches the rule off: what it refuses must then pass.
    #[cfg(feature = "breakable")]
    #[test]
    fn no_other_rule_refuses_look_alikes() {
        for id in LOOK_ALIKES {
            let checked = || checked(id.to_owned());
            assert!(runwrit_model::breakable::with_broken("tenant-id", checked).is_ok(), "`{id}`");
        }
    }
}
