//! `POST /servers`: everything is checked before anything comes into being.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::actions::Job;
use super::super::catalogue::{Location, ServerType};
use super::super::firewalls::{self, Target};
use super::super::images::Source;
use super::super::labels::Labels;
use super::super::placement_groups;
use super::super::primary_ips::{self, NewAddress};
use super::super::project::{Kind, Project};
use super::super::refusal::Refusal;
use super::super::request::{Input, Reply, as_reference};
use super::super::validation::{Field, Shape, optional, required};
use super::super::volumes;
use super::nics::{self, Wish};
use super::power::start_job;
use super::{Nic, Server, Status, check_name, edit};

const USER_DATA_MAX: usize = 32 * 1024;
const ROOT_PASSWORD_LENGTH: usize = 20;

const PUBLIC_NET: &[Field] = &[
    optional("enable_ipv4", Shape::Flag),
    optional("enable_ipv6", Shape::Flag),
    optional("ipv4", Shape::Id).or_null(),
    optional("ipv6", Shape::Id).or_null(),
];

/// Body of `POST /servers`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 253)),
    optional("location", Shape::Reference),
    required("server_type", Shape::Reference),
    optional("start_after_create", Shape::Flag),
    required("image", Shape::Reference),
    optional("placement_group", Shape::Id),
    optional("ssh_keys", Shape::List(&Shape::Reference, 100)),
    optional("volumes", Shape::List(&Shape::Id, 16)),
    optional("networks", Shape::List(&Shape::Id, 3)),
    optional("firewalls", Shape::List(&Shape::Object(&[required("firewall", Shape::Id)]), 5)),
    optional("user_data", Shape::Text(0, USER_DATA_MAX)),
    optional("labels", Shape::Labels),
    optional("automount", Shape::Flag),
    optional("public_net", Shape::Object(PUBLIC_NET)),
];

/// A request that passed every check.
struct Order {
    name: String,
    kind: &'static ServerType,
    location: &'static Location,
    image: u64,
    base: &'static super::super::catalogue::SystemImage,
    nics: Vec<Nic>,
    volumes: BTreeSet<u64>,
    firewalls: BTreeSet<u64>,
    group: Option<u64>,
    addresses: Vec<Address>,
    labels: Labels,
    is_started: bool,
    has_ssh_key: bool,
}

/// A public address the server shall have: one that exists, or a new one.
#[derive(Debug, Clone, Copy)]
struct Address {
    is_ipv4: bool,
    existing: Option<u64>,
}

/// Answers `POST /servers`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let order = check(project, input)?;
    let password = (!order.has_ssh_key).then(|| project.dice.word(ROOT_PASSWORD_LENGTH));
    let id = place(project, &order);
    let (create, next) = begin(project, id, &order);
    let next: Vec<Value> = next.iter().map(|action| project.action(*action)).collect();
    let document = project.servers.get(&id).map(|server| server.document(project));
    Ok(Reply::new(
        201,
        json!({
            "server": document,
            "action": project.action(create),
            "next_actions": next,
            "root_password": password,
        }),
    ))
}

fn check(project: &mut Project, input: &Input) -> Result<Order, Refusal> {
    let name = input.text("name").unwrap_or_default().to_owned();
    check_name(project, &name, None)?;
    if input.text("user_data").is_some_and(|text| text.len() > USER_DATA_MAX) {
        return Err(Refusal::invalid("user_data", "Longer than maximum length 32768."));
    }
    let (kind, location) = check_type(project, input)?;
    let image = input.reference("image").unwrap_or_default();
    let source = Source::find(project, &image, kind.architecture)?;
    if source.disk() > kind.disk {
        return Err(Refusal::invalid("image", "image disk is bigger than server type disk"));
    }
    let (image, base) = (source.id(), source.base());
    let has_ssh_key = check_ssh_keys(project, input)?;
    let addresses = check_addresses(project, input, location)?;
    let is_started = input.flag("start_after_create").unwrap_or(true);
    let networks: BTreeSet<u64> = input.ids("networks").into_iter().collect();
    if is_started && addresses.is_empty() && networks.is_empty() {
        let message = "a server without public_net needs a network or start_after_create=false";
        return Err(Refusal::invalid("public_net", message));
    }
    let volumes = check_volumes(project, input, location)?;
    let firewalls = check_firewalls(project, input, !addresses.is_empty())?;
    let group = input.number("placement_group");
    if let Some(group) = group {
        placement_groups::check_room(project, group)?;
    }
    check_quotas(project, &addresses)?;
    if !project.catalogue.is_in_stock(kind.name, location.name) {
        return Err(Refusal::unavailable("error during placement"));
    }
    let nics = check_networks(project, networks, location)?;
    let labels = input.labels().unwrap_or_default();
    Ok(Order {
        name,
        kind,
        location,
        image,
        base,
        nics,
        volumes,
        firewalls,
        group,
        addresses,
        labels,
        is_started,
        has_ssh_key,
    })
}

