//! What goes wrong on purpose, and who is refused at the door.

use serde_json::{Value, json};

use super::super::auth::{Digest, Presented};
use super::super::faults::{Fault, Rule};
use super::super::request::Request;
use super::super::world::{Content, Delivery};
use super::{Stage, id, refused, server_body};

#[test]
fn faults_do_what_they_say() {
    let body = || json!({"name": "n", "ip_range": "10.1.0.0/16"});
    let refuse =
        |status, code: &str| Fault::Refuse { status, code: code.into(), message: String::new() };
    let commit = |html| Fault::CommitThenRefuse { status: 504, code: "timeout".into(), html };
    let whole = Delivery::Whole;
    let rows = [
        (refuse(423, "locked"), 423, whole, 0),
        (refuse(429, "rate_limit_exceeded"), 429, whole, 0),
        (Fault::Unauthorized, 401, whole, 0),
        (Fault::Html { status: 502 }, 502, whole, 0),
        (commit(false), 504, whole, 1),
        (commit(true), 504, whole, 1),
        (Fault::DropBefore, 502, Delivery::Dropped, 0),
        (Fault::DropAfter, 201, Delivery::Dropped, 1),
        (Fault::Slow { delay_ms: 9 }, 201, Delivery::Slow(9), 1),
        (Fault::ListLag { delay_ms: 9 }, 201, whole, 0),
        (Fault::Quota { name: "network".into(), most: 0 }, 403, whole, 0),
    ];
    for (fault, status, delivery, listed) in rows {
        let mut stage = Stage::new();
        stage.world.faults.add(Rule::once("POST", "/networks", fault.clone()));
        let answer = stage.send("POST /networks", &body());
        let found = match answer.content {
            Content::Reply(reply) => reply.status,
            Content::Html(status) => status,
        };
        assert_eq!((found, answer.delivery), (status, delivery), "{fault:?}");
        let list = stage.get("/networks");
        assert_eq!(list["meta"]["pagination"]["total_entries"], listed, "{fault:?}");
        assert_eq!(stage.world.ledger[0].fault.as_deref(), Some(fault.name()));
        assert_eq!(stage.world.ledger[0].status, status, "{fault:?}");
        let again = stage.send("POST /networks", &json!({"name": "m", "ip_range": "10.2.0.0/16"}));
        assert_eq!(again.delivery, Delivery::Whole, "{fault:?} strikes once");
    }
}

#[test]
fn an_action_can_be_made_to_fail() {
    let mut stage = Stage::new();
    let fail = |command: Option<&str>| Fault::ActionError {
        code: "unknown_error".into(),
        message: "server is locked".into(),
        command: command.map(str::to_owned),
    };
    let server = stage.server("web", Value::Null);
    stage.world.faults.add(Rule::once("POST", "/volumes", fail(Some("attach_volume"))));
    let reply = stage.make("/volumes", json!({"name": "v", "size": 10, "server": server}));
    stage.pass(5_000);
    let action = |stage: &mut Stage, document: &Value| {
        stage.get(&format!("/actions/{}", id(document)))["action"].clone()
    };
    assert_eq!(action(&mut stage, &reply["action"])["status"], "success");
    let attach = action(&mut stage, &reply["next_actions"][0]);
    assert_eq!(attach["status"], "error");
    assert_eq!(attach["error"]["message"], "server is locked");
    let volume = stage.get(&format!("/volumes/{}", id(&reply["volume"])));
    assert_eq!(volume["volume"]["server"], Value::Null);
    stage.world.faults.add(Rule::once("POST", "/servers", fail(None)));
    let reply = stage.make("/servers", server_body("other"));
    stage.pass(5_000);
    assert_eq!(action(&mut stage, &reply["next_actions"][0])["status"], "error", "it depends");
    let left = stage.get(&format!("/servers/{}", id(&reply["server"])));
    assert_eq!(left["server"]["status"], "off", "a failed creation leaves a billed server");
}

