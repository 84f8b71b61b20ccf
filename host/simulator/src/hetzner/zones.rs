//! DNS zones.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actions::{Failure, Job};
use super::clock::written;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::records::{self, Record, Rrset, Sets};
use super::refusal::Refusal;
use super::request::{Input, Reply, parse_id};
use super::rrsets;
use super::validation::{Field, Shape, optional, required};

const TTL_DEFAULT: u64 = 3600;
/// What a TTL may be, in seconds.
pub const TTL_RANGE: Shape = Shape::Whole(60, 2_147_483_647);
const SERVERS: &[&str] =
    &["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de."];
// Without the public suffix list at hand, the suffixes of two labels that tests may use.
const DOUBLE_SUFFIXES: &[&str] = &["co.uk", "org.uk", "com.au", "co.jp", "com.br", "co.at"];

const NAMESERVER: &[Field] = &[
    required("address", Shape::Address),
    optional("port", Shape::Whole(1, 65_535)),
    optional("tsig_key", Shape::Text(1, 1024)),
    optional("tsig_algorithm", Shape::Choice(&["hmac-md5", "hmac-sha1", "hmac-sha256"])),
];
const NAMESERVER_LIST: Shape = Shape::List(&Shape::Object(NAMESERVER), 8);

/// Body of `POST /zones`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 255)),
    required("mode", Shape::Choice(&["primary", "secondary"])),
    optional("ttl", TTL_RANGE),
    optional("labels", Shape::Labels),
    optional("primary_nameservers", NAMESERVER_LIST),
    optional("rrsets", Shape::List(&Shape::Object(rrsets::CREATE), 500)),
    optional("zonefile", Shape::Text(0, 1 << 20)),
];
/// Body of `PUT /zones/{zone}`.
pub const UPDATE: &[Field] = &[optional("labels", Shape::Labels)];
/// Body of `import_zonefile`.
pub const IMPORT: &[Field] = &[required("zonefile", Shape::Text(1, 1 << 20))];
/// Body of `change_ttl`.
pub const TTL: &[Field] = &[required("ttl", TTL_RANGE)];
/// Body of `change_primary_nameservers`.
pub const NAMESERVERS: &[Field] = &[required("primary_nameservers", NAMESERVER_LIST)];

const LISTING: Listing = Listing {
    kind: Some(Kind::Zone),
    filters: &[("name", &[]), ("mode", &["primary", "secondary"])],
    ..Listing::new("zones")
};

/// A DNS zone.
#[derive(Debug, Clone)]
pub struct Zone {
    pub id: u64,
    pub name: String,
    pub labels: Labels,
    pub ttl: u64,
    pub created: Timestamp,
    pub is_ready: bool,
    pub is_delete_protected: bool,
    /// Where a secondary zone is copied from; a primary one has none.
    pub primaries: Vec<Value>,
    pub sets: Sets,
}

impl Zone {
    /// Tells whether records are edited here.
    pub fn is_primary(&self) -> bool {
        self.primaries.is_empty()
    }

    /// Returns the API document.
    pub fn document(&self) -> Value {
        let mut document = json!({
            "id": self.id,
            "name": self.name,
            "mode": if self.is_primary() { "primary" } else { "secondary" },
            "labels": self.labels,
            "created": written(self.created),
            "status": if self.is_ready { "ok" } else { "updating" },
            "ttl": self.ttl,
            "record_count": self.sets.values().map(|set| set.records.len()).sum::<usize>(),
            "protection": {"delete": self.is_delete_protected},
            "authoritative_nameservers": {
                "assigned": SERVERS,
                "delegated": SERVERS,
                "delegation_last_check": written(self.created),
                "delegation_status": "valid",
            },
            "registrar": "other",
        });
        if !self.is_primary() {
            document["primary_nameservers"] = json!(self.primaries);
        }
        document
    }
}

/// Finds a zone by id or name.
pub fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a Zone, Refusal> {
    let reference = input.parameter(0);
    let by_id = parse_id(reference).and_then(|id| project.zones.get(&id));
    by_id
        .or_else(|| project.zones.values().find(|zone| zone.name == reference))
        .ok_or_else(|| Refusal::not_found("zone", reference))
}

