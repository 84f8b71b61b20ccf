//! The catalogue: locations, server types, images, prices and what is in stock.
//!
//! The figures resemble the provider's public list of mid 2026; an estimate must read `/pricing`.

use std::collections::BTreeSet;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::money::{self, euros};

/// A place to put servers.
#[derive(Debug, Clone, Copy)]
pub struct Location {
    pub id: u64,
    pub name: &'static str,
    pub zone: &'static str,
    description: &'static str,
    country: &'static str,
    city: &'static str,
    latitude: f64,
    longitude: f64,
    /// The document of another cloud that is shown instead of one made from the above.
    pub told: Option<&'static Value>,
}

/// A size of server.
#[derive(Debug, Clone, Copy)]
pub struct ServerType {
    pub id: u64,
    pub name: &'static str,
    pub disk: u64,
    pub architecture: &'static str,
    pub monthly: Decimal,
    cores: u64,
    memory: u64,
    cpu: &'static str,
    category: &'static str,
    locations: &'static [&'static str],
    /// The document of another cloud that is shown instead of one made from the above.
    pub told: Option<&'static Value>,
}

/// An operating system to boot from.
#[derive(Debug, Clone, Copy)]
pub struct SystemImage {
    pub id: u64,
    pub name: &'static str,
    pub architecture: &'static str,
    pub flavor: &'static str,
    pub version: &'static str,
    pub description: &'static str,
    pub kind: &'static str,
    /// The document of another cloud that is shown instead of one made from the above.
    pub told: Option<&'static Value>,
}

/// What can be ordered now.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pub locations: &'static [Location],
    pub server_types: &'static [ServerType],
    pub images: &'static [SystemImage],
    /// The price list of another cloud that is shown instead of the own one.
    pub pricing: Option<Arc<Value>>,
    sold_out: BTreeSet<(String, String)>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            locations: LOCATIONS,
            server_types: SERVER_TYPES,
            images: SYSTEM_IMAGES,
            pricing: None,
            sold_out: BTreeSet::new(),
        }
    }
}

/// Net price of a primary IPv4 address a month; IPv6 is free.
pub const IPV4_MONTHLY: Decimal = euros(5_000);
/// Net price of a gigabyte of volume a month.
pub const VOLUME_GB_MONTHLY: Decimal = euros(572);
/// Net price of a gigabyte of snapshot a month.
pub const IMAGE_GB_MONTHLY: Decimal = euros(143);
/// What backups add to the price of a server, in percent.
pub const BACKUP_PERCENT: Decimal = Decimal::from_parts(20, 0, 0, false, 0);
const TRAFFIC_TB: Decimal = euros(10_000);
const FLOATING_IPV4_MONTHLY: Decimal = euros(30_000);
const LOAD_BALANCER_MONTHLY: Decimal = euros(74_900);
const INCLUDED_TRAFFIC: u64 = 20 * (1 << 40);

const EUROPE: &[&str] = &["fsn1", "nbg1", "hel1"];
const EVERYWHERE: &[&str] = &["fsn1", "nbg1", "hel1", "ash", "hil", "sin"];