#[test]
fn a_late_commit_lands_after_the_client_gave_up() {
    let mut stage = Stage::new();
    let late = Fault::LateCommit { delay_ms: 500 };
    stage.world.faults.add(Rule::once("POST", "/networks", late));
    let body = json!({"name": "n", "ip_range": "10.1.0.0/16", "labels": {"run": "1"}});
    assert_eq!(stage.send("POST /networks", &body).delivery, Delivery::Dropped);
    stage.pass(499);
    assert_eq!(stage.get("/networks?name=n")["networks"], json!([]), "not yet");
    stage.pass(1);
    assert_eq!(stage.get("/networks?name=n")["networks"][0]["labels"]["run"], "1");
    let entry = &stage.world.ledger[0];
    assert_eq!(entry.landed.as_ref().map(|landing| landing.status), Some(201));
    assert_eq!(entry.created.len(), 1, "the birth belongs to the request that was lost");
}

#[test]
fn the_ledger_tells_for_how_long_the_actions_of_a_request_run() {
    let mut stage = Stage::new();
    stage.make("/volumes", json!({"name": "v", "size": 10, "location": "nbg1"}));
    stage.make("/servers", server_body("s"));
    stage.get("/servers");
    stage.world.faults.add(Rule::once("POST", "/volumes", Fault::LateCommit { delay_ms: 500 }));
    stage.send("POST /volumes", &json!({"name": "late", "size": 10, "location": "nbg1"}));
    let told = |stage: &Stage| -> Vec<u64> {
        stage.world.ledger.iter().map(|entry| entry.actions_ms).collect()
    };
    // A server is created, then started.
    assert_eq!(told(&stage), [1_000, 2_000, 0, 0]);
    stage.pass(500);
    stage.get("/volumes");
    assert_eq!(told(&stage), [1_000, 2_000, 0, 1_000, 0]);
}

#[test]
fn a_late_commit_meets_the_rules_of_its_landing() {
    let mut stage = Stage::new();
    let late = Fault::LateCommit { delay_ms: 500 };
    stage.world.faults.add(Rule::once("POST", "/networks", late));
    let body = json!({"name": "n", "ip_range": "10.1.0.0/16"});
    stage.send("POST /networks", &body);
    let retried = id(&stage.make("/networks", body)["network"]);
    stage.pass(500);
    let list = stage.get("/networks");
    assert_eq!(list["meta"]["pagination"]["total_entries"], 1, "the name was taken by then");
    assert_eq!(id(&list["networks"][0]), retried);
    let landing = stage.world.ledger[0].landed.clone();
    assert_eq!(landing.map(|landing| landing.status), Some(409));
}

#[test]
fn routes_credentials_and_methods_are_refused_in_the_order_of_the_api() {
    let mut stage = Stage::new();
    let rows = [
        ("GET /nowhere", Presented::Nothing, 404, "not_found"),
        ("GET /servers", Presented::Nothing, 401, "unauthorized"),
        ("PATCH /servers", Presented::Nothing, 401, "unauthorized"),
        ("GET /servers", Presented::Malformed, 401, "unauthorized"),
        ("PATCH /servers", Presented::Token(Digest::of("x")), 405, "method_not_allowed"),
        ("GET /datacenters", Presented::Token(Digest::of("x")), 410, "deprecated_api_endpoint"),
        ("GET /servers/7", Presented::Token(Digest::of("x")), 404, "not_found"),
    ];
    for (line, token, status, code) in rows {
        let (method, path) = line.split_once(' ').expect("two words");
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: Vec::new(),
            origin: String::new(),
            token: token.clone(),
            body: Some(Vec::new()),
        };
        let Content::Reply(reply) = stage.world.receive(request, stage.now).content else {
            panic!("{line}: no page was asked for");
        };
        let body = reply.body.unwrap_or_default();
        assert_eq!((reply.status, &body["error"]["code"]), (status, &json!(code)), "{line}");
    }
}

#[test]
fn two_tokens_see_two_projects_and_a_rate_limit_each() {
    let mut stage = Stage::with(|options| options.settings.rate_limit = 2);
    assert_eq!(stage.ask("GET /servers", Value::Null).0, 200);
    assert_eq!(stage.ask("GET /servers", Value::Null).0, 200);
    let refusal = stage.refusal("GET /servers", Value::Null);
    assert_eq!(refusal, refused(429, "rate_limit_exceeded"));
    stage.pass(1_800_000);
    assert_eq!(stage.ask("GET /servers", Value::Null).0, 200, "half an hour brings one back");
}

