//! What a client meets on the wire: headers, cut connections, the control port.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use runwrit_openapi::Watch;
use runwrit_simulator::hetzner::{Fault, Handle, Options, Rule, Simulator};
use runwrit_tests::openapi::witness;
use serde_json::{Value, json};

use super::client::{Client, TOKEN};

/// Starts a simulator whose answers are judged until the first of these is dropped.
async fn start() -> (Watch, Handle, Client, Client) {
    let watch = Watch::new();
    let control = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let witness = watch.judge().map(witness);
    let mut options = Options { control, witness, ..Options::default() };
    options.settings.action_ms = Some(0);
    let handle = Simulator::start(options).await.expect("a simulator");
    let api = Client { address: handle.api, prefix: "/v1" };
    let desk = Client { address: handle.control.expect("a control port"), prefix: "" };
    (watch, handle, api, desk)
}

fn network(name: &str) -> Value {
    json!({"name": name, "ip_range": "10.1.0.0/16", "labels": {"run": "r1"}})
}

#[tokio::test]
async fn answers_carry_the_headers_of_the_api_and_the_simulated_time() {
    let (_watch, handle, api, _) = start().await;
    api.make("POST /networks", network("a")).await;
    api.make("POST /networks", network("b")).await;
    let answer = api.ask("GET /networks?per_page=1&label_selector=run%3Dr1", Value::Null).await;
    let link = format!(
        "link: <http://{0}/v1/networks?page=2&per_page=1&label_selector=run%3dr1>; rel=\"next\"",
        handle.api
    );
    let wanted = [
        "ratelimit-limit: 3600",
        "ratelimit-remaining: 3597",
        "ratelimit-reset: 17954352",
        "x-correlation-id: ",
        "x-simulator-time: 2026-11-23t12:00:0",
        "x-simulator-time-factor: 1",
        "content-type: application/json",
        &link,
    ];
    for header in wanted {
        assert!(answer.head.contains(header), "no `{header}` in:\n{}", answer.head);
    }
    handle.stop().await;
}

#[tokio::test]
async fn a_lost_reply_and_a_lost_request_look_the_same_to_a_client() {
    let (_watch, handle, api, _) = start().await;
    for (fault, count) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1)] {
        handle.desk().add_fault(Rule::once("POST", "/networks", fault.clone()));
        let answer = api.try_ask("POST /networks", network("n")).await;
        assert!(answer.is_none(), "{fault:?}: {answer:?}");
        let list = api.make("GET /networks", Value::Null).await;
        assert_eq!(list["meta"]["pagination"]["total_entries"], count, "{fault:?}");
    }
    handle.stop().await;
}

#[tokio::test]
async fn a_late_commit_lands_by_itself() {
    let (_watch, handle, api, _) = start().await;
    let late = Fault::LateCommit { delay_ms: 300 };
    handle.desk().add_fault(Rule::once("POST", "/networks", late));
    assert!(api.try_ask("POST /networks", network("n")).await.is_none());
    let list = api.make("GET /networks?name=n", Value::Null).await;
    assert_eq!(list["networks"], json!([]), "nothing is there yet");
    tokio::time::sleep(Duration::from_millis(350)).await;
    let leaks = handle.desk().leaks("run=r1").expect("a selector");
    assert_eq!(leaks.alive.len(), 1, "it landed without any request");
    handle.stop().await;
}

#[tokio::test]
async fn the_control_port_arms_faults_and_tells_what_happened() {
    let (_watch, handle, api, desk) = start().await;
    let burst = json!({
        "method": "POST",
        "path": "/networks",
        "times": 2,
        "fault": {"kind": "refuse", "status": 423, "code": "locked"},
    });
    desk.make("POST /_sim/faults", burst).await;
    for expected in [423, 423, 201] {
        assert_eq!(api.ask("POST /networks", network("n")).await.status, expected);
    }
    assert_eq!(desk.make("GET /_sim/faults", Value::Null).await["faults"][0]["struck"], 2);
    let counted = "GET /_sim/requests?method=POST&path=/networks";
    assert_eq!(desk.make(counted, Value::Null).await["count"], 3);
    let ledger = desk.make("GET /_sim/ledger", Value::Null).await;
    assert_eq!(ledger["entries"][0]["fault"], "refuse");
    assert_eq!(ledger["entries"][2]["created"][0]["labels"]["run"], "r1");
    assert!(!ledger.to_string().contains(TOKEN), "a ledger holds no token");
    let leaks = desk.make("GET /_sim/leaks?label_selector=run%3Dr1", Value::Null).await;
    assert_eq!(leaks["alive"][0]["name"], "n");
    assert_eq!(leaks["price_monthly"], "0.0000000000");
    let state = desk.make("GET /_sim/state", Value::Null).await;
    assert!(state.to_string().contains("10.1.0.0/16") && !state.to_string().contains(TOKEN));
    let before = desk.make("GET /_sim/clock", Value::Null).await;
    let after = desk.make("POST /_sim/clock", json!({"advance_ms": 3_600_000})).await;
    assert_ne!(before["now"], after["now"]);
    handle.stop().await;
}

#[tokio::test]
async fn tokens_can_be_narrowed_and_revoked_in_the_middle_of_a_run() {
    let (_watch, handle, api, desk) = start().await;
    api.make("POST /networks", network("n")).await;
    let rows = [
        ("read_only", 200, 401, "token_readonly"),
        ("revoked", 401, 401, "unauthorized"),
        ("read_write", 200, 201, ""),
    ];
    for (access, read, write, code) in rows {
        desk.make("POST /_sim/tokens", json!({"token": TOKEN, "access": access})).await;
        assert_eq!(api.ask("GET /networks", Value::Null).await.status, read, "{access}");
        let answer = api.ask("POST /networks", network("m")).await;
        assert_eq!(answer.status, write, "{access}");
        let found = answer.body["error"]["code"].as_str().unwrap_or_default();
        assert_eq!(found, code, "{access}");
    }
    handle.stop().await;
}

#[tokio::test]
async fn the_control_port_refuses_what_it_does_not_know() {
    let (_watch, handle, _, desk) = start().await;
    let rows = [
        ("POST /_sim/faults", json!({"path": "/x", "fault": {"kind": "explode"}}), 422),
        ("POST /_sim/clock", json!({"forward": 1}), 422),
        ("POST /_sim/stock", Value::Null, 422),
        ("GET /_sim/leaks?label_selector=%3D", Value::Null, 422),
        ("DELETE /_sim/faults/99", Value::Null, 404),
        ("GET /_sim/nowhere", Value::Null, 404),
    ];
    for (line, body, status) in rows {
        let answer = desk.ask(line, body).await;
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.body["error"].is_string(), "{line}");
    }
    handle.stop().await;
}
