//! Creations of what the grant does not name.

use super::super::bench::{
    Bench, PUBLIC_KEY, Planted, firewall_spec, grant, network_spec, rule, server_spec, volume_spec,
};
use super::{Row, Thing, Try, attempt, own_firewall};
use crate::bindings::runwrit::hetzner::{
    firewalls, networks, primary_ips, servers, ssh_keys, volumes,
};
use crate::bindings::runwrit::types::labels::Label;

/// Returns every row on creations.
pub fn all() -> Vec<Row> {
    let parts = [networks_and_firewalls(), servers_created(), batches_created(), others_created()];
    parts.into_iter().flatten().collect()
}

fn plain(operation: &'static str, name: &str, rule: &'static str, attempt: Try) -> Row {
    Row {
        operation,
        name: name.to_owned(),
        rule,
        grant: grant(""),
        planted: None,
        spelling: |id| id,
        attempt,
    }
}

fn under(row: Row, grant: String) -> Row {
    Row { grant, ..row }
}

fn beside(row: Row, thing: Thing, name: &'static str, owner: Planted) -> Row {
    Row { planted: Some((thing, name, owner)), ..row }
}

fn label(key: &str) -> Vec<Label> {
    vec![Label { key: key.to_owned(), value: "x".to_owned() }]
}

/// Orders a network after a change of the specification.
macro_rules! creation {
    ($package:ident, $spec:expr, |$it:ident| $change:expr) => {
        |bench: &mut Bench, _: String| {
            Box::pin(async move {
                let mut $it = $spec;
                $change;
                $package::Host::create(&mut bench.guest, $it).await.map(drop)
            })
        }
    };
}

fn networks_and_firewalls() -> Vec<Row> {
    let net = |name, rule, attempt| plain("hetzner.networks.create", name, rule, attempt);
    let fw = |name, rule, attempt| plain("hetzner.firewalls.create", name, rule, attempt);
    vec![
        net(
            "a wider network",
            "network-range-not-granted",
            creation!(networks, network_spec(), |it| it.ip_range = "10.0.0.0/8".into()),
        ),
        net(
            "a subnet elsewhere",
            "network-subnet-not-granted",
            creation!(networks, network_spec(), |it| it.subnets[0].ip_range = "10.7.2.0/24".into()),
        ),
        net(
            "another zone",
            "network-zone-not-granted",
            creation!(networks, network_spec(), |it| it.subnets[0].network_zone = "us-east".into()),
        ),
        net(
            "another case",
            "name-not-granted",
            creation!(networks, network_spec(), |it| it.name = "Acme-net".into()),
        ),
        net(
            "a look-alike name",
            "name-not-granted",
            creation!(networks, network_spec(), |it| it.name = "acme-nеt".into()),
        ),
        net(
            "a space after the name",
            "name-not-granted",
            creation!(networks, network_spec(), |it| it.name = "acme-net ".into()),
        ),
        net(
            "a label of the host",
            "label-reserved",
            creation!(networks, network_spec(), |it| it.labels = label("runwrit/tenant")),
        ),
        beside(
            net(
                "one too many",
                "count-exceeded",
                creation!(networks, network_spec(), |it| it.labels.clear()),
            ),
            Thing::Network,
            "acme-other",
            Planted::Ours,
        ),
        fw(
            "open to everybody",
            "firewall-rule-not-granted",
            creation!(firewalls, firewall_spec(), |it| it.rules.push(rule("22", "0.0.0.0/0"))),
        ),
        fw(
            "a wider range of ports",
            "firewall-rule-not-granted",
            creation!(firewalls, firewall_spec(), |it| it.rules[0] = rule("1-65535", "0.0.0.0/0")),
        ),
        fw(
            "another name",
            "name-not-granted",
            creation!(firewalls, firewall_spec(), |it| it.name = "acme-fw2".into()),
        ),
        fw(
            "a soft hyphen in the name",
            "name-not-granted",
            creation!(firewalls, firewall_spec(), |it| it.name = "acme-\u{ad}fw".into()),
        ),
        fw(
            "a label of the host in capitals",
            "label-reserved",
            creation!(firewalls, firewall_spec(), |it| it.labels = label("RUNWRIT/mac")),
        ),
        beside(
            fw(
                "one too many",
                "count-exceeded",
                creation!(firewalls, firewall_spec(), |it| it.labels.clear()),
            ),
            Thing::Firewall,
            "acme-other",
            Planted::Ours,
        ),
    ]
}

