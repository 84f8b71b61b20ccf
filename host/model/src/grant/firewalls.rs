//! Permits for firewalls.

use std::collections::BTreeSet;

use super::asked::{Asked, Refusal, quote};
use super::document::FirewallRule;
use super::{Addressed, Grant, Permit, Situation};
use crate::failure::Denial;
use crate::hetzner::{Direction, FirewallSpec, Kind, Protocol, Rule};
use crate::journal::UnixMs;

impl Grant {
    /// Permits creating a firewall, applied to nothing.
    pub fn create_firewall(
        &self,
        spec: &FirewallSpec,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        let asked = self.ask("hetzner.firewalls.create", &spec.name, situation.now)?;
        asked.named(self, Kind::Firewall, &spec.name)?;
        self.firewall_rules(&asked, &spec.name, &spec.rules)?;
        asked.count(Kind::Firewall, situation)?;
        Ok(Permit::mint("hetzner.firewalls").counting(Kind::Firewall, situation))
    }

    /// Permits replacing all rules of a firewall. `name` is the firewall's own, as fetched: it
    /// decides which rules are granted.
    pub fn set_firewall_rules(
        &self,
        (firewall, name): (&Addressed, &str),
        rules: &[Rule],
        now: UnixMs,
    ) -> Result<Permit, Denial> {
        let asked = self.ask("hetzner.firewalls.set-rules", name, now)?;
        asked.in_scope(firewall)?;
        asked.named(self, Kind::Firewall, name)?;
        self.firewall_rules(&asked, name, rules)?;
        Ok(Permit::mint("hetzner.firewalls"))
    }

    fn firewall_rules(&self, asked: &Asked<'_>, name: &str, rules: &[Rule]) -> Result<(), Denial> {
        let firewalls = self.document().hetzner.iter().flat_map(|it| &it.firewalls);
        let granted: Vec<&FirewallRule> =
            firewalls.filter(|it| it.name == name).flat_map(|it| &it.rules).collect();
        for rule in rules {
            let holds = granted.iter().any(|it| is_same(it, rule));
            asked.require(super::Rule::FirewallRule, holds, || Refusal {
                reason: format!("the rule {} is not granted", describe(rule)),
                section: "[[hetzner.firewalls]]",
                line: line(rule),
            })?;
        }
        let is_out = |direction: &Direction| *direction == Direction::Out;
        // A firewall without any outbound rule allows all outbound traffic.
        let is_open = granted.iter().any(|it| is_out(&it.direction))
            && !rules.iter().any(|it| is_out(&it.direction));
        asked.require(super::Rule::FirewallOutbound, !is_open, || Refusal {
            reason: "without any outbound rule all outbound traffic would be allowed".into(),
            section: "",
            line: "request at least one of the outbound rules that the grant names".into(),
        })
    }
}

/// Addresses are compared as sets of texts: an order means nothing, a spelling does.
fn is_same(granted: &FirewallRule, rule: &Rule) -> bool {
    let set = |addresses: &[String]| addresses.iter().cloned().collect::<BTreeSet<_>>();
    granted.direction == rule.direction
        && granted.protocol == rule.protocol
        && granted.port == rule.port
        && set(&granted.addresses) == set(&rule.addresses)
}

fn describe(rule: &Rule) -> String {
    let port = rule.port.as_ref().map(|port| format!(" port {}", quote(port)));
    let addresses: Vec<String> = rule.addresses.iter().map(|it| quote(it)).collect();
    let way = match rule.direction {
        Direction::In => "from",
        Direction::Out => "to",
    };
    let port = port.unwrap_or_default();
    format!("{}{port} {way} {}", protocol(rule.protocol), addresses.join(", "))
}

fn line(rule: &Rule) -> String {
    let direction = match rule.direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    let port = rule.port.as_ref().map(|port| format!(", port = {}", quote(port)));
    let addresses: Vec<String> = rule.addresses.iter().map(|it| quote(it)).collect();
    format!(
        "rules = [{{ direction = \"{direction}\", protocol = \"{}\"{}, addresses = [{}] }}]",
        protocol(rule.protocol),
        port.unwrap_or_default(),
        addresses.join(", ")
    )
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Icmp => "icmp",
        Protocol::Gre => "gre",
        Protocol::Esp => "esp",
    }
}
