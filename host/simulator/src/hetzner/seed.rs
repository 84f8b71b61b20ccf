//! Seeding a project from what another cloud showed: documents of its API become things here, with
//! their ids, names, labels, places and prices.
//!
//! What the documents do not tell (user data, what a quota allows, actions that run) is not made
//! up. What this simulator does not know (load balancers, floating addresses) is left out.

use std::sync::Arc;

use jiff::Timestamp;
use runwrit_model::plan::snapshot::Snapshot;
use serde_json::Value;

use super::catalogue::{Catalogue, Location, ServerType, SystemImage};
use super::firewalls::{Firewall, Target};
use super::images::Image;
use super::labels::{self, Labels};
use super::networks::{Network, Route, Subnet};
use super::placement_groups::PlacementGroup;
use super::primary_ips::PrimaryIp;
use super::project::Project;
use super::records::{Record, Rrset};
use super::servers::{Nic, Server, Status};
use super::ssh_keys::SshKey;
use super::volumes::Volume;
use super::zones::Zone;

/// New ids begin here: no provider has given out so many, so a new one is told from a known one.
const FIRST_ID: u64 = 7_000_000_000_000;
/// Numbers between the last known id and the first new one.
const ID_GAP: u64 = 1_000_000;
/// New public addresses begin behind so many, apart from those of a simulator that is looked at.
const ADDRESSES_BEFORE: u64 = 100_000;

/// A document that cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a document of `{collection}` has no usable `{field}`: {found}")]
pub struct SeedError {
    /// Where it stands.
    pub collection: &'static str,
    /// What is missing.
    pub field: String,
    /// What stands there.
    pub found: String,
}

/// A document on its way into a project.
#[derive(Clone, Copy)]
struct Seen<'a> {
    collection: &'static str,
    document: &'a Value,
}

impl<'a> Seen<'a> {
    fn all(
        snapshot: &'a Snapshot,
        collection: &'static str,
    ) -> impl Iterator<Item = Seen<'a>> + use<'a> {
        let documents = snapshot.of(collection).iter();
        documents.map(move |document| Seen { collection, document })
    }

    fn below(self, document: &'a Value) -> Self {
        Seen { document, ..self }
    }

    fn at(self, way: &str) -> &'a Value {
        const NOTHING: &Value = &Value::Null;
        self.document.pointer(&format!("/{way}")).unwrap_or(NOTHING)
    }

    fn wrong(self, way: &str) -> SeedError {
        let found = self.at(way).to_string();
        SeedError { collection: self.collection, field: way.to_owned(), found }
    }

    fn text(self, way: &str) -> Result<&'a str, SeedError> {
        self.at(way).as_str().ok_or_else(|| self.wrong(way))
    }

    fn text_or_none(self, way: &str) -> String {
        self.at(way).as_str().unwrap_or_default().to_owned()
    }

    fn number(self, way: &str) -> Result<u64, SeedError> {
        // Sizes are whole, but may be written as decimal numbers.
        let value = self.at(way);
        let whole = value.as_f64().filter(|it| it.fract() == 0.0 && *it >= 0.0);
        value.as_u64().or(whole.map(|it| it as u64)).ok_or_else(|| self.wrong(way))
    }

    fn flag(self, way: &str) -> bool {
        self.at(way).as_bool().unwrap_or_default()
    }

    fn read<T: std::str::FromStr>(self, way: &str) -> Result<T, SeedError> {
        self.text(way)?.parse().map_err(|_| self.wrong(way))
    }

    fn items(self, way: &str) -> impl Iterator<Item = Seen<'a>> + use<'a> {
        let items = self.at(way).as_array().into_iter().flatten();
        items.map(move |item| self.below(item))
    }

    fn labels(self) -> Labels {
        labels::parse(self.at("labels")).unwrap_or_default()
    }

    fn created(self) -> Timestamp {
        self.read("created").unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn kept(text: &str) -> &'static str {
    text.to_owned().leak()
}

