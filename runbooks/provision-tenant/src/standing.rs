//! Compares a tenant that is active already with the inputs, all at once, and changes nothing.

use runwrit_sdk::hetzner::locations;
use runwrit_sdk::hetzner::networks::Subnet;
use runwrit_sdk::hetzner::servers::Server;
use runwrit_sdk::registry::Tenant;
use runwrit_sdk::{
    Context as _, Error, Failure, Result, differs, failed, info, step, verified, verify, warn,
};

use crate::find::Found;
use crate::layout::{LOCATION, Layout, ROLE, Role, TYPE, labelled};
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
            [one] => Err(differs(one)),
            [first, others @ ..] => {
                Err(differs(format!("{first}, and {} more differences", others.len())))
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
    let location = locations::get(&layout.location);
    let zone = location.context("looking the input `location` up")?.network_zone;
    let found = Found::look()?;
    let mut differences = Differences::default();
    let holds = tenant.octet == *octet;
    differences.note(verify(holds, &format!("{id} is active with octet {octet}")))?;
    let is_complete = differences.note(verify_names(layout, &found))?.is_some();
    compare_network(layout, &zone, &found, &mut differences)?;
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

fn compare_network(
    layout: &Layout,
    zone: &str,
    found: &Found,
    differences: &mut Differences,
) -> Result {
    let spec = layout.network(zone);
    for network in &found.networks {
        let name = &network.name;
        let what = format!("network {name} is {}", spec.ip_range);
        differences.note(verify(network.ip_range == spec.ip_range, &what))?;
        let (has, wants) = (subnets(&network.subnets), subnets(&spec.subnets));
        let what = format!("network {name} has the subnets `{wants}` and no others");
        differences.note(verify(has == wants, &what))?;
    }
    for firewall in &found.firewalls {
        differences.note(verify_rules(layout, firewall))?;
    }
    Ok(())
}

/// Names subnets in an order of their own.
fn subnets(subnets: &[Subnet]) -> String {
    let named =
        |Subnet { ip_range, network_zone }: &Subnet| format!("{ip_range} in {network_zone}");
    let mut names: Vec<_> = subnets.iter().map(named).collect();
    names.sort();
    names.join("`, `")
}

fn compare_servers(layout: &Layout, found: &Found, differences: &mut Differences) -> Result {
    for server in &found.servers {
        differences.note(verify_server(layout, server))?;
        differences.note(verify_type(server))?;
        match judge_location(&layout.location, server) {
            Where::AsAsked => {}
            Where::Elsewhere(told) => warn(&told),
            Where::Differs(told) => drop(differences.note::<()>(Err(failed(told)))?),
        }
        differences.note(verify_role(layout, server))?;
        let holds = found.firewalls.iter().any(|firewall| is_applied(&firewall.id, server));
        differences.note(verify(holds, &format!("the firewall is in force on {}", server.name)))?;
    }
    Ok(())
}

/// Compares the type of a server with the one that was ordered: any of its role, as stock was.
fn verify_type(server: &Server) -> Result {
    let Some(ordered) = labelled(server, TYPE) else { return Ok(()) };
    let Server { name, server_type, .. } = server;
    match server_type == ordered {
        true => verified(&format!("{name} is of the type {ordered}, as ordered")),
        false => {
            Err(failed(format!("{name} is of the type {server_type}, not {ordered}, as ordered")))
        }
    }
}

/// How the place of a server is to be judged.
#[derive(Debug, PartialEq, Eq)]
enum Where {
    /// It stands where the input says.
    AsAsked,
    /// It stands elsewhere, and may: in words.
    Elsewhere(String),
    /// It was never asked for the place that the input says: in words.
    Differs(String),
}

/// Tells a fallback, which the configuration allows, from a server that was asked for elsewhere.
fn judge_location(input: &str, server: &Server) -> Where {
    let Server { name, location: at, .. } = server;
    match labelled(server, LOCATION) {
        _ if at == input => Where::AsAsked,
        Some(asked) if asked == input => {
            Where::Elsewhere(format!("{name} stands in {at}, the fallback for {input}"))
        }
        Some(asked) => Where::Differs(format!(
            "{name} stands in {at} and was asked for {asked}, but the inputs mean {input}"
        )),
        // Servers from before this label say nothing.
        None => Where::Elsewhere(format!(
            "{name} stands in {at}, not in {input}: as a fallback, or as it was asked"
        )),
    }
}

/// Compares the label by which others find a server with what its name says.
fn verify_role(layout: &Layout, server: &Server) -> Result {
    let mut roles = layout.roles().into_iter();
    let Some(role) = roles.find(|role| layout.server_name(*role) == server.name) else {
        // That the inputs mean no such server was told already.
        return Ok(());
    };
    let holds = labelled(server, ROLE) == Some(role.name());
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
    use runwrit_sdk::{Label, Problem, invalid};

    use super::*;

    fn server(location: &str, labels: &[(&str, &str)]) -> Server {
        let label = |(key, value): &(&str, &str)| Label {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        Server {
            id: "1".to_owned(),
            name: "acme-db".to_owned(),
            status: "running".to_owned(),
            server_type: "cx33".to_owned(),
            location: location.to_owned(),
            public_ipv4: None,
            public_ipv6: None,
            private_addresses: Vec::new(),
            firewalls: Vec::new(),
            volumes: Vec::new(),
            labels: labels.iter().map(label).collect(),
        }
    }

    #[test]
    fn a_fallback_is_told_from_a_server_that_was_asked_for_elsewhere() {
        let rows = [
            ("nbg1", &[(LOCATION, "nbg1")][..], Where::AsAsked),
            ("nbg1", &[(LOCATION, "fsn1")], Where::AsAsked),
            ("nbg1", &[], Where::AsAsked),
            (
                "fsn1",
                &[(LOCATION, "nbg1")],
                Where::Elsewhere("acme-db stands in fsn1, the fallback for nbg1".to_owned()),
            ),
            (
                "fsn1",
                &[(LOCATION, "fsn1")],
                Where::Differs(
                    "acme-db stands in fsn1 and was asked for fsn1, but the inputs mean nbg1"
                        .to_owned(),
                ),
            ),
            (
                "fsn1",
                &[],
                Where::Elsewhere(
                    "acme-db stands in fsn1, not in nbg1: as a fallback, or as it was asked"
                        .to_owned(),
                ),
            ),
        ];
        for (at, labels, expected) in rows {
            assert_eq!(judge_location("nbg1", &server(at, labels)), expected, "{at} {labels:?}");
        }
    }

    #[test]
    fn a_type_is_compared_where_the_host_noted_what_it_ordered() {
        assert!(verify_type(&server("nbg1", &[])).is_ok(), "an older tenant is no difference");
        let error = verify_type(&server("nbg1", &[(TYPE, "cx43")])).unwrap_err();
        assert_eq!(error.to_string(), "acme-db is of the type cx33, not cx43, as ordered");
    }

    #[test]
    fn subnets_are_compared_in_any_order() {
        let subnet = |ip_range: &str| Subnet {
            ip_range: ip_range.to_owned(),
            network_zone: "eu-central".to_owned(),
        };
        let (one, two) = (subnet("10.7.1.0/24"), subnet("10.7.2.0/24"));
        assert_eq!(subnets(&[one.clone(), two.clone()]), subnets(&[two, one.clone()]));
        assert_eq!(subnets(&[one]), "10.7.1.0/24 in eu-central");
        assert_eq!(subnets(&[]), "");
    }

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
