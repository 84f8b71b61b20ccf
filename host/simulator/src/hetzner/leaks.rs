//! The leak report: what is alive, and what it costs a month.

use rust_decimal::Decimal;
use serde::Serialize;

use super::catalogue::{BACKUP_PERCENT, IMAGE_GB_MONTHLY, IPV4_MONTHLY, VOLUME_GB_MONTHLY};
use super::labels::Labels;
use super::money::amount;
use super::project::{Kind, Project};
use super::selector::Selector;

/// What is alive and matches a selector.
#[derive(Debug, Clone, Serialize)]
pub struct LeakReport {
    pub alive: Vec<Alive>,
    /// Net euros a month of all of it, as a decimal string.
    pub price_monthly: String,
}

/// One thing that is alive.
#[derive(Debug, Clone, Serialize)]
pub struct Alive {
    pub project: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// That of its zone for a record set, which has no number of its own.
    pub id: u64,
    pub name: String,
    pub labels: Labels,
    /// Net euros a month, as a decimal string.
    pub price_monthly: String,
}

/// Reports what is alive in `projects`; an address made with a server counts with its labels.
pub fn report<'a>(projects: impl Iterator<Item = &'a Project>, selector: &Selector) -> LeakReport {
    let mut alive = Vec::new();
    let mut total = Decimal::ZERO;
    for project in projects {
        for (kind, id, name, labels, price) in things(project) {
            if !selector.matches(&labels) {
                continue;
            }
            total += price;
            alive.push(Alive {
                project: project.name.clone(),
                kind: kind.name(),
                id,
                name,
                labels,
                price_monthly: amount(price),
            });
        }
    }
    LeakReport { alive, price_monthly: amount(total) }
}

type Thing = (Kind, u64, String, Labels, Decimal);

fn things(project: &Project) -> Vec<Thing> {
    let mut things = priced(project);
    let mut add = |kind, id: u64, name: &str, labels: &Labels| {
        things.push((kind, id, name.to_owned(), labels.clone(), Decimal::ZERO));
    };
    for one in project.networks.values() {
        add(Kind::Network, one.id, &one.name, &one.labels);
    }
    for one in project.firewalls.values() {
        add(Kind::Firewall, one.id, &one.name, &one.labels);
    }
    for one in project.ssh_keys.values() {
        add(Kind::SshKey, one.id, &one.name, &one.labels);
    }
    for one in project.placement_groups.values() {
        add(Kind::PlacementGroup, one.id, &one.name, &one.labels);
    }
    for one in project.zones.values() {
        add(Kind::Zone, one.id, &one.name, &one.labels);
        // What a zone is born with lives and dies with it.
        let is_own = |name: &str, kind: &str| name == "@" && ["NS", "SOA"].contains(&kind);
        for ((name, kind), set) in one.sets.iter().filter(|((name, kind), _)| !is_own(name, kind)) {
            add(Kind::Rrset, one.id, &format!("{name}/{kind}"), &set.labels);
        }
    }
    things
}

fn priced(project: &Project) -> Vec<Thing> {
    let mut things: Vec<Thing> = Vec::new();
    for one in project.servers.values() {
        let backup = if one.backup_window.is_some() { BACKUP_PERCENT } else { Decimal::ZERO };
        let price = one.server_type.monthly * (Decimal::ONE + backup / Decimal::ONE_HUNDRED);
        things.push((Kind::Server, one.id, one.name.clone(), one.labels.clone(), price));
    }
    for one in project.primary_ips.values() {
        let price = if one.is_ipv4 { IPV4_MONTHLY } else { Decimal::ZERO };
        let server = one.server.and_then(|server| project.servers.get(&server));
        // An address that lives and dies with a server has no labels of its own.
        let labels = match server {
            Some(server) if one.is_auto_deleted && one.labels.is_empty() => &server.labels,
            _ => &one.labels,
        };
        things.push((Kind::PrimaryIp, one.id, one.name.clone(), labels.clone(), price));
    }
    for one in project.volumes.values() {
        let price = VOLUME_GB_MONTHLY * Decimal::from(one.size);
        things.push((Kind::Volume, one.id, one.name.clone(), one.labels.clone(), price));
    }
    for one in project.images.values() {
        let price = if one.is_backup { Decimal::ZERO } else { IMAGE_GB_MONTHLY };
        let price = price * Decimal::from(one.size.unwrap_or_default());
        things.push((Kind::Image, one.id, one.description.clone(), one.labels.clone(), price));
    }
    things
}
