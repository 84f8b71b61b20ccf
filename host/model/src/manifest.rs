//! `runbook.toml`: what a runbook is and what it asks for, readable without executing anything.

mod schema;

#[cfg(test)]
mod tests;

pub use schema::SCHEMA;

use std::collections::{BTreeMap, BTreeSet};

use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::document::{Fault, Faults, Lines, read, settle};
use crate::journal::OnFailure;

/// A compiled pattern larger than this is an attack or a slip; real ones take some kilobytes.
const PATTERN_BYTES_MAX: usize = 256 << 10;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The version of the format.
    pub version: u32,
    /// The name.
    pub name: String,
    /// The runbook's own version.
    pub runbook_version: String,
    /// What it does, in one line.
    pub description: String,
    /// The WIT world that the component was built for, with its version.
    pub world: String,
    /// What it may import besides our packages.
    pub tier: Tier,
    /// What it holds alone, for example `tenant:{tenant}`.
    pub scope: Option<String>,
    /// What a failure leads to, unless the grant says otherwise.
    pub on_failure: Option<OnFailure>,
    /// The inputs, by name.
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
    /// The outputs, by name.
    #[serde(default)]
    pub outputs: BTreeMap<String, Output>,
    /// The interfaces that it asks for.
    #[serde(default)]
    pub ask: Vec<Ask>,
}

/// What a component may import besides our packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Nothing.
    Pure,
    /// WASI 0.2 in an empty context.
    InertWasi,
}

/// One of `[inputs.NAME]`. Every input needs a value: the operator's, or the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Input {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: InputKind,
    /// What it is for.
    pub description: String,
    /// What the whole of a text must match; bytes count, so `\d` means `0` to `9`.
    pub pattern: Option<String>,
    /// All texts that are allowed.
    pub choices: Option<Vec<String>>,
    /// The smallest number.
    pub min: Option<i64>,
    /// The largest number.
    pub max: Option<i64>,
    /// The value where the operator gives none.
    pub default: Option<Value>,
}

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// A text.
    Text,
    /// A whole number of 32 bits.
    Integer,
    /// Yes or no.
    Boolean,
}

/// One of `[outputs.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Output {
    /// What it is.
    pub description: String,
}

/// One of `[[ask]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ask {
    /// For example `hetzner/servers`.
    pub interface: String,
    /// Why, for the operator.
    pub why: String,
}

impl Manifest {
    /// Reads a `runbook.toml`. `file` is its name for errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let (manifest, lines): (Self, Lines) = read(file, text, SCHEMA)?;
        settle(file, &lines, manifest.faults())?;
        Ok(manifest)
    }

    /// Returns the text for the journal: the same for every spelling of the same manifest.
    pub fn canonical(&self) -> String {
        toml::to_string(self).expect("a manifest holds only what TOML can write")
    }

    /// Returns name and version, `provision-tenant@0.1.0`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.runbook_version)
    }

    /// Returns the input that names the tenant whose scope a run holds, where there is one.
    pub fn tenant_input(&self) -> Option<&str> {
        self.scope.as_deref()?.strip_prefix("tenant:{")?.strip_suffix('}')
    }

    /// Returns whether it asks for an interface, for example `hetzner/servers`.
    pub fn asks_for(&self, interface: &str) -> bool {
        self.ask.iter().any(|ask| ask.interface == interface)
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, input) in &self.inputs {
            faults.extend(input.faults(&format!("inputs.{name}")));
        }
        faults.extend(self.scope_fault());
        let mut seen = BTreeSet::new();
        for (place, ask) in self.ask.iter().enumerate() {
            if !seen.insert(&ask.interface) {
                let problem = format!("repeats `{}`", ask.interface);
                let field = format!("ask[{place}].interface");
                faults.push(Fault::new(field, problem, "ask for each once".into()));
            }
        }
        faults
    }

    fn scope_fault(&self) -> Option<Fault> {
        let name = self.tenant_input()?;
        let is_text = self.inputs.get(name).is_some_and(|input| input.kind == InputKind::Text);
        (!is_text).then(|| {
            Fault::new(
                "scope",
                format!("is `\"tenant:{{{name}}}\"`, but `{name}` is no text input"),
                format!("declare `[inputs.{name}]` with `type = \"text\"`"),
            )
        })
    }
}

