//! Compares a document with its schema.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{Fault, Field, Kind, Lines, Presence, TextRule, line_of};
use crate::nearest::nearest;
use crate::text::escape;

/// Collects what is wrong, and where each field stands.
pub struct Checker<'t> {
    text: &'t str,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Where each field stands.
    pub lines: Lines,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl<'t> Checker<'t> {
    /// Begins.
    pub fn new(text: &'t str) -> Self {
        Self { text, faults: Vec::new(), lines: BTreeMap::new() }
    }

    /// Checks one table, which stands at `line`.
    pub fn table(
        &mut self,
        path: &str,
        table: &DeTable<'_>,
        schema: &'static [Field],
        line: Option<usize>,
    ) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let at = Some(line_of(self.text, key.span().start));
            match schema.iter().find(|field| field.name == name) {
                Some(field) => self.value(&join(path, name), value, field.kind),
                None => self.unknown(path, name, schema, at),
            }
        }
        for field in schema {
            self.presence(path, table, (schema, field), line);
        }
    }

    fn unknown(&mut self, path: &str, name: &str, schema: &'static [Field], line: Option<usize>) {
        let known: Vec<&str> = schema.iter().map(|field| field.name).collect();
        let fix = match nearest(name, known.iter().copied()) {
            Some(other) => format!("did you mean `{other}`?"),
            None => format!("remove it; known here are `{}`", known.join("`, `")),
        };
        self.faults.push(Fault {
            line,
            field: join(path, &escape(name)),
            problem: "is no known field".into(),
            fix,
        });
    }

    fn presence(
        &mut self,
        path: &str,
        table: &DeTable<'_>,
        (schema, field): (&'static [Field], &'static Field),
        line: Option<usize>,
    ) {
        let has = |name: &str| table.keys().any(|key| key.get_ref().as_ref() == name);
        let problem = match field.presence {
            Presence::Required if !has(field.name) => "is missing".to_owned(),
            Presence::OneOf(group) => {
                let members = schema.iter().filter(|other| other.presence == field.presence);
                let names: Vec<&str> = members.map(|other| other.name).collect();
                let given = names.iter().filter(|name| has(name)).count();
                // The first member speaks for the group, so that there is one error and not many.
                if given == 1 || names.first() != Some(&field.name) {
                    return;
                }
                let count = if given == 0 { "is missing" } else { "is given twice" };
                format!("{count}: {group} needs exactly one of `{}`", names.join("`, `"))
            }
            _ => return,
        };
        let fix = format!("write for example `{}` ({})", example(field), field.about);
        self.faults.push(Fault { line, field: join(path, field.name), problem, fix });
    }

    fn value(&mut self, path: &str, value: &Value<'_>, kind: Kind) {
        let line = line_of(self.text, value.span().start);
        self.lines.insert(path.to_owned(), line);
        let fault = |problem| Fault {
            line: Some(line),
            field: path.to_owned(),
            problem,
            fix: format!("expected {}, for example `{}`", expectation(kind), example_value(kind)),
        };
        match (kind, value.get_ref()) {
            (Kind::Text(rule), DeValue::String(text)) if (rule.holds)(text) => {}
            (Kind::Integer(min, max), DeValue::Integer(number)) if is_within(number, min, max) => {}
            (Kind::Boolean, DeValue::Boolean(_)) => {}
            (Kind::Instant, DeValue::Datetime(time)) if is_instant(time) => {}
            (Kind::Scalar, DeValue::String(_) | DeValue::Integer(_) | DeValue::Boolean(_)) => {}
            (Kind::Texts(rule), DeValue::Array(items)) => {
                self.items(path, items.iter(), Kind::Text(rule));
                self.duplicates(path, items.iter());
            }
            (Kind::Integers(min, max), DeValue::Array(items)) => {
                self.items(path, items.iter(), Kind::Integer(min, max));
            }
            (Kind::Tables(fields), DeValue::Array(items)) => {
                self.items(path, items.iter(), Kind::Table(fields));
            }
            (Kind::Table(fields), DeValue::Table(table)) => {
                self.table(path, table, fields, Some(line));
            }
            (Kind::Named(rule, fields), DeValue::Table(table)) => {
                self.named(path, table, rule, Kind::Table(fields));
            }
            (Kind::NamedTexts(name, rule), DeValue::Table(table)) => {
                self.named(path, table, name, Kind::Texts(rule));
            }
            (_, other) => self.faults.push(fault(format!("is {}", show(other)))),
        }
    }

    fn items<'v, 'i: 'v>(
        &mut self,
        path: &str,
        items: impl Iterator<Item = &'v Value<'i>>,
        kind: Kind,
    ) {
        for (place, item) in items.enumerate() {
            self.value(&format!("{path}[{place}]"), item, kind);
        }
    }

    fn duplicates<'v, 'i: 'v>(&mut self, path: &str, items: impl Iterator<Item = &'v Value<'i>>) {
        let mut seen = Vec::new();
        for (place, item) in items.enumerate() {
            let Some(text) = item.get_ref().as_str() else { continue };
            if seen.contains(&text) {
                self.faults.push(Fault {
                    line: Some(line_of(self.text, item.span().start)),
                    field: format!("{path}[{place}]"),
                    problem: format!("repeats `{}`", escape(text)),
                    fix: "name each once".into(),
                });
            }
            seen.push(text);
        }
    }

    fn named(&mut self, path: &str, table: &DeTable<'_>, rule: &'static TextRule, kind: Kind) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if (rule.holds)(name) {
                self.value(&join(path, name), value, kind);
                continue;
            }
            self.faults.push(Fault {
                line: Some(line_of(self.text, key.span().start)),
                field: join(path, &escape(name)),
                problem: "has a name that is not allowed".into(),
                fix: format!("expected {}, for example `{}`", rule.expects, rule.good),
            });
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn is_within(number: &DeInteger<'_>, min: i64, max: i64) -> bool {
    i64::from_str_radix(number.as_str(), number.radix()).is_ok_and(|it| (min..=max).contains(&it))
}

