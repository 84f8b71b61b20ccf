//! One table for all rules: what a hostile component may try, and which rule refuses it.

mod attempts;
mod files;

use std::collections::BTreeMap;

use super::{Addressed, Found, Grant, Holding, Permit, Rule, Situation};
use crate::breakable::with_broken;
use crate::call::CallId;
use crate::failure::Denial;
use crate::hetzner::Kind;
use crate::id::{RunId, Scope};
use crate::labels::{HostKey, Thing};
use crate::money::Eur;

/// The example in the documentation.
pub(super) const ACME: &str = include_str!("acme.toml");
/// In 2026, before the example expires.
pub(super) const NOW: u64 = 1_790_000_000_000;
/// After it expired.
pub(super) const LATER: u64 = 1_810_000_000_000;

type Attempt = Box<dyn Fn(&Grant) -> Result<Permit, Denial>>;

/// One call, and the rule that refuses it.
pub(super) struct Row {
    pub name: &'static str,
    pub refused_by: Option<Rule>,
    pub attempt: Attempt,
}

/// The example, extended by what only other runbooks need.
pub(super) fn grant() -> Grant {
    let operations = [
        "servers.delete",
        "servers.power-off",
        "networks.list",
        "networks.delete",
        "firewalls.set-rules",
        "firewalls.apply",
        "firewalls.remove",
        "firewalls.delete",
        "volumes.detach",
        "volumes.declare-data",
        "volumes.delete",
        "ssh-keys.create",
        "ssh-keys.delete",
        "primary-ips.create",
        "primary-ips.get",
        "primary-ips.delete",
    ];
    let operations: String = operations.map(|it| format!("\"{it}\", ")).concat();
    let text = ACME
        .replace("    \"locations.get\",", &format!("    {operations}\"locations.get\","))
        .replace("[hetzner]\n", "[hetzner]\nprimary-ips = [\"acme-ip\"]\n")
        .replace("networks = 1\n", "networks = 1\nssh-keys = 1\nprimary-ips = 1\n")
        .replace("\"records.get\"", "\"records.delete\", \"records.list\", \"records.get\"")
        .replace("\"tenants.get\"", "\"tenants.list\", \"tenants.retire\", \"tenants.get\"");
    let more = r#"
        [[hetzner.firewalls]]
        name = "acme-out"
        rules = [
            { direction = "out", protocol = "tcp", port = "443", addresses = ["0.0.0.0/0"] },
            { direction = "in", protocol = "icmp", addresses = ["0.0.0.0/0"] },
        ]
        [[hetzner.new-ssh-keys]]
        name = "acme-key"
        public-key = "ssh-ed25519 AAAAC3Nz acme"
        [[dns.records]]
        zone = "example.org"
        name = "old"
        types = ["CNAME"]
        max-ttl = 3600
        replace-foreign = true
        [[registry.tenants]]
        id = "bolt"
        octet = 8
        [http]
        requests = [
            { method = "GET", url = "https://acme.example.org/health" },
            { method = "POST", url = "https://acme.example.org/hook" },
        ]
        [recovery]
        keep = ["hetzner.volumes.create"]
        undo-with = ["hetzner.volumes.detach"]
        pivot = true
    "#;
    Grant::parse("grants/acme.toml", &format!("{text}\n{more}")).unwrap()
}

pub(super) fn eur(text: &str) -> Eur {
    text.parse().unwrap()
}

pub(super) fn holding(kind: Kind, price: &str) -> Holding {
    Holding { kind, name: "x".into(), eur_per_month: eur(price) }
}

pub(super) fn at(alive: &[Holding]) -> Situation<'_> {
    Situation { now: NOW, alive }
}

fn labels(key: u8, tenant: &str, kind: Kind, name: &str) -> BTreeMap<String, String> {
    let key = HostKey::from_bytes([key; 32]);
    let thing = Thing { kind: kind.as_str(), name };
    let run = RunId::new(1, [1; 10]);
    key.labels_for(&key.ownership(&Scope::tenant(tenant), &run, CallId::single(3), thing))
}

/// Something that carries sound labels of a tenant.
pub(super) fn of_tenant(tenant: &str, kind: Kind, name: &str) -> Addressed {
    let labels = labels(1, tenant, kind, name);
    fetched(kind, name, &labels)
}

/// Something that carries labels of another installation.
pub(super) fn of_other_installation(kind: Kind, name: &str) -> Addressed {
    fetched(kind, name, &labels(2, "acme", kind, name))
}

