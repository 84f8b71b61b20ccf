//! Record sets of a zone.

use serde_json::{Value, json};

use super::actions::Job;
use super::labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::records::{self, Key, Record, Rrset, Sets, TYPES};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::validation::{Field, Shape, optional, required};
use super::zones::{self, TTL_RANGE, Zone};

const RECORDS_MAX: usize = 50;

const RECORD: &[Field] =
    &[required("value", Shape::Text(1, 4096)), optional("comment", Shape::Text(0, 255))];
const COMMENTED: &[Field] =
    &[required("value", Shape::Text(1, 4096)), required("comment", Shape::Text(0, 255))];
const RECORD_LIST: Shape = Shape::List(&Shape::Object(RECORD), RECORDS_MAX);

/// Body of `POST /zones/{zone}/rrsets`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 253)),
    required("type", Shape::Choice(TYPES)),
    optional("ttl", TTL_RANGE).or_null(),
    required("records", RECORD_LIST),
    optional("labels", Shape::Labels),
];
/// Body of `PUT …/rrsets/{name}/{type}`.
pub const UPDATE: &[Field] = &[optional("labels", Shape::Labels)];
/// Body of `set_records` and `remove_records`.
pub const RECORDS: &[Field] = &[required("records", RECORD_LIST)];
/// Body of `add_records`.
pub const ADD_RECORDS: &[Field] =
    &[optional("ttl", TTL_RANGE).or_null(), required("records", RECORD_LIST)];
/// Body of `update_records`.
pub const UPDATE_RECORDS: &[Field] =
    &[required("records", Shape::List(&Shape::Object(COMMENTED), RECORDS_MAX))];
/// Body of `change_ttl`.
pub const TTL: &[Field] = &[required("ttl", TTL_RANGE).or_null()];
/// Body of `change_protection`.
pub const PROTECTION: &[Field] = &[required("change", Shape::Flag)];

const LISTING: Listing = Listing {
    filters: &[("name", &[]), ("type", TYPES)],
    // The reference allows larger pages here than anywhere else.
    per_page_max: 100,
    ..Listing::new("rrsets")
};

/// Reads a set out of a body and checks it against those there are.
pub fn parse(value: &Value, sets: &Sets) -> Result<(Key, Rrset), Refusal> {
    let name = value["name"].as_str().unwrap_or_default();
    let kind = value["type"].as_str().unwrap_or_default();
    if !records::is_name(name) {
        return Err(Refusal::invalid("name", "must be a relative name in lower case, or @"));
    }
    let list = value["records"].as_array().map_or(&[][..], Vec::as_slice);
    let records = records::parse(list, kind)?;
    let key = (name.to_owned(), kind.to_owned());
    records::check_neighbours(sets, &key)?;
    let labels = labels::parse(&value["labels"]).unwrap_or_default();
    Ok((key, Rrset { ttl: value["ttl"].as_u64(), labels, is_change_protected: false, records }))
}

fn key_of(input: &Input) -> Result<Key, Refusal> {
    let (name, kind) = (input.parameter(1), input.parameter(2));
    if records::is_name(name) && TYPES.contains(&kind) {
        return Ok((name.to_owned(), kind.to_owned()));
    }
    Err(Refusal::not_found("RRSet", format!("{name}/{kind}")))
}

fn find<'a>(zone: &'a Zone, key: &Key) -> Result<&'a Rrset, Refusal> {
    let missing = || Refusal::not_found("RRSet", format!("{}/{}", key.0, key.1));
    zone.sets.get(key).ok_or_else(missing)
}

/// Finds a set that may be changed now.
fn find_changeable(project: &Project, input: &Input) -> Result<(u64, Key, Rrset), Refusal> {
    let zone = zones::find_primary(project, input)?;
    let key = key_of(input)?;
    let set = find(zone, &key)?.clone();
    if set.is_change_protected {
        return Err(Refusal::protected("RRSet is change protected"));
    }
    Ok((zone.id, key, set))
}

/// Begins a change of one set.
fn change<F>(
    project: &mut Project,
    (zone, key): (u64, Key),
    command: &'static str,
    effect: F,
) -> Result<Reply, Refusal>
where
    F: Fn(&mut Rrset) + Send + Sync + 'static,
{
    zones::change(project, zone, command, move |zone| {
        if let Some(set) = zone.sets.get_mut(&key) {
            effect(set);
        }
    })
}

/// Answers `GET /zones/{zone}/rrsets`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let zone = zones::find(project, input)?;
    let documents = zone.sets.iter().map(|(key, set)| set.document(key, zone.id)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /zones/{zone}/rrsets/{name}/{type}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key) = (zones::find(project, input)?, key_of(input)?);
    Ok(Reply::new(200, json!({"rrset": find(zone, &key)?.document(&key, zone.id)})))
}

/// Answers `POST /zones/{zone}/rrsets`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let zone = zones::find_primary(project, input)?;
    let id = zone.id;
    let (key, set) = parse(&input.body, &zone.sets)?;
    if zone.sets.contains_key(&key) {
        return Err(Refusal::taken("name", "RRSet already exists"));
    }
    let document = set.document(&key, id);
    note(project, &key, &set, true);
    // An edit of a zone found above does not fail.
    let _ = zones::edit(project, id, |zone| {
        zone.sets.insert(key, set);
    });
    let action = project.begin(Job::new("create_rrset").holding(Kind::Zone, id));
    Ok(Reply::new(201, json!({"rrset": document, "action": project.action(action)})))
}

fn note(project: &mut Project, (name, kind): &Key, set: &Rrset, is_new: bool) {
    let id = format!("{name}/{kind}");
    if is_new {
        project.created(Kind::Rrset, &id, &id, &set.labels);
    } else {
        project.deleted(Kind::Rrset, &id, &id, &set.labels);
    }
}

