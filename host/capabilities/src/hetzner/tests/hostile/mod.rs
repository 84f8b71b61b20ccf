//! A guest that tries to get out: every escape is refused for the rule expected, and no request
//! that changes anything is seen by the server. With the feature `breakable` each rule is switched
//! off once, and the rows that rest on it must fail.

mod creations;
mod ids;

use futures_util::future::LocalBoxFuture;
use runwrit_model::failure::Failure;
use serde_json::json;

use super::bench::{Bench, PUBLIC_KEY, Planted, run};
use crate::gate::CallError;
use crate::hetzner::wire::{Firewall, Network, PrimaryIp, Server, SshKey, Volume};

type Spelling = fn(String) -> String;
type Try = for<'a> fn(&'a mut Bench, String) -> LocalBoxFuture<'a, Result<(), CallError>>;

/// One escape.
struct Row {
    operation: &'static str,
    name: String,
    /// What must refuse it.
    rule: &'static str,
    grant: String,
    /// What stands in the project before.
    planted: Option<(Thing, &'static str, Planted)>,
    /// Rewrites the id of what stands there.
    spelling: Spelling,
    attempt: Try,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Network,
    Firewall,
    Server,
    Volume,
    SshKey,
    PrimaryIp,
}

/// Narrows a function that takes a bench and an id to the type of the table.
macro_rules! attempt {
    (|$bench:ident, $id:ident| $act:expr) => {
        |$bench: &mut Bench, $id: String| Box::pin(async move { $act.await.map(drop) })
    };
}

use attempt;

async fn plant(bench: &Bench, thing: Thing, name: &str, owner: Planted) -> String {
    let server = || {
        json!({"server_type": "cx23", "image": "debian-12", "location": "nbg1",
            "ssh_keys": ["ops"]})
    };
    match thing {
        Thing::Network => {
            bench.plant::<Network>(name, owner, json!({"ip_range": "10.9.0.0/16"})).await
        }
        Thing::Firewall => bench.plant::<Firewall>(name, owner, json!({"rules": []})).await,
        Thing::Server => bench.plant::<Server>(name, owner, server()).await,
        Thing::Volume => {
            let body = json!({"size": 10, "location": "nbg1"});
            bench.plant::<Volume>(name, owner, body).await
        }
        Thing::SshKey => {
            let key = PUBLIC_KEY.replace("dGVzdGtleX", "cGxhbnRlZE");
            bench.plant::<SshKey>(name, owner, json!({"public_key": key})).await
        }
        Thing::PrimaryIp => {
            let body = json!({"type": "ipv4", "location": "nbg1", "assignee_type": "server"});
            bench.plant::<PrimaryIp>(name, owner, body).await
        }
    }
}

async fn own_firewall(bench: &Bench) -> String {
    plant(bench, Thing::Firewall, "acme-fw", Planted::Ours).await
}

fn table() -> Vec<Row> {
    let parts = [ids::all(), creations::all()];
    parts.into_iter().flatten().collect()
}

/// Tries one escape. Returns what is wrong with how it was refused.
fn outcome(row: &Row) -> Result<(), String> {
    run(async {
        let mut bench = Bench::granting(&row.grant).await;
        let id = match row.planted {
            Some((thing, name, owner)) => plant(&bench, thing, name, owner).await,
            None => String::new(),
        };
        let id = (row.spelling)(id);
        let outcome = (row.attempt)(&mut bench, id).await;
        match outcome {
            Err(CallError::Failed(Failure::Denied(denial))) if denial.rule == row.rule => {}
            Err(CallError::Failed(Failure::Invalid(problem))) if problem.code == row.rule => {}
            other => return Err(format!("expected `{}`, got {other:?}", row.rule)),
        }
        match bench.mutations() - bench.planted.get() {
            0 => Ok(()),
            sent => Err(format!("{sent} requests that change something were seen")),
        }
    })
}

#[test]
fn every_escape_is_refused_for_the_rule_expected() {
    let mut wrong = Vec::new();
    for row in table() {
        if let Err(text) = outcome(&row) {
            wrong.push(format!("{} with {}: {text}", row.operation, row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_that_changes_something_has_five_escapes() {
    let rows = table();
    let changing: Vec<String> = runwrit_model::operations::INTERFACES
        .iter()
        .filter(|it| it.capability == "hetzner")
        .flat_map(|it| it.functions.iter().map(|name| format!("hetzner.{}.{name}", it.name)))
        .filter(|name| {
            let reads = ["get", "list", "check", "scope", "candidates"];
            !reads.iter().any(|read| name.ends_with(&format!(".{read}")))
        })
        .collect();
    assert_eq!(changing.len(), 20);
    for operation in changing {
        let count = rows.iter().filter(|row| row.operation == operation).count();
        assert!(count >= 5, "`{operation}` has {count} escapes");
    }
}

/// Switches one rule off at a time: each row must then get out, or be refused by another rule.
#[cfg(feature = "breakable")]
#[test]
fn every_single_rule_is_needed() {
    use runwrit_model::breakable::with_broken;

    let rows = table();
    let mut needless = Vec::new();
    for row in &rows {
        if with_broken(row.rule, || outcome(row)).is_ok() {
            needless.push(format!("`{}`: {} with {}", row.rule, row.operation, row.name));
        }
    }
    assert!(needless.is_empty(), "refused although switched off:\n{}", needless.join("\n"));
    let forged = rows.iter().filter(|row| row.name == "with copied labels");
    for row in forged {
        let is_refused = with_broken("label-mac", || outcome(row)).is_ok();
        assert!(!is_refused, "the proof of labels is not needed: {}", row.operation);
    }
}