fn check_type(
    project: &Project,
    input: &Input,
) -> Result<(&'static ServerType, &'static Location), Refusal> {
    let name = input.reference("server_type").unwrap_or_default();
    let kind = project
        .catalogue
        .server_type(&name)
        .ok_or_else(|| Refusal::invalid("server_type", format!("server type {name} not found")))?;
    let location = match input.reference("location") {
        Some(name) => project
            .catalogue
            .location(&name)
            .ok_or_else(|| Refusal::invalid("location", format!("location {name} not found")))?,
        // Without a wish the provider picks a place that has the type in stock.
        None => kind
            .locations(&project.catalogue)
            .find(|place| project.catalogue.is_in_stock(kind.name, place.name))
            .ok_or_else(|| Refusal::unavailable("error during placement"))?,
    };
    if !kind.is_offered_in(location.name) {
        return Err(Refusal::invalid("location", "unsupported location for server type"));
    }
    Ok((kind, location))
}

fn check_ssh_keys(project: &Project, input: &Input) -> Result<bool, Refusal> {
    for reference in input.list("ssh_keys").iter().filter_map(as_reference) {
        let is_known = project
            .ssh_keys
            .values()
            .any(|key| key.name == reference || key.id.to_string() == reference);
        if !is_known {
            return Err(Refusal::invalid("ssh_keys", format!("SSH key {reference} not found")));
        }
    }
    Ok(!input.list("ssh_keys").is_empty())
}

fn check_addresses(
    project: &Project,
    input: &Input,
    location: &Location,
) -> Result<Vec<Address>, Refusal> {
    let wish = &input.body["public_net"];
    let mut addresses = Vec::new();
    for (is_ipv4, switch, field) in [(true, "enable_ipv4", "ipv4"), (false, "enable_ipv6", "ipv6")]
    {
        if !wish[switch].as_bool().unwrap_or(true) {
            continue;
        }
        let existing = wish[field].as_u64();
        if let Some(id) = existing {
            check_address(project, id, is_ipv4, location)?;
        }
        addresses.push(Address { is_ipv4, existing });
    }
    Ok(addresses)
}

fn check_address(
    project: &Project,
    id: u64,
    is_ipv4: bool,
    location: &Location,
) -> Result<(), Refusal> {
    let ip = project.primary_ips.get(&id).ok_or_else(|| Refusal::not_found("primary IP", id))?;
    project.check_unlocked(Kind::PrimaryIp, id)?;
    if ip.is_ipv4 != is_ipv4 {
        let message = "primary IP has the wrong IP version";
        return Err(Refusal::new(412, "primary_ip_version_mismatch", message));
    }
    if ip.server.is_some() {
        let message = "primary IP is already assigned";
        return Err(Refusal::unprocessable("primary_ip_assigned", message));
    }
    if ip.location.id != location.id {
        let message = "primary IP is in a different location";
        return Err(Refusal::unprocessable("primary_ip_datacenter_mismatch", message));
    }
    Ok(())
}

fn check_volumes(
    project: &Project,
    input: &Input,
    location: &'static Location,
) -> Result<BTreeSet<u64>, Refusal> {
    let wanted: BTreeSet<u64> = input.ids("volumes").into_iter().collect();
    for volume in &wanted {
        volumes::check_attachable(project, *volume, location)?;
    }
    Ok(wanted)
}

