//! Calls on things that the run may not touch.

use super::super::super::wire::Volume;
use super::super::bench::{Bench, Planted, grant, rule};
use super::{Row, Spelling, Thing, Try, attempt, own_firewall, plant};
use crate::bindings::runwrit::hetzner::{
    firewalls, networks, primary_ips, servers, ssh_keys, volumes,
};

/// Returns every row on ids.
pub fn all() -> Vec<Row> {
    ids().into_iter().chain(joins()).collect()
}

/// Everything that a call on an id may try, with what must refuse it.
fn on_ids(operation: &'static str, thing: Thing, name: &'static str, attempt: Try) -> Vec<Row> {
    let short = operation.trim_start_matches("hetzner.");
    let without = grant("").replace(&format!("\"{short}\""), "\"locations.get\"");
    let expired = grant("").replace("2030-01-01", "2020-01-01");
    let same: Spelling = |id| id;
    let zero: Spelling = |id| format!("0{id}");
    let wide: Spelling =
        |id| id.chars().filter_map(|it| char::from_u32(u32::from(it) - 0x30 + 0xff10)).collect();
    type Escape = (&'static str, &'static str, Planted, &'static str, String, Spelling);
    let rows: [Escape; 8] = [
        ("another tenant's", name, Planted::OtherTenant, "not-in-scope", grant(""), same),
        ("without labels", name, Planted::Unlabelled, "not-in-scope", grant(""), same),
        ("with copied labels", name, Planted::Forged, "not-in-scope", grant(""), same),
        ("of another host", name, Planted::OtherInstallation, "not-in-scope", grant(""), same),
        ("operation absent", name, Planted::Ours, "operation-not-granted", without, same),
        ("grant expired", name, Planted::Ours, "grant-expired", expired, same),
        ("zero before the id", name, Planted::Ours, "not-in-scope", grant(""), zero),
        ("id in wide digits", name, Planted::Ours, "not-in-scope", grant(""), wide),
    ];
    let is_delete = operation.ends_with("delete");
    let rows = rows.into_iter().filter(|row| {
        // What has no id deletes nothing, so that it counts as deleted.
        !(is_delete && (row.0.contains("zero") || row.0.contains("wide")))
    });
    rows.map(|(title, planted, owner, rule, grant, spelling)| Row {
        operation,
        name: title.to_owned(),
        rule,
        grant,
        planted: Some((thing, planted, owner)),
        spelling,
        attempt,
    })
    .collect()
}

fn ids() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(on_ids(
        "hetzner.networks.delete",
        Thing::Network,
        "acme-net",
        attempt!(|b, id| networks::Host::delete(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.firewalls.delete",
        Thing::Firewall,
        "acme-fw",
        attempt!(|b, id| firewalls::Host::delete(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.servers.delete",
        Thing::Server,
        "acme-db",
        attempt!(|b, id| servers::Host::delete(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.servers.power-on",
        Thing::Server,
        "acme-db",
        attempt!(|b, id| servers::Host::power_on(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.servers.power-off",
        Thing::Server,
        "acme-db",
        attempt!(|b, id| servers::Host::power_off(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.volumes.delete",
        Thing::Volume,
        "acme-data",
        attempt!(|b, id| volumes::Host::delete(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.volumes.detach",
        Thing::Volume,
        "acme-data",
        attempt!(|b, id| volumes::Host::detach(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.volumes.declare-data",
        Thing::Volume,
        "acme-data",
        attempt!(|b, id| volumes::Host::declare_data(&mut b.guest, id, "x".to_owned())),
    ));
    rows.extend(on_ids(
        "hetzner.ssh-keys.delete",
        Thing::SshKey,
        "acme-key",
        attempt!(|b, id| ssh_keys::Host::delete(&mut b.guest, id)),
    ));
    rows.extend(on_ids(
        "hetzner.primary-ips.delete",
        Thing::PrimaryIp,
        "acme-ip",
        attempt!(|b, id| primary_ips::Host::delete(&mut b.guest, id)),
    ));
    rows
}

/// Joins one thing that the run made with one that stands there.
fn joins() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(on_ids(
        "hetzner.firewalls.set-rules",
        Thing::Firewall,
        "acme-fw",
        attempt!(|b, id| firewalls::Host::set_rules(
            &mut b.guest,
            id,
            vec![rule("443", "0.0.0.0/0")]
        )),
    ));
    rows.extend(rules_of_own());
    rows.extend(on_ids("hetzner.firewalls.apply", Thing::Server, "acme-db", |b, id| {
        Box::pin(async move {
            let firewall = own_firewall(b).await;
            firewalls::Host::apply(&mut b.guest, firewall, id).await
        })
    }));
    rows.extend(on_ids("hetzner.firewalls.remove", Thing::Firewall, "acme-fw", |b, id| {
        Box::pin(async move {
            let server = own_server(b).await;
            firewalls::Host::remove(&mut b.guest, id, server).await
        })
    }));
    rows.extend(strangers_joined("hetzner.firewalls.apply", Thing::Firewall, |b, id| {
        Box::pin(async move {
            let server = own_server(b).await;
            firewalls::Host::apply(&mut b.guest, id, server).await
        })
    }));
    rows.extend(strangers_joined("hetzner.firewalls.remove", Thing::Server, |b, id| {
        Box::pin(async move {
            let firewall = own_firewall(b).await;
            firewalls::Host::remove(&mut b.guest, firewall, id).await
        })
    }));
    rows.extend(strangers_joined("hetzner.volumes.attach", Thing::Server, |b, id| {
        Box::pin(async move {
            let body = serde_json::json!({"size": 10, "location": "nbg1"});
            let volume = b.plant::<Volume>("acme-data", Planted::Ours, body).await;
            volumes::Host::attach(&mut b.guest, volume, id).await.map(drop)
        })
    }));
    rows.extend(on_ids("hetzner.volumes.attach", Thing::Volume, "acme-data", |b, id| {
        Box::pin(async move {
            let server = own_server(b).await;
            volumes::Host::attach(&mut b.guest, id, server).await.map(drop)
        })
    }));
    rows
}

/// The other side of a join: its own thing is the run's, and what it is joined with is not.
fn strangers_joined(operation: &'static str, thing: Thing, attempt: Try) -> Vec<Row> {
    let name = if thing == Thing::Firewall { "acme-fw" } else { "acme-db" };
    let is_stranger = |row: &Row| row.rule == "not-in-scope";
    let mut rows: Vec<Row> =
        on_ids(operation, thing, name, attempt).into_iter().filter(is_stranger).collect();
    for row in &mut rows {
        row.name = format!("{thing:?} on the other side, {}", row.name);
    }
    rows
}

async fn own_server(bench: &Bench) -> String {
    plant(bench, Thing::Server, "acme-worker", Planted::Ours).await
}

/// Rules that the grant does not name, on firewalls of the run's own scope.
fn rules_of_own() -> Vec<Row> {
    let row = |name: &str, planted, rule, attempt| Row {
        operation: "hetzner.firewalls.set-rules",
        name: name.to_owned(),
        rule,
        grant: grant(""),
        planted: Some((Thing::Firewall, planted, Planted::Ours)),
        spelling: |id| id,
        attempt,
    };
    let set: Try = attempt!(|b, id| firewalls::Host::set_rules(
        &mut b.guest,
        id,
        vec![rule("443", "0.0.0.0/0")]
    ));
    let open: Try = attempt!(|b, id| firewalls::Host::set_rules(
        &mut b.guest,
        id,
        vec![rule("22", "0.0.0.0/0")]
    ));
    vec![
        row("a firewall that is not named", "acme-other", "name-not-granted", set),
        row("a port open to everybody", "acme-fw", "firewall-rule-not-granted", open),
    ]
}
