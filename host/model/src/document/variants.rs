//! Every way in which one field of a document can be wrong, made from its schema: for tests of the
//! model and of the command line.

use toml::{Table, Value};

use super::{Field, Kind, Presence, TextRule};

/// A document with one fault.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What was done, for example `missing`.
    pub fault: &'static str,
    /// The field that the error must name.
    pub field: String,
    /// The document.
    pub text: String,
}

/// Where a field stands: the keys and places that lead to it.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Place(usize),
}

/// Returns a document with every field of `schema`, the first of each group of alternatives.
pub fn sample(schema: &'static [Field]) -> Table {
    let is_first = |field: &&Field| match field.presence {
        Presence::OneOf(_) => {
            let first = schema.iter().find(|other| other.presence == field.presence);
            first.is_some_and(|first| first.name == field.name)
        }
        _ => true,
    };
    let pair = |field: &Field| (field.name.to_owned(), sample_of(field.kind));
    schema.iter().filter(is_first).map(pair).collect()
}

fn sample_of(kind: Kind) -> Value {
    let text = |rule: &TextRule| Value::String(rule.good.to_owned());
    match kind {
        Kind::Text(rule) => text(rule),
        Kind::Integer(min, max) => Value::Integer(1.clamp(min, max)),
        Kind::Boolean => Value::Boolean(true),
        Kind::Instant => Value::Datetime("2027-01-31T00:00:00Z".parse().expect("a TOML time")),
        Kind::Texts(rule) => Value::Array(vec![text(rule)]),
        Kind::Integers(min, max) => Value::Array(vec![Value::Integer(1.clamp(min, max))]),
        Kind::Table(fields) => Value::Table(sample(fields)),
        Kind::Tables(fields) => Value::Array(vec![Value::Table(sample(fields))]),
        Kind::Named(rule, fields) => named(rule, Value::Table(sample(fields))),
        Kind::NamedTexts(name, rule) => named(name, Value::Array(vec![text(rule)])),
        Kind::Scalar => Value::String("text".into()),
    }
}

fn named(rule: &TextRule, value: Value) -> Value {
    Value::Table([(rule.good.to_owned(), value)].into_iter().collect())
}

/// Returns `document`, which holds every field of `schema`, once for each way in which one field
/// can be missing, of a wrong type, unknown or out of range.
pub fn variants(document: &Table, schema: &'static [Field]) -> Vec<Variant> {
    let mut found = Vec::new();
    walk(document, &[], schema, &mut found);
    found
}

fn walk(root: &Table, path: &[Step], schema: &'static [Field], found: &mut Vec<Variant>) {
    let mut push = |fault, path: &[Step], value: Option<Value>| {
        let mut table = root.clone();
        set(&mut table, path, value);
        let text = toml::to_string(&table).expect("tables of TOML values can be written");
        found.push(Variant { fault, field: show(path), text });
    };
    push("unknown", &child(path, "bogus-field"), Some(Value::Boolean(true)));
    for field in schema {
        let here = child(path, field.name);
        if get(root, &here).is_none() {
            continue;
        }
        if field.presence != Presence::Optional {
            push("missing", &here, None);
        }
        for (at, fault, value) in wrong_values(root, &here, field.kind) {
            push(fault, &at, Some(value));
        }
    }
    for field in schema {
        let here = child(path, field.name);
        match field.kind {
            Kind::Table(fields) if get(root, &here).is_some() => walk(root, &here, fields, found),
            Kind::Tables(fields) if get(root, &place(&here, 0)).is_some() => {
                walk(root, &place(&here, 0), fields, found);
            }
            Kind::Named(_, fields) => {
                for name in names(root, &here) {
                    walk(root, &child(&here, &name), fields, found);
                }
            }
            _ => {}
        }
    }
}

fn wrong_values(root: &Table, here: &[Step], kind: Kind) -> Vec<(Vec<Step>, &'static str, Value)> {
    let mut wrong = vec![(here.to_vec(), "wrong type", wrong_type(kind))];
    let mut range = |at: Vec<Step>, value| wrong.push((at, "out of range", value));
    let texts = |rule: &TextRule| rule.bad.iter().map(|bad| Value::String((*bad).to_owned()));
    match kind {
        Kind::Text(rule) => texts(rule).for_each(|bad| range(here.to_vec(), bad)),
        Kind::Texts(rule) => {
            for bad in texts(rule).chain([Value::Integer(1)]) {
                range(place(here, 0), bad);
            }
        }
        Kind::Integer(min, max) => {
            for bad in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
                range(here.to_vec(), Value::Integer(bad));
            }
        }
        Kind::Integers(min, max) => {
            for bad in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
                range(place(here, 0), Value::Integer(bad));
            }
        }
        Kind::Instant => {
            let local = "2027-01-31T00:00:00".parse().expect("a TOML time");
            range(here.to_vec(), Value::Datetime(local));
        }
        Kind::NamedTexts(_, rule) => {
            for name in names(root, here) {
                texts(rule).for_each(|bad| range(place(&child(here, &name), 0), bad));
            }
        }
        _ => {}
    }
    // An empty list has no item that could be wrong.
    wrong.retain(|(at, ..)| get(root, at).is_some());
    wrong
}

fn names(root: &Table, path: &[Step]) -> Vec<String> {
    let table = get(root, path).and_then(Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn wrong_type(kind: Kind) -> Value {
    match kind {
        Kind::Scalar => Value::Array(Vec::new()),
        Kind::Text(_) | Kind::Instant | Kind::Boolean => Value::Integer(7),
        _ => Value::String("seven".into()),
    }
}

fn child(path: &[Step], key: &str) -> Vec<Step> {
    path.iter().cloned().chain([Step::Key(key.to_owned())]).collect()
}

fn place(path: &[Step], place: usize) -> Vec<Step> {
    path.iter().cloned().chain([Step::Place(place)]).collect()
}

fn show(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Place(place) => text.push_str(&format!("[{place}]")),
        }
    }
    text
}

fn get<'v>(root: &'v Table, path: &[Step]) -> Option<&'v Value> {
    let (Step::Key(first), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(root.get(first)?, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Place(place) => value.get(*place),
    })
}

fn set(root: &mut Table, path: &[Step], value: Option<Value>) {
    let Some((Step::Key(last), parents)) = path.split_last() else {
        return set_item(root, path, value);
    };
    let table = match parents.split_first() {
        None => Some(root),
        Some(_) => get_mut(root, parents).and_then(Value::as_table_mut),
    };
    match (table, value) {
        (Some(table), Some(value)) => drop(table.insert(last.clone(), value)),
        (Some(table), None) => drop(table.remove(last)),
        (None, _) => {}
    }
}

fn set_item(root: &mut Table, path: &[Step], value: Option<Value>) {
    if let (Some(slot), Some(value)) = (get_mut(root, path), value) {
        *slot = value;
    }
}

fn get_mut<'v>(root: &'v mut Table, path: &[Step]) -> Option<&'v mut Value> {
    let (Step::Key(first), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(root.get_mut(first)?, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Place(place) => value.get_mut(*place),
    })
}