/// Orders a server in an own firewall, after a change.
macro_rules! order {
    (|$it:ident, $id:ident| $change:expr) => {
        |bench: &mut Bench, $id: String| {
            Box::pin(async move {
                let firewall = own_firewall(bench).await;
                let mut $it = server_spec("acme-gateway", vec![], vec![firewall]);
                $change;
                drop($id);
                servers::Host::create(&mut bench.guest, $it).await.map(drop)
            })
        }
    };
}

fn servers_created() -> Vec<Row> {
    let row = |name, rule, attempt| plain("hetzner.servers.create", name, rule, attempt);
    let network: Try = order!(|it, id| it.networks = vec![id.clone()]);
    let firewall: Try = order!(|it, id| it.firewalls = vec![id.clone()]);
    let mut rows = vec![
        row("another case", "name-not-granted", order!(|it, id| it.name = "ACME-gateway".into())),
        row("a look-alike", "name-not-granted", order!(|it, id| it.name = "аcme-gateway".into())),
        row(
            "a dot after it",
            "name-not-granted",
            order!(|it, id| it.name = "acme-gateway.".into()),
        ),
        row("user data", "user-data-not-granted", order!(|it, id| it.user_data.push('x'))),
        row("no user data", "user-data-not-granted", order!(|it, id| it.user_data.clear())),
        row(
            "another image",
            "image-not-granted",
            order!(|it, id| it.image = "ubuntu-24.04".into()),
        ),
        row("another key", "ssh-key-not-granted", order!(|it, id| it.ssh_keys[0] = "Ops".into())),
        row("no key", "ssh-key-missing", order!(|it, id| it.ssh_keys.clear())),
        row("no firewall", "firewall-missing", order!(|it, id| it.firewalls.clear())),
        row("a larger kind", "server-type-not-granted", order!(|it, id| it.role = "large".into())),
        row("elsewhere", "location-not-granted", order!(|it, id| it.location = "hel1".into())),
        row("a label", "label-reserved", order!(|it, id| it.labels = label("runwrit/run"))),
        under(
            row("too dear", "cost-exceeded", order!(|it, id| it.has_public_ipv4 = true)),
            grant("max-monthly-eur = \"5.98\""),
        ),
        under(
            row("one too many", "count-exceeded", order!(|it, id| it.has_public_ipv4 = true)),
            grant("").replace("servers = 3,", "servers = 0,"),
        ),
        under(
            row("expired", "grant-expired", order!(|it, id| it.has_public_ipv4 = true)),
            grant("").replace("2030-01-01", "2020-01-01"),
        ),
    ];
    for owner in
        [Planted::OtherTenant, Planted::Unlabelled, Planted::Forged, Planted::OtherInstallation]
    {
        let name = "a network of others";
        let network = row(name, "not-in-scope", network);
        rows.push(beside(network, Thing::Network, "acme-net", owner));
        let firewall = row("a firewall of others", "not-in-scope", firewall);
        rows.push(beside(firewall, Thing::Firewall, "bolt-fw", owner));
    }
    rows
}

/// Orders two servers at once, of which the second one is changed.
macro_rules! batch {
    (|$it:ident, $id:ident| $change:expr) => {
        |bench: &mut Bench, $id: String| {
            Box::pin(async move {
                let firewall = own_firewall(bench).await;
                let first = server_spec("acme-gateway", vec![], vec![firewall.clone()]);
                let mut $it = server_spec("acme-db", vec![], vec![firewall]);
                $change;
                drop($id);
                servers::Host::create_many(&mut bench.guest, vec![first, $it]).await.map(drop)
            })
        }
    };
}

