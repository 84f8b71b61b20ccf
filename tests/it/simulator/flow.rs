//! A scripted life of a project: every answer must fit the official document.

use runwrit_openapi::Judge;
use runwrit_simulator::hetzner::{Options, Simulator};
use runwrit_tests::openapi::witness;
use serde_json::{Value, json};

use super::client::Client;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a@b";

fn id(document: &Value) -> u64 {
    document["id"].as_u64().unwrap_or_else(|| panic!("no id in {document}"))
}

#[tokio::test]
async fn every_answer_of_a_whole_life_fits_the_official_document() {
    let Some(document) = runwrit_openapi::load() else {
        return;
    };
    let judge = Judge::new(document);
    let witness = Some(witness(judge.clone()));
    let options = Options { time_factor: 0.001, witness, ..Options::default() };
    let handle = Simulator::start(options).await.expect("a simulator");
    let client = Client { address: handle.api, prefix: "/v1" };
    look_around(&client).await;
    let network = build_network(&client).await;
    let firewall = build_firewall(&client).await;
    let server = build_server(&client, network, firewall).await;
    change_server(&client, server, network).await;
    keep_volume(&client, server).await;
    keep_address(&client).await;
    name_things(&client).await;
    refuse_things(&client, server).await;
    tear_down(&client, server, network, firewall).await;
    handle.stop().await;
    let verdict = judge.verdict();
    println!("judged {} answers of {} operations", verdict.judged, verdict.operations.len());
    assert_eq!(verdict.findings, Vec::<String>::new());
    assert_eq!(verdict.unknown.len(), 2, "{:?}: members and nowhere", verdict.unknown);
    assert!(verdict.operations.len() >= 110, "only {:?}", verdict.operations);
}

async fn look_around(client: &Client) {
    for path in ["/locations", "/server_types", "/images", "/pricing", "/locations/2"] {
        client.make(&format!("GET {path}"), Value::Null).await;
    }
    let types = client.make("GET /server_types?name=cx23", Value::Null).await;
    let kind = id(&types["server_types"][0]);
    client.make(&format!("GET /server_types/{kind}"), Value::Null).await;
    let images = client.make("GET /images?name=debian-12&architecture=x86", Value::Null).await;
    client.make(&format!("GET /images/{}", id(&images["images"][0])), Value::Null).await;
    assert_eq!(client.ask("GET /datacenters", Value::Null).await.status, 410);
    client.make("POST /ssh_keys", json!({"name": "ops", "public_key": KEY})).await;
    let keys = client.make("GET /ssh_keys", Value::Null).await;
    let key = format!("/ssh_keys/{}", id(&keys["ssh_keys"][0]));
    client.make(&format!("PUT {key}"), json!({"labels": {"a": "b"}})).await;
    client.make(&format!("GET {key}"), Value::Null).await;
}

async fn build_network(client: &Client) -> u64 {
    let subnet = json!({"type": "cloud", "network_zone": "eu-central", "ip_range": "10.1.0.0/24"});
    let body = json!({"name": "net", "ip_range": "10.1.0.0/16", "subnets": [subnet]});
    let network = id(&client.make("POST /networks", body).await["network"]);
    let path = format!("/networks/{network}");
    let act = |name: &str| format!("POST {path}/actions/{name}");
    let subnet = json!({"type": "cloud", "network_zone": "eu-central"});
    client.finish(&act("add_subnet"), subnet).await;
    client.finish(&act("delete_subnet"), json!({"ip_range": "10.1.1.0/24"})).await;
    let route = json!({"destination": "10.100.1.0/24", "gateway": "10.1.0.9"});
    client.finish(&act("add_route"), route.clone()).await;
    client.finish(&act("delete_route"), route).await;
    client.finish(&act("change_ip_range"), json!({"ip_range": "10.1.0.0/16"})).await;
    client.finish(&act("change_protection"), json!({"delete": true})).await;
    assert_eq!(client.ask(&format!("DELETE {path}"), Value::Null).await.status, 423);
    client.finish(&act("change_protection"), json!({"delete": false})).await;
    client.make(&format!("PUT {path}"), json!({"labels": {"run": "r1"}})).await;
    client.make("GET /networks?label_selector=run%3Dr1", Value::Null).await;
    show_actions(client, "/networks", network).await;
    network
}