/// Local times would mean another moment on another host.
fn is_instant(time: &toml::value::Datetime) -> bool {
    time.offset.is_some() && time.to_string().parse::<jiff::Timestamp>().is_ok()
}

fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("`\"{}\"`", escape(text)),
        DeValue::Integer(number) => format!("`{number}`"),
        DeValue::Float(number) => format!("`{number}`"),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(time) => format!("`{time}`"),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

fn expectation(kind: Kind) -> String {
    match kind {
        Kind::Text(rule) => rule.expects.to_owned(),
        Kind::Integer(min, max) if min == max => format!("the whole number {min}"),
        Kind::Integer(min, max) => format!("a whole number from {min} to {max}"),
        Kind::Boolean => "`true` or `false`".into(),
        Kind::Instant => "a date and time in UTC without quotes".into(),
        Kind::Texts(rule) => format!("a list, each {}", rule.expects),
        Kind::Integers(min, max) => format!("a list of whole numbers from {min} to {max}"),
        Kind::Table(_) | Kind::Named(..) | Kind::NamedTexts(..) => "a table".into(),
        Kind::Tables(_) => "a list of tables".into(),
        Kind::Scalar => "a text, a whole number, `true` or `false`".into(),
    }
}

fn example(field: &Field) -> String {
    match field.kind {
        Kind::Table(_) => format!("[{}]", field.name),
        Kind::Tables(_) => format!("[[{}]]", field.name),
        // A name with a dot would be two.
        Kind::Named(rule, _) if rule.good.contains('.') => {
            format!("[{}.\"{}\"]", field.name, rule.good)
        }
        Kind::Named(rule, _) => format!("[{}.{}]", field.name, rule.good),
        Kind::NamedTexts(..) => format!("[{}]", field.name),
        kind => format!("{} = {}", field.name, example_value(kind)),
    }
}

fn example_value(kind: Kind) -> String {
    match kind {
        Kind::Text(rule) => format!("\"{}\"", rule.good),
        Kind::Integer(min, _) | Kind::Integers(min, _) if min > 0 => min.to_string(),
        Kind::Integer(..) => "1".into(),
        Kind::Integers(..) => "[1]".into(),
        Kind::Boolean => "true".into(),
        Kind::Instant => "2027-01-31T00:00:00Z".into(),
        Kind::Texts(rule) => format!("[\"{}\"]", rule.good),
        Kind::Table(_) | Kind::Named(..) | Kind::NamedTexts(..) => "{}".into(),
        Kind::Tables(_) => "[{}]".into(),
        Kind::Scalar => "\"text\"".into(),
    }
}