/// Reads what could be ordered in the other cloud.
pub(super) fn catalogue(snapshot: &Snapshot) -> Result<Catalogue, SeedError> {
    let locations =
        Seen::all(snapshot, "locations").map(location).collect::<Result<Vec<_>, _>>()?;
    let types = Seen::all(snapshot, "server_types").map(server_type);
    let types = types.collect::<Result<Vec<_>, _>>()?;
    let images = Seen::all(snapshot, "images").filter(|image| !is_own(*image)).map(system_image);
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let mut catalogue = Catalogue::default();
    catalogue.locations = locations.leak();
    catalogue.server_types = types.leak();
    catalogue.images = images.leak();
    catalogue.pricing = Some(Arc::new(snapshot.pricing.clone()));
    for kind in Seen::all(snapshot, "server_types") {
        for place in kind.items("locations").filter(|place| !place.flag("available")) {
            catalogue.set_stock(kind.text("name")?, place.text("name")?, false);
        }
    }
    Ok(catalogue)
}

fn location(seen: Seen<'_>) -> Result<Location, SeedError> {
    let words = (kept(seen.text("name")?), kept(seen.text("network_zone")?));
    Ok(Location::told(seen.number("id")?, words, seen.document.clone()))
}

fn server_type(seen: Seen<'_>) -> Result<ServerType, SeedError> {
    let words = (kept(seen.text("name")?), kept(seen.text("architecture")?));
    let locations = seen.items("locations").map(|place| place.text("name").map(kept));
    let locations = locations.collect::<Result<Vec<_>, _>>()?;
    let sizes = (seen.number("id")?, seen.number("disk")?);
    Ok(ServerType::told(sizes, words, locations, seen.document.clone()))
}

fn is_own(image: Seen<'_>) -> bool {
    matches!(image.at("type").as_str(), Some("snapshot" | "backup"))
}

fn system_image(seen: Seen<'_>) -> Result<SystemImage, SeedError> {
    let words = (kept(&seen.text_or_none("name")), kept(seen.text("architecture")?));
    Ok(SystemImage::told(seen.number("id")?, words, seen.document.clone()))
}

/// Puts the things of the other cloud into a project.
pub(super) fn fill(project: &mut Project, snapshot: &Snapshot) -> Result<(), SeedError> {
    let ids = snapshot.collections.values().flatten().filter_map(|it| it["id"].as_u64());
    let last = ids.max().unwrap_or_default();
    project.begin_behind(FIRST_ID.max(last + ID_GAP), ADDRESSES_BEFORE);
    free(project, snapshot)?;
    for seen in Seen::all(snapshot, "networks") {
        let network = network(seen)?;
        project.networks.insert(network.id, network);
    }
    for seen in Seen::all(snapshot, "images").filter(|image| is_own(*image)) {
        let image = own_image(seen)?;
        project.images.insert(image.id, image);
    }
    for seen in Seen::all(snapshot, "servers") {
        let server = server(project, seen)?;
        project.servers.insert(server.id, server);
    }
    for seen in Seen::all(snapshot, "volumes") {
        let volume = volume(project, seen)?;
        project.volumes.insert(volume.id, volume);
    }
    for seen in Seen::all(snapshot, "primary_ips") {
        let address = primary_ip(project, seen)?;
        project.primary_ips.insert(address.id, address);
    }
    for seen in Seen::all(snapshot, "zones") {
        let zone = zone(seen, snapshot)?;
        project.zones.insert(zone.id, zone);
    }
    Ok(())
}

/// What costs nothing and stands by itself.
fn free(project: &mut Project, snapshot: &Snapshot) -> Result<(), SeedError> {
    for seen in Seen::all(snapshot, "ssh_keys") {
        let (id, name) = (seen.number("id")?, seen.text("name")?.to_owned());
        let fingerprint = seen.text_or_none("fingerprint");
        let public_key = seen.text_or_none("public_key");
        let (labels, created) = (seen.labels(), seen.created());
        let key = SshKey { id, name, fingerprint, public_key, labels, created };
        project.ssh_keys.insert(id, key);
    }
    for seen in Seen::all(snapshot, "placement_groups") {
        let (id, name) = (seen.number("id")?, seen.text("name")?.to_owned());
        let (labels, created) = (seen.labels(), seen.created());
        project.placement_groups.insert(id, PlacementGroup { id, name, labels, created });
    }
    for seen in Seen::all(snapshot, "firewalls") {
        let (id, name) = (seen.number("id")?, seen.text("name")?.to_owned());
        let targets = seen.items("applied_to").filter_map(target).collect();
        let (labels, created) = (seen.labels(), seen.created());
        let rules = seen.items("rules").map(|rule| rule.document.clone()).collect();
        let busy_until = Timestamp::UNIX_EPOCH;
        let firewall = Firewall { id, name, labels, rules, targets, created, busy_until };
        project.firewalls.insert(id, firewall);
    }
    Ok(())
}

