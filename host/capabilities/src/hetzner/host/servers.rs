//! Servers.

use std::sync::Arc;

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::hetzner::ServerSpec;
use runwrit_model::limits::{BATCH_ITEMS_MAX, USER_DATA_BYTES_MAX};

use super::{checked, delete, get, list};
use crate::Capabilities;
use crate::bindings::runwrit::hetzner::servers;
use crate::gate::{CallError, Gate, Stop};
use crate::hetzner::batch::Batch;
use crate::hetzner::effects::{CreateServer, Order, Power};
use crate::hetzner::observations::Check;
use crate::hetzner::wire::Server;

impl<G: Gate> servers::Host for Capabilities<G> {
    async fn check(
        &mut self,
        specs: Vec<servers::ServerSpec>,
    ) -> Result<Vec<servers::Choice>, CallError> {
        let orders = self.orders(specs)?;
        self.gate.observe(Check { orders }).await
    }

    async fn get(&mut self, id: String) -> Result<servers::Server, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(get::<Server, _>(hetzner, id)).await
    }

    async fn list(&mut self) -> Result<Vec<servers::Server>, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(list::<Server, _>(hetzner)).await
    }

    async fn create(&mut self, spec: servers::ServerSpec) -> Result<servers::Server, CallError> {
        let (hetzner, batch) = (self.project()?, Arc::new(Batch::default()));
        let order = Order { hetzner, batch, spec: read(spec)? };
        self.gate.pass(CreateServer::new(order)).await
    }

    async fn create_many(
        &mut self,
        specs: Vec<servers::ServerSpec>,
    ) -> Result<Vec<Result<servers::Server, servers::Failure>>, CallError> {
        let effects = self.orders(specs)?.into_iter().map(CreateServer::new).collect();
        let made = self.gate.pass_batch(effects).await?;
        Ok(made.into_iter().map(|made| made.map_err(Into::into)).collect())
    }

    async fn power_on(&mut self, id: String) -> Result<servers::Server, CallError> {
        let hetzner = self.project()?;
        self.gate.pass(Power { hetzner, id, is_on: true }).await
    }

    async fn power_off(&mut self, id: String) -> Result<servers::Server, CallError> {
        let hetzner = self.project()?;
        self.gate.pass(Power { hetzner, id, is_on: false }).await
    }

    async fn delete(&mut self, id: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(delete::<Server>(hetzner, id)).await
    }
}

impl<G: Gate> Capabilities<G> {
    fn orders(&self, specs: Vec<servers::ServerSpec>) -> Result<Vec<Order>, CallError> {
        if specs.len() > BATCH_ITEMS_MAX {
            let what = "the servers of one batch".to_owned();
            let (max, asked) = (BATCH_ITEMS_MAX as u64, specs.len() as u64);
            return Err(Stop::Limit { what, max, asked }.into());
        }
        let (hetzner, batch) = (self.project()?, Arc::new(Batch::default()));
        let order =
            |spec| Ok(Order { hetzner: hetzner.clone(), batch: batch.clone(), spec: read(spec)? });
        specs.into_iter().map(order).collect()
    }
}

fn read(spec: servers::ServerSpec) -> Result<ServerSpec, Failure> {
    let bytes = spec.user_data.len();
    if bytes > USER_DATA_BYTES_MAX {
        let text = format!("user data has {bytes} bytes; the API takes {USER_DATA_BYTES_MAX}");
        let problem = Problem::new("user-data-too-large", text).with_field("user-data");
        return Err(Failure::Invalid(problem));
    }
    Ok(ServerSpec {
        name: spec.name,
        role: spec.role,
        image: spec.image,
        location: spec.location,
        ssh_keys: spec.ssh_keys,
        networks: spec.networks,
        firewalls: spec.firewalls,
        user_data: spec.user_data,
        has_public_ipv4: spec.has_public_ipv4,
        has_public_ipv6: spec.has_public_ipv6,
        labels: checked(spec.labels)?,
    })
}
