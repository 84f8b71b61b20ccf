//! Deletes what was found, in the order in which nothing is still in use, and looks each time
//! whether it is really gone.

use runwrit_sdk::hetzner::{firewalls, networks, primary_ips, servers, ssh_keys, volumes};
use runwrit_sdk::{Context as _, Error, Failure, Result, failed, step, verified};

use crate::found::Found;
use crate::names::Removed;

/// Deletes everything. As long as the gateway stands, a rollback brings the names back that lead to
/// it.
pub fn all(found: &Found, names: &Removed) -> Result {
    step("delete the servers")?;
    let (gateways, others) = found.gateways_apart();
    for server in others {
        gone(&server.name, servers::delete(&server.id), || servers::get(&server.id))?;
    }
    names.stay_removed()?;
    for server in gateways {
        gone(&server.name, servers::delete(&server.id), || servers::get(&server.id))?;
    }
    step("delete the volumes")?;
    for volume in &found.volumes {
        detach(&volume.id).context(&volume.name)?;
        gone(&volume.name, volumes::delete(&volume.id), || volumes::get(&volume.id))?;
    }
    step("delete the firewalls")?;
    for firewall in &found.firewalls {
        let name = &firewall.name;
        gone(name, firewalls::delete(&firewall.id), || firewalls::get(&firewall.id))?;
    }
    step("delete the networks")?;
    for network in &found.networks {
        gone(&network.name, networks::delete(&network.id), || networks::get(&network.id))?;
    }
    loose(found)
}

/// Deletes what belongs to no server.
fn loose(found: &Found) -> Result {
    step("delete primary IPs and SSH keys")?;
    for ip in &found.primary_ips {
        gone(&ip.name, primary_ips::delete(&ip.id), || primary_ips::get(&ip.id))?;
    }
    for key in &found.ssh_keys {
        gone(&key.name, ssh_keys::delete(&key.id), || ssh_keys::get(&key.id))?;
    }
    Ok(())
}

/// Detaches a volume that survived its server's deletion attached: another server may hold it.
fn detach(id: &str) -> Result {
    match volumes::get(id) {
        Ok(volume) if volume.server.is_some() => volumes::detach(id).map(|_| ())?,
        Ok(_) | Err(Failure::NotFound(_)) => {}
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// Takes the answer of a deletion and verifies by a look of its own that the thing is not there.
fn gone<T>(
    name: &str,
    deleted: std::result::Result<(), Failure>,
    look: impl Fn() -> std::result::Result<T, Failure>,
) -> Result {
    deleted.context(&format!("deleting {name}"))?;
    match look() {
        Err(Failure::NotFound(_)) => verified(&format!("{name} is gone")),
        Ok(_) => Err(failed(format!("`{name}` was deleted and is still there"))),
        Err(other) => Err(Error::from(other)).context(&format!("looking for {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runwrit_sdk::Problem;

    fn problem() -> Problem {
        Problem { code: "x".to_owned(), message: "boom".to_owned(), field: None }
    }

    #[test]
    fn a_deletion_counts_only_when_a_look_finds_nothing() {
        let still = gone("acme-db", Ok(()), || Ok(())).unwrap_err();
        assert!(still.to_string().contains("still there"), "{still}");
        let refused = gone("acme-db", Err(Failure::Failed(problem())), || Ok(())).unwrap_err();
        assert!(refused.to_string().starts_with("deleting acme-db: "), "{refused}");
        let look = || Err::<(), _>(Failure::Failed(problem()));
        let blind = gone("acme-db", Ok(()), look).unwrap_err();
        assert!(blind.to_string().starts_with("looking for acme-db: "), "{blind}");
    }
}