fn target(seen: Seen<'_>) -> Option<Target> {
    match seen.text("type").ok()? {
        "server" => seen.number("server/id").ok().map(Target::Server),
        _ => seen.text("label_selector/selector").ok().map(|it| Target::Selector(it.to_owned())),
    }
}

fn network(seen: Seen<'_>) -> Result<Network, SeedError> {
    let subnet = |seen: Seen<'_>| {
        let (kind, zone) = (seen.text("type")?.to_owned(), seen.text("network_zone")?.to_owned());
        Ok(Subnet { kind, range: seen.read("ip_range")?, zone })
    };
    let route = |seen: Seen<'_>| {
        Ok(Route { destination: seen.read("destination")?, gateway: seen.read("gateway")? })
    };
    Ok(Network {
        id: seen.number("id")?,
        name: seen.text("name")?.to_owned(),
        range: seen.read("ip_range")?,
        subnets: seen.items("subnets").map(subnet).collect::<Result<_, SeedError>>()?,
        routes: seen.items("routes").map(route).collect::<Result<_, SeedError>>()?,
        labels: seen.labels(),
        created: seen.created(),
        is_delete_protected: seen.flag("protection/delete"),
        exposes_routes: seen.flag("expose_routes_to_vswitch"),
    })
}

fn own_image(seen: Seen<'_>) -> Result<Image, SeedError> {
    let base: &'static SystemImage = Box::leak(Box::new(system_image(seen)?));
    Ok(Image {
        id: seen.number("id")?,
        is_backup: seen.text("type")? == "backup",
        status: kept(seen.text("status")?),
        description: seen.text_or_none("description"),
        // Billed sizes are fractions; what is shown here is rounded up.
        size: seen.at("image_size").as_f64().map(|size| size.ceil() as u64),
        disk: seen.at("disk_size").as_f64().map_or(0, |size| size.ceil() as u64),
        created: seen.created(),
        created_from: (
            seen.number("created_from/id").unwrap_or_default(),
            seen.text_or_none("created_from/name"),
        ),
        base,
        labels: seen.labels(),
        is_delete_protected: seen.flag("protection/delete"),
    })
}