/// Answers `PUT /zones/{zone}/rrsets/{name}/{type}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key) = (zones::find(project, input)?.id, key_of(input)?);
    find(zones::find(project, input)?, &key)?;
    // The lookups above prove that the edit finds it.
    let _ = zones::edit(project, zone, |zone| {
        if let (Some(set), Some(labels)) = (zone.sets.get_mut(&key), input.labels()) {
            set.labels = labels;
        }
    });
    get(project, input)
}

/// Answers `DELETE /zones/{zone}/rrsets/{name}/{type}`: 201 with an action.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key, _) = find_changeable(project, input)?;
    check_removable(&key)?;
    remove_later(project, zone, key, "delete_rrset")
}

fn check_removable(key: &Key) -> Result<(), Refusal> {
    if key.0 == "@" && ["SOA", "NS"].contains(&key.1.as_str()) {
        let message = "the SOA and NS records of a zone cannot be deleted";
        return Err(Refusal::invalid("type", message));
    }
    Ok(())
}

fn remove_later(
    project: &mut Project,
    zone: u64,
    key: Key,
    command: &'static str,
) -> Result<Reply, Refusal> {
    let job = Job::new(command).holding(Kind::Zone, zone).then(move |project| {
        let removed = project.zones.get_mut(&zone).and_then(|zone| zone.sets.remove(&key));
        if let Some(set) = removed {
            note(project, &key, &set, false);
        }
        Ok(())
    });
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `set_records`: replaces all.
pub fn set_records(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key, _) = find_changeable(project, input)?;
    let records = records::parse(input.list("records"), &key.1)?;
    change(project, (zone, key), "set_rrset_records", move |set| set.records.clone_from(&records))
}

/// Answers `add_records`: makes the set when there is none.
pub fn add_records(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let zone = zones::find_primary(project, input)?;
    let (id, key) = (zone.id, key_of(input)?);
    let added = records::parse(input.list("records"), &key.1)?;
    let ttl = input.number("ttl");
    match zone.sets.get(&key) {
        Some(set) => check_added(set, input, &added)?,
        None => {
            records::check_neighbours(&zone.sets, &key)?;
            let empty = Rrset { ttl, ..Rrset::default() };
            note(project, &key, &empty, true);
            // The zone was found above.
            let _ = zones::edit(project, id, |zone| {
                zone.sets.insert(key.clone(), empty);
            });
        }
    }
    change(project, (id, key), "add_rrset_records", move |set| {
        set.records.extend_from_slice(&added)
    })
}

fn check_added(set: &Rrset, input: &Input, added: &[Record]) -> Result<(), Refusal> {
    if set.is_change_protected {
        return Err(Refusal::protected("RRSet is change protected"));
    }
    if input.number("ttl").is_some_and(|ttl| set.ttl != Some(ttl)) {
        return Err(Refusal::invalid("ttl", "must be that of the existing RRSet"));
    }
    if added.iter().any(|one| set.records.iter().any(|held| held.value == one.value)) {
        return Err(Refusal::taken("records", "a record with the same value already exists"));
    }
    if set.records.len() + added.len() > RECORDS_MAX {
        return Err(Refusal::limit("rrset_record"));
    }
    Ok(())
}

/// Answers `remove_records`: the set goes with its last record.
pub fn remove_records(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key, set) = find_changeable(project, input)?;
    let removed = held_records(&set, input)?;
    if set.records.iter().all(|held| removed.contains(&held.value)) {
        check_removable(&key)?;
        return remove_later(project, zone, key, "remove_rrset_records");
    }
    change(project, (zone, key), "remove_rrset_records", move |set| {
        set.records.retain(|held| !removed.contains(&held.value));
    })
}

fn held_records(set: &Rrset, input: &Input) -> Result<Vec<String>, Refusal> {
    let named: Vec<String> = input
        .list("records")
        .iter()
        .filter_map(|record| record["value"].as_str().map(str::to_owned))
        .collect();
    let is_held = |value: &String| set.records.iter().any(|held| held.value == *value);
    match named.iter().find(|value| !is_held(value)) {
        Some(value) => Err(Refusal::invalid("records", format!("record {value} not found"))),
        None if named.is_empty() => Err(Refusal::invalid("records", "must not be empty")),
        None => Ok(named),
    }
}

/// Answers `update_records`, which is 200: changes comments only.
pub fn update_records(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key, set) = find_changeable(project, input)?;
    held_records(&set, input)?;
    let comments: Vec<(String, String)> = input
        .list("records")
        .iter()
        .filter_map(|one| Some((one["value"].as_str()?.into(), one["comment"].as_str()?.into())))
        .collect();
    let reply = change(project, (zone, key), "update_rrset_records", move |set| {
        for record in &mut set.records {
            let comment = comments.iter().find(|(value, _)| *value == record.value);
            record.comment = comment.map(|(_, text)| text.clone()).or(record.comment.take());
        }
    })?;
    Ok(Reply { status: 200, ..reply })
}

/// Answers `change_ttl`.
pub fn change_ttl(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key, _) = find_changeable(project, input)?;
    let ttl = input.number("ttl");
    change(project, (zone, key), "change_rrset_ttl", move |set| set.ttl = ttl)
}

/// Answers `change_protection`.
pub fn change_protection(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (zone, key) = (zones::find_primary(project, input)?, key_of(input)?);
    find(zone, &key)?;
    let (id, flag) = (zone.id, input.flag("change").unwrap_or(false));
    change(project, (id, key), "change_rrset_protection", move |set| {
        set.is_change_protected = flag;
    })
}