fn check_firewalls(
    project: &Project,
    input: &Input,
    is_public: bool,
) -> Result<BTreeSet<u64>, Refusal> {
    let wanted: BTreeSet<u64> =
        input.list("firewalls").iter().filter_map(|one| one["firewall"].as_u64()).collect();
    if let Some(id) = wanted.iter().find(|id| !project.firewalls.contains_key(id)) {
        return Err(Refusal::not_found("firewall", id));
    }
    if !wanted.is_empty() {
        firewalls::check_public(is_public)?;
    }
    if is_public {
        firewalls::check_room(project, &wanted, &input.labels().unwrap_or_default())?;
    }
    Ok(wanted)
}

fn check_quotas(project: &Project, addresses: &[Address]) -> Result<(), Refusal> {
    project.check_quota("server", project.servers.len(), 1)?;
    // IPv6 networks are plenty; the quota that operators hit is that of IPv4.
    let more = addresses.iter().filter(|one| one.is_ipv4 && one.existing.is_none()).count();
    let held = project.primary_ips.values().filter(|ip| ip.is_ipv4).count();
    project.check_quota("primary_ip", held, more)
}

fn check_networks(
    project: &mut Project,
    networks: BTreeSet<u64>,
    location: &Location,
) -> Result<Vec<Nic>, Refusal> {
    let mut nics = Vec::new();
    for network in networks {
        let wish = Wish { network, ..Wish::default() };
        let nic = wish.resolve(project, location, &nics)?;
        nics.push(nic);
    }
    Ok(nics)
}

fn place(project: &mut Project, order: &Order) -> u64 {
    let server = Server {
        id: project.next_id(),
        name: order.name.clone(),
        status: Status::Initializing,
        created: project.now,
        server_type: order.kind,
        location: order.location,
        image: order.image,
        base: order.base,
        nics: order.nics.clone(),
        firewalls_applied: BTreeSet::new(),
        placement_group: order.group,
        labels: order.labels.clone(),
        backup_window: None,
        is_rescue_enabled: false,
        is_delete_protected: false,
        is_rebuild_protected: false,
        disk: order.kind.disk,
    };
    let id = server.id;
    project.created(Kind::Server, id, &server.name, &server.labels);
    project.servers.insert(id, server);
    for address in &order.addresses {
        let new = NewAddress {
            name: None,
            is_ipv4: address.is_ipv4,
            location: order.location,
            labels: Labels::new(),
            is_auto_deleted: true,
        };
        let ip = address.existing.unwrap_or_else(|| primary_ips::allocate(project, new));
        if let Some(ip) = project.primary_ips.get_mut(&ip) {
            ip.server = Some(id);
        }
    }
    for firewall in &order.firewalls {
        if let Some(firewall) = project.firewalls.get_mut(firewall) {
            firewall.targets.push(Target::Server(id));
        }
    }
    id
}

/// Begins the creation and what follows it; the start comes last in time, first in the list.
fn begin(project: &mut Project, id: u64, order: &Order) -> (u64, Vec<u64>) {
    let status = if order.is_started { Status::Starting } else { Status::Off };
    let create = project.begin(
        Job::new("create_server")
            .holding(Kind::Server, id)
            .then(move |project| edit(project, id, |server| server.status = status))
            // A failed creation still leaves a server behind, and it is billed.
            .or_else(move |project| super::set_status(project, id, Status::Off)),
    );
    let mut last = create;
    let mut next = Vec::new();
    let mut follow = |project: &mut Project, job: Job| {
        last = project.begin(job.after(last));
        next.push(last);
    };
    for firewall in firewalls::firewalls_of(project, id) {
        let by_selector = !order.firewalls.contains(&firewall);
        follow(project, firewalls::apply_job(firewall, id, by_selector));
    }
    for nic in &order.nics {
        follow(project, nics::attach_job(id, nic.network));
    }
    for volume in &order.volumes {
        follow(project, volumes::attach_job(*volume, id));
    }
    if order.is_started {
        follow(project, start_job(id));
    }
    if order.is_started {
        next.rotate_right(1);
    }
    (create, next)
}