/// Finds a zone that can be changed now; changes of one zone happen one after the other.
pub fn find_unlocked<'a>(project: &'a Project, input: &Input) -> Result<&'a Zone, Refusal> {
    let zone = find(project, input)?;
    project.check_unlocked(Kind::Zone, zone.id)?;
    Ok(zone)
}

/// Finds a zone whose records are edited here.
pub fn find_primary<'a>(project: &'a Project, input: &Input) -> Result<&'a Zone, Refusal> {
    let zone = find_unlocked(project, input)?;
    if !zone.is_primary() {
        let message = "this operation is not supported for this zone's mode";
        return Err(Refusal::unprocessable("incorrect_zone_mode", message));
    }
    Ok(zone)
}

/// Changes a zone.
pub fn edit(project: &mut Project, id: u64, change: impl FnOnce(&mut Zone)) -> Result<(), Failure> {
    project
        .zones
        .get_mut(&id)
        .map(change)
        .ok_or_else(|| Failure::new("zone_not_found", "the zone is gone"))
}

/// Begins a change of a zone and answers 201 with its action.
pub fn change<F>(
    project: &mut Project,
    id: u64,
    command: &'static str,
    effect: F,
) -> Result<Reply, Refusal>
where
    F: Fn(&mut Zone) + Send + Sync + 'static,
{
    let job =
        Job::new(command).holding(Kind::Zone, id).then(move |project| edit(project, id, &effect));
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `GET /zones`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    LISTING.reply(project, input, project.zones.values().map(Zone::document).collect())
}

/// Answers `GET /zones/{zone}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    Ok(Reply::new(200, json!({"zone": find(project, input)?.document()})))
}

/// Answers `POST /zones`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let name = input.text("name").unwrap_or_default().to_owned();
    check_name(&name)?;
    let primaries = check_mode(input)?;
    let mut sets = if primaries.is_empty() { default_sets() } else { Sets::new() };
    if let Some(text) = input.text("zonefile") {
        sets.extend(records::parse_zonefile(&name, text)?);
    }
    for set in input.list("rrsets") {
        let (key, set) = rrsets::parse(set, &sets)?;
        sets.insert(key, set);
    }
    if project.zones.values().any(|zone| zone.name == name) {
        return Err(Refusal::taken("name", "name is already used"));
    }
    project.check_quota("zone", project.zones.len(), 1)?;
    let zone = Zone {
        id: project.next_id(),
        name,
        labels: input.labels().unwrap_or_default(),
        ttl: input.number("ttl").unwrap_or(TTL_DEFAULT),
        created: project.now,
        is_ready: false,
        is_delete_protected: false,
        primaries,
        sets,
    };
    let (id, document) = (zone.id, zone.document());
    project.created(Kind::Zone, id, &zone.name, &zone.labels);
    project.zones.insert(id, zone);
    let job = Job::new("create_zone")
        .holding(Kind::Zone, id)
        .then(move |project| edit(project, id, |zone| zone.is_ready = true));
    let action = project.begin(job);
    Ok(Reply::new(201, json!({"zone": document, "action": project.action(action)})))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let labels: Vec<&str> = name.split('.').collect();
    let is_good = name == name.to_lowercase()
        && super::validation::hostname(name).is_ok()
        && match labels.as_slice() {
            [_, last] => last.bytes().any(|byte| byte.is_ascii_alphabetic()),
            [_, second, last] => DOUBLE_SUFFIXES.contains(&format!("{second}.{last}").as_str()),
            _ => false,
        };
    if is_good {
        return Ok(());
    }
    Err(Refusal::invalid("name", "must be a registrable domain; subdomains are not supported"))
}

fn check_mode(input: &Input) -> Result<Vec<Value>, Refusal> {
    let primaries = input.list("primary_nameservers");
    let has_records = !input.list("rrsets").is_empty() || input.text("zonefile").is_some();
    let is_secondary = input.text("mode") == Some("secondary");
    if is_secondary && has_records {
        return Err(Refusal::invalid("mode", "a secondary zone gets its records elsewhere"));
    }
    if is_secondary == primaries.is_empty() {
        let message = "needed in secondary mode and only there";
        return Err(Refusal::invalid("primary_nameservers", message));
    }
    if input.text("zonefile").is_some() && !input.list("rrsets").is_empty() {
        return Err(Refusal::invalid("zonefile", "give either zonefile or rrsets"));
    }
    Ok(primaries.iter().map(with_port).collect())
}

