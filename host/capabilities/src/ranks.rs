//! Which operations may stand in an undo, and which of them come first.

use runwrit_model::call::Rank;

/// Returns the rank of an operation that may stand in an undo; nothing for any other.
pub fn rank_of(operation: &str) -> Option<Rank> {
    let rank = match operation {
        "hetzner.servers.delete" | "hetzner.servers.power-on" | "hetzner.servers.power-off" => {
            Rank::Server
        }
        "hetzner.firewalls.delete"
        | "hetzner.firewalls.remove"
        | "hetzner.ssh-keys.delete"
        | "hetzner.primary-ips.delete" => Rank::Firewall,
        "hetzner.networks.delete" => Rank::Network,
        "hetzner.volumes.delete" | "hetzner.volumes.detach" => Rank::Volume,
        "registry.tenants.fail" | "registry.tenants.restore" => Rank::Registry,
        "audit.events.append-rolled-back" => Rank::Audit,
        _ => return None,
    };
    Some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_operations_that_revert_have_a_rank() {
        assert_eq!(rank_of("hetzner.volumes.delete"), Some(Rank::Volume));
        for operation in
            ["", "hetzner", "hetzner.servers.create", "http.requests.send", "x.y.delete"]
        {
            assert_eq!(rank_of(operation), None, "`{operation}`");
        }
    }
}
