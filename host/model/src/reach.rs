//! How far a runbook reaches: what it asks for and what of it its component can call, and how one
//! version differs from another in that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::manifest::{Manifest, Tier};
use crate::operations::{INTERFACES, Interface, interface};

/// The word for the tier that lets WASI in.
const INERT_WASI: &str = "inert-wasi";

/// What a version of a runbook could do at most, whatever a grant gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Why it asks for an interface, by its path.
    whys: BTreeMap<String, String>,
    wants: BTreeSet<String>,
    terms: [(&'static str, String); 3],
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// It wants more.
    Wants {
        /// The interface, for example `dns/records`.
        interface: String,
        /// The section of a grant that would allow it.
        section: String,
        /// The operations, as that section names them; none where it asks and imports nothing.
        operations: Vec<String>,
        /// Why, by its author.
        why: String,
    },
    /// It imports WASI, which gives it nothing but ways to compute.
    WantsWasi,
    /// It wants less.
    Drops {
        /// The interface.
        interface: String,
        /// The section of a grant that can do without.
        section: String,
        /// The operations.
        operations: Vec<String>,
    },
    /// It says something else about itself.
    Says {
        /// The field of `runbook.toml`.
        field: &'static str,
        /// What it said.
        before: String,
        /// What it says.
        now: String,
    },
}

impl Reach {
    /// Takes what a manifest asks for and what its component imports of that, for example
    /// `hetzner.servers.create`.
    pub fn new(manifest: &Manifest, imported: &BTreeSet<String>) -> Self {
        let asked = manifest.ask.iter();
        let whys: BTreeMap<_, _> =
            asked.map(|ask| (ask.interface.clone(), ask.why.clone())).collect();
        let is_asked =
            |operation: &&String| path_of(operation).is_some_and(|path| whys.contains_key(&path));
        let mut wants: BTreeSet<String> = imported.iter().filter(is_asked).cloned().collect();
        wants.extend(whys.keys().cloned());
        if manifest.tier == Tier::InertWasi {
            wants.insert(INERT_WASI.to_owned());
        }
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        let on_failure = manifest.on_failure.map(|it| format!("{it:?}").to_lowercase());
        let terms = [
            ("world", manifest.world.clone()),
            ("scope", or(&manifest.scope)),
            ("on-failure", or(&on_failure)),
        ];
        Self { whys, wants, terms }
    }

    /// Returns everything it wants as words, for a host to remember: interfaces, operations, tier.
    pub fn wants(&self) -> &BTreeSet<String> {
        &self.wants
    }

    /// Returns what this version wants beyond `known`, which a host remembers of another one.
    pub fn beyond(&self, known: &BTreeSet<String>) -> Vec<Change> {
        let new: BTreeSet<&String> = self.wants.difference(known).collect();
        let mut changes = grouped(&new, |interface, operations| Change::Wants {
            interface: interface.path(),
            section: section(interface).to_owned(),
            operations,
            why: self.whys.get(&interface.path()).cloned().unwrap_or_default(),
        });
        if new.iter().any(|word| *word == INERT_WASI) {
            changes.push(Change::WantsWasi);
        }
        changes
    }

    /// Returns how this version differs from `old`: first what it newly wants.
    pub fn against(&self, old: &Self) -> Vec<Change> {
        let mut changes = self.beyond(&old.wants);
        let gone: BTreeSet<&String> = old.wants.difference(&self.wants).collect();
        changes.extend(grouped(&gone, |interface, operations| Change::Drops {
            interface: interface.path(),
            section: section(interface).to_owned(),
            operations,
        }));
        for ((field, now), (_, before)) in self.terms.iter().zip(&old.terms) {
            if now != before {
                let (before, now) = (before.clone(), now.clone());
                changes.push(Change::Says { field, before, now });
            }
        }
        changes
    }
}

impl Change {
    /// Returns whether the runbook can do more than before.
    pub fn is_wider(&self) -> bool {
        matches!(self, Self::Wants { .. } | Self::WantsWasi)
    }
}

/// Groups words by interface, in the order of the catalogue.
fn grouped(
    words: &BTreeSet<&String>,
    change: impl Fn(&Interface, Vec<String>) -> Change,
) -> Vec<Change> {
    let of = |interface: &Interface| {
        let (path, prefix) = (interface.path(), format!("{}.", interface.capability));
        let operation = |word: &&&String| path_of(word).as_ref() == Some(&path);
        let short = |word: &&String| word.strip_prefix(&prefix).unwrap_or(word).to_owned();
        let operations: Vec<String> = words.iter().filter(operation).map(short).collect();
        let is_any = !operations.is_empty() || words.contains(&path);
        is_any.then(|| change(interface, operations))
    };
    INTERFACES.iter().filter_map(of).collect()
}

/// Returns the interface of an operation, `dns/records` for `dns.records.set`.
fn path_of(operation: &str) -> Option<String> {
    let mut parts = operation.split('.');
    let (capability, name) = (parts.next()?, parts.next()?);
    parts.next()?;
    interface(&format!("{capability}/{name}")).map(Interface::path)
}

/// Returns the section of a grant that speaks about an interface.
fn section(interface: &Interface) -> &'static str {
    if interface.capability == "run" { "recovery" } else { interface.capability }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |operations: &[String]| format!("`{}`", operations.join("`, `"));
        match self {
            Self::Wants { interface, operations, why, .. } if operations.is_empty() => {
                write!(formatter, "now asks for `{interface}`, and calls nothing of it yet: {why}")
            }
            Self::Wants { section, operations, why, .. } => {
                write!(formatter, "now wants {} of `[{section}]`: {why}", listed(operations))
            }
            Self::WantsWasi => write!(formatter, "now wants WASI, with nothing behind it"),
            Self::Drops { interface, operations, .. } if operations.is_empty() => {
                write!(formatter, "no longer asks for `{interface}`")
            }
            Self::Drops { section, operations, .. } => {
                write!(formatter, "no longer wants {} of `[{section}]`", listed(operations))
            }
            Self::Says { field, before, now } => {
                write!(formatter, "says `{field}` is `{now}`, and said `{before}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
        version = 1
        name = "provision-tenant"
        runbook-version = "0.1.0"
        description = "Creates what a tenant needs"
        world = "runwrit:host/everything@0.1.0"
        tier = "pure"
        ask = [{ interface = "hetzner/servers", why = "the servers" }]
    "#;

    fn reach(text: &str, imported: &[&str]) -> Reach {
        let manifest = Manifest::parse("runbook.toml", text).unwrap();
        Reach::new(&manifest, &imported.iter().map(|it| (*it).to_owned()).collect())
    }

    fn asking(more: &str) -> String {
        OLD.replace("the servers\" }]", &format!("the servers\" }}, {more}]"))
    }

    const DNS: &str = "{ interface = \"dns/records\", why = \"the name\" }";
    const HTTP: &str = "{ interface = \"http/requests\", why = \"health\" }";
    const RECOVERY: &str = "{ interface = \"run/recovery\", why = \"data\" }";

    #[test]
    fn what_a_version_newly_wants_is_told_in_the_words_of_a_grant() {
        let servers = ["hetzner.servers.get", "hetzner.servers.create"];
        let with = |more: &[&'static str]| [&servers[..], more].concat();
        let rows: Vec<(&str, String, Vec<&str>, &[&str])> = vec![
            ("the same", OLD.to_owned(), with(&[]), &[]),
            (
                "another operation",
                OLD.to_owned(),
                with(&["hetzner.servers.delete"]),
                &["now wants `servers.delete` of `[hetzner]`: the servers"],
            ),
            (
                "one less",
                OLD.to_owned(),
                vec!["hetzner.servers.get"],
                &["no longer wants `servers.create` of `[hetzner]`"],
            ),
            (
                "one for another",
                OLD.to_owned(),
                vec!["hetzner.servers.get", "hetzner.servers.delete"],
                &[
                    "now wants `servers.delete` of `[hetzner]`: the servers",
                    "no longer wants `servers.create` of `[hetzner]`",
                ],
            ),
            (
                "another interface",
                asking(DNS),
                with(&["dns.records.set", "dns.records.delete"]),
                &["now wants `records.delete`, `records.set` of `[dns]`: the name"],
            ),
            (
                "asked, not called",
                asking(DNS),
                with(&[]),
                &["now asks for `dns/records`, and calls nothing of it yet: the name"],
            ),
            ("called, not asked", OLD.to_owned(), with(&["dns.records.set"]), &[]),
            ("free of charge", OLD.to_owned(), with(&["run.log.write"]), &[]),
            (
                "HTTP",
                asking(HTTP),
                with(&["http.requests.send"]),
                &["now wants `requests.send` of `[http]`: health"],
            ),
            (
                "recovery",
                asking(RECOVERY),
                with(&["run.recovery.keep"]),
                &["now wants `recovery.keep` of `[recovery]`: data"],
            ),
            (
                "WASI",
                OLD.replace("pure", "inert-wasi"),
                with(&[]),
                &["now wants WASI, with nothing behind it"],
            ),
            ("another reason", OLD.replace("the servers", "because"), with(&[]), &[]),
            (
                "another world",
                OLD.replace("everything@0.1.0", "other@0.1.0"),
                with(&[]),
                &["says `world` is `runwrit:host/other@0.1.0`, and said \
                   `runwrit:host/everything@0.1.0`"],
            ),
            (
                "what a failure leads to",
                OLD.replace("tier", "on-failure = \"hold\"\ntier"),
                with(&[]),
                &["says `on-failure` is `hold`, and said `nothing`"],
            ),
            (
                "nothing any more",
                OLD.replace("{ interface = \"hetzner/servers\", why = \"the servers\" }", ""),
                with(&[]),
                &["no longer wants `servers.create`, `servers.get` of `[hetzner]`"],
            ),
        ];
        let old = reach(OLD, &servers);
        for (row, text, imported, expected) in rows {
            let new = reach(&text, &imported);
            let told: Vec<String> = new.against(&old).iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{row}");
            let is_wider = expected.iter().any(|line| line.starts_with("now "));
            assert_eq!(new.against(&old).iter().any(Change::is_wider), is_wider, "{row}");
            assert_eq!(new.beyond(old.wants()).is_empty(), !is_wider, "{row}");
        }
    }

    #[test]
    fn what_is_wider_one_way_is_narrower_the_other_way() {
        let (small, large) = (reach(OLD, &[]), reach(&asking(DNS), &["dns.records.set"]));
        assert!(large.against(&small).iter().all(Change::is_wider));
        assert!(!small.against(&large).iter().any(Change::is_wider));
        assert_eq!(large.against(&small).len(), small.against(&large).len());
        assert!(large.beyond(&BTreeSet::new()).len() > large.beyond(small.wants()).len());
    }
}
