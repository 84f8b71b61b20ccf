//! `check-tenant`: what differs between registry, labels and world is told, and nothing is changed.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::swept;
use crate::cli::shell::{Cloud, Printed, Shell, packages};

fn check(shell: &Shell) -> Printed {
    let example = packages().join("../../runbooks/check-tenant/grants.example.toml");
    shell.write("check.toml", fs::read(example).expect("the runbook comes with an example"));
    shell.run(&["run", "check-tenant", "--grant", "check.toml", "--input", "tenant=acme"])
}

/// Returns the id of something alive.
fn id_of(cloud: &Cloud, name: &str) -> u64 {
    let report = cloud.handle.desk().leaks("").expect("an empty selector");
    report.alive.into_iter().find(|thing| thing.name == name).expect("it is alive").id
}

fn changes(cloud: &Cloud) -> usize {
    ["POST", "PUT", "DELETE"]
        .map(|method| cloud.handle.desk().request_count(method, "/**"))
        .iter()
        .sum()
}

#[test]
fn drift_is_told_from_all_three_sides_and_nothing_is_changed() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    assert_eq!(shell.run(&shell.provision()).code, Some(0));
    let before = changes(&cloud);
    let clean = check(&shell);
    assert_eq!(clean.code, Some(0), "{}", clean.stderr);
    assert!(clean.stderr.contains("tenant acme is as the registry says"), "{}", clean.stderr);
    assert_eq!(changes(&cloud), before, "a check only reads");

    let volume = id_of(&cloud, "acme-data");
    cloud.post(&format!("/volumes/{volume}/actions/detach"), &json!({}));
    let firewall = id_of(&cloud, "acme-fw");
    let open = json!({"direction": "in", "protocol": "tcp", "port": "22",
        "source_ips": ["0.0.0.0/0", "::/0"]});
    let path = format!("/firewalls/{firewall}/actions/set_rules");
    cloud.post(&path, &json!({"rules": [open]}));
    let path = "/zones/example.org/rrsets/acme/A/actions/set_records";
    cloud.post(path, &json!({"records": [{"value": "203.0.113.99"}]}));
    let subnet = json!({"type": "cloud", "ip_range": "10.7.9.0/24", "network_zone": "eu-central"});
    let network = id_of(&cloud, "acme-net");
    cloud.post(&format!("/networks/{network}/actions/add_subnet"), &subnet);
    let gateway = id_of(&cloud, "acme-gateway");
    cloud.post(&format!("/servers/{gateway}/actions/poweroff"), &json!({}));
    cloud.handle.desk().advance(Duration::from_secs(60));
    let kind = json!({"server_type": "cpx22", "upgrade_disk": false});
    cloud.post(&format!("/servers/{gateway}/actions/change_type"), &kind);
    // Until every action has ended.
    cloud.handle.desk().advance(Duration::from_secs(60));
    let worker = id_of(&cloud, "acme-worker-1");
    cloud.send("PUT", &format!("/servers/{worker}"), &json!({"labels": {"runwrit/by": "me"}}));
    let (before, drifted) = (changes(&cloud), check(&shell));
    assert_eq!(drifted.code, Some(6), "{}", drifted.stderr);
    for told in [
        "acme-data is attached to no server of the tenant",
        "acme has 0 workers instead of at least 1",
        "as worker-1-private, which no server of the tenant has",
        "acme-fw has a rule that no run sets: tcp 22 in from `0.0.0.0/0`, `::/0`",
        "acme-fw does not let HTTPS in",
        "acme.example.org A is `203.0.113.99`, but acme-gateway has",
        "acme-net has the subnets `10.7.1.0/24`, `10.7.9.0/24`, but octet 7 means 10.7.1.0/24",
        "acme-gateway is of the type cpx22, but cx23 was ordered",
        "found differences and changed nothing",
    ] {
        assert!(drifted.stderr.contains(told), "`{told}` is missing: {}", drifted.stderr);
    }
    assert_eq!(changes(&cloud), before, "a check only reads");
    // The labels say why the worker is missing.
    let (left, _) = swept(&shell.run(&["sweep", "--json"]));
    let cause = left.iter().find(|it| it["name"] == "acme-worker-1").map(|it| &it["cause"]);
    assert_eq!(cause, Some(&"incomplete".into()), "{left:?}");
}

#[test]
fn a_registry_that_was_lost_leaves_a_tenant_that_a_check_calls_foreign_and_a_sweep_prices() {
    let cloud = Cloud::start();
    let first = Shell::new().with_cloud(&cloud);
    assert_eq!(first.run(&first.provision()).code, Some(0));
    let second = Shell::new().with_cloud(&cloud);
    let checked = check(&second);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    assert!(checked.stderr.contains("not to this one; use the state directory"), "{checked:?}");
    assert_eq!(swept(&second.run(&["sweep", "--json"])).0.len(), 8);
    // With the host key, but without the registry, the tenant is seen and unknown.
    fs::copy(first.path("state/host.key"), second.path("state/host.key")).expect("ours");
    let checked = check(&second);
    assert_eq!(checked.code, Some(6), "{}", checked.stderr);
    assert!(checked.stderr.contains("the registry does not know acme"), "{}", checked.stderr);
}
