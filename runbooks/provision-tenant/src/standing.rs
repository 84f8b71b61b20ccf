//! Compares a tenant that is active already with the inputs, all at once, and changes nothing.

use runwrit_sdk::hetzner::locations;
use runwrit_sdk::hetzner::servers::Server;
use runwrit_sdk::registry::Tenant;
use runwrit_sdk::{
    Context as _, Error, Failure, Result, failed, info, step, verified, verify, warn,
};

use crate::find::Found;
use crate::layout::{Layout, Role};
use crate::names::Place;
use crate::provision::{
    Provisioned, addresses, endpoints, is_applied, same, server_of, verify_rules, verify_server,
};

/// What is not as it should be.
#[derive(Debug, Default)]
struct Differences(Vec<String>);

impl Differences {
    /// Notes how a comparison ended. What cannot be looked at says nothing about the tenant, and
    /// ends the run.
    fn note<T>(&mut self, compared: Result<T>) -> Result<Option<T>> {
        match compared {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_difference(&error) => {
                let told = error.to_string();
                // Two comparisons may stumble over the same thing.
                if !self.0.contains(&told) {
                    self.0.push(told);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Tells them all, and fails where there are any.
    fn told(&self) -> Result {
        self.0.iter().for_each(|difference| warn(difference));
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => Err(failed(one)),
            [first, others @ ..] => {
                Err(failed(format!("{first}, and {} more differences", others.len())))
            }
        }
    }
}

/// A comparison of this runbook fails, one of the host's with a name is a conflict.
fn is_difference(error: &Error) -> bool {
    matches!(error.failure(), Failure::Failed(_) | Failure::Conflict(_))
}

/// Verifies that everything stands as the inputs say. A difference fails the run, after all of them
/// were told: another runbook may change a tenant, this one only makes it.
pub fn compare(layout: &Layout, tenant: &Tenant) -> Result<Provisioned> {
    let Layout { tenant: id, octet, .. } = layout;
    step("verify the tenant as it stands")?;
    locations::get(&layout.location).context("looking the input `location` up")?;
    let found = Found::look()?;
    let mut differences = Differences::default();
    let holds = tenant.octet == *octet;
    differences.note(verify(holds, &format!("{id} is active with octet {octet}")))?;
    let is_complete = differences.note(verify_names(layout, &found))?.is_some();
    compare_network(layout, &found, &mut differences)?;
    compare_servers(layout, &found, &mut differences)?;
    compare_volumes(layout, &found, &mut differences)?;
    // Without one of the servers, which was told by name, nobody can say what the registry misses.
    if is_complete && let Some(expected) = differences.note(endpoints(layout, &found.servers))? {
        let holds = same(&tenant.endpoints, &expected);
        differences.note(verify(holds, "the registry names the addresses as they are"))?;
    }
    compare_names(layout, &found, &mut differences)?;
    differences.told()?;
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
    if names == expected {
        return verified("what stands has the names that the inputs mean");
    }
    let (has, wants) = (names.join("`, `"), expected.join("`, `"));
    Err(failed(format!("the tenant has `{has}`, but the inputs mean `{wants}`")))
}

fn compare_network(layout: &Layout, found: &Found, differences: &mut Differences) -> Result {
    for network in &found.networks {
        let holds = network.ip_range == layout.ip_range();
        let what = format!("network {} is {}", network.name, layout.ip_range());
        differences.note(verify(holds, &what))?;
    }
    for firewall in &found.firewalls {
        differences.note(verify_rules(layout, firewall))?;
    }
    Ok(())
}

fn compare_servers(layout: &Layout, found: &Found, differences: &mut Differences) -> Result {
    for server in &found.servers {
        differences.note(verify_server(layout, server))?;
        if server.location != layout.location {
            let (name, at, input) = (&server.name, &server.location, &layout.location);
            warn(&format!(
                "{name} stands in {at}, not in {input}: as a fallback, or as it was asked"
            ));
        }
        differences.note(verify_role(layout, server))?;
        let holds = found.firewalls.iter().any(|firewall| is_applied(&firewall.id, server));
        differences.note(verify(holds, &format!("the firewall is in force on {}", server.name)))?;
    }
    Ok(())
}

/// Compares the label by which others find a server with what its name says.
fn verify_role(layout: &Layout, server: &Server) -> Result {
    let mut roles = layout.roles().into_iter();
    let Some(role) = roles.find(|role| layout.server_name(*role) == server.name) else {
        // That the inputs mean no such server was told already.
        return Ok(());
    };
    let mut labels = server.labels.iter();
    let holds = labels.any(|label| label.key == "role" && label.value == role.name());
    verify(holds, &format!("{} is labelled role={}", server.name, role.name()))
}

fn compare_volumes(layout: &Layout, found: &Found, differences: &mut Differences) -> Result {
    let db = server_of(layout, &found.servers, Role::Db).ok();
    for volume in &found.volumes {
        let name = &volume.name;
        if let Some(db) = db {
            let holds = volume.server.as_deref() == Some(db.id.as_str());
            let what = format!("volume {name} is attached to {}", db.name);
            differences.note(verify(holds, &what))?;
        }
        let size = layout.volume(&volume.location).size_gb;
        let what = format!("volume {name} has {size} GB");
        differences.note(verify(volume.size_gb == size, &what))?;
    }
    Ok(())
}

/// Compares where the name of the tenant leads with where its gateway is.
fn compare_names(layout: &Layout, found: &Found, differences: &mut Differences) -> Result {
    let Ok(gateway) = server_of(layout, &found.servers, Role::Gateway) else { return Ok(()) };
    let place = Place::find(layout)?;
    let records = differences.note(place.records(gateway))?.unwrap_or_default();
    for set in &records {
        differences.note(place.verify_record(layout, set))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use runwrit_sdk::{Problem, invalid};

    use super::*;

    #[test]
    fn all_that_differs_is_noted_once_and_what_cannot_be_seen_ends_it() {
        let mut differences = Differences::default();
        for told in ["one", "two", "one"] {
            assert!(matches!(differences.note(Err::<(), _>(failed(told))), Ok(None)));
        }
        assert!(matches!(differences.note(Ok(7)), Ok(Some(7))));
        assert_eq!(differences.0, ["one", "two"]);
        let problem = Problem { code: "x".into(), message: "no answer".into(), field: None };
        let unseen = [invalid("octet", "no"), Failure::Unavailable(problem).into()];
        for error in unseen {
            assert!(differences.note(Err::<(), _>(error)).is_err());
        }
        assert_eq!(differences.0.len(), 2);
    }
}
