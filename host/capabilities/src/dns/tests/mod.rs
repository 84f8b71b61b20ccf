//! Records against the simulator: declared whole, restored exactly, and never somebody else's.

mod changes;
mod hostile;
mod undo;

use std::collections::BTreeMap;

use runwrit_model::call::CallId;
use runwrit_model::dns::{KIND, SetId};
use runwrit_model::failure::Failure;
use runwrit_model::id::Scope;
use runwrit_model::labels::{HostKey, Thing};
use serde_json::{Value, json};

use super::Zones;
use crate::bindings::runwrit::dns::records;
use crate::gate::{CallError, Undo, UndoError, Undone};
use crate::hetzner::tests::bench::{self, Bench, Planted};
use crate::hetzner_api::client::{Request, actions};

/// What these tests are granted in the DNS.
const RECORDS: &str = r#"
[dns]
operations = ["records.zones", "records.get", "records.list", "records.check", "records.set",
  "records.delete", "records.verify"]
[[dns.records]]
zone = "example.org"
name = "acme"
types = ["A", "AAAA", "CNAME"]
max-ttl = 300
[[dns.records]]
zone = "example.org"
name = "old"
types = ["A"]
max-ttl = 3600
replace-foreign = true
[[dns.records]]
zone = "copy.example"
name = "acme"
types = ["A"]
max-ttl = 3600
[[dns.records]]
zone = "missing.example"
name = "acme"
types = ["A"]
max-ttl = 3600
"#;

fn grant() -> String {
    bench::grant("") + RECORDS
}

/// A run with the zones `example.org` and `example.net`, and a copy of `copy.example`.
async fn staged() -> Bench {
    staged_with(&grant()).await
}

async fn staged_with(grant: &str) -> Bench {
    let bench = Bench::granting(grant).await;
    for name in ["example.org", "example.net"] {
        send(&bench, "zones", json!({"name": name, "mode": "primary"})).await;
    }
    let source = json!([{"address": "192.0.2.53"}]);
    let copy = json!({"name": "copy.example", "mode": "secondary", "primary_nameservers": source});
    send(&bench, "zones", copy).await;
    bench
}

/// Changes something behind the back of the run.
async fn send(bench: &Bench, path: &str, body: Value) {
    let client = &bench.project.client;
    let answer = client.ask(&Request::post(path, body)).await.expect(path);
    client.wait(&actions(&answer)).await.expect(path);
    bench.planted.set(bench.mutations());
}

/// Makes a set behind the back of the run.
async fn plant(bench: &Bench, name: &str, kind: &str, (ttl, values): (Value, &[&str])) {
    plant_owned(bench, (name, kind), (ttl, values), Planted::Unlabelled).await;
}

async fn plant_owned(
    bench: &Bench,
    (name, kind): (&str, &str),
    (ttl, values): (Value, &[&str]),
    owner: Planted,
) {
    let records: Vec<_> = values.iter().map(|value| json!({"value": value})).collect();
    let id = SetId::parse("example.org", name, kind).expect("a planted set has a good name");
    let labels = labels(bench, &id, owner);
    let body =
        json!({"name": name, "type": kind, "ttl": ttl, "records": records, "labels": labels});
    send(bench, "zones/example.org/rrsets", body).await;
}

fn labels(bench: &Bench, id: &SetId, owner: Planted) -> BTreeMap<String, String> {
    let other = SetId::parse("example.org", "another", "A").expect("a good name");
    let (key, scope, id) = match owner {
        Planted::Unlabelled => return BTreeMap::new(),
        Planted::Ours => (bench.project.key.clone(), "acme", id),
        Planted::OtherTenant => (bench.project.key.clone(), "bolt", id),
        Planted::OtherInstallation => (HostKey::from_bytes([8; 32]), "acme", id),
        Planted::Forged => (bench.project.key.clone(), "acme", &other),
    };
    let name = id.key();
    let thing = Thing { kind: KIND, name: &name };
    let scope = Scope::tenant(scope);
    key.labels_for(&key.ownership(&scope, &bench.run, CallId::single(90), thing))
}

fn set(name: &str, kind: &str, ttl: Option<u32>, values: &[&str]) -> records::RecordSet {
    records::RecordSet {
        zone: "example.org".to_owned(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        ttl,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

async fn declare(
    bench: &mut Bench,
    set: records::RecordSet,
) -> Result<records::FoundSet, CallError> {
    records::Host::set(&mut bench.guest, set).await
}

/// Returns every set of the zone but its own, as the API tells it.
async fn standing(bench: &Bench) -> Vec<Value> {
    let request = Request::get("zones/example.org/rrsets");
    let answer = bench.project.client.ask(&request).await.expect("the zone can be read");
    let sets = answer["rrsets"].as_array().expect("a list").clone();
    sets.into_iter().filter(|set| set["name"] != "@").collect()
}

fn zones(bench: &Bench) -> Zones {
    let project = &bench.project;
    let (client, key, scope) = (project.client.clone(), project.key.clone(), project.scope.clone());
    Zones { client, key, scope }
}

/// Undoes everything in reverse order, again while it may pass.
async fn roll_back(bench: &Bench) -> Vec<Result<Undone, UndoError>> {
    let zones = zones(bench);
    let mut outcomes = Vec::new();
    for undo in bench.guest.gate.undos.iter().rev() {
        let mut outcome = zones.undo(undo).await;
        for _ in 0..20 {
            if !matches!(outcome, Err(UndoError::Later(_))) {
                break;
            }
            outcome = zones.undo(undo).await;
        }
        outcomes.push(outcome);
    }
    outcomes
}

fn code<T: std::fmt::Debug>(answer: Result<T, CallError>) -> String {
    match answer {
        Err(CallError::Failed(Failure::Denied(denial))) => denial.rule,
        Err(CallError::Failed(
            Failure::Conflict(problem) | Failure::Invalid(problem) | Failure::NotFound(problem),
        )) => problem.code,
        other => format!("{other:?}"),
    }
}
