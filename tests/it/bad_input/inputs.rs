//! Inputs: for every input that a shipped runbook declares, each wrong value is told once.

use std::fs;

use runwrit_model::document::Fault;
use runwrit_model::inputs::{Given, read};
use runwrit_model::manifest::{Input, InputKind, Manifest};

use super::documents::shipped;

/// Values that are right for inputs without a default, by name.
const GOOD: [(&str, &str); 9] = [
    ("tenant", "acme"),
    ("octet", "7"),
    ("location", "nbg1"),
    ("workers", "1"),
    ("bastion", "203.0.113.7/32"),
    ("domain", "example.org"),
    ("ssh-keys", "ops"),
    ("delete-data", "true"),
    ("name", "Ada"),
];

/// Values of texts that only their pattern refuses, by name.
const MALFORMED: [(&str, &[&str]); 6] = [
    ("tenant", &["Acme", "a", "acme-1"]),
    ("location", &["nbg-1", "Nbg1", "nuremberg"]),
    ("bastion", &["300.1.1.1", "203.0.113.7/33", "203.0.113", "::1/129", "acme"]),
    ("domain", &["example", "-.example.org", "example.org/x"]),
    ("ssh-keys", &["ops;rm", ",", "ops,,ops"]),
    ("name", &[""]),
];

fn manifests() -> Vec<Manifest> {
    let text = |path| fs::read_to_string(path).unwrap();
    let files = shipped("runbook.toml");
    files.into_iter().map(|path| Manifest::parse("runbook.toml", &text(path)).unwrap()).collect()
}

fn arguments(manifest: &Manifest) -> Vec<String> {
    let value = |name: &str| {
        let found = GOOD.iter().find(|(good, _)| *good == name);
        found.unwrap_or_else(|| panic!("name a right value for `{name}` in this test")).1
    };
    let needed = manifest.inputs.iter().filter(|(_, input)| input.default.is_none());
    needed.map(|(name, _)| format!("{name}={}", value(name))).collect()
}

fn wrong_values(name: &str, input: &Input) -> Vec<String> {
    let beyond = |bound: Option<i64>, step: i64, limit: i64| {
        let outside = bound.unwrap_or(limit) + step;
        outside.to_string()
    };
    match input.kind {
        InputKind::Boolean => vec!["maybe".into(), "True".into(), "1".into(), String::new()],
        InputKind::Integer => vec![
            "seven".into(),
            String::new(),
            "1.5".into(),
            beyond(input.min, -1, i64::from(i32::MIN)),
            beyond(input.max, 1, i64::from(i32::MAX)),
        ],
        InputKind::Text => {
            let malformed = MALFORMED.iter().find(|(malformed, _)| *malformed == name);
            let malformed =
                malformed.unwrap_or_else(|| panic!("name what the pattern of `{name}` refuses")).1;
            let texts = ["\u{1b}[31m", "\u{202e}"].iter().chain(malformed);
            texts.map(|text| (*text).to_owned()).chain(["a".repeat(5_000)]).collect()
        }
    }
}

fn faults(manifest: &Manifest, arguments: &[String]) -> Vec<Fault> {
    match read(manifest, Given { arguments, file: None }) {
        Ok(inputs) => panic!("`{}` accepted {arguments:?} as {inputs:?}", manifest.name),
        Err(faults) => faults.faults,
    }
}

#[test]
fn right_inputs_are_accepted() {
    for manifest in manifests() {
        let arguments = arguments(&manifest);
        read(&manifest, Given { arguments: &arguments, file: None })
            .unwrap_or_else(|faults| panic!("{}: {faults}", manifest.name));
    }
}

#[test]
fn a_bastion_is_an_address_or_a_range_of_either_family() {
    let manifest = manifests().into_iter().find(|it| it.inputs.contains_key("bastion"));
    let manifest = manifest.expect("`provision-tenant` asks for it");
    let others = arguments(&manifest).into_iter().filter(|it| !it.starts_with("bastion="));
    let others: Vec<String> = others.collect();
    for value in ["203.0.113.7", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::/32"] {
        let arguments = [&others[..], &[format!("bastion={value}")]].concat();
        read(&manifest, Given { arguments: &arguments, file: None })
            .unwrap_or_else(|faults| panic!("{value}: {faults}"));
    }
}

#[test]
fn each_input_missing_unknown_mistyped_or_out_of_range_gives_one_error() {
    let mut count = 0;
    for manifest in manifests() {
        let right = arguments(&manifest);
        for (name, input) in &manifest.inputs {
            let own = format!("{name}=");
            let others: Vec<String> =
                right.iter().filter(|it| !it.starts_with(&own)).cloned().collect();
            if input.default.is_none() {
                expect(&faults(&manifest, &others), name, "is missing");
            }
            for value in wrong_values(name, input) {
                let mut all = others.clone();
                all.push(format!("{own}{value}"));
                expect(&faults(&manifest, &all), name, "is `");
                count += 1;
            }
        }
        let mut all = right.clone();
        all.push("bogus=1".into());
        expect(&faults(&manifest, &all), "bogus", "is no input");
    }
    assert!(count > 20, "only {count} values were tried");
}

/// One literal of each type that TOML has, with the kind of input that takes it.
const LITERALS: [(&str, Option<InputKind>); 7] = [
    ("\"text\"", Some(InputKind::Text)),
    ("7", Some(InputKind::Integer)),
    ("true", Some(InputKind::Boolean)),
    ("7.5", None),
    ("[7]", None),
    ("{ a = 7 }", None),
    ("2026-11-21T12:00:00Z", None),
];

/// Returns an input as a line of a file writes it.
fn line(manifest: &Manifest, argument: &str) -> String {
    let (name, value) = argument.split_once('=').expect("`NAME=VALUE`");
    match manifest.inputs[name].kind {
        InputKind::Text => format!("{name} = \"{value}\""),
        InputKind::Integer | InputKind::Boolean => format!("{name} = {value}"),
    }
}

#[test]
fn each_input_of_a_wrong_type_in_a_file_gives_one_error_with_its_line() {
    let mut count = 0;
    for manifest in manifests() {
        let right: Vec<String> =
            arguments(&manifest).iter().map(|argument| line(&manifest, argument)).collect();
        for (name, input) in &manifest.inputs {
            let own = format!("{name} = ");
            let wrong = LITERALS.iter().filter(|(_, kind)| *kind != Some(input.kind));
            for (literal, _) in wrong {
                let mut lines: Vec<String> =
                    right.iter().filter(|it| !it.starts_with(&own)).cloned().collect();
                lines.push(format!("{own}{literal}"));
                let text = lines.join("\n");
                let given = Given { arguments: &[], file: Some(("inputs.toml", &text)) };
                let faults = read(&manifest, given).expect_err(literal);
                expect(&faults.faults, name, "expected");
                let place = (faults.document.as_str(), faults.faults[0].line);
                assert_eq!(place, ("inputs.toml", Some(lines.len())), "{name} = {literal}");
                count += 1;
            }
        }
    }
    assert!(count > 60, "only {count} literals were tried");
}

fn expect(faults: &[Fault], field: &str, part: &str) {
    assert_eq!(faults.len(), 1, "{faults:?}");
    let shown = faults[0].to_string();
    assert!(faults[0].field == field && shown.contains(part), "{shown}");
    assert!(!faults[0].fix.is_empty(), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "not escaped");
}
