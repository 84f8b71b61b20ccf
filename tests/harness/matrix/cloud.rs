//! A simulated cloud in the mood that a case asks for.

use std::time::Duration;

use runwrit_simulator::hetzner::{Fault, Handle, Options, Rule, Settings, Simulator};

use runwrit_model::limits::SENDS_MAX;
use runwrit_simulator::hetzner::auth::Presented;
use runwrit_simulator::hetzner::request::Request;
use runwrit_simulator::hetzner::world::Content;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::case::{Case, Mood, Scenario};
use super::secrets::TOKEN;
use crate::openapi::witness;
use runwrit_openapi::Watch;

/// A key that nobody has the other half of.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO9xEikoVBlNEbQMGNXV5hxgSNub/FVpVUV19MACpdr5 ops";

/// Requests that change something, and how many of each a run with three servers sends at once.
const MUTATING: [(&str, &str, u64); 12] = [
    ("POST", "/networks", 1),
    ("POST", "/firewalls", 1),
    ("POST", "/servers", 3),
    ("POST", "/volumes", 1),
    ("POST", "/volumes/*/actions/attach", 1),
    ("POST", "/volumes/*/actions/detach", 1),
    ("POST", "/zones/*/rrsets", 1),
    ("DELETE", "/zones/*/rrsets/*/*", 1),
    ("DELETE", "/servers/*", 3),
    ("DELETE", "/volumes/*", 1),
    ("DELETE", "/firewalls/*", 1),
    ("DELETE", "/networks/*", 1),
];

/// How long a connection of a process that is gone may take to be read to its end.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// Puts a cloud into the mood of `case`.
pub fn disturb(handle: &Handle, case: &Case) {
    for rule in rules(case) {
        handle.desk().add_fault(rule);
    }
}

/// Waits until everything that processes sent before they ended was taken in: however slow this
/// machine is, no request then arrives later than the case means it to.
pub async fn drain(handle: &Handle) {
    let drained = async {
        // Connections are accepted in their order, so those before this one were accepted too.
        let mut last = TcpStream::connect(handle.api).await.expect("the simulator listens");
        last.shutdown().await.expect("the simulator listens");
        let mut rest = Vec::new();
        // However this connection ends, it was accepted.
        drop(last.read_to_end(&mut rest).await);
        while handle.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(DRAIN_MAX, drained).await.expect("no process is left, so connections close");
}

/// Lets happen at once what would happen within `delay`.
pub fn let_land(handle: &Handle, delay: Duration) {
    let control = handle.desk();
    control.advance(delay.div_f64(control.time_factor()));
}

/// Starts a cloud without faults, with the SSH key that the grant names. Actions take milliseconds,
/// so that a run takes a fraction of a second.
pub async fn start_calm(watch: &Watch, mood: Mood) -> Handle {
    let action_ms = Some(if mood == Mood::SlowActions { 60_000 } else { 1_000 });
    let network_names_unique = mood != Mood::SharedNames;
    let settings = Settings { action_ms, network_names_unique, ..Settings::default() };
    let witness = watch.judge().map(witness);
    let options = Options { time_factor: 0.001, settings, witness, ..Options::default() };
    let handle = Simulator::start(options).await.expect("a loopback port is free");
    add(&handle, "/ssh_keys", json!({ "name": "ops", "public_key": PUBLIC_KEY }));
    let rrsets = json!([{ "name": "www", "type": "A", "records": [{ "value": "198.51.100.1" }] }]);
    add(&handle, "/zones", json!({ "name": "example.org", "mode": "primary", "rrsets": rrsets }));
    handle
}

/// Adds what the operator had before the first run.
fn add(handle: &Handle, path: &str, body: Value) {
    let request = Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        origin: handle.endpoint(),
        token: Presented::from_header(Some(&format!("Bearer {TOKEN}"))),
        body: Some(body.to_string().into_bytes()),
    };
    let (answer, _) = handle.desk().receive(request);
    let is_created = matches!(&answer.content, Content::Reply(reply) if reply.status == 201);
    assert!(is_created, "the simulator takes {body}: {answer:?}");
}

/// Returns the faults of a case; the refusal stands first, so that it strikes before the mood.
fn rules(case: &Case) -> Vec<Rule> {
    let mut rules = Vec::new();
    if let Scenario::Fails(refused) = &case.scenario {
        let fault = Fault::Refuse {
            status: 422,
            code: "invalid_input".to_owned(),
            message: "refused by the crash matrix".to_owned(),
        };
        rules.push(rule(refused.method, refused.path, (refused.nth, 0), fault));
    }
    // What sends one request after the other meets the faults one after the other, too.
    let most = if case.scenario == Scenario::Deprovision { SENDS_MAX - 1 } else { SENDS_MAX };
    for (method, path, times) in MUTATING {
        if let Some(fault) = fault(case, path) {
            rules.push(rule(method, path, (1, times.min(most.into())), fault));
        }
    }
    rules
}

fn rule(method: &str, path: &str, (nth, times): (u64, u64), fault: Fault) -> Rule {
    let (method, path) = (Some(method.to_owned()), path.to_owned());
    Rule { method, path, nth, times, parts_per_million: None, project: None, fault }
}

fn fault(case: &Case, path: &str) -> Option<Fault> {
    let refuse = |status, code: &str| {
        let message = String::new();
        Some(Fault::Refuse { status, code: code.to_owned(), message })
    };
    let delay_ms = u64::try_from(case.late_by.as_millis()).expect("a short time");
    match case.mood {
        Mood::Normal | Mood::SlowActions => None,
        Mood::LostReply => Some(Fault::DropAfter),
        Mood::LateCommit | Mood::SharedNames => Some(Fault::LateCommit { delay_ms }),
        Mood::ListLag => Some(Fault::ListLag { delay_ms }),
        Mood::Locked => refuse(423, "locked"),
        Mood::Conflict => refuse(409, "conflict"),
        Mood::RateLimited => refuse(429, "rate_limit_exceeded"),
        Mood::ErrorAfterCommit => {
            // A proxy says 408 where the gateway says 504; both have passed the request on.
            let is_of_gateway = path.starts_with("/servers") || path.starts_with("/volumes");
            let (status, code) = (if is_of_gateway { 504 } else { 408 }, "timeout".to_owned());
            Some(Fault::CommitThenRefuse { status, code, html: true })
        }
    }
}
