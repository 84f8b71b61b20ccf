//! The rows: calls of honest and of hostile components.

mod firewalls;
mod networks;
mod other;
mod records;
mod servers;
mod things;
mod volumes;

pub use servers::{candidate, create_server, server_named};

use super::*;
use crate::grant::{ServerRequest, UndoCall};
use crate::hetzner::{
    Candidate, Direction, Family, FirewallSpec, NetworkSpec, PrimaryIpSpec, Protocol,
    Rule as FirewallRule, ServerSpec, SshKeySpec, Subnet, VolumeSpec,
};

fn row(
    name: &'static str,
    refused_by: impl Into<Option<Rule>>,
    attempt: impl Fn(&Grant) -> Result<Permit, Denial> + 'static,
) -> Row {
    Row { name, refused_by: refused_by.into(), attempt: Box::new(attempt) }
}

/// Returns all rows.
pub fn rows() -> Vec<Row> {
    let groups = [
        things::reads(),
        things::addressed(),
        things::deleted(),
        things::changed(),
        networks::networks(),
        firewalls::firewalls(),
        firewalls::outbound_rules(),
        firewalls::replaced_rules(),
        servers::servers(),
        servers::attached(),
        servers::priced(),
        volumes::volumes(),
        volumes::addresses_and_keys(),
        records::reads(),
        records::changes(),
        other::registry_and_audit(),
        other::requests(),
        other::recovery(),
    ];
    groups.into_iter().flatten().collect()
}
