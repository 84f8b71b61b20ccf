//! The inputs of a run: typed, complete, and all that is wrong with them told at once.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::Value;

use crate::document::{self, Fault, Faults, Lines, rules};
use crate::id::{RunId, Scope};
use crate::manifest::{Input, InputKind, Manifest};
use crate::nearest::nearest;
use crate::text::escape;

/// The inputs by name, as the journal keeps them.
pub type Inputs = BTreeMap<String, Json>;

/// What the operator gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// Each `NAME=VALUE` of the command line.
    pub arguments: &'a [String],
    /// The name and the text of an inputs file.
    pub file: Option<(&'a str, &'a str)>,
}

/// Reads the inputs that `manifest` declares. Unknown, missing, doubled and wrong ones are faults.
pub fn read(manifest: &Manifest, given: Given<'_>) -> Result<Inputs, Faults> {
    let mut reading =
        Reading { manifest, values: BTreeMap::new(), lines: Lines::new(), faults: Vec::new() };
    if let Some((name, text)) = given.file {
        reading.file(name, text)?;
    }
    given.arguments.iter().for_each(|argument| reading.argument(argument));
    reading.complete();
    reading.tenant();
    // A fault that the file holds is told with its line, and with the name of the file where it
    // holds all of them.
    let name = given.file.map(|(name, _)| name).filter(|_| reading.are_faults_of_file());
    document::settle(name.unwrap_or("inputs"), &reading.lines, reading.faults)?;
    Ok(reading.values.into_iter().map(|(name, value)| (name, json(value))).collect())
}

/// Returns what a run with these inputs holds alone.
pub fn scope(manifest: &Manifest, inputs: &Inputs, run: &RunId) -> Scope {
    let tenant = manifest.tenant_input().and_then(|name| inputs.get(name));
    tenant.and_then(Json::as_str).map_or_else(|| Scope::run(run), Scope::tenant)
}

struct Reading<'a> {
    manifest: &'a Manifest,
    values: BTreeMap<String, Value>,
    /// Where the names stand in the file.
    lines: Lines,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    fn are_faults_of_file(&self) -> bool {
        self.faults.iter().all(|fault| self.lines.contains_key(&fault.field))
    }

    fn file(&mut self, name: &str, text: &str) -> Result<(), Faults> {
        let (table, lines) = document::read_declared(name, text)?;
        self.lines = lines;
        table.into_iter().for_each(|(name, value)| self.value(&name, value));
        Ok(())
    }

    fn argument(&mut self, argument: &str) {
        let Some((name, text)) = argument.split_once('=') else {
            let problem = "has no value".to_owned();
            let fix = "write `--input NAME=VALUE`".to_owned();
            return self.faults.push(Fault::new(escape(argument), problem, fix));
        };
        let kind = self.manifest.inputs.get(name).map(|input| input.kind);
        let value = match kind {
            Some(InputKind::Integer) => text.parse().map(Value::Integer).ok(),
            Some(InputKind::Boolean) => text.parse().map(Value::Boolean).ok(),
            _ => None,
        };
        self.value(name, value.unwrap_or_else(|| Value::String(text.to_owned())));
    }

    fn value(&mut self, name: &str, value: Value) {
        let Some(input) = self.manifest.inputs.get(name) else { return self.unknown(name) };
        if self.values.contains_key(name) {
            let problem = "is given twice".to_owned();
            if self.faults.iter().any(|fault| fault.field == name && fault.problem == problem) {
                return;
            }
            let fix = "give it once, in the file or as `--input`".to_owned();
            return self.faults.push(Fault::new(name, problem, fix));
        }
        if let Err(wrong) = input.check(&value) {
            let fix = format!("{} ({})", wrong.fix, input.description);
            self.faults.push(Fault::new(name, wrong.problem, fix));
        }
        self.values.insert(name.to_owned(), value);
    }

    fn unknown(&mut self, name: &str) {
        let known: Vec<&str> = self.manifest.inputs.keys().map(String::as_str).collect();
        let fix = match nearest(name, known.iter().copied()) {
            Some(other) => format!("did you mean `{other}`?"),
            None if known.is_empty() => "this runbook takes no inputs".into(),
            None => format!("remove it; this runbook takes `{}`", known.join("`, `")),
        };
        self.faults.push(Fault::new(escape(name), "is no input of the runbook".into(), fix));
    }

    fn complete(&mut self) {
        for (name, input) in &self.manifest.inputs {
            match (self.values.contains_key(name), &input.default) {
                (true, _) => {}
                (false, Some(default)) => drop(self.values.insert(name.clone(), default.clone())),
                (false, None) => self.faults.push(missing(name, input)),
            }
        }
    }

    /// A scope must be a tenant id, whatever pattern the runbook forgot.
    fn tenant(&mut self) {
        let Some(name) = self.manifest.tenant_input() else { return };
        let Some(Value::String(tenant)) = self.values.get(name) else { return };
        let is_told = self.faults.iter().any(|fault| fault.field == name);
        if is_told || (rules::TENANT.holds)(tenant) {
            return;
        }
        let problem = format!("is `\"{}\"`", escape(tenant));
        let fix = format!("expected {}", rules::TENANT.expects);
        self.faults.push(Fault::new(name, problem, fix));
    }
}