const fn location(
    id: u64,
    name: &'static str,
    zone: &'static str,
    place: (&'static str, &'static str, &'static str),
    point: (f64, f64),
) -> Location {
    let (description, country, city) = place;
    let (latitude, longitude) = point;
    Location { id, name, zone, description, country, city, latitude, longitude, told: None }
}

/// Every location.
pub const LOCATIONS: &[Location] = &[
    location(
        1,
        "fsn1",
        "eu-central",
        ("Falkenstein DC Park 1", "DE", "Falkenstein"),
        (50.476, 12.37),
    ),
    location(2, "nbg1", "eu-central", ("Nuremberg DC Park 1", "DE", "Nuremberg"), (49.452, 11.077)),
    location(3, "hel1", "eu-central", ("Helsinki DC Park 1", "FI", "Helsinki"), (60.17, 24.938)),
    location(4, "ash", "us-east", ("Ashburn, VA", "US", "Ashburn, VA"), (39.046, -77.475)),
    location(5, "hil", "us-west", ("Hillsboro, OR", "US", "Hillsboro, OR"), (45.543, -122.937)),
    location(6, "sin", "ap-southeast", ("Singapore", "SG", "Singapore"), (1.326, 103.71)),
];

// Cores, memory and disk in gigabytes.
type Size = (u64, u64, u64);

const fn cost_optimized(id: u64, name: &'static str, size: Size, cents: u32) -> ServerType {
    server_type((id, name), size, cents, ("shared", "cost_optimized", "x86", EUROPE))
}

const fn arm(id: u64, name: &'static str, size: Size, cents: u32) -> ServerType {
    server_type((id, name), size, cents, ("shared", "cost_optimized", "arm", EUROPE))
}

const fn regular(id: u64, name: &'static str, size: Size, cents: u32) -> ServerType {
    server_type((id, name), size, cents, ("shared", "regular_purpose", "x86", EVERYWHERE))
}

const fn dedicated(id: u64, name: &'static str, size: Size, cents: u32) -> ServerType {
    server_type((id, name), size, cents, ("dedicated", "general_purpose", "x86", EVERYWHERE))
}

type Family = (&'static str, &'static str, &'static str, &'static [&'static str]);

const fn server_type(
    (id, name): (u64, &'static str),
    (cores, memory, disk): Size,
    cents: u32,
    (cpu, category, architecture, locations): Family,
) -> ServerType {
    let monthly = euros(cents * 100);
    ServerType {
        id,
        name,
        disk,
        architecture,
        monthly,
        cores,
        memory,
        cpu,
        category,
        locations,
        told: None,
    }
}

/// Every server type that can still be ordered somewhere.
pub const SERVER_TYPES: &[ServerType] = &[
    cost_optimized(114, "cx23", (2, 4, 40), 549),
    cost_optimized(115, "cx33", (4, 8, 80), 849),
    cost_optimized(116, "cx43", (8, 16, 160), 1599),
    cost_optimized(117, "cx53", (16, 32, 320), 2949),
    arm(45, "cax11", (2, 4, 40), 599),
    arm(93, "cax21", (4, 8, 80), 1049),
    arm(94, "cax31", (8, 16, 160), 2099),
    arm(95, "cax41", (16, 32, 320), 4099),
    regular(108, "cpx12", (1, 2, 40), 1149),
    regular(109, "cpx22", (2, 4, 80), 1949),
    regular(110, "cpx32", (4, 8, 160), 3549),
    regular(111, "cpx42", (8, 16, 320), 6949),
    regular(112, "cpx52", (12, 24, 480), 10049),
    regular(113, "cpx62", (16, 32, 640), 12999),
    dedicated(96, "ccx13", (2, 8, 80), 4299),
    dedicated(97, "ccx23", (4, 16, 160), 8599),
    dedicated(98, "ccx33", (8, 32, 240), 13849),
];

const fn system(
    id: u64,
    name: &'static str,
    flavor: &'static str,
    label: (&'static str, &'static str),
    architecture: &'static str,
) -> SystemImage {
    let (version, description) = label;
    SystemImage { id, name, architecture, flavor, version, description, kind: "system", told: None }
}

/// Every image of the provider; a name stands for one image per architecture.
pub const SYSTEM_IMAGES: &[SystemImage] = &[
    system(114690387, "debian-12", "debian", ("12", "Debian 12"), "x86"),
    system(114690389, "debian-12", "debian", ("12", "Debian 12"), "arm"),
    system(310557660, "debian-13", "debian", ("13", "Debian 13"), "x86"),
    system(310557661, "debian-13", "debian", ("13", "Debian 13"), "arm"),
    system(67794396, "ubuntu-22.04", "ubuntu", ("22.04", "Ubuntu 22.04"), "x86"),
    system(103907373, "ubuntu-22.04", "ubuntu", ("22.04", "Ubuntu 22.04"), "arm"),
    system(161547269, "ubuntu-24.04", "ubuntu", ("24.04", "Ubuntu 24.04"), "x86"),
    system(161547270, "ubuntu-24.04", "ubuntu", ("24.04", "Ubuntu 24.04"), "arm"),
    system(124627149, "rocky-9", "rocky", ("9", "Rocky Linux 9"), "x86"),
    system(118217690, "alma-9", "alma", ("9", "AlmaLinux 9"), "x86"),
    system(283411950, "fedora-42", "fedora", ("42", "Fedora 42"), "x86"),
    SystemImage {
        id: 40093247,
        name: "docker-ce",
        architecture: "x86",
        flavor: "ubuntu",
        version: "24.04",
        description: "Docker CE",
        kind: "app",
        told: None,
    },
];

impl Location {
    // Tables of the catalogue live as long as the process, as those of the product itself do: a
    // seed adds one list of each, and a process is seeded a handful of times.
    /// Takes a location over from another cloud.
    pub(super) fn told(id: u64, (name, zone): (&'static str, &'static str), told: Value) -> Self {
        let told: &'static Value = Box::leak(Box::new(told));
        Self { told: Some(told), ..location(id, name, zone, ("", "", ""), (0.0, 0.0)) }
    }

    /// Returns the API document.
    pub fn document(&self) -> Value {
        if let Some(told) = self.told {
            return told.clone();
        }
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "country": self.country,
            "city": self.city,
            "latitude": self.latitude,
            "longitude": self.longitude,
            "network_zone": self.zone,
        })
    }
}

impl ServerType {
    /// Takes a server type over from another cloud.
    pub(super) fn told(
        (id, disk): (u64, u64),
        (name, architecture): (&'static str, &'static str),
        locations: Vec<&'static str>,
        told: Value,
    ) -> Self {
        let told: &'static Value = Box::leak(Box::new(told));
        let family = ("shared", "", architecture, &*locations.leak());
        Self { told: Some(told), ..server_type((id, name), (0, 0, disk), 0, family) }
    }

    /// Tells whether the type exists in a location at all, in stock or not.
    pub fn is_offered_in(&self, location: &str) -> bool {
        self.locations.contains(&location)
    }

    /// Returns the places that offer this type.
    pub fn locations(&self, catalogue: &Catalogue) -> impl Iterator<Item = &'static Location> {
        let all = catalogue.locations;
        self.locations.iter().filter_map(|name| all.iter().find(|place| place.name == *name))
    }

    /// Returns the API document with the stock flags of `catalogue`.
    pub fn document(&self, catalogue: &Catalogue) -> Value {
        if let Some(told) = self.told {
            return self.restocked(told, catalogue);
        }
        let locations: Vec<Value> = self
            .locations(catalogue)
            .map(|location| {
                json!({
                    "id": location.id,
                    "name": location.name,
                    "deprecation": null,
                    "recommended": location.zone == "eu-central",
                    "available": catalogue.is_in_stock(self.name, location.name),
                })
            })
            .collect();
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.name.to_uppercase(),
            "cores": self.cores,
            "memory": self.memory,
            "disk": self.disk,
            "deprecated": false,
            "deprecation": null,
            "prices": self.prices(),
            "storage_type": "local",
            "cpu_type": self.cpu,
            "category": self.category,
            "architecture": self.architecture,
            "locations": locations,
        })
    }

    fn restocked(&self, told: &Value, catalogue: &Catalogue) -> Value {
        let mut document = told.clone();
        for place in document["locations"].as_array_mut().into_iter().flatten() {
            let is_available =
                place["name"].as_str().map(|it| catalogue.is_in_stock(self.name, it));
            place["available"] = json!(is_available);
        }
        document
    }

    fn prices(&self) -> Vec<Value> {
        self.locations.iter().map(|name| traffic_price(name, self.monthly)).collect()
    }
}

