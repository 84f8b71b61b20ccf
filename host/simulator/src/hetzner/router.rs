//! The routes: which handler answers what, and the shape of each body.

use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply, percent_decoded};
use super::validation::Field;
use super::{
    firewalls, images, networks, offers, placement_groups, primary_ips, progress, rrsets, servers,
    ssh_keys, volumes, zones,
};

type Handler = fn(&mut Project, &Input) -> Result<Reply, Refusal>;

/// One operation of the API.
#[derive(Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    /// Path after `/v1` with its parameters in braces.
    pub path: &'static str,
    pub body: &'static [Field],
    pub handler: Handler,
}

/// What a method and a path lead to.
pub enum Found {
    Route(&'static Route, Vec<String>),
    /// The path exists, with these methods.
    OtherMethods(Vec<&'static str>),
    Nothing,
}

const fn get(path: &'static str, handler: Handler) -> Route {
    Route { method: "GET", path, body: &[], handler }
}

const fn post(path: &'static str, body: &'static [Field], handler: Handler) -> Route {
    Route { method: "POST", path, body, handler }
}

const fn put(path: &'static str, body: &'static [Field], handler: Handler) -> Route {
    Route { method: "PUT", path, body, handler }
}

const fn delete(path: &'static str, handler: Handler) -> Route {
    Route { method: "DELETE", path, body: &[], handler }
}

const ROUTES: &[&[Route]] = &[
    CATALOGUE,
    ACTIONS,
    SSH_KEYS,
    NETWORKS,
    FIREWALLS,
    SERVERS,
    IMAGES,
    VOLUMES,
    PRIMARY_IPS,
    PLACEMENT_GROUPS,
    ZONES,
    RRSETS,
];

const CATALOGUE: &[Route] = &[
    get("/locations", offers::locations),
    get("/locations/{id}", offers::location),
    get("/server_types", offers::server_types),
    get("/server_types/{id}", offers::server_type),
    get("/pricing", offers::pricing),
    get("/datacenters", offers::gone),
    get("/datacenters/{id}", offers::gone),
];

const ACTIONS: &[Route] = &[get("/actions", progress::batch), get("/actions/{id}", progress::get)];

const SSH_KEYS: &[Route] = &[
    get("/ssh_keys", ssh_keys::list),
    post("/ssh_keys", ssh_keys::CREATE, ssh_keys::create),
    get("/ssh_keys/{id}", ssh_keys::get),
    put("/ssh_keys/{id}", ssh_keys::UPDATE, ssh_keys::update),
    delete("/ssh_keys/{id}", ssh_keys::delete),
];

const NETWORKS: &[Route] = &[
    get("/networks", networks::list),
    post("/networks", networks::CREATE, networks::create),
    get("/networks/actions", |p, i| progress::of_kind(p, i, Kind::Network)),
    get("/networks/actions/{id}", |p, i| progress::one_of_kind(p, i, Kind::Network)),
    get("/networks/{id}", networks::get),
    put("/networks/{id}", networks::UPDATE, networks::update),
    delete("/networks/{id}", networks::delete),
    get("/networks/{id}/members", networks::members),
    get("/networks/{id}/actions", |p, i| progress::of_thing(p, i, Kind::Network)),
    get("/networks/{id}/actions/{action}", |p, i| progress::one_of_thing(p, i, Kind::Network)),
    post("/networks/{id}/actions/add_subnet", networks::ADD_SUBNET, networks::add_subnet),
    post("/networks/{id}/actions/delete_subnet", networks::RANGE, networks::delete_subnet),
    post("/networks/{id}/actions/add_route", networks::ROUTE_BODY, networks::add_route),
    post("/networks/{id}/actions/delete_route", networks::ROUTE_BODY, networks::delete_route),
    post("/networks/{id}/actions/change_ip_range", networks::RANGE, networks::change_ip_range),
    post(
        "/networks/{id}/actions/change_protection",
        networks::PROTECTION,
        networks::change_protection,
    ),
];

const FIREWALLS: &[Route] = &[
    get("/firewalls", firewalls::list),
    post("/firewalls", firewalls::CREATE, firewalls::create),
    get("/firewalls/actions", |p, i| progress::of_kind(p, i, Kind::Firewall)),
    get("/firewalls/actions/{id}", |p, i| progress::one_of_kind(p, i, Kind::Firewall)),
    get("/firewalls/{id}", firewalls::get),
    put("/firewalls/{id}", firewalls::UPDATE, firewalls::update),
    delete("/firewalls/{id}", firewalls::delete),
    get("/firewalls/{id}/actions", |p, i| progress::of_thing(p, i, Kind::Firewall)),
    get("/firewalls/{id}/actions/{action}", |p, i| progress::one_of_thing(p, i, Kind::Firewall)),
    post("/firewalls/{id}/actions/set_rules", firewalls::SET_RULES, firewalls::set_rules),
    post("/firewalls/{id}/actions/apply_to_resources", firewalls::APPLY, firewalls::apply),
    post("/firewalls/{id}/actions/remove_from_resources", firewalls::REMOVE, firewalls::remove),
];

const SERVERS: &[Route] = &[
    get("/servers", servers::list),
    post("/servers", servers::CREATE, servers::create),
    get("/servers/actions", |p, i| progress::of_kind(p, i, Kind::Server)),
    get("/servers/actions/{id}", |p, i| progress::one_of_kind(p, i, Kind::Server)),
    get("/servers/{id}", servers::get),
    put("/servers/{id}", servers::UPDATE, servers::update),
    delete("/servers/{id}", servers::delete),
    get("/servers/{id}/metrics", servers::metrics),
    get("/servers/{id}/actions", |p, i| progress::of_thing(p, i, Kind::Server)),
    get("/servers/{id}/actions/{action}", |p, i| progress::one_of_thing(p, i, Kind::Server)),
    post("/servers/{id}/actions/poweron", &[], servers::power_on),
    post("/servers/{id}/actions/poweroff", &[], servers::power_off),
    post("/servers/{id}/actions/shutdown", &[], servers::shutdown),
    post("/servers/{id}/actions/reboot", &[], servers::reboot),
    post("/servers/{id}/actions/reset", &[], servers::reset),
    post("/servers/{id}/actions/change_type", servers::CHANGE_TYPE, servers::change_type),
    post("/servers/{id}/actions/create_image", servers::CREATE_IMAGE, servers::create_image),
    post("/servers/{id}/actions/rebuild", servers::REBUILD, servers::rebuild),
    post("/servers/{id}/actions/attach_to_network", servers::ATTACH, servers::attach_to_network),
    post(
        "/servers/{id}/actions/detach_from_network",
        servers::DETACH,
        servers::detach_from_network,
    ),
    post(
        "/servers/{id}/actions/change_alias_ips",
        servers::CHANGE_ALIASES,
        servers::change_alias_ips,
    ),
    post("/servers/{id}/actions/enable_backup", &[], servers::enable_backup),
    post("/servers/{id}/actions/disable_backup", &[], servers::disable_backup),
    post(
        "/servers/{id}/actions/change_protection",
        servers::PROTECTION,
        servers::change_protection,
    ),
    post(
        "/servers/{id}/actions/add_to_placement_group",
        servers::PLACE,
        servers::add_to_placement_group,
    ),
    post(
        "/servers/{id}/actions/remove_from_placement_group",
        &[],
        servers::remove_from_placement_group,
    ),
    post("/servers/{id}/actions/enable_rescue", servers::RESCUE, servers::enable_rescue),
    post("/servers/{id}/actions/disable_rescue", &[], servers::disable_rescue),
    post("/servers/{id}/actions/reset_password", &[], servers::reset_password),
    post("/servers/{id}/actions/change_dns_ptr", primary_ips::DNS_PTR, servers::change_dns_ptr),
];

const IMAGES: &[Route] = &[
    get("/images", images::list),
    get("/images/actions", |p, i| progress::of_kind(p, i, Kind::Image)),
    get("/images/actions/{id}", |p, i| progress::one_of_kind(p, i, Kind::Image)),
    get("/images/{id}", images::get),
    put("/images/{id}", images::UPDATE, images::update),
    delete("/images/{id}", images::delete),
    get("/images/{id}/actions", |p, i| progress::of_thing(p, i, Kind::Image)),
    get("/images/{id}/actions/{action}", |p, i| progress::one_of_thing(p, i, Kind::Image)),
    post("/images/{id}/actions/change_protection", networks::PROTECTION, images::change_protection),
];

const VOLUMES: &[Route] = &[
    get("/volumes", volumes::list),
    post("/volumes", volumes::CREATE, volumes::create),
    get("/volumes/actions", |p, i| progress::of_kind(p, i, Kind::Volume)),
    get("/volumes/actions/{id}", |p, i| progress::one_of_kind(p, i, Kind::Volume)),
    get("/volumes/{id}", volumes::get),
    put("/volumes/{id}", volumes::UPDATE, volumes::update),
    delete("/volumes/{id}", volumes::delete),
    get("/volumes/{id}/actions", |p, i| progress::of_thing(p, i, Kind::Volume)),
    get("/volumes/{id}/actions/{action}", |p, i| progress::one_of_thing(p, i, Kind::Volume)),
    post("/volumes/{id}/actions/attach", volumes::ATTACH, volumes::attach),
    post("/volumes/{id}/actions/detach", &[], volumes::detach),
    post("/volumes/{id}/actions/resize", volumes::RESIZE, volumes::resize),
    post(
        "/volumes/{id}/actions/change_protection",
        networks::PROTECTION,
        volumes::change_protection,
    ),
];

const PRIMARY_IPS: &[Route] = &[
    get("/primary_ips", primary_ips::list),
    post("/primary_ips", primary_ips::CREATE, primary_ips::create),
    get("/primary_ips/actions", |p, i| progress::of_kind(p, i, Kind::PrimaryIp)),
    get("/primary_ips/actions/{id}", |p, i| progress::one_of_kind(p, i, Kind::PrimaryIp)),
    get("/primary_ips/{id}", primary_ips::get),
    put("/primary_ips/{id}", primary_ips::UPDATE, primary_ips::update),
    delete("/primary_ips/{id}", primary_ips::delete),
    get("/primary_ips/{id}/actions", |p, i| progress::of_thing(p, i, Kind::PrimaryIp)),
    get("/primary_ips/{id}/actions/{action}", |p, i| progress::one_of_thing(p, i, Kind::PrimaryIp)),
    post("/primary_ips/{id}/actions/assign", primary_ips::ASSIGN, primary_ips::assign),
    post("/primary_ips/{id}/actions/unassign", &[], primary_ips::unassign),
    post(
        "/primary_ips/{id}/actions/change_protection",
        primary_ips::PROTECTION,
        primary_ips::change_protection,
    ),
    post(
        "/primary_ips/{id}/actions/change_dns_ptr",
        primary_ips::DNS_PTR,
        primary_ips::change_dns_ptr,
    ),
];

const PLACEMENT_GROUPS: &[Route] = &[
    get("/placement_groups", placement_groups::list),
    post("/placement_groups", placement_groups::CREATE, placement_groups::create),
    get("/placement_groups/{id}", placement_groups::get),
    put("/placement_groups/{id}", placement_groups::UPDATE, placement_groups::update),
    delete("/placement_groups/{id}", placement_groups::delete),
];

const ZONES: &[Route] = &[
    get("/zones", zones::list),
    post("/zones", zones::CREATE, zones::create),
    get("/zones/actions", |p, i| progress::of_kind(p, i, Kind::Zone)),
    get("/zones/actions/{id}", |p, i| progress::one_of_kind(p, i, Kind::Zone)),
    get("/zones/{zone}", zones::get),
    put("/zones/{zone}", zones::UPDATE, zones::update),
    delete("/zones/{zone}", zones::delete),
    get("/zones/{zone}/zonefile", zones::export),
    get("/zones/{zone}/actions", |p, i| progress::of_thing(p, i, Kind::Zone)),
    get("/zones/{zone}/actions/{action}", |p, i| progress::one_of_thing(p, i, Kind::Zone)),
    post("/zones/{zone}/actions/import_zonefile", zones::IMPORT, zones::import),
    post("/zones/{zone}/actions/change_ttl", zones::TTL, zones::change_ttl),
    post("/zones/{zone}/actions/change_protection", networks::PROTECTION, zones::change_protection),
    post(
        "/zones/{zone}/actions/change_primary_nameservers",
        zones::NAMESERVERS,
        zones::change_primary_nameservers,
    ),
];

const RRSETS: &[Route] = &[
    get("/zones/{zone}/rrsets", rrsets::list),
    post("/zones/{zone}/rrsets", rrsets::CREATE, rrsets::create),
    get("/zones/{zone}/rrsets/{name}/{type}", rrsets::get),
    put("/zones/{zone}/rrsets/{name}/{type}", rrsets::UPDATE, rrsets::update),
    delete("/zones/{zone}/rrsets/{name}/{type}", rrsets::delete),
    post(
        "/zones/{zone}/rrsets/{name}/{type}/actions/set_records",
        rrsets::RECORDS,
        rrsets::set_records,
    ),
    post(
        "/zones/{zone}/rrsets/{name}/{type}/actions/add_records",
        rrsets::ADD_RECORDS,
        rrsets::add_records,
    ),
    post(
        "/zones/{zone}/rrsets/{name}/{type}/actions/remove_records",
        rrsets::RECORDS,
        rrsets::remove_records,
    ),
    post(
        "/zones/{zone}/rrsets/{name}/{type}/actions/update_records",
        rrsets::UPDATE_RECORDS,
        rrsets::update_records,
    ),
    post("/zones/{zone}/rrsets/{name}/{type}/actions/change_ttl", rrsets::TTL, rrsets::change_ttl),
    post(
        "/zones/{zone}/rrsets/{name}/{type}/actions/change_protection",
        rrsets::PROTECTION,
        rrsets::change_protection,
    ),
];

/// Returns every operation, for those who count coverage.
pub fn operations() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().flat_map(|routes| routes.iter())
}

/// Finds the route of a method and a raw path after `/v1`.
pub fn find(method: &str, path: &str) -> Found {
    let matching: Vec<(&Route, Vec<String>)> =
        operations().filter_map(|route| Some((route, parameters(route.path, path)?))).collect();
    // Fixed words win over parameters, so that `/servers/actions` is no server.
    let Some(fewest) = matching.iter().map(|(_, parameters)| parameters.len()).min() else {
        return Found::Nothing;
    };
    let mut others = Vec::new();
    for (route, parameters) in matching.into_iter().filter(|(_, found)| found.len() == fewest) {
        if route.method == method {
            return Found::Route(route, parameters);
        }
        others.push(route.method);
    }
    Found::OtherMethods(others)
}

fn parameters(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut parameters = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                parameters.push(percent_decoded(given, false)?);
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_one_route() {
        let rows = [
            ("GET", "/servers", "/servers"),
            ("GET", "/servers/actions", "/servers/actions"),
            ("GET", "/servers/7", "/servers/{id}"),
            ("GET", "/servers/7/actions/9", "/servers/{id}/actions/{action}"),
            ("POST", "/servers/7/actions/poweron", "/servers/{id}/actions/poweron"),
            ("GET", "/zones/a.example/rrsets/%40/A", "/zones/{zone}/rrsets/{name}/{type}"),
            ("PATCH", "/servers", "405"),
            ("DELETE", "/servers/actions", "405"),
            ("GET", "/server", "404"),
            ("GET", "/servers/", "404"),
            ("GET", "", "404"),
            ("GET", "/servers/%ff", "404"),
        ];
        for (method, path, expected) in rows {
            let found = match find(method, path) {
                Found::Route(route, _) => route.path,
                Found::OtherMethods(_) => "405",
                Found::Nothing => "404",
            };
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
