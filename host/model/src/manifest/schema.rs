//! The fields of `runbook.toml`.

use crate::document::Presence::{Optional, Required};
use crate::document::rules::{SEMVER, SENTENCE, WORD};
use crate::document::{Field, Kind, Presence, TextRule};
use crate::operations::interface;

const fn field(name: &'static str, presence: Presence, kind: Kind, about: &'static str) -> Field {
    Field { name, about, presence, kind }
}

/// The whole file.
pub const SCHEMA: &[Field] = &[
    field("version", Required, Kind::Integer(1, 1), "the version of the format"),
    field("name", Required, Kind::Text(&WORD), "the name of the runbook"),
    field("runbook-version", Required, Kind::Text(&SEMVER), "the version of the runbook"),
    field("description", Required, Kind::Text(&SENTENCE), "what it does"),
    field("world", Required, Kind::Text(&WORLD), "the WIT world that it was built for"),
    field("tier", Required, Kind::Text(&TIER), "what it imports besides our packages"),
    field("scope", Optional, Kind::Text(&SCOPE), "what a run of it holds alone"),
    field("on-failure", Optional, Kind::Text(&ON_FAILURE), "what a failure leads to"),
    field("inputs", Optional, Kind::Named(&WORD, INPUT), "the inputs"),
    field("outputs", Optional, Kind::Named(&WORD, OUTPUT), "the outputs"),
    field("ask", Optional, Kind::Tables(ASK), "the interfaces that it asks for"),
];

const BOUND: Kind = Kind::Integer(i32::MIN as i64, i32::MAX as i64);

const INPUT: &[Field] = &[
    field("type", Required, Kind::Text(&TYPE), "what it holds"),
    field("description", Required, Kind::Text(&SENTENCE), "what it is for"),
    field("pattern", Optional, Kind::Text(&PATTERN), "what the whole of a text must match"),
    field("choices", Optional, Kind::Texts(&SENTENCE), "all texts that are allowed"),
    field("min", Optional, BOUND, "the smallest number"),
    field("max", Optional, BOUND, "the largest number"),
    field("default", Optional, Kind::Scalar, "the value where the operator gives none"),
];

const OUTPUT: &[Field] = &[field("description", Required, Kind::Text(&SENTENCE), "what it is")];

const ASK: &[Field] = &[
    field("interface", Required, Kind::Text(&INTERFACE), "the interface"),
    field("why", Required, Kind::Text(&SENTENCE), "why, for the operator"),
];

const WORLD: TextRule = TextRule {
    expects: "a world with its package and version",
    good: "runwrit:provision-tenant/runbook@0.1.0",
    bad: &["", "runbook", "runwrit:runbook", "runwrit:a/b@1", "Runwrit:a/b@0.1.0", "a:b/c/d@0.1.0"],
    holds: is_world,
};

fn is_world(text: &str) -> bool {
    let Some((path, version)) = text.split_once('@') else { return false };
    let Some((space, rest)) = path.split_once(':') else { return false };
    let mut parts = std::iter::once(space).chain(rest.split('/'));
    rest.split('/').count() <= 2 && parts.all(WORD.holds) && (SEMVER.holds)(version)
}

const TIER: TextRule = TextRule {
    expects: "`pure` or `inert-wasi`",
    good: "pure",
    bad: &["", "Pure", "wasi"],
    holds: |text| matches!(text, "pure" | "inert-wasi"),
};

const SCOPE: TextRule = TextRule {
    expects: "`tenant:{NAME}`, NAME being a text input",
    good: "tenant:{gateway}",
    bad: &["", "tenant", "tenant:acme", "tenant:{}", "tenant:{a}{b}", "tenant:{A}"],
    holds: |text| {
        let name = text.strip_prefix("tenant:{").and_then(|rest| rest.strip_suffix('}'));
        name.is_some_and(WORD.holds)
    },
};

const ON_FAILURE: TextRule = TextRule {
    expects: "`rollback` or `hold`",
    good: "rollback",
    bad: &["", "Rollback", "keep"],
    holds: |text| matches!(text, "rollback" | "hold"),
};

const TYPE: TextRule = TextRule {
    expects: "`text`, `integer` or `boolean`",
    good: "text",
    bad: &["", "Text", "string", "float"],
    holds: |text| matches!(text, "text" | "integer" | "boolean"),
};

const PATTERN: TextRule = TextRule {
    expects: "a regular expression over ASCII for the whole text, without `\\p`",
    good: "[a-zA-Z ]+",
    bad: &["", "[", "\\p{L}+", "a)|(b", "(?P<x", "((a{1000}){1000}){1000}"],
    holds: |text| !text.is_empty() && super::compile(text).is_some(),
};

const INTERFACE: TextRule = TextRule {
    expects: "an interface that this host offers",
    good: "hetzner/servers",
    bad: &["", "hetzner", "hetzner/*", "hetzner/server", "wasi/http", "hetzner.servers"],
    holds: |text| interface(text).is_some(),
};