impl SystemImage {
    /// Takes an image over from another cloud.
    pub(super) fn told(
        id: u64,
        (name, architecture): (&'static str, &'static str),
        told: Value,
    ) -> Self {
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned().leak();
        let (flavor, version, kind) = (text("os_flavor"), text("os_version"), text("type"));
        let told: &'static Value = Box::leak(Box::new(told));
        let image = system(id, name, flavor, (version, ""), architecture);
        Self { kind, told: Some(told), ..image }
    }
}

impl Catalogue {
    /// Finds a location by name or id.
    pub fn location(&self, reference: &str) -> Option<&'static Location> {
        let is_it = |one: &&Location| one.name == reference || one.id.to_string() == reference;
        self.locations.iter().find(is_it)
    }

    /// Finds a server type by name or id.
    pub fn server_type(&self, reference: &str) -> Option<&'static ServerType> {
        let is_it = |one: &&ServerType| one.name == reference || one.id.to_string() == reference;
        self.server_types.iter().find(is_it)
    }

    /// Finds an image of the provider by id, or by name and architecture.
    pub fn image(&self, reference: &str, architecture: &str) -> Option<&'static SystemImage> {
        self.images.iter().find(|image| {
            image.id.to_string() == reference
                || (image.name == reference && image.architecture == architecture)
        })
    }

    /// Returns the document of `GET /pricing`.
    pub fn pricing(&self) -> Value {
        self.pricing.as_ref().map_or_else(pricing, |told| Value::clone(told))
    }

    /// Tells whether a type can be ordered in a location now.
    pub fn is_in_stock(&self, server_type: &str, location: &str) -> bool {
        !self.sold_out.contains(&(server_type.to_owned(), location.to_owned()))
    }

    /// Puts a type in or out of stock.
    pub fn set_stock(&mut self, server_type: &str, location: &str, is_available: bool) {
        let place = (server_type.to_owned(), location.to_owned());
        if is_available {
            self.sold_out.remove(&place);
        } else {
            self.sold_out.insert(place);
        }
    }
}