/// One item that is refused keeps all others from being sent.
fn batches_created() -> Vec<Row> {
    let row = |name, rule, attempt| plain("hetzner.servers.create-many", name, rule, attempt);
    let mut rows = vec![
        row("an unlisted name", "name-not-granted", batch!(|it, id| it.name = "bolt-db".into())),
        row("no firewall", "firewall-missing", batch!(|it, id| it.firewalls.clear())),
        row("user data", "user-data-not-granted", batch!(|it, id| it.user_data.push('x'))),
        row("a larger kind", "server-type-not-granted", batch!(|it, id| it.role = "large".into())),
        row("a label", "label-reserved", batch!(|it, id| it.labels = label("runwrit/run"))),
        under(
            row("too dear together", "cost-exceeded", batch!(|it, id| it.has_public_ipv4 = true)),
            grant("max-monthly-eur = \"11\""),
        ),
        under(
            row("one too many", "count-exceeded", batch!(|it, id| it.has_public_ipv4 = true)),
            grant("").replace("servers = 3,", "servers = 1,"),
        ),
    ];
    let network: Try = batch!(|it, id| it.networks = vec![id.clone()]);
    let firewall: Try = batch!(|it, id| it.firewalls = vec![id.clone()]);
    for owner in
        [Planted::OtherTenant, Planted::Unlabelled, Planted::Forged, Planted::OtherInstallation]
    {
        let network = row("a network of others", "not-in-scope", network);
        rows.push(beside(network, Thing::Network, "acme-net", owner));
        let firewall = row("a firewall of others", "not-in-scope", firewall);
        rows.push(beside(firewall, Thing::Firewall, "bolt-fw", owner));
    }
    rows
}

fn others_created() -> Vec<Row> {
    let volume = |name, rule, attempt| plain("hetzner.volumes.create", name, rule, attempt);
    let key = |name, rule, attempt| plain("hetzner.ssh-keys.create", name, rule, attempt);
    let ip = |name, rule, attempt| plain("hetzner.primary-ips.create", name, rule, attempt);
    macro_rules! key {
        ($name:expr, $key:expr, $labels:expr) => {
            attempt!(|b, id| {
                drop(id);
                ssh_keys::Host::create(&mut b.guest, $name.into(), $key, $labels)
            })
        };
    }
    macro_rules! ip {
        ($name:expr, $place:expr, $labels:expr) => {
            attempt!(|b, id| {
                drop(id);
                let family = primary_ips::Family::Ipv4;
                primary_ips::Host::create(
                    &mut b.guest,
                    $name.into(),
                    family,
                    $place.into(),
                    $labels,
                )
            })
        };
    }
    vec![
        volume(
            "larger",
            "volume-too-large",
            creation!(volumes, volume_spec(), |it| it.size_gb = 21),
        ),
        volume(
            "elsewhere",
            "location-not-granted",
            creation!(volumes, volume_spec(), |it| it.location = "hel1".into()),
        ),
        volume(
            "another name",
            "name-not-granted",
            creation!(volumes, volume_spec(), |it| it.name = "acme-Data".into()),
        ),
        volume(
            "a label",
            "label-reserved",
            creation!(volumes, volume_spec(), |it| it.labels = label("runwrit/call")),
        ),
        under(
            volume(
                "too dear",
                "cost-exceeded",
                creation!(volumes, volume_spec(), |it| it.size_gb = 20),
            ),
            grant("max-monthly-eur = \"1.143\""),
        ),
        beside(
            volume(
                "one too many",
                "count-exceeded",
                creation!(volumes, volume_spec(), |it| it.size_gb = 20),
            ),
            Thing::Volume,
            "acme-other",
            Planted::Ours,
        ),
        key(
            "another key",
            "public-key-not-granted",
            key!("acme-key", PUBLIC_KEY.replace("dGVz", "AAAA"), vec![]),
        ),
        key(
            "a comment more",
            "public-key-not-granted",
            key!("acme-key", format!("{PUBLIC_KEY} "), vec![]),
        ),
        key("another name", "name-not-granted", key!("ops2", PUBLIC_KEY.to_owned(), vec![])),
        key(
            "a name in capitals",
            "name-not-granted",
            key!("ACME-KEY", PUBLIC_KEY.to_owned(), vec![]),
        ),
        key(
            "a label",
            "label-reserved",
            key!("acme-key", PUBLIC_KEY.to_owned(), label("runwrit/by")),
        ),
        ip("elsewhere", "location-not-granted", ip!("acme-ip", "hel1", vec![])),
        ip("another name", "name-not-granted", ip!("acme-ip2", "nbg1", vec![])),
        ip("a look-alike", "name-not-granted", ip!("acme-iр", "nbg1", vec![])),
        ip("a label", "label-reserved", ip!("acme-ip", "nbg1", label("Runwrit/mac"))),
        under(
            ip("too dear", "cost-exceeded", ip!("acme-ip", "nbg1", vec![])),
            grant("max-monthly-eur = \"0.49\""),
        ),
    ]
}
