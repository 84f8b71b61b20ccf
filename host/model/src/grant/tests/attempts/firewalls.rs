//! Firewalls: every rule must be one that the grant names.

use super::*;

fn rule(port: Option<&str>, addresses: &[&str]) -> FirewallRule {
    FirewallRule {
        direction: Direction::In,
        protocol: Protocol::Tcp,
        port: port.map(str::to_owned),
        addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
        description: "for people".into(),
    }
}

fn firewall() -> FirewallSpec {
    let rules =
        vec![rule(Some("443"), &["::/0", "0.0.0.0/0"]), rule(Some("22"), &["203.0.113.7/32"])];
    FirewallSpec { name: "acme-fw".into(), rules, labels: BTreeMap::new() }
}

pub fn firewalls() -> Vec<Row> {
    fn create(change: fn(&mut FirewallSpec)) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let mut spec = firewall();
            change(&mut spec);
            grant.create_firewall(&spec, &at(&[]))
        }
    }
    vec![
        row("the firewall", None, create(|_| {})),
        row("fewer rules", None, create(|it| drop(it.rules.pop()))),
        row("another order of addresses", None, create(|it| it.rules[0].addresses.reverse())),
        row(
            "22 from everywhere",
            Rule::FirewallRule,
            create(|it| {
                it.rules[1].addresses = vec!["0.0.0.0/0".into()];
            }),
        ),
        row(
            "22 from one more",
            Rule::FirewallRule,
            create(|it| {
                it.rules[1].addresses.push("198.51.100.1/32".into());
            }),
        ),
        row("fewer addresses", Rule::FirewallRule, create(|it| drop(it.rules[0].addresses.pop()))),
        row("no addresses", Rule::FirewallRule, create(|it| it.rules[0].addresses.clear())),
        row(
            "another spelling",
            Rule::FirewallRule,
            create(|it| {
                it.rules[1].addresses = vec!["203.0.113.7".into()];
            }),
        ),
        row(
            "another port",
            Rule::FirewallRule,
            create(|it| it.rules[0].port = Some("8443".into())),
        ),
        row(
            "a port range",
            Rule::FirewallRule,
            create(|it| it.rules[0].port = Some("1-443".into())),
        ),
        row("no port", Rule::FirewallRule, create(|it| it.rules[0].port = None)),
        row(
            "another protocol",
            Rule::FirewallRule,
            create(|it| it.rules[0].protocol = Protocol::Udp),
        ),
        row(
            "another direction",
            Rule::FirewallRule,
            create(|it| it.rules[0].direction = Direction::Out),
        ),
    ]
}

pub fn outbound_rules() -> Vec<Row> {
    fn create(change: fn(&mut FirewallSpec)) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let mut spec = firewall();
            change(&mut spec);
            grant.create_firewall(&spec, &at(&[]))
        }
    }
    let out =
        |port: &str| FirewallRule { direction: Direction::Out, ..rule(Some(port), &["0.0.0.0/0"]) };
    vec![
        row(
            "the rules of another firewall",
            Rule::FirewallRule,
            create(|it| it.name = "acme-out".into()),
        ),
        row("another name", Rule::Name, create(|it| it.name = "acme-FW".into())),
        row(
            "outbound stays open",
            Rule::FirewallOutbound,
            create(|it| {
                it.name = "acme-out".into();
                it.rules.clear();
            }),
        ),
        row(
            "outbound stays open with another rule",
            Rule::FirewallOutbound,
            create(|it| {
                it.name = "acme-out".into();
                it.rules =
                    vec![FirewallRule { protocol: Protocol::Icmp, ..rule(None, &["0.0.0.0/0"]) }];
            }),
        ),
        row("outbound as granted", None, move |grant| {
            let spec = FirewallSpec {
                name: "acme-out".into(),
                rules: vec![out("443")],
                labels: BTreeMap::new(),
            };
            grant.create_firewall(&spec, &at(&[]))
        }),
        row("two firewalls", Rule::Count, |grant| {
            grant.create_firewall(&firewall(), &at(&[holding(Kind::Firewall, "0")]))
        }),
    ]
}

pub fn replaced_rules() -> Vec<Row> {
    fn set(
        thing: fn() -> Addressed,
        name: &'static str,
        rules: fn() -> Vec<FirewallRule>,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| grant.set_firewall_rules((&thing(), name), &rules(), NOW)
    }
    let own = || made(Kind::Firewall);
    vec![
        row("sets the same rules", None, set(own, "acme-fw", || firewall().rules)),
        row("sets no rules", None, set(own, "acme-fw", Vec::new)),
        row(
            "sets 22 for all",
            Rule::FirewallRule,
            set(own, "acme-fw", || vec![rule(Some("22"), &["0.0.0.0/0", "::/0"])]),
        ),
        row(
            "sets rules of a foreign one",
            Rule::InScope,
            set(|| of_tenant("bolt", Kind::Firewall, "acme-fw"), "acme-fw", || firewall().rules),
        ),
        row("sets rules under another name", Rule::Name, set(own, "acme", || firewall().rules)),
        row(
            "sets rules that leave outbound open",
            Rule::FirewallOutbound,
            set(own, "acme-out", Vec::new),
        ),
    ]
}