fn traffic_price(location: &str, monthly: Decimal) -> Value {
    let mut document = located_price(location, monthly);
    document["included_traffic"] = json!(INCLUDED_TRAFFIC);
    document["price_per_tb_traffic"] = money::price(TRAFFIC_TB);
    document
}

fn located_price(location: &str, monthly: Decimal) -> Value {
    json!({
        "location": location,
        "price_hourly": money::price(money::hourly(monthly)),
        "price_monthly": money::price(monthly),
    })
}

fn pricing() -> Value {
    let types: Vec<Value> = SERVER_TYPES
        .iter()
        .map(|kind| json!({"id": kind.id, "name": kind.name, "prices": kind.prices()}))
        .collect();
    let everywhere = |price: &dyn Fn(&str) -> Value| -> Vec<Value> {
        EVERYWHERE.iter().map(|name| price(name)).collect()
    };
    let floating = |monthly: Decimal| {
        everywhere(&|name| json!({"location": name, "price_monthly": money::price(monthly)}))
    };
    json!({
        "currency": "EUR",
        "vat_rate": format!("{:.2}", money::VAT_RATE),
        "primary_ips": [
            {"type": "ipv4", "prices": everywhere(&|name| located_price(name, IPV4_MONTHLY))},
            {"type": "ipv6", "prices": everywhere(&|name| located_price(name, Decimal::ZERO))},
        ],
        "floating_ip": {"price_monthly": money::price(FLOATING_IPV4_MONTHLY)},
        "floating_ips": [
            {"type": "ipv4", "prices": floating(FLOATING_IPV4_MONTHLY)},
            {"type": "ipv6", "prices": floating(euros(10_000))},
        ],
        "image": {"price_per_gb_month": money::price(IMAGE_GB_MONTHLY)},
        "volume": {"price_per_gb_month": money::price(VOLUME_GB_MONTHLY)},
        "server_backup": {"percentage": format!("{BACKUP_PERCENT:.2}")},
        "server_types": types,
        "load_balancer_types": [{
            "id": 1,
            "name": "lb11",
            "prices": everywhere(&|name| traffic_price(name, LOAD_BALANCER_MONTHLY)),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_unique() {
        let ids: BTreeSet<u64> = SERVER_TYPES.iter().map(|kind| kind.id).collect();
        let names: BTreeSet<&str> = SERVER_TYPES.iter().map(|kind| kind.name).collect();
        assert_eq!((ids.len(), names.len()), (SERVER_TYPES.len(), SERVER_TYPES.len()));
        let ids: BTreeSet<u64> = SYSTEM_IMAGES.iter().map(|image| image.id).collect();
        assert_eq!(ids.len(), SYSTEM_IMAGES.len());
    }

    #[test]
    fn stock_is_kept_per_type_and_location() {
        let mut catalogue = Catalogue::default();
        catalogue.set_stock("cx23", "nbg1", false);
        assert!(!catalogue.is_in_stock("cx23", "nbg1"));
        assert!(catalogue.is_in_stock("cx23", "fsn1"));
        let document = catalogue.server_type("cx23").expect("in the list").document(&catalogue);
        let flags: Vec<(&str, bool)> = document["locations"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| (row["name"].as_str().unwrap_or(""), row["available"] == true))
            .collect();
        assert_eq!(flags, [("fsn1", true), ("nbg1", false), ("hel1", true)]);
        catalogue.set_stock("cx23", "nbg1", true);
        assert!(catalogue.is_in_stock("cx23", "nbg1"));
    }

    #[test]
    fn removed_types_are_unknown() {
        let catalogue = Catalogue::default();
        for name in ["cx22", "cx32", "", "CX23"] {
            assert!(catalogue.server_type(name).is_none(), "{name:?}");
        }
        assert!(catalogue.server_type("114").is_some());
    }
}