/// Asks for the actions of a thing in each of the four ways.
async fn show_actions(client: &Client, collection: &str, thing: u64) {
    let all = client.make(&format!("GET {collection}/actions?sort=id:desc"), Value::Null).await;
    let action = id(&all["actions"][0]);
    for path in [
        format!("{collection}/actions/{action}"),
        format!("{collection}/{thing}/actions?status=success"),
        format!("{collection}/{thing}/actions/{action}"),
        format!("/actions?id={action}&id=7&page=1"),
        format!("{collection}/{thing}"),
        format!("{collection}?sort=id:asc&page=1&per_page=50"),
    ] {
        client.make(&format!("GET {path}"), Value::Null).await;
    }
}

async fn build_firewall(client: &Client) -> u64 {
    let rule = json!({
        "direction": "in",
        "protocol": "tcp",
        "port": "443",
        "source_ips": ["0.0.0.0/0", "::/0"],
    });
    let body = json!({"name": "fw", "rules": [rule]});
    let reply = client.finish("POST /firewalls", body).await;
    let firewall = id(&reply["firewall"]);
    let ping = json!({"direction": "in", "protocol": "icmp", "source_ips": ["0.0.0.0/0"]});
    let path = format!("/firewalls/{firewall}");
    client.finish(&format!("POST {path}/actions/set_rules"), json!({"rules": [rule, ping]})).await;
    let target = json!({"type": "label_selector", "label_selector": {"selector": "role=web"}});
    let apply = json!({"apply_to": [target]});
    client.finish(&format!("POST {path}/actions/apply_to_resources"), apply).await;
    client.make(&format!("PUT {path}"), json!({"name": "fw-1"})).await;
    firewall
}

async fn build_server(client: &Client, network: u64, firewall: u64) -> u64 {
    let group = json!({"name": "apart", "type": "spread"});
    let group = id(&client.make("POST /placement_groups", group).await["placement_group"]);
    let body = json!({
        "name": "web-1",
        "server_type": "cx23",
        "image": "debian-12",
        "location": "nbg1",
        "networks": [network],
        "firewalls": [{"firewall": firewall}],
        "placement_group": group,
        "labels": {"role": "web"},
        "ssh_keys": ["ops"],
        "user_data": "#cloud-config\n",
    });
    let reply = client.finish("POST /servers", body).await;
    assert_eq!(reply["root_password"], Value::Null);
    let server = id(&reply["server"]);
    show_actions(client, "/servers", server).await;
    show_actions(client, "/firewalls", firewall).await;
    client.make(&format!("GET /networks/{network}/members"), Value::Null).await;
    client.make("GET /placement_groups", Value::Null).await;
    client.make(&format!("PUT /servers/{server}"), json!({"name": "web-01"})).await;
    let span = "start=2026-11-23T00:00:00Z&end=2026-11-23T01:00:00Z";
    let metrics = format!("GET /servers/{server}/metrics?type=cpu,disk&type=network&{span}");
    client.make(&metrics, Value::Null).await;
    let act = |name: &str| format!("POST /servers/{server}/actions/{name}");
    client.finish(&act("poweroff"), Value::Null).await;
    client.finish(&act("remove_from_placement_group"), Value::Null).await;
    client.finish(&act("add_to_placement_group"), json!({"placement_group": group})).await;
    client.make(&format!("PUT /placement_groups/{group}"), json!({"name": "far"})).await;
    client.make(&format!("GET /placement_groups/{group}"), Value::Null).await;
    client.make(&format!("DELETE /placement_groups/{group}"), Value::Null).await;
    server
}

