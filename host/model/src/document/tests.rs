//! Every field of every document, wrong in every way.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::variants::{Variant, sample, variants};
use super::{Faults, Field, Kind, Presence};
use crate::grant::{self, Grant};
use crate::manifest::{self, Manifest};
use crate::settings::{self, Settings};

/// One kind of document: its schema, complete examples that together hold every field, and how it
/// is read and written again.
struct Row {
    name: &'static str,
    schema: &'static [Field],
    examples: Vec<Table>,
    read: fn(&str) -> Result<String, Faults>,
}

fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "grant",
            schema: grant::SCHEMA,
            examples: vec![sample(grant::SCHEMA)],
            read: |text| Grant::parse("document", text).map(|it| it.canonical()),
        },
        Row {
            name: "runbook.toml",
            schema: manifest::SCHEMA,
            examples: vec![
                edited(manifest::SCHEMA, &[("min", None), ("max", None), ("default", None)]),
                edited(
                    manifest::SCHEMA,
                    &[
                        ("type", Some("integer".into())),
                        ("pattern", None),
                        ("choices", None),
                        ("default", Some(1.into())),
                    ],
                )
                .without("scope"),
            ],
            read: |text| Manifest::parse("document", text).map(|it| it.canonical()),
        },
        Row {
            name: "runwrit.toml",
            schema: settings::SCHEMA,
            examples: vec![settings_sample("env", "file"), settings_sample("file", "env")],
            read: |text| {
                let written = |it: Settings| toml::to_string(&it).unwrap();
                Settings::parse("document", text).map(written)
            },
        },
    ]
}

trait Without {
    fn without(self, key: &str) -> Self;
}

impl Without for Table {
    fn without(mut self, key: &str) -> Self {
        self.remove(key);
        self
    }
}

/// A complete manifest whose one input is edited so that its fields fit together.
fn edited(schema: &'static [Field], edits: &[(&str, Option<Value>)]) -> Table {
    let mut table = sample(schema);
    let inputs = table["inputs"].as_table_mut().unwrap();
    let input = inputs["gateway"].as_table_mut().unwrap();
    for (key, value) in edits {
        match value {
            Some(value) => drop(input.insert((*key).to_owned(), value.clone())),
            None => drop(input.remove(*key)),
        }
    }
    table
}

fn settings_sample(kept: &str, dropped: &str) -> Table {
    let mut table = sample(settings::SCHEMA);
    for (section, name) in [("credentials", "gateway"), ("registries", "registry.example.org")] {
        let entry = table[section][name].as_table_mut().unwrap();
        entry.remove(dropped);
        entry.insert(kept.to_owned(), Value::String("TOKEN".into()));
    }
    table
}

#[test]
fn every_field_missing_mistyped_unknown_or_out_of_range_gives_exactly_one_error() {
    for row in rows() {
        let mut count = 0;
        for example in &row.examples {
            for variant in variants(example, row.schema) {
                expect_one_error(&row, &variant);
                count += 1;
            }
        }
        assert!(count > 50, "{} was tried in only {count} ways", row.name);
    }
}

fn expect_one_error(row: &Row, variant: &Variant) {
    let told = format!("{}: `{}` {}\n{}", row.name, variant.field, variant.fault, variant.text);
    let Err(faults) = (row.read)(&variant.text) else { panic!("accepted: {told}") };
    assert_eq!(faults.faults.len(), 1, "{faults}\n{told}");
    let fault = &faults.faults[0];
    let is_group = variant.fault == "missing" && fault.problem.contains("exactly one of");
    assert!(fault.field == variant.field || is_group, "{fault}\n{told}");
    assert!(!fault.problem.is_empty() && fault.fix.len() > 5, "{fault}\n{told}");
    assert!(fault.line.is_some(), "no line: {fault}\n{told}");
    let lines: Vec<&str> = variant.text.lines().collect();
    let line = fault.line.unwrap();
    assert!((1..=lines.len()).contains(&line), "{fault}\n{told}");
    let leaf = variant.field.rsplit('.').next().unwrap().split('[').next().unwrap();
    let stands = variant.fault == "missing" || lines[..line].iter().any(|it| it.contains(leaf));
    assert!(stands, "the line is wrong: {fault}\n{told}");
}