fn missing(name: &str, input: &Input) -> Fault {
    let fix =
        format!("add `--input {name}=VALUE`: {} ({})", input.expectation(), input.description);
    Fault::new(name, "is missing".into(), fix)
}

fn json(value: Value) -> Json {
    match value {
        Value::Integer(number) => number.into(),
        Value::Boolean(flag) => flag.into(),
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        version = 1
        name = "provision-tenant"
        runbook-version = "0.1.0"
        description = "Creates what a tenant needs"
        world = "runwrit:provision-tenant@0.1.0"
        tier = "pure"
        scope = "tenant:{tenant}"
        [inputs.tenant]
        type = "text"
        description = "the tenant"
        [inputs.octet]
        type = "integer"
        description = "second octet"
        min = 1
        max = 254
        [inputs.location]
        type = "text"
        description = "where"
        choices = ["nbg1", "fsn1"]
        [inputs.domain]
        type = "text"
        description = "under which domain"
        pattern = '[a-z0-9-]+(\.[a-z0-9-]+)+'
        [inputs.verbose]
        type = "boolean"
        description = "says more"
        default = false
    "#;

    const GOOD: [&str; 4] = ["tenant=acme", "octet=7", "location=nbg1", "domain=acme.example.org"];

    fn read_with(change: impl FnOnce(&mut Vec<String>)) -> Result<Inputs, Faults> {
        let manifest = Manifest::parse("runbook.toml", MANIFEST).unwrap();
        let mut arguments: Vec<String> = GOOD.map(str::to_owned).into();
        change(&mut arguments);
        read(&manifest, Given { arguments: &arguments, file: None })
    }

    #[test]
    fn complete_inputs_are_typed_and_defaults_come_from_the_manifest() {
        let inputs = read_with(|_| {}).unwrap();
        assert_eq!(inputs["octet"], 7);
        assert_eq!(inputs["verbose"], false);
        let manifest = Manifest::parse("runbook.toml", MANIFEST).unwrap();
        let run = RunId::new(1, [0; 10]);
        assert_eq!(scope(&manifest, &inputs, &run), Scope::tenant("acme"));
        let text = "tenant = \"acme\"\noctet = 7\nlocation = \"nbg1\"\ndomain = \"a.b\"\n";
        let given = Given { arguments: &[], file: Some(("inputs.toml", text)) };
        assert_eq!(read(&manifest, given).unwrap()["octet"], 7);
    }

    #[test]
    fn each_wrong_value_gives_one_error_that_names_field_value_and_fix() {
        let rows = [
            ("octet", "octet=0", "expected a whole number from 1 to 254"),
            ("octet", "octet=255", "expected a whole number from 1 to 254"),
            ("octet", "octet=seven", "`\"seven\"`"),
            ("octet", "octet=7.5", "`\"7.5\"`"),
            ("octet", "octet=99999999999999999999", "expected a whole number"),
            ("octet", "octet=", "expected a whole number"),
            ("tenant", "tenant=Acme", "lowercase"),
            ("tenant", "tenant=acme-1", "lowercase"),
            ("tenant", "tenant=аcme", "lowercase"),
            ("tenant", "tenant=", "lowercase"),
            ("tenant", "tenant=a\u{1b}[31m", "\\u001B"),
            ("location", "location=NBG1", "one of `nbg1`, `fsn1`"),
            ("location", "location=nbg", "one of `nbg1`, `fsn1`"),
            ("domain", "domain=acme", "matches"),
            ("domain", "domain=acme.example.org\nx", "matches"),
            ("verbose", "verbose=yes", "`true` or `false`"),
        ];
        for (field, argument, part) in rows {
            let faults = read_with(|arguments| {
                arguments.retain(|it| !it.starts_with(&format!("{field}=")));
                arguments.push(argument.to_owned());
            });
            let faults = faults.expect_err(argument).faults;
            assert_eq!(faults.len(), 1, "{argument}: {faults:?}");
            let shown = faults[0].to_string();
            assert_eq!(faults[0].field, field, "{shown}");
            assert!(shown.contains(part), "{argument}: {shown}");
        }
    }

    #[test]
    fn each_missing_unknown_or_doubled_input_gives_one_error() {
        for argument in GOOD {
            let name = argument.split('=').next().unwrap();
            let faults = read_with(|it| it.retain(|other| other != argument)).unwrap_err().faults;
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].to_string().starts_with(&format!("`{name}` is missing: add `--input"))
            );
            let faults = read_with(|it| it.push(argument.into())).unwrap_err().faults;
            assert_eq!(faults[0].problem, "is given twice", "{name}");
        }
        let rows = [("tennant=x", "did you mean `tenant`?"), ("zone=x", "this runbook takes")];
        for (argument, part) in rows {
            let faults = read_with(|it| it.push(argument.into())).unwrap_err().faults;
            assert!(faults.len() == 1 && faults[0].fix.contains(part), "{faults:?}");
        }
        let faults = read_with(|it| it.push("tenant".into())).unwrap_err().faults;
        assert_eq!(faults[0].fix, "write `--input NAME=VALUE`");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = read_with(|arguments| *arguments = vec!["octet=x".into(), "a=b".into()]);
        assert_eq!(faults.unwrap_err().faults.len(), 5);
    }

    #[test]
    fn a_file_of_inputs_is_typed_too() {
        let manifest = Manifest::parse("runbook.toml", MANIFEST).unwrap();
        let base = "tenant = \"acme\"\nlocation = \"nbg1\"\ndomain = \"a.b\"\n";
        for (line, part) in [
            ("octet = \"7\"", "whole number"),
            ("octet = 7.0", "whole number"),
            ("octet = [7]", "whole number"),
            ("octet = 2027-01-01", "whole number"),
            ("octet = ", "no valid TOML"),
            ("octet = 1\noctet = 2", "no valid TOML"),
        ] {
            let text = format!("{base}{line}\n");
            let given = Given { arguments: &[], file: Some(("inputs.toml", &text)) };
            let faults = read(&manifest, given).expect_err(line);
            assert_eq!(faults.faults.len(), 1, "{line}: {faults}");
            assert!(faults.to_string().contains(part), "{line}: {faults}");
            let is_located = faults.to_string().starts_with("`inputs.toml` is refused\n  line ");
            assert!(is_located, "{line}: {faults}");
        }
    }
}
