//! Provisions a tenant: network, firewall, servers, volume, and its entry in the registry.
//!
//! `steps` lists what is done in which order, `layout` says what a tenant looks like, `host_rules`
//! what its servers boot with, `names` under which name it is reached; `provision` makes it and
//! `standing` compares what stands already.

mod steps;
mod layout;
mod host_rules;
mod find;
mod names;
mod provision;
mod standing;

use runwrit_sdk::registry::{self, State};
use runwrit_sdk::{Context as _, Result, outputs};

use layout::Layout;
use names::TTL_SECONDS;
use provision::Provisioned;

runwrit_sdk::main!(run);

fn run() -> Result {
    let layout = Layout::from_inputs()?;
    let known = registry::get(&layout.tenant).context("looking the tenant up")?;
    let provisioned = match known {
        Some(tenant) if tenant.state == State::Active => standing::compare(&layout, &tenant)?,
        _ => provision::all(&layout)?,
    };
    tell(&layout, &provisioned)
}

/// Sets the outputs, the same for a tenant that was made and for one that stood.
fn tell(layout: &Layout, provisioned: &Provisioned) -> Result {
    let hostname = layout.hostname();
    let gateway = &provisioned.gateway_ipv4;
    outputs::set("dns-record", &format!("{hostname}. {TTL_SECONDS} IN A {gateway}"))?;
    outputs::set("hostname", &hostname)?;
    outputs::set("gateway-ipv4", gateway)?;
    outputs::set("db-address", &provisioned.db_address)?;
    outputs::set("changed", if provisioned.is_new { "yes" } else { "no" })?;
    Ok(())
}
