//! The control port: `/_sim/…`, JSON over HTTP, for tests that run elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::clock::written;
use super::control::Control;
use super::faults::{Rule, is_path_match};
use super::ledger::Entry;
use super::refusal::Refusal;

type Questions = Query<BTreeMap<String, String>>;

/// Routes the control port.
pub fn router(control: Control) -> Router {
    Router::new()
        .route("/_sim/clock", get(clock).post(advance))
        .route("/_sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_sim/faults/{id}", delete(remove_fault))
        .route("/_sim/ledger", get(ledger))
        .route("/_sim/requests", get(requests))
        .route("/_sim/resources", get(resources))
        .route("/_sim/leaks", get(leaks))
        .route("/_sim/state", get(state))
        .route("/_sim/reset", post(reset))
        .route("/_sim/stock", post(stock))
        .route("/_sim/quotas", post(quota))
        .route("/_sim/tokens", post(token))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "no such control; see `/_sim/…`") })
        .with_state(control)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// Simulated milliseconds.
    advance_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stock {
    server_type: String,
    location: String,
    available: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quota {
    name: String,
    most: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: String,
    access: Access,
    #[serde(default)]
    project: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Access {
    ReadWrite,
    ReadOnly,
    Revoked,
}

fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn ok(body: &Value) -> Response {
    reply(StatusCode::OK, body)
}

fn refuse(status: StatusCode, message: &str) -> Response {
    reply(status, &json!({"error": message}))
}

fn refused(refusal: &Refusal) -> Response {
    refuse(StatusCode::UNPROCESSABLE_ENTITY, &refusal.message)
}

/// Reads a body, or answers what is wrong with it.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| {
        Box::new(refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("cannot read the body: {error}"),
        ))
    })
}

fn clock_body(control: &Control) -> Value {
    json!({"now": written(control.now()), "time_factor": control.time_factor()})
}

async fn clock(State(control): State<Control>) -> Response {
    ok(&clock_body(&control))
}

async fn advance(State(control): State<Control>, body: Bytes) -> Response {
    match parse::<Advance>(&body) {
        Ok(Advance { advance_ms }) => {
            control.advance(Duration::from_millis(advance_ms));
            ok(&clock_body(&control))
        }
        Err(response) => *response,
    }
}

async fn faults(State(control): State<Control>) -> Response {
    ok(&json!({"faults": control.faults()}))
}

async fn add_fault(State(control): State<Control>, body: Bytes) -> Response {
    match parse::<Rule>(&body) {
        Ok(rule) => reply(StatusCode::CREATED, &json!({"id": control.add_fault(rule)})),
        Err(response) => *response,
    }
}

async fn clear_faults(State(control): State<Control>) -> Response {
    control.clear_faults();
    ok(&json!({"faults": []}))
}

async fn remove_fault(State(control): State<Control>, Path(id): Path<u64>) -> Response {
    if control.remove_fault(id) {
        return ok(&json!({"removed": id}));
    }
    refuse(StatusCode::NOT_FOUND, &format!("no fault with id `{id}`"))
}

fn picked(control: &Control, questions: &BTreeMap<String, String>) -> Vec<Entry> {
    let since = questions.get("since").and_then(|text| text.parse().ok()).unwrap_or(0);
    let pattern = questions.get("path").map_or("**", String::as_str);
    let is_method = |method: &str| {
        questions.get("method").is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
    };
    let mut entries = control.ledger();
    entries.retain(|entry| {
        entry.seq > since && is_method(&entry.method) && is_path_match(pattern, &entry.path)
    });
    entries
}

async fn ledger(State(control): State<Control>, Query(questions): Questions) -> Response {
    ok(&json!({"entries": picked(&control, &questions)}))
}

async fn requests(State(control): State<Control>, Query(questions): Questions) -> Response {
    ok(&json!({"count": picked(&control, &questions).len()}))
}

async fn resources(State(control): State<Control>, Query(questions): Questions) -> Response {
    let selector = questions.get("label_selector").map_or("", String::as_str);
    match control.resource_events(selector) {
        Ok(events) => ok(&json!({"events": events})),
        Err(refusal) => refused(&refusal),
    }
}

async fn leaks(State(control): State<Control>, Query(questions): Questions) -> Response {
    let selector = questions.get("label_selector").map_or("", String::as_str);
    match control.leaks(selector) {
        Ok(report) => ok(&json!(report)),
        Err(refusal) => refused(&refusal),
    }
}

async fn state(State(control): State<Control>) -> Response {
    ok(&control.dump())
}

async fn reset(State(control): State<Control>) -> Response {
    control.reset();
    ok(&json!({"reset": true}))
}

async fn stock(State(control): State<Control>, body: Bytes) -> Response {
    match parse::<Stock>(&body) {
        Ok(stock) => {
            control.set_stock(&stock.server_type, &stock.location, stock.available);
            ok(&json!({"available": stock.available}))
        }
        Err(response) => *response,
    }
}

async fn quota(State(control): State<Control>, body: Bytes) -> Response {
    match parse::<Quota>(&body) {
        Ok(quota) => {
            control.set_quota(&quota.name, quota.most);
            ok(&json!({"most": quota.most}))
        }
        Err(response) => *response,
    }
}

async fn token(State(control): State<Control>, body: Bytes) -> Response {
    let Token { token, access, project } = match parse(&body) {
        Ok(token) => token,
        Err(response) => return *response,
    };
    match access {
        Access::ReadWrite => control.set_token(&token, project.as_deref(), false),
        Access::ReadOnly => control.set_token(&token, project.as_deref(), true),
        Access::Revoked => control.revoke_token(&token),
    }
    ok(&json!({"changed": true}))
}
