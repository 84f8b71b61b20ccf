//! Compares a tenant that is active already with the inputs, and changes nothing.

use runwrit_sdk::hetzner::firewalls::Firewall;
use runwrit_sdk::hetzner::locations;
use runwrit_sdk::registry::Tenant;
use runwrit_sdk::{Context as _, Result, failed, info, step, verify, warn};

use crate::find::Found;
use crate::layout::{Layout, Role};
use crate::names::Place;
use crate::provision::{
    Provisioned, addresses, endpoints, is_applied, same, server_of, verify_rules, verify_server,
};

/// Verifies that everything stands as the inputs say. A difference fails the run: another runbook
/// may change a tenant, this one only makes it.
pub fn compare(layout: &Layout, tenant: &Tenant) -> Result<Provisioned> {
    let Layout { tenant: id, octet, .. } = layout;
    step("verify the tenant as it stands")?;
    verify(tenant.octet == *octet, &format!("{id} is active with octet {octet}"))?;
    locations::get(&layout.location).context("looking the input `location` up")?;
    let found = Found::look()?;
    verify_names(layout, &found)?;
    let firewall = only(&found.firewalls, "firewall")?;
    verify_rules(layout, firewall)?;
    verify_servers(layout, &found, firewall)?;
    let holds = same(&tenant.endpoints, &endpoints(layout, &found.servers)?);
    verify(holds, "the registry names the addresses as they are")?;
    let gateway = server_of(layout, &found.servers, Role::Gateway)?;
    Place::find(layout)?.verify(layout, gateway)?;
    info(&format!("tenant {id} is active already and as it should be: nothing was changed"));
    let (gateway_ipv4, db_address) = addresses(layout, &found.servers)?;
    Ok(Provisioned { gateway_ipv4, db_address, is_new: false })
}

/// Compares the names of everything with what a fresh tenant would have.
fn verify_names(layout: &Layout, found: &Found) -> Result {
    let mut expected = vec![layout.network("").name, layout.firewall_name()];
    expected.extend(layout.roles().into_iter().map(|role| layout.server_name(role)));
    expected.push(layout.volume("").name);
    expected.sort();
    let mut names = found.names();
    names.sort_unstable();
    if names != expected {
        let (has, wants) = (names.join("`, `"), expected.join("`, `"));
        return Err(failed(format!("the tenant has `{has}`, but the inputs mean `{wants}`")));
    }
    let network = only(&found.networks, "network")?;
    let holds = network.ip_range == layout.ip_range();
    verify(holds, &format!("network {} is {}", network.name, layout.ip_range()))
}

fn verify_servers(layout: &Layout, found: &Found, firewall: &Firewall) -> Result {
    for server in &found.servers {
        verify_server(layout, server)?;
        if server.location != layout.location {
            let (name, at, input) = (&server.name, &server.location, &layout.location);
            warn(&format!(
                "{name} stands in {at}, not in {input}: as a fallback, or as it was asked"
            ));
        }
        let holds = is_applied(&firewall.id, server);
        verify(holds, &format!("the firewall is in force on {}", server.name))?;
    }
    let db = server_of(layout, &found.servers, Role::Db)?;
    let volume = only(&found.volumes, "volume")?;
    let holds = volume.server.as_deref() == Some(db.id.as_str());
    verify(holds, &format!("volume {} is attached to {}", volume.name, db.name))?;
    let size = layout.volume(&db.location).size_gb;
    verify(volume.size_gb == size, &format!("volume {} has {size} GB", volume.name))
}

fn only<'a, T>(things: &'a [T], kind: &str) -> Result<&'a T> {
    match things {
        [one] => Ok(one),
        many => Err(failed(format!("the tenant has {} {kind}s instead of one", many.len()))),
    }
}