#[test]
fn what_was_deleted_can_linger() {
    let mut stage = Stage::new();
    let network = stage.make("/networks", json!({"name": "n", "ip_range": "10.1.0.0/16"}));
    let path = format!("/networks/{}", network["network"]["id"]);
    stage.world.faults.add(Rule::once("DELETE", "/networks/*", Fault::Linger { delay_ms: 500 }));
    let Content::Reply(reply) = stage.send(&format!("DELETE {path}"), &Value::Null).content else {
        panic!("a deletion that lingers is answered");
    };
    assert_eq!((reply.status, reply.body), (204, None));
    assert_eq!(stage.get(&path)["network"]["id"], network["network"]["id"], "it still stands");
    stage.pass(1_000);
    assert_eq!(stage.get(&path)["error"]["code"], "not_found");
}

#[test]
fn an_action_takes_the_time_that_it_is_told_or_never_ends() {
    let mut stage = Stage::new();
    let server = stage.server("web", Value::Null);
    let volume = stage.make("/volumes", json!({"name": "v", "size": 10, "server": server}));
    let volume = id(&volume["volume"]);
    stage.pass(5_000);
    let drag = |delay_ms| Fault::ActionTime { delay_ms, command: None };
    let power = format!("/servers/{server}/actions/poweroff");
    stage.world.faults.add(Rule::once("POST", &power, drag(Some(130_000))));
    let slow = id(&stage.make(&power, Value::Null)["action"]);
    let status = |stage: &mut Stage, action: u64| {
        stage.get(&format!("/actions/{action}"))["action"]["status"].clone()
    };
    stage.pass(129_999);
    assert_eq!(status(&mut stage, slow), "running");
    stage.pass(1);
    assert_eq!(status(&mut stage, slow), "success");
    let detach = format!("/volumes/{volume}/actions/detach");
    stage.world.faults.add(Rule::once("POST", &detach, drag(None)));
    let stuck = id(&stage.make(&detach, Value::Null)["action"]);
    stage.pass(365 * 24 * 3_600_000);
    assert_eq!(status(&mut stage, stuck), "running", "after a year");
    let deletion = stage.refusal(&format!("DELETE /volumes/{volume}"), Value::Null);
    assert_ne!(deletion.0, 204, "{deletion:?}");
}

#[test]
fn what_lingers_is_answered_like_any_deletion_and_goes_later() {
    let mut stage = Stage::new();
    let server = stage.server("web", Value::Null);
    let zone = stage.make("/zones", json!({"name": "example.org", "mode": "primary"}));
    let zone = id(&zone["zone"]);
    stage.pass(5_000);
    let set = json!({"name": "www", "type": "A", "records": [{"value": "192.0.2.1"}]});
    stage.make(&format!("/zones/{zone}/rrsets"), set);
    let network = stage.network("net");
    stage.pass(5_000);
    let rows = [
        (format!("/servers/{server}"), 200, "delete_server"),
        (format!("/zones/{zone}/rrsets/www/A"), 201, "delete_rrset"),
        (format!("/zones/{zone}"), 201, "delete_zone"),
        (format!("/networks/{network}"), 204, ""),
    ];
    for (path, status, command) in rows {
        stage.world.faults.add(Rule::once("DELETE", &path, Fault::Linger { delay_ms: 20_000 }));
        let (found, reply) = stage.ask(&format!("DELETE {path}"), Value::Null);
        let told = reply["action"]["command"].as_str().unwrap_or_default();
        assert_eq!((found, told), (status, command), "{path}");
        stage.pass(19_999);
        assert_eq!(stage.ask(&format!("GET {path}"), Value::Null).0, 200, "{path} lingers");
        stage.pass(10_000);
        assert_eq!(stage.ask(&format!("GET {path}"), Value::Null).0, 404, "{path} is gone");
    }
    stage.world.faults.add(Rule::once("DELETE", "/networks/*", Fault::Linger { delay_ms: 9 }));
    let gone = stage.refusal(&format!("DELETE /networks/{network}"), Value::Null);
    assert_eq!(gone, refused(404, "not_found"), "what is not there does not linger");
}
