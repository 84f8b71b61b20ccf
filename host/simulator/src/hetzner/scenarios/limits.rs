//! How many of a thing belong to another.

use serde_json::{Value, json};

use super::{Stage, id, refused, server_body};

#[test]
fn a_network_takes_a_hundred_servers() {
    let mut stage = Stage::with(|options| {
        options.settings.quotas.insert("server".into(), 200);
        options.settings.quotas.insert("primary_ip".into(), 200);
    });
    let network = stage.network("net");
    for number in 0..100 {
        stage.server(&format!("member-{number}"), json!({"networks": [network]}));
    }
    let mut body = server_body("one-more");
    body["networks"] = json!([network]);
    let full = refused(403, "resource_limit_exceeded");
    assert_eq!(stage.refusal("POST /servers", body), full);
    let outside = stage.server("outside", Value::Null);
    let line = format!("POST /servers/{outside}/actions/attach_to_network");
    assert_eq!(stage.refusal(&line, json!({"network": network})), full);
}

#[test]
fn each_block_of_a_rule_is_an_effective_rule() {
    let mut stage = Stage::new();
    let rule = |port: usize, blocks: usize| {
        let blocks: Vec<String> = (0..blocks).map(|it| format!("203.0.{it}.7/32")).collect();
        json!({"direction": "in", "protocol": "tcp", "port": port.to_string(),
            "source_ips": blocks})
    };
    let mut rules: Vec<Value> = (1..=5).map(|port| rule(port, 100)).collect();
    let body = json!({"name": "fw", "rules": rules});
    let firewall = id(&stage.make("/firewalls", body)["firewall"]);
    rules.push(rule(6, 1));
    let full = refused(403, "resource_limit_exceeded");
    let body = json!({"name": "other", "rules": rules});
    assert_eq!(stage.refusal("POST /firewalls", body), full);
    let line = format!("POST /firewalls/{firewall}/actions/set_rules");
    assert_eq!(stage.refusal(&line, json!({"rules": rules})), full);
}

#[test]
fn firewalls_of_selectors_count_among_the_five_of_a_server() {
    let mut stage = Stage::new();
    let selector = json!({"type": "label_selector", "label_selector": {"selector": "role=web"}});
    let full = refused(403, "resource_limit_exceeded");
    let by_selector = |stage: &mut Stage, name: &str| {
        let body = json!({"name": name, "apply_to": [selector]});
        id(&stage.make("/firewalls", body)["firewall"])
    };
    for number in 0..4 {
        by_selector(&mut stage, &format!("fw-{number}"));
    }
    let own = id(&stage.make("/firewalls", json!({"name": "own"}))["firewall"]);
    let web = json!({"labels": {"role": "web"}, "firewalls": [{"firewall": own}]});
    let server = stage.server("web", web.clone());
    let sixth = json!({"name": "sixth", "apply_to": [selector]});
    assert_eq!(stage.refusal("POST /firewalls", sixth), full, "one more selector");
    let spare = id(&stage.make("/firewalls", json!({"name": "spare"}))["firewall"]);
    let line = format!("POST /firewalls/{spare}/actions/apply_to_resources");
    let target = json!({"apply_to": [{"type": "server", "server": {"id": server}}]});
    assert_eq!(stage.refusal(&line, target), full, "one more by id");
    assert_eq!(stage.refusal(&line, json!({"apply_to": [selector]})), full, "by selector");
    let mut body = server_body("another");
    body["labels"] = web["labels"].clone();
    body["firewalls"] = json!([{"firewall": own}, {"firewall": spare}]);
    assert_eq!(stage.refusal("POST /servers", body), full, "a new server");
}