fn place(project: &Project, seen: Seen<'_>) -> Result<&'static Location, SeedError> {
    let name = seen.text("location/name")?;
    project.catalogue.location(name).ok_or_else(|| seen.wrong("location/name"))
}

fn server(project: &Project, seen: Seen<'_>) -> Result<Server, SeedError> {
    let own = seen.below(seen.at("server_type"));
    // A type that nobody can order any more may still run.
    let kind = match project.catalogue.server_type(own.text("name")?) {
        Some(kind) => kind,
        None => Box::leak(Box::new(server_type(own)?)),
    };
    let image = seen.number("image/id").unwrap_or_default();
    let known = project.catalogue.images.iter().find(|it| it.id == image);
    let base = known.or(project.catalogue.images.first()).ok_or_else(|| seen.wrong("image"))?;
    let applied = seen.items("public_net/firewalls");
    let applied = applied.filter(|firewall| firewall.at("status") == "applied");
    Ok(Server {
        id: seen.number("id")?,
        name: seen.text("name")?.to_owned(),
        status: status(seen)?,
        created: seen.created(),
        server_type: kind,
        location: place(project, seen)?,
        image,
        base,
        nics: seen.items("private_net").map(nic).collect::<Result<_, SeedError>>()?,
        firewalls_applied: applied.filter_map(|firewall| firewall.number("id").ok()).collect(),
        placement_group: seen.number("placement_group/id").ok(),
        labels: seen.labels(),
        backup_window: seen.at("backup_window").as_str().map(str::to_owned),
        is_rescue_enabled: seen.flag("rescue_enabled"),
        is_delete_protected: seen.flag("protection/delete"),
        is_rebuild_protected: seen.flag("protection/rebuild"),
        disk: seen.number("primary_disk_size")?,
    })
}

fn status(seen: Seen<'_>) -> Result<Status, SeedError> {
    Ok(match seen.text("status")? {
        "initializing" => Status::Initializing,
        "starting" => Status::Starting,
        "running" => Status::Running,
        "stopping" => Status::Stopping,
        "off" => Status::Off,
        "deleting" => Status::Deleting,
        "migrating" => Status::Migrating,
        "rebuilding" => Status::Rebuilding,
        _ => return Err(seen.wrong("status")),
    })
}

fn nic(seen: Seen<'_>) -> Result<Nic, SeedError> {
    let aliases = seen.at("alias_ips").as_array().into_iter().flatten();
    let aliases = aliases.filter_map(|alias| alias.as_str()?.parse().ok()).collect();
    let (network, ip) = (seen.number("network")?, seen.read("ip")?);
    Ok(Nic { network, ip, aliases, mac: seen.text_or_none("mac_address"), is_ready: true })
}

fn volume(project: &Project, seen: Seen<'_>) -> Result<Volume, SeedError> {
    Ok(Volume {
        id: seen.number("id")?,
        name: seen.text("name")?.to_owned(),
        size: seen.number("size")?,
        location: place(project, seen)?,
        server: seen.number("server").ok(),
        format: seen.at("format").as_str().map(str::to_owned),
        labels: seen.labels(),
        created: seen.created(),
        is_delete_protected: seen.flag("protection/delete"),
        is_available: seen.text_or_none("status") != "creating",
    })
}

fn primary_ip(project: &Project, seen: Seen<'_>) -> Result<PrimaryIp, SeedError> {
    let ip = seen.text("ip")?;
    let reverse = seen.items("dns_ptr");
    let reverse = reverse.map(|it| (it.text_or_none("ip"), it.text_or_none("dns_ptr"))).collect();
    Ok(PrimaryIp {
        id: seen.number("id")?,
        name: seen.text("name")?.to_owned(),
        is_ipv4: seen.text("type")? == "ipv4",
        ip: ip.split_once('/').map_or(ip, |(first, _)| first).to_owned(),
        location: place(project, seen)?,
        labels: seen.labels(),
        created: seen.created(),
        is_delete_protected: seen.flag("protection/delete"),
        is_auto_deleted: seen.flag("auto_delete"),
        server: seen.number("assignee_id").ok(),
        reverse,
    })
}

fn zone(seen: Seen<'_>, snapshot: &Snapshot) -> Result<Zone, SeedError> {
    let id = seen.number("id")?;
    let documents = snapshot.of(&format!("zones/{id}/rrsets"));
    let sets = documents.iter().map(|document| {
        let seen = Seen { collection: "rrsets", document };
        let key = (seen.text("name")?.to_owned(), seen.text("type")?.to_owned());
        let record = |seen: Seen<'_>| {
            let comment = seen.at("comment").as_str().map(str::to_owned);
            Ok(Record { value: seen.text("value")?.to_owned(), comment })
        };
        let records = seen.items("records").map(record).collect::<Result<_, SeedError>>()?;
        let is_change_protected = seen.flag("protection/change");
        let (ttl, labels) = (seen.number("ttl").ok(), seen.labels());
        Ok((key, Rrset { ttl, labels, is_change_protected, records }))
    });
    Ok(Zone {
        id,
        name: seen.text("name")?.to_owned(),
        labels: seen.labels(),
        ttl: seen.number("ttl")?,
        created: seen.created(),
        is_ready: true,
        is_delete_protected: seen.flag("protection/delete"),
        primaries: seen.items("primary_nameservers").map(|it| it.document.clone()).collect(),
        sets: sets.collect::<Result<_, SeedError>>()?,
    })
}