fn with_port(nameserver: &Value) -> Value {
    let mut nameserver = nameserver.clone();
    if nameserver["port"].is_null() {
        nameserver["port"] = json!(53);
    }
    nameserver
}

fn default_sets() -> Sets {
    let record = |value: &str| Record { value: value.to_owned(), comment: None };
    let soa = "hydrogen.ns.hetzner.com. dns.hetzner.com. 2026112100 86400 10800 3600000 3600";
    let servers = SERVERS.iter().map(|name| record(name)).collect();
    let set = |records: Vec<Record>| Rrset { records, ..Rrset::default() };
    Sets::from([
        (("@".into(), "NS".into()), set(servers)),
        (("@".into(), "SOA".into()), set(vec![record(soa)])),
    ])
}

/// Answers `PUT /zones/{zone}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    // The lookup above proves that the edit finds it.
    let _ = edit(project, id, |zone| {
        zone.labels = input.labels().unwrap_or_else(|| zone.labels.clone());
    });
    get(project, input)
}

/// Answers `DELETE /zones/{zone}`: 201 with an action.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let zone = find_unlocked(project, input)?;
    if zone.is_delete_protected {
        return Err(Refusal::protected("zone is delete protected"));
    }
    let id = zone.id;
    let job = Job::new("delete_zone").holding(Kind::Zone, id).then(move |project| {
        if let Some(zone) = project.zones.remove(&id) {
            project.deleted(Kind::Zone, id, &zone.name, &zone.labels);
        }
        Ok(())
    });
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `GET /zones/{zone}/zonefile`.
pub fn export(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let zone = find(project, input)?;
    if !zone.is_primary() {
        let message = "this operation is not supported for this zone's mode";
        return Err(Refusal::unprocessable("incorrect_zone_mode", message));
    }
    let text = records::zonefile(&zone.name, zone.ttl, &zone.sets);
    Ok(Reply::new(200, json!({"zonefile": text})))
}

/// Answers `import_zonefile`: replaces every set that is not protected.
pub fn import(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let zone = find_primary(project, input)?;
    let id = zone.id;
    let sets = records::parse_zonefile(&zone.name, input.text("zonefile").unwrap_or_default())?;
    change(project, id, "import_zonefile", move |zone| {
        let is_kept = |(name, kind): &records::Key, set: &mut Rrset| {
            set.is_change_protected || (name == "@" && (kind == "SOA" || kind == "NS"))
        };
        zone.sets.retain(is_kept);
        for (key, set) in &sets {
            let held = zone.sets.entry(key.clone()).or_default();
            if !held.is_change_protected && key.1 != "SOA" {
                held.clone_from(set);
            }
        }
    })
}

/// Answers `change_ttl`.
pub fn change_ttl(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find_primary(project, input)?.id;
    let ttl = input.number("ttl").unwrap_or(TTL_DEFAULT);
    change(project, id, "change_zone_ttl", move |zone| zone.ttl = ttl)
}

/// Answers `change_protection`.
pub fn change_protection(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (id, flag) = (find_unlocked(project, input)?.id, input.flag("delete"));
    change(project, id, "change_zone_protection", move |zone| {
        zone.is_delete_protected = flag.unwrap_or(zone.is_delete_protected);
    })
}

/// Answers `change_primary_nameservers`.
pub fn change_primary_nameservers(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let zone = find_unlocked(project, input)?;
    if zone.is_primary() {
        let message = "this operation is not supported for this zone's mode";
        return Err(Refusal::unprocessable("incorrect_zone_mode", message));
    }
    let id = zone.id;
    let primaries: Vec<Value> = input.list("primary_nameservers").iter().map(with_port).collect();
    if primaries.is_empty() {
        return Err(Refusal::invalid("primary_nameservers", "must not be empty"));
    }
    change(project, id, "change_zone_primary_nameservers", move |zone| {
        zone.primaries.clone_from(&primaries);
    })
}