async fn change_server(client: &Client, server: u64, network: u64) {
    let path = format!("/servers/{server}");
    let act = |name: &str| format!("POST {path}/actions/{name}");
    let shown = client.make(&format!("GET {path}"), Value::Null).await;
    let ip = shown["server"]["public_net"]["ipv4"]["ip"].clone();
    let reverse = json!({"ip": ip, "dns_ptr": "web.acme.example"});
    let image = json!({"description": "golden", "labels": {"run": "r1"}});
    let rows = [
        ("change_type", json!({"server_type": "cx33", "upgrade_disk": false})),
        ("reboot", Value::Null),
        ("reset", Value::Null),
        ("shutdown", Value::Null),
        ("poweron", Value::Null),
        ("detach_from_network", json!({"network": network})),
        ("attach_to_network", json!({"network": network, "ip": "10.1.0.7"})),
        ("change_alias_ips", json!({"network": network, "alias_ips": ["10.1.0.8"]})),
        ("enable_rescue", json!({"type": "linux64"})),
        ("disable_rescue", Value::Null),
        ("reset_password", Value::Null),
        ("change_dns_ptr", reverse),
        ("enable_backup", Value::Null),
        ("create_image", json!({"type": "backup"})),
        ("disable_backup", Value::Null),
        ("change_protection", json!({"delete": true, "rebuild": true})),
        ("change_protection", json!({"delete": false, "rebuild": false})),
        ("create_image", image),
        ("rebuild", json!({"image": "debian-13"})),
    ];
    for (name, body) in rows {
        client.finish(&act(name), body).await;
    }
    let images = client.make("GET /images?type=snapshot&status=available", Value::Null).await;
    let image = id(&images["images"][0]);
    assert_eq!(images["images"][0]["disk_size"], 40, "the disk was not upgraded");
    let path = format!("/images/{image}");
    client.make(&format!("PUT {path}"), json!({"description": "silver"})).await;
    let protect = format!("POST {path}/actions/change_protection");
    client.finish(&protect, json!({"delete": false})).await;
    show_actions(client, "/images", image).await;
    client.make(&format!("DELETE {path}"), Value::Null).await;
}

async fn keep_volume(client: &Client, server: u64) {
    let body = json!({"name": "data", "size": 10, "server": server, "format": "ext4"});
    let volume = id(&client.finish("POST /volumes", body).await["volume"]);
    let path = format!("/volumes/{volume}");
    let act = |name: &str| format!("POST {path}/actions/{name}");
    client.finish(&act("detach"), Value::Null).await;
    client.finish(&act("attach"), json!({"server": server, "automount": false})).await;
    client.finish(&act("resize"), json!({"size": 20})).await;
    client.finish(&act("change_protection"), json!({"delete": false})).await;
    client.make(&format!("PUT {path}"), json!({"name": "data-1"})).await;
    show_actions(client, "/volumes", volume).await;
    assert_eq!(client.ask(&format!("DELETE {path}"), Value::Null).await.status, 422);
    client.finish(&act("detach"), Value::Null).await;
    client.make(&format!("DELETE {path}"), Value::Null).await;
}

async fn keep_address(client: &Client) {
    let body = json!({"name": "edge", "type": "ipv6", "location": "nbg1"});
    let address = client.make("POST /primary_ips", body).await["primary_ip"].clone();
    let path = format!("/primary_ips/{}", id(&address));
    let act = |name: &str| format!("POST {path}/actions/{name}");
    let private = json!({"enable_ipv4": false, "enable_ipv6": false});
    let body = json!({
        "name": "bare",
        "server_type": "cx23",
        "image": "debian-12",
        "location": "nbg1",
        "start_after_create": false,
        "public_net": private,
    });
    let server = id(&client.finish("POST /servers", body).await["server"]);
    let assign = json!({"assignee_type": "server", "assignee_id": server});
    client.finish(&act("assign"), assign).await;
    let ip = format!("{}7", address["ip"].as_str().unwrap_or_default());
    let reverse = json!({"ip": ip, "dns_ptr": "edge.acme.example"});
    client.finish(&act("change_dns_ptr"), reverse).await;
    client.make(&format!("GET /servers/{server}"), Value::Null).await;
    client.finish(&act("unassign"), Value::Null).await;
    client.finish(&act("change_protection"), json!({"delete": false})).await;
    client.make(&format!("PUT {path}"), json!({"auto_delete": true})).await;
    show_actions(client, "/primary_ips", id(&address)).await;
    client.finish(&format!("DELETE /servers/{server}"), Value::Null).await;
    client.make(&format!("DELETE {path}"), Value::Null).await;
}