impl Input {
    fn faults(&self, path: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut only = |key: &str, is_given: bool, kind: InputKind| {
            if is_given && self.kind != kind {
                let kind = kind.as_str();
                let problem = format!("does not fit `type = \"{}\"`", self.kind.as_str());
                let fix = format!("remove it, or write `type = \"{kind}\"`");
                faults.push(Fault::new(format!("{path}.{key}"), problem, fix));
            }
        };
        only("pattern", self.pattern.is_some(), InputKind::Text);
        only("choices", self.choices.is_some(), InputKind::Text);
        only("min", self.min.is_some(), InputKind::Integer);
        only("max", self.max.is_some(), InputKind::Integer);
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            let problem = format!("is `{min}`, more than `max = {max}`");
            faults.push(Fault::new(format!("{path}.min"), problem, "swap the two".into()));
        }
        if self.choices.as_ref().is_some_and(Vec::is_empty) {
            let fix = "name at least one choice; an empty list means nothing".to_owned();
            let problem = "is an empty list".to_owned();
            faults.push(Fault::new(format!("{path}.choices"), problem, fix));
        }
        if let Some(default) = self.default.as_ref().filter(|_| faults.is_empty())
            && let Err(wrong) = self.check(default)
        {
            faults.push(Fault::new(format!("{path}.default"), wrong.problem, wrong.fix));
        }
        faults
    }

    /// Checks a value.
    pub fn check(&self, value: &Value) -> Result<(), WrongValue> {
        let is_right = match (self.kind, value) {
            (InputKind::Boolean, Value::Boolean(_)) => true,
            (InputKind::Integer, Value::Integer(number)) => {
                let (min, max) = self.bounds();
                (min..=max).contains(number)
            }
            (InputKind::Text, Value::String(text)) => self.takes(text),
            _ => false,
        };
        match is_right {
            true => Ok(()),
            false => Err(WrongValue {
                problem: format!("is `{}`", crate::text::escape(&value.to_string())),
                fix: format!("expected {}", self.expectation()),
            }),
        }
    }

    fn takes(&self, text: &str) -> bool {
        let fits = self.choices.as_ref().is_none_or(|choices| choices.iter().any(|it| it == text));
        let matches = match &self.pattern {
            Some(pattern) => compile(pattern).is_some_and(|it| matches_whole(&it, text)),
            None => true,
        };
        let is_plain = crate::text::escape(text) == text;
        text.len() <= crate::limits::INPUT_BYTES_MAX && is_plain && fits && matches
    }

    fn bounds(&self) -> (i64, i64) {
        let (lowest, highest) = (i64::from(i32::MIN), i64::from(i32::MAX));
        (self.min.unwrap_or(lowest), self.max.unwrap_or(highest))
    }

    /// Says what a value may be.
    pub fn expectation(&self) -> String {
        let (min, max) = self.bounds();
        match (self.kind, &self.choices, &self.pattern) {
            (InputKind::Boolean, ..) => "`true` or `false`".into(),
            (InputKind::Integer, ..) => format!("a whole number from {min} to {max}"),
            (_, Some(choices), _) => format!("one of `{}`", choices.join("`, `")),
            (_, _, Some(pattern)) => format!("a text that matches `{pattern}`"),
            _ => format!(
                "a text of one line and at most {} bytes without control characters",
                crate::limits::INPUT_BYTES_MAX
            ),
        }
    }
}

/// Why a value does not fit its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongValue {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

impl InputKind {
    /// Returns the word of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// Compiles a pattern for whole texts. Matching takes linear time, whatever the pattern.
///
/// A text is matched once in a run, so nothing is made that would find a match faster.
fn compile(pattern: &str) -> Option<PikeVM> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
    let whole = Hir::concat(vec![Hir::look(Look::Start), parsed, Hir::look(Look::End)]);
    let limits = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(PATTERN_BYTES_MAX))
        .which_captures(WhichCaptures::None);
    let states = thompson::Compiler::new().configure(limits).build_from_hir(&whole).ok()?;
    PikeVM::new_from_nfa(states).ok()
}

fn matches_whole(pattern: &PikeVM, text: &str) -> bool {
    pattern.is_match(&mut pattern.create_cache(), text)
}