#[test]
fn complete_documents_are_accepted_and_their_canonical_text_is_a_fixed_point() {
    for row in rows() {
        for example in &row.examples {
            let text = toml::to_string(example).unwrap();
            let once = (row.read)(&text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
            let twice = (row.read)(&once).unwrap_or_else(|faults| panic!("{faults}\n{once}"));
            assert_eq!(once, twice, "{}", row.name);
        }
    }
}

/// A field that only the schema knows would be refused by serde above; a field that only serde
/// knows stands in the canonical text but in no schema, and is found here.
#[test]
fn schema_and_types_know_the_same_fields() {
    for row in rows() {
        let mut written = BTreeSet::new();
        let mut tried = BTreeSet::new();
        for example in &row.examples {
            collect(example, row.schema, "", &mut tried);
            let text = (row.read)(&toml::to_string(example).unwrap()).unwrap();
            collect(&text.parse().unwrap(), row.schema, "", &mut written);
        }
        let mut described = BTreeSet::new();
        describe(row.schema, "", &mut described);
        assert_eq!(tried, described, "{}: the examples leave fields out", row.name);
        assert_eq!(written, described, "{}: schema and types differ", row.name);
    }
}

fn describe(schema: &'static [Field], path: &str, found: &mut BTreeSet<String>) {
    for field in schema {
        let here = format!("{path}.{}", field.name);
        found.insert(here.clone());
        if let Kind::Table(fields) | Kind::Tables(fields) | Kind::Named(_, fields) = field.kind {
            describe(fields, &here, found);
        }
    }
}

fn collect(table: &Table, schema: &'static [Field], path: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let here = format!("{path}.{key}");
        found.insert(here.clone());
        let kind = schema.iter().find(|field| field.name == key).map(|field| field.kind);
        match (kind, value) {
            (Some(Kind::Table(fields)), Value::Table(inner)) => {
                collect(inner, fields, &here, found);
            }
            (Some(Kind::Tables(fields)), Value::Array(items)) => {
                for item in items.iter().filter_map(Value::as_table) {
                    collect(item, fields, &here, found);
                }
            }
            (Some(Kind::Named(_, fields)), Value::Table(named)) => {
                for item in named.values().filter_map(Value::as_table) {
                    collect(item, fields, &here, found);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_rule_for_texts_accepts_its_good_example_and_no_bad_one() {
    fn visit(schema: &'static [Field], count: &mut usize) {
        for field in schema {
            let rules = match field.kind {
                Kind::Text(rule) | Kind::Texts(rule) => vec![rule],
                Kind::NamedTexts(name, rule) => vec![name, rule],
                Kind::Named(rule, fields) => {
                    visit(fields, count);
                    vec![rule]
                }
                Kind::Table(fields) | Kind::Tables(fields) => {
                    visit(fields, count);
                    vec![]
                }
                _ => vec![],
            };
            for rule in rules {
                assert!((rule.holds)(rule.good), "`{}` refuses `{}`", field.name, rule.good);
                for bad in rule.bad {
                    assert!(!(rule.holds)(bad), "`{}` accepts `{bad}`", field.name);
                }
                *count += 1;
            }
        }
    }
    for row in rows() {
        let mut count = 0;
        visit(row.schema, &mut count);
        assert!(count > 5, "{}", row.name);
    }
}

#[test]
fn whole_documents_that_are_wrong_give_one_error() {
    let large = format!("# {}\nversion = 1", "x".repeat(300_000));
    let texts = ["version = ", "version = 1\nversion = 1", "[a\n", "\u{0}", &large];
    for row in rows() {
        for text in texts {
            let faults = (row.read)(text).unwrap_err();
            assert_eq!(faults.faults.len(), 1, "{}: {faults}", row.name);
        }
        let faults = (row.read)("version = 2").unwrap_err();
        let newer = faults.faults.iter().find(|fault| fault.field == "version").unwrap();
        assert_eq!(
            newer.to_string(),
            "line 1: `version` is `2`: expected the whole number 1, for example `1`"
        );
    }
}

#[test]
fn a_group_of_alternatives_takes_exactly_one() {
    let base = "version = 1\n[credentials.prod]\n";
    for (text, part) in [
        ("", "is missing: a credential needs exactly one of `env`, `file`"),
        ("env = \"A\"\nfile = \"/b\"\n", "is given twice"),
    ] {
        let faults = Settings::parse("runwrit.toml", &format!("{base}{text}")).unwrap_err();
        assert_eq!(faults.faults.len(), 1, "{faults}");
        assert!(faults.to_string().contains(part), "{faults}");
    }
}

#[test]
fn optional_means_optional() {
    for row in rows() {
        let mut table = sample(row.schema);
        for field in row.schema.iter().filter(|field| field.presence == Presence::Optional) {
            table.remove(field.name);
        }
        (row.read)(&toml::to_string(&table).unwrap()).unwrap_or_else(|faults| panic!("{faults}"));
    }
}

#[test]
fn names_that_an_author_chooses_follow_a_rule() {
    let manifest = toml::to_string(&sample(manifest::SCHEMA)).unwrap();
    let rows = [("[inputs.gateway]", "inputs"), ("[outputs.gateway]", "outputs")];
    for (header, section) in rows {
        for bad in ["Gateway", "a_b", "\u{202e}x", ""] {
            let name = Value::String(bad.to_owned());
            let text = manifest.replace(header, &format!("[{section}.{name}]"));
            let faults = Manifest::parse("runbook.toml", &text).unwrap_err();
            let is_told = faults.faults.iter().any(|it| it.problem.contains("a name that is not"));
            assert!(is_told, "`{bad}`: {faults}");
            assert!(!faults.to_string().contains('\u{202e}'), "not escaped");
        }
    }
}