/// Something whose labels were typed by somebody who saw ours on another thing.
pub(super) fn relabelled(kind: Kind, name: &str) -> Addressed {
    fetched(kind, name, &labels(1, "acme", kind, "acme-other"))
}

/// Something whose tenant label was edited.
pub(super) fn retenanted(kind: Kind, name: &str) -> Addressed {
    let mut labels = labels(1, "bolt", kind, name);
    labels.insert(crate::labels::TENANT.into(), "acme".into());
    fetched(kind, name, &labels)
}

pub(super) fn unlabelled(kind: Kind, name: &str) -> Addressed {
    fetched(kind, name, &BTreeMap::new())
}

pub(super) fn absent(kind: Kind) -> Addressed {
    Addressed::fetched(scope(&HostKey::from_bytes([1; 32])), kind, "4711", None)
}

pub(super) fn made(kind: Kind) -> Addressed {
    Addressed::made(kind, "4711", CallId::single(1))
}

fn scope(key: &HostKey) -> (&HostKey, &Scope) {
    static SCOPE: std::sync::OnceLock<Scope> = std::sync::OnceLock::new();
    (key, SCOPE.get_or_init(|| Scope::tenant("acme")))
}

fn fetched(kind: Kind, name: &str, labels: &BTreeMap<String, String>) -> Addressed {
    let key = HostKey::from_bytes([1; 32]);
    Addressed::fetched(scope(&key), kind, "4711", Some(Found { name, labels }))
}

#[test]
fn each_call_is_permitted_or_refused_by_the_rule_expected() {
    let grant = grant();
    for row in attempts::rows() {
        match ((row.attempt)(&grant), row.refused_by) {
            (Ok(permit), None) => assert!(!permit.section().is_empty(), "{}", row.name),
            (Err(denial), Some(rule)) => {
                assert_eq!(denial.rule, rule.code(), "{}: {denial}", row.name);
                assert!(!denial.reason.is_empty() && !denial.hint.is_empty(), "{}", row.name);
                assert!(denial.reason.is_ascii(), "{}: {}", row.name, denial.reason);
            }
            (Ok(_), Some(rule)) => panic!("`{}` was not refused by {rule:?}", row.name),
            (Err(denial), None) => panic!("`{}` was refused: {denial:?}", row.name),
        }
    }
}

#[test]
fn refusals_outnumber_permissions_and_every_rule_has_some() {
    let rows = attempts::rows();
    let refused = rows.iter().filter(|row| row.refused_by.is_some()).count();
    assert!(refused > 2 * (rows.len() - refused), "{refused} of {}", rows.len());
    for rule in Rule::ALL {
        let count = rows.iter().filter(|row| row.refused_by == Some(*rule)).count();
        assert!(count > 0, "nothing is refused by {rule:?}");
    }
}

#[test]
fn switching_a_single_rule_off_lets_a_call_through_that_it_alone_refuses() {
    let grant = grant();
    for rule in Rule::ALL {
        let passes = |row: &Row| {
            row.refused_by == Some(*rule)
                && with_broken(rule.code(), || (row.attempt)(&grant)).is_ok()
        };
        assert!(attempts::rows().iter().any(passes), "{rule:?} can be removed unnoticed");
    }
}

#[test]
fn codes_of_rules_are_unique() {
    let codes: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
}

#[test]
fn foreign_and_absent_things_are_refused_in_the_same_words() {
    let grant = grant();
    let told = |thing: &Addressed| grant.delete(Kind::Server, thing, NOW).unwrap_err();
    let foreign = told(&of_tenant("bolt", Kind::Server, "acme-db"));
    assert_eq!(foreign, told(&absent(Kind::Server)));
    assert_eq!(foreign, told(&unlabelled(Kind::Server, "acme-db")));
}

#[test]
fn a_hint_can_be_pasted_and_then_allows_the_call() {
    let create = |grant: &Grant| {
        let spec = attempts::server_named("acme-cache");
        attempts::create_server(grant, &spec, attempts::candidate("cx23", "nbg1", "5.99"), &[])
    };
    let denial = create(&grant()).unwrap_err();
    let expected = "add `servers = [\"acme-cache\"]` under `[hetzner]` in grants/acme.toml and \
                    start a new run";
    assert_eq!(denial.hint, expected);
    let text = grant().canonical().replace("\"acme-db\"", "\"acme-db\", \"acme-cache\"");
    create(&Grant::parse("grants/acme.toml", &text).unwrap()).unwrap();
}