async fn name_things(client: &Client) {
    let zone = json!({"name": "acme.example", "mode": "primary", "labels": {"run": "r1"}});
    let zone = id(&client.finish("POST /zones", zone).await["zone"]);
    let path = "/zones/acme.example";
    let set = json!({"name": "t.pipeline", "type": "A", "records": [{"value": "198.18.0.9"}]});
    client.finish(&format!("POST {path}/rrsets"), set).await;
    let sets = format!("{path}/rrsets/t.pipeline/A");
    let act = |name: &str| format!("POST {sets}/actions/{name}");
    let rows = [
        ("add_records", json!({"records": [{"value": "198.18.0.10", "comment": "b"}]})),
        ("update_records", json!({"records": [{"value": "198.18.0.9", "comment": "a"}]})),
        ("remove_records", json!({"records": [{"value": "198.18.0.10"}]})),
        ("set_records", json!({"records": [{"value": "198.18.0.11"}]})),
        ("change_ttl", json!({"ttl": 300})),
        ("change_protection", json!({"change": false})),
    ];
    for (name, body) in rows {
        client.finish(&act(name), body).await;
    }
    client.make(&format!("PUT {sets}"), json!({"labels": {"run": "r1"}})).await;
    client.make(&format!("GET {sets}"), Value::Null).await;
    client.make(&format!("GET {path}/rrsets?type=A&per_page=100"), Value::Null).await;
    client.finish(&format!("DELETE {sets}"), Value::Null).await;
    client.finish(&format!("POST {path}/actions/change_ttl"), json!({"ttl": 600})).await;
    let file = client.make(&format!("GET {path}/zonefile"), Value::Null).await;
    client.finish(&format!("POST {path}/actions/import_zonefile"), file).await;
    let protect = format!("POST {path}/actions/change_protection");
    client.finish(&protect, json!({"delete": false})).await;
    client.make(&format!("PUT {path}"), json!({"labels": {}})).await;
    show_actions(client, "/zones", zone).await;
    client.finish(&format!("DELETE {path}"), Value::Null).await;
    let primary = |address: &str| json!([{"address": address}]);
    let copy = json!({
        "name": "copy.example",
        "mode": "secondary",
        "primary_nameservers": primary("192.0.2.53"),
    });
    client.finish("POST /zones", copy).await;
    let change = "POST /zones/copy.example/actions/change_primary_nameservers";
    client.finish(change, json!({"primary_nameservers": primary("192.0.2.54")})).await;
    client.make("GET /zones", Value::Null).await;
}

async fn refuse_things(client: &Client, server: u64) {
    let rows = [
        ("GET /nowhere".to_owned(), Value::Null, 404),
        ("GET /servers/1".to_owned(), Value::Null, 404),
        ("POST /servers".to_owned(), json!({"name": "x"}), 422),
        ("POST /networks".to_owned(), json!({"name": "net", "ip_range": "10.0.0.0/8"}), 409),
        ("GET /actions".to_owned(), Value::Null, 422),
        ("GET /servers?label_selector=%3D".to_owned(), Value::Null, 422),
        ("PATCH /servers".to_owned(), Value::Null, 405),
        (format!("POST /servers/{server}/actions/change_type"), json!([]), 400),
    ];
    for (line, body, status) in rows {
        let answer = client.ask(&line, body).await;
        assert_eq!(answer.status, status, "{line}: {}", answer.body);
        assert!(answer.body["error"]["code"].is_string(), "{line}: {}", answer.body);
    }
}

async fn tear_down(client: &Client, server: u64, network: u64, firewall: u64) {
    let keys = client.make("GET /ssh_keys", Value::Null).await;
    let key = id(&keys["ssh_keys"][0]);
    let firewall = format!("/firewalls/{firewall}");
    let targets = client.make(&format!("GET {firewall}"), Value::Null).await;
    let targets: Vec<Value> = targets["firewall"]["applied_to"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|target| {
            let mut target = target.clone();
            target.as_object_mut().map(|fields| fields.remove("applied_to_resources"));
            target
        })
        .collect();
    let remove = format!("POST {firewall}/actions/remove_from_resources");
    client.finish(&remove, json!({"remove_from": targets})).await;
    client.finish(&format!("DELETE /servers/{server}"), Value::Null).await;
    for path in [format!("/networks/{network}"), format!("/ssh_keys/{key}")] {
        client.make(&format!("DELETE {path}"), Value::Null).await;
        assert_eq!(client.ask(&format!("GET {path}"), Value::Null).await.status, 404);
    }
    for _ in 0..500 {
        let answer = client.ask(&format!("DELETE {firewall}"), Value::Null).await;
        if answer.status == 204 {
            return;
        }
        assert_eq!(answer.body["error"]["code"], "resource_in_use");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the firewall stays in use for ever");
}
