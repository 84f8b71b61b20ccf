//! Servers.

use super::*;

pub fn server_named(name: &str) -> ServerSpec {
    ServerSpec {
        name: name.into(),
        role: "gateway".into(),
        image: "debian-12".into(),
        location: "nbg1".into(),
        ssh_keys: vec!["ops".into()],
        networks: vec!["4711".into()],
        firewalls: vec!["4711".into()],
        user_data: String::new(),
        has_public_ipv4: true,
        has_public_ipv6: true,
        labels: BTreeMap::new(),
    }
}

pub fn candidate(server_type: &str, location: &str, price: &str) -> Candidate {
    Candidate {
        server_type: server_type.into(),
        location: location.into(),
        eur_per_month: eur(price),
    }
}

pub fn create_server(
    grant: &Grant,
    spec: &ServerSpec,
    candidate: Candidate,
    alive: &[Holding],
) -> Result<Permit, Denial> {
    let networks: Vec<Addressed> = spec.networks.iter().map(|_| made(Kind::Network)).collect();
    let firewalls: Vec<Addressed> = spec.firewalls.iter().map(|_| made(Kind::Firewall)).collect();
    let request =
        ServerRequest { spec, candidate: &candidate, networks: &networks, firewalls: &firewalls };
    grant.create_server(&request, &at(alive))
}

pub fn servers() -> Vec<Row> {
    fn create(change: fn(&mut ServerSpec)) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let mut spec = server_named("acme-db");
            change(&mut spec);
            create_server(grant, &spec, candidate("cx23", "nbg1", "5.99"), &[])
        }
    }
    fn order(
        server_type: &'static str,
        location: &'static str,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let spec = server_named("acme-db");
            create_server(grant, &spec, candidate(server_type, location, "5.99"), &[])
        }
    }
    vec![
        row("the server", None, create(|_| {})),
        row("another name", Rule::Name, create(|it| it.name = "acme-db2".into())),
        row("a name that begins alike", Rule::Name, create(|it| it.name = "acme-d".into())),
        row("capitals", Rule::Name, create(|it| it.name = "Acme-db".into())),
        row("Cyrillic", Rule::Name, create(|it| it.name = "асme-db".into())),
        row("a line feed", Rule::Name, create(|it| it.name = "acme-db\n".into())),
        row("the fallback", None, order("cpx22", "fsn1")),
        row("a larger type", Rule::ServerType, order("cx53", "nbg1")),
        row("a type in capitals", Rule::ServerType, order("CX23", "nbg1")),
        row("a type that begins alike", Rule::ServerType, order("cx2", "nbg1")),
        row("a fallback elsewhere", Rule::Location, order("cx23", "hel1")),
        row("another location", Rule::Location, create(|it| it.location = "ash".into())),
        row("another image", Rule::Image, create(|it| it.image = "debian-13".into())),
        row("a snapshot by id", Rule::Image, create(|it| it.image = "12345".into())),
        row("another key", Rule::SshKey, create(|it| it.ssh_keys = vec!["evil".into()])),
        row("one key too many", Rule::SshKey, create(|it| it.ssh_keys.push("evil".into()))),
        row("a created key", None, create(|it| it.ssh_keys.push("acme-key".into()))),
        row("no key", Rule::SshKeyPresent, create(|it| it.ssh_keys.clear())),
        row("no firewall", Rule::FirewallPresent, create(|it| it.firewalls.clear())),
        row(
            "no firewall, IPv6 only",
            Rule::FirewallPresent,
            create(|it| {
                it.firewalls.clear();
                it.has_public_ipv4 = false;
            }),
        ),
        row(
            "no firewall and not public",
            None,
            create(|it| {
                it.firewalls.clear();
                it.has_public_ipv4 = false;
                it.has_public_ipv6 = false;
            }),
        ),
        row("user data", Rule::UserData, create(|it| it.user_data = "#!/bin/sh".into())),
        row("user data with a blank", Rule::UserData, create(|it| it.user_data = " ".into())),
    ]
}

pub fn attached() -> Vec<Row> {
    fn with(
        networks: fn() -> Vec<Addressed>,
        firewalls: fn() -> Vec<Addressed>,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let spec = server_named("acme-db");
            let request = ServerRequest {
                spec: &spec,
                candidate: &candidate("cx23", "nbg1", "5.99"),
                networks: &networks(),
                firewalls: &firewalls(),
            };
            grant.check_server(&request, &at(&[]))
        }
    }
    let firewall = || vec![made(Kind::Firewall)];
    let network = || vec![made(Kind::Network)];
    vec![
        row("checks the server", None, with(network, firewall)),
        row(
            "in a network of the scope",
            None,
            with(|| vec![of_tenant("acme", Kind::Network, "acme")], firewall),
        ),
        row(
            "in a foreign network",
            Rule::InScope,
            with(|| vec![of_tenant("bolt", Kind::Network, "acme")], firewall),
        ),
        row(
            "in a network without labels",
            Rule::InScope,
            with(|| vec![unlabelled(Kind::Network, "acme")], firewall),
        ),
        row(
            "in another network of the scope",
            None,
            with(|| vec![of_tenant("acme", Kind::Network, "acme-old")], firewall),
        ),
        row("in a network nobody looked at", Rule::InScope, with(Vec::new, firewall)),
        row(
            "behind a foreign firewall",
            Rule::InScope,
            with(network, || vec![of_tenant("bolt", Kind::Firewall, "acme-fw")]),
        ),
        row(
            "behind another firewall of the scope",
            None,
            with(network, || vec![of_tenant("acme", Kind::Firewall, "open")]),
        ),
    ]
}

pub fn priced() -> Vec<Row> {
    fn beside(
        alive: fn() -> Vec<Holding>,
        price: &'static str,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let spec = server_named("acme-db");
            create_server(grant, &spec, candidate("cx23", "nbg1", price), &alive())
        }
    }
    vec![
        row(
            "the third server",
            None,
            beside(|| vec![holding(Kind::Server, "5.99"), holding(Kind::Server, "5.99")], "5.99"),
        ),
        row(
            "the fourth server",
            Rule::Count,
            beside(
                || {
                    vec![
                        holding(Kind::Server, "1"),
                        holding(Kind::Server, "1"),
                        holding(Kind::Server, "1"),
                    ]
                },
                "5.99",
            ),
        ),
        row("exactly the cap", None, beside(|| vec![holding(Kind::Server, "19.01")], "5.99")),
        row(
            "a hundredth above the cap",
            Rule::Cost,
            beside(|| vec![holding(Kind::Server, "19.02")], "5.99"),
        ),
        row(
            "a fraction above the cap",
            Rule::Cost,
            beside(|| vec![holding(Kind::Volume, "19.0100000001")], "5.99"),
        ),
        row("too dear alone", Rule::Cost, beside(Vec::new, "25.01")),
    ]
}
