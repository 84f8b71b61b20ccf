//! Scenarios played on a world without sockets: rules that span several requests.

mod faults;
mod limits;
mod seeds;

use jiff::Timestamp;
use runwrit_openapi::{self as judged, Watch};
use serde_json::{Value, json};

use super::auth::{Digest, Presented};
use super::clock::later;
use super::leaks;
use super::options::Options;
use super::request::{Request, query_pairs};
use super::selector::Selector;
use super::world::{Answer, Content, World};

/// A world, a clock that only `pass` moves, and one token. What it answers is compared with the
/// official document.
struct Stage {
    world: World,
    now: Timestamp,
    watch: Watch,
}

impl Stage {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options { is_clock_frozen: true, ..Options::default() };
        options.settings.action_ms = Some(1_000);
        change(&mut options);
        Self { world: World::new(&options), now: options.starts_at, watch: Watch::new() }
    }

    fn send(&mut self, line: &str, body: &Value) -> Answer {
        let (method, target) = line.split_once(' ').expect("a method and a path");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: query_pairs(query),
            origin: "http://sim/v1".into(),
            token: Presented::Token(Digest::of(&"a".repeat(64))),
            body: Some(if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }),
        };
        let path = request.path.clone();
        let answer = self.world.receive(request, self.now);
        if let (Some(judge), Content::Reply(reply)) = (self.watch.judge(), &answer.content) {
            let (status, body) = (reply.status, reply.body.as_ref());
            judge.see(judged::Answer { method, path: &path, status, body });
        }
        answer
    }

    /// Sends and returns status and body; the body of a page is its status.
    fn ask(&mut self, line: &str, body: Value) -> (u16, Value) {
        match self.send(line, &body).content {
            Content::Reply(reply) => (reply.status, reply.body.unwrap_or_default()),
            Content::Html(status) => (status, json!("html")),
        }
    }

    fn get(&mut self, path: &str) -> Value {
        self.ask(&format!("GET {path}"), Value::Null).1
    }

    /// Sends what must succeed and returns its body.
    fn make(&mut self, path: &str, body: Value) -> Value {
        let (status, reply) = self.ask(&format!("POST {path}"), body);
        assert_eq!(status, 201, "{path}: {reply}");
        reply
    }

    /// Sends what must be refused and returns status and code.
    fn refusal(&mut self, line: &str, body: Value) -> (u16, String) {
        let (status, reply) = self.ask(line, body);
        (status, reply["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = later(self.now, milliseconds);
    }

    fn network(&mut self, name: &str) -> u64 {
        let subnet = json!({"type": "cloud", "network_zone": "eu-central"});
        let body = json!({"name": name, "ip_range": "10.1.0.0/16", "subnets": [subnet]});
        id(&self.make("/networks", body)["network"])
    }

    fn server(&mut self, name: &str, extra: Value) -> u64 {
        let mut body = server_body(name);
        for (key, value) in extra.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let id = id(&self.make("/servers", body)["server"]);
        self.pass(60_000);
        id
    }
}

fn server_body(name: &str) -> Value {
    json!({"name": name, "server_type": "cx23", "image": "debian-12", "location": "nbg1"})
}

fn id(document: &Value) -> u64 {
    document["id"].as_u64().expect("an id")
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_server_is_born_step_by_step() {
    let mut stage = Stage::new();
    let network = stage.network("net");
    let firewall = id(&stage.make("/firewalls", json!({"name": "fw"}))["firewall"]);
    let mut body = server_body("web");
    body["networks"] = json!([network]);
    body["firewalls"] = json!([{"firewall": firewall}]);
    let reply = stage.make("/servers", body);
    let commands: Vec<&str> = reply["next_actions"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|action| action["command"].as_str())
        .collect();
    assert_eq!(reply["action"]["command"], "create_server");
    assert_eq!(commands, ["start_server", "apply_firewall", "attach_to_network"]);
    assert!(reply["root_password"].is_string(), "no SSH key was given");
    let path = format!("/servers/{}", id(&reply["server"]));
    let shown = |stage: &mut Stage| {
        let server = stage.get(&path)["server"].clone();
        let firewall = server["public_net"]["firewalls"][0]["status"].clone();
        json!([server["status"], firewall, server["private_net"][0]["ip"], server["locked"]])
    };
    let steps = [
        (0, json!(["initializing", "pending", null, true])),
        (1_000, json!(["starting", "pending", null, true])),
        (1_000, json!(["starting", "applied", null, true])),
        (1_000, json!(["starting", "applied", "10.1.0.2", true])),
        (1_000, json!(["running", "applied", "10.1.0.2", false])),
    ];
    for (wait, expected) in steps {
        stage.pass(wait);
        assert_eq!(shown(&mut stage), expected);
    }
}

#[test]
fn actions_show_their_progress() {
    let mut stage = Stage::new();
    let volume = json!({"name": "v", "size": 10, "location": "nbg1"});
    let action = id(&stage.make("/volumes", volume)["action"]);
    for (wait, status, progress) in
        [(0, "running", 0), (500, "running", 50), (499, "running", 99), (1, "success", 100)]
    {
        stage.pass(wait);
        let batch = stage.get(&format!("/actions?id={action}&id=4&page=1"));
        assert_eq!(batch["actions"][0]["status"], status);
        assert_eq!(batch["actions"][0]["progress"], progress);
        assert_eq!(batch["actions"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(stage.refusal("GET /actions", Value::Null), refused(422, "invalid_input"));
}

#[test]
fn what_an_action_holds_is_locked() {
    let mut stage = Stage::new();
    let (network, server) = (stage.network("net"), stage.server("web", Value::Null));
    let volume = json!({"name": "v", "size": 10, "location": "nbg1"});
    let volume = id(&stage.make("/volumes", volume)["volume"]);
    let attach = json!({"server": server});
    let rows = [
        (format!("DELETE /volumes/{volume}"), Value::Null, "its creation runs"),
        (format!("POST /volumes/{volume}/actions/attach"), attach.clone(), "its creation runs"),
    ];
    for (line, body, why) in rows {
        assert_eq!(stage.refusal(&line, body), refused(423, "locked"), "{line}: {why}");
    }
    stage.pass(1_000);
    stage.make(&format!("/volumes/{volume}/actions/attach"), attach);
    let rows = [
        (format!("POST /servers/{server}/actions/attach_to_network"), json!({"network": network})),
        (format!("POST /servers/{server}/actions/poweroff"), Value::Null),
        (format!("DELETE /servers/{server}"), Value::Null),
        (format!("POST /volumes/{volume}/actions/detach"), Value::Null),
    ];
    for (line, body) in rows {
        let expected =
            if line.contains("detach") { (422, "service_error") } else { (423, "locked") };
        assert_eq!(stage.refusal(&line, body), refused(expected.0, expected.1), "{line}");
    }
    stage.pass(1_000);
    let deletion = stage.refusal(&format!("DELETE /volumes/{volume}"), Value::Null);
    assert_eq!(deletion, refused(422, "service_error"), "still attached");
}

#[test]
fn a_firewall_stays_in_use_for_a_while() {
    let mut stage = Stage::with(|options| options.settings.firewall_lag_ms = 5_000);
    let firewall = id(&stage.make("/firewalls", json!({"name": "fw"}))["firewall"]);
    let server = stage.server("web", json!({"firewalls": [{"firewall": firewall}]}));
    let delete = format!("DELETE /firewalls/{firewall}");
    assert_eq!(stage.refusal(&delete, Value::Null), refused(422, "resource_in_use"));
    assert_eq!(stage.ask(&format!("DELETE /servers/{server}"), Value::Null).0, 200);
    stage.pass(1_000);
    let shown = stage.get(&format!("/firewalls/{firewall}"));
    assert_eq!(shown["firewall"]["applied_to"], json!([]), "nothing is shown any more");
    for wait in [0, 4_999] {
        stage.pass(wait);
        assert_eq!(stage.refusal(&delete, Value::Null), refused(422, "resource_in_use"));
    }
    stage.pass(1);
    assert_eq!(stage.ask(&delete, Value::Null).0, 204);
}

#[test]
fn selectors_apply_firewalls_and_lock_the_server() {
    let mut stage = Stage::new();
    let server = stage.server("web", json!({"labels": {"role": "web"}}));
    let target = json!({"type": "label_selector", "label_selector": {"selector": "role=web"}});
    let body = json!({"name": "fw", "apply_to": [target]});
    let firewall = id(&stage.make("/firewalls", body)["firewall"]);
    let power = format!("POST /servers/{server}/actions/poweroff");
    assert_eq!(stage.refusal(&power, Value::Null), refused(423, "locked"));
    stage.pass(1_000);
    let shown = stage.get(&format!("/firewalls/{firewall}"));
    let reached = &shown["firewall"]["applied_to"][0]["applied_to_resources"];
    assert_eq!(reached[0]["server"]["id"], server);
    let remove = json!({"remove_from": [{"type": "server", "server": {"id": server}}]});
    let line = format!("POST /firewalls/{firewall}/actions/remove_from_resources");
    assert_eq!(stage.refusal(&line, remove), refused(422, "firewall_managed_by_label_selector"));
    stage.ask(&format!("PUT /servers/{server}"), json!({"labels": {}}));
    let shown = stage.get(&format!("/servers/{server}"));
    assert_eq!(shown["server"]["public_net"]["firewalls"], json!([]));
}

#[test]
fn deleting_a_server_lets_go_and_takes_along() {
    let mut stage = Stage::new();
    let kept = json!({"name": "kept", "type": "ipv4", "location": "nbg1"});
    let kept = id(&stage.make("/primary_ips", kept)["primary_ip"]);
    let public = json!({"ipv4": kept});
    let server = stage.server("web", json!({"public_net": public}));
    let volume = json!({"name": "v", "size": 10, "server": server});
    let volume = id(&stage.make("/volumes", volume)["volume"]);
    stage.pass(2_000);
    assert_eq!(stage.get(&format!("/volumes/{volume}"))["volume"]["server"], server);
    assert_eq!(stage.get("/primary_ips")["meta"]["pagination"]["total_entries"], 2);
    stage.ask(&format!("DELETE /servers/{server}"), Value::Null);
    assert_eq!(stage.get(&format!("/servers/{server}"))["server"]["status"], "deleting");
    stage.pass(1_000);
    assert_eq!(stage.ask(&format!("GET /servers/{server}"), Value::Null).0, 404);
    assert_eq!(stage.get(&format!("/volumes/{volume}"))["volume"]["server"], Value::Null);
    let left = stage.get("/primary_ips");
    assert_eq!(left["meta"]["pagination"]["total_entries"], 1, "its own IPv6 went along");
    assert_eq!(left["primary_ips"][0]["assignee_id"], Value::Null);
}

#[test]
fn orders_that_cannot_be_filled_are_refused() {
    let mut stage = Stage::new();
    let firewall = id(&stage.make("/firewalls", json!({"name": "fw"}))["firewall"]);
    let network = stage.network("net");
    stage.server("web", Value::Null);
    stage.world.set_stock("cx33", "nbg1", false);
    let private = json!({"enable_ipv4": false, "enable_ipv6": false});
    let rows = [
        (json!({"name": "web"}), 409, "uniqueness_error"),
        (json!({"name": "we_b"}), 422, "invalid_input"),
        (json!({"server_type": "cx22"}), 422, "invalid_input"),
        (json!({"server_type": "cx33"}), 412, "resource_unavailable"),
        (json!({"server_type": "cx23", "location": "ash"}), 422, "invalid_input"),
        (json!({"image": "debian-1"}), 422, "invalid_input"),
        (json!({"ssh_keys": ["nobody"]}), 422, "invalid_input"),
        (json!({"networks": [1]}), 404, "not_found"),
        (json!({"volumes": [1]}), 404, "not_found"),
        (json!({"datacenter": "nbg1-dc3"}), 422, "invalid_input"),
        (json!({"user_data": "x".repeat(32_769)}), 422, "invalid_input"),
        (json!({"public_net": private}), 422, "invalid_input"),
        (
            json!({
                "public_net": private,
                "networks": [network],
                "firewalls": [{"firewall": firewall}],
            }),
            422,
            "private_net_only_server",
        ),
    ];
    let before = stage.get("/servers")["meta"]["pagination"]["total_entries"].clone();
    for (change, status, code) in rows {
        let mut body = server_body("other");
        for (key, value) in change.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        assert_eq!(stage.refusal("POST /servers", body), refused(status, code), "{change}");
    }
    let after = stage.get("/servers")["meta"]["pagination"]["total_entries"].clone();
    assert_eq!(before, after, "a refusal leaves nothing behind");
    stage.world.set_quota("primary_ip", 1);
    let refusal = stage.refusal("POST /servers", server_body("other"));
    assert_eq!(refusal, refused(403, "resource_limit_exceeded"));
}

#[test]
fn a_rescale_needs_a_stopped_server_and_a_disk_never_shrinks() {
    let mut stage = Stage::new();
    let server = stage.server("db", Value::Null);
    let line = format!("POST /servers/{server}/actions/change_type");
    let wish = |name: &str, upgrade: bool| json!({"server_type": name, "upgrade_disk": upgrade});
    assert_eq!(stage.refusal(&line, wish("cx33", true)), refused(422, "server_not_stopped"));
    stage.make(&format!("/servers/{server}/actions/poweroff"), Value::Null);
    stage.pass(1_000);
    assert_eq!(stage.refusal(&line, wish("cax21", true)), refused(422, "invalid_server_type"));
    stage.make(&format!("/servers/{server}/actions/change_type"), wish("cx33", true));
    stage.pass(1_000);
    let shown = stage.get(&format!("/servers/{server}"))["server"].clone();
    assert_eq!(shown["server_type"]["name"], "cx33");
    assert_eq!((&shown["primary_disk_size"], &shown["status"]), (&json!(80), &json!("running")));
    assert_eq!(stage.refusal(&line, wish("cx23", false)), refused(422, "invalid_server_type"));
}

#[test]
fn a_month_costs_what_the_price_list_says() {
    let month = |stage: &mut Stage| {
        stage.world.settle(stage.now);
        let selector = Selector::parse("").expect("an empty selector");
        leaks::report(stage.world.projects.values(), &selector).price_monthly
    };
    let rows = [
        (["cx23", "cx23", "cx23"], "19.1140000000"),
        (["cx23", "cx23", "cx33"], "22.1140000000"),
        (["cpx22", "cpx22", "cpx22"], "61.1140000000"),
    ];
    for (types, expected) in rows {
        let mut stage = Stage::new();
        for (index, name) in types.iter().enumerate() {
            stage.server(&format!("s{index}"), json!({"server_type": name}));
        }
        stage.make("/volumes", json!({"name": "v", "size": 20, "location": "nbg1"}));
        assert_eq!(month(&mut stage), expected, "{types:?}");
    }
    let mut stage = Stage::new();
    let server = stage.server("s", Value::Null);
    stage.make(&format!("/servers/{server}/actions/enable_backup"), Value::Null);
    stage.pass(1_000);
    assert_eq!(month(&mut stage), "7.0880000000", "a fifth more with backups");
}

#[test]
fn network_names_may_be_shared_by_a_switch() {
    let body = || json!({"name": "n", "ip_range": "10.1.0.0/16"});
    for (is_unique, expected) in [(true, 409), (false, 201)] {
        let mut stage = Stage::with(|options| options.settings.network_names_unique = is_unique);
        stage.make("/networks", body());
        assert_eq!(stage.ask("POST /networks", body()).0, expected, "unique {is_unique}");
    }
}

#[test]
fn zones_take_records_one_change_at_a_time() {
    let mut stage = Stage::new();
    let bad = json!({"name": "sub.acme.example", "mode": "primary"});
    assert_eq!(stage.refusal("POST /zones", bad), refused(422, "invalid_input"));
    stage.make("/zones", json!({"name": "acme.example", "mode": "primary"}));
    let set = json!({"name": "t.pipeline", "type": "A", "records": [{"value": "198.18.0.1"}]});
    let path = "POST /zones/acme.example/rrsets";
    assert_eq!(stage.refusal(path, set.clone()), refused(423, "locked"));
    stage.pass(1_000);
    stage.make("/zones/acme.example/rrsets", set.clone());
    stage.pass(1_000);
    assert_eq!(stage.refusal(path, set), refused(409, "uniqueness_error"));
    let sets = "/zones/acme.example/rrsets/t.pipeline/A";
    let records = json!({"records": [{"value": "198.18.0.2"}]});
    stage.make(&format!("{sets}/actions/set_records"), records.clone());
    stage.pass(1_000);
    assert_eq!(stage.get(sets)["rrset"]["records"], records["records"]);
    stage.make(&format!("{sets}/actions/remove_records"), records);
    stage.pass(1_000);
    assert_eq!(stage.ask(&format!("GET {sets}"), Value::Null).0, 404, "the last one was removed");
}

#[test]
fn the_same_seed_plays_the_same_run() {
    let play = |seed| {
        let mut stage = Stage::with(|options| {
            options.seed = seed;
            options.settings.action_ms = None;
        });
        let network = stage.network("net");
        stage.server("web", json!({"networks": [network]}));
        stage.get("/servers")
    };
    assert_eq!(play(1), play(1));
    assert_ne!(play(1), play(2));
}
