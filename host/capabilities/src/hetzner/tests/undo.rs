//! Reverting calls by their data alone, again and again.

use std::collections::BTreeMap;

use runwrit_model::call::{CallId, Rank, UndoPlan};
use runwrit_simulator::hetzner::{Fault, Options};
use serde_json::json;

use super::bench::{Bench, Planted, grant, rule, run};
use crate::bindings::runwrit::hetzner::{firewalls, servers, volumes};
use crate::gate::{Undo, UndoError, UndoRequest, Undone};
use crate::hetzner::wire::{Firewall, Server, Volume};

/// A whole tenant: network, firewall, server, volume, attached.
async fn provisioned() -> Bench {
    let mut bench = Bench::new().await;
    let spec = bench.ready_spec("acme-db").await;
    let server = bench.server(spec).await;
    let volume = bench.volume().await.unwrap();
    volumes::Host::attach(&mut bench.guest, volume.id, server.id).await.unwrap();
    bench
}

#[test]
fn everything_is_undone_and_stays_undone() {
    run(async {
        let bench = provisioned().await;
        assert_eq!(bench.guest.gate.undos.len(), 5);
        let outcomes = bench.roll_back().await;
        assert!(outcomes.iter().all(|it| *it == Ok(Undone::Done)), "{outcomes:?}");
        assert_eq!(bench.alive(), Vec::<String>::new());
        let again = bench.roll_back().await;
        assert!(again.iter().all(|it| *it == Ok(Undone::Absent)), "{again:?}");
    });
}

#[test]
fn an_undo_gets_through_whatever_passes() {
    let faults = [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::Html { status: 502 },
        Fault::Refuse { status: 423, code: "locked".into(), message: String::new() },
        Fault::Refuse { status: 409, code: "conflict".into(), message: String::new() },
        Fault::Refuse { status: 422, code: "resource_in_use".into(), message: String::new() },
        Fault::Refuse { status: 429, code: "rate_limit_exceeded".into(), message: String::new() },
    ];
    run(async {
        for fault in faults {
            let bench = provisioned().await;
            for path in ["/servers/*", "/volumes/*", "/networks/*", "/firewalls/*"] {
                bench.fault("DELETE", path, 2, fault.clone());
            }
            let outcomes = bench.roll_back().await;
            assert!(outcomes.iter().all(|it| it.is_ok()), "{fault:?}: {outcomes:?}");
            assert_eq!(bench.alive(), Vec::<String>::new(), "{fault:?}");
        }
    });
}

#[test]
fn what_needs_a_person_is_not_tried_for_ever() {
    run(async {
        for (status, code) in [(401, "unauthorized"), (403, "forbidden"), (423, "protected")] {
            let bench = provisioned().await;
            let fault = Fault::Refuse { status, code: code.into(), message: String::new() };
            bench.fault("DELETE", "/volumes/*", 0, fault);
            let undos = &bench.guest.gate.undos;
            let volume = undos.iter().find(|it| it.plan.operation == "hetzner.volumes.delete");
            let outcome = bench.project.undo(volume.unwrap()).await;
            assert!(matches!(outcome, Err(UndoError::Never(_))), "{code}: {outcome:?}");
        }
    });
}

#[test]
fn an_unanswered_creation_is_found_by_its_name() {
    run(async {
        let bench = provisioned().await;
        for undo in bench.guest.gate.undos.iter().rev() {
            let mut undo = undo.clone();
            if undo.key.is_some() {
                undo.remote_id = None;
            }
            let mut outcome = bench.project.undo(&undo).await;
            for _ in 0..20 {
                if outcome.is_ok() {
                    break;
                }
                bench.desk().advance(std::time::Duration::from_secs(5));
                outcome = bench.project.undo(&undo).await;
            }
            assert_eq!(outcome, Ok(Undone::Done), "{}", undo.plan.operation);
        }
        assert_eq!(bench.alive(), Vec::<String>::new());
    });
}

#[test]
fn a_twin_under_a_name_that_is_not_unique_is_undone_too() {
    run(async {
        let mut options = Options::default();
        options.settings.network_names_unique = false;
        let mut bench = Bench::with(options, &grant("")).await;
        // The first send lands after the second: this gate does not wait in between.
        bench.fault("POST", "/networks", 1, Fault::LateCommit { delay_ms: 1_000 });
        bench.network().await;
        bench.desk().advance(std::time::Duration::from_secs(2));
        assert_eq!(bench.births("network"), 2);
        let outcomes = bench.roll_back().await;
        assert!(outcomes.iter().all(|it| *it == Ok(Undone::Done)), "{outcomes:?}");
        assert_eq!(bench.alive(), Vec::<String>::new());
    });
}

#[test]
fn what_is_not_ours_is_left_alone() {
    run(async {
        let bench = provisioned().await;
        let undo = bench.guest.gate.undos.iter().find(|it| it.kind.is_some()).unwrap().clone();
        type Change = fn(&mut UndoRequest);
        let rows: [(&str, Change); 2] = [
            ("another call", |it| it.call = CallId::single(77)),
            ("another run", |it| drop(it.labels.insert("runwrit/run".into(), "x".into()))),
        ];
        for (name, change) in rows {
            let mut undo = undo.clone();
            change(&mut undo);
            for remote_id in [undo.remote_id.clone(), None] {
                undo.remote_id = remote_id;
                assert_eq!(bench.project.undo(&undo).await, Ok(Undone::NotOurs), "{name}");
            }
        }
        let body = json!({"size": 10, "location": "nbg1"});
        for owner in
            [Planted::OtherTenant, Planted::OtherInstallation, Planted::Unlabelled, Planted::Forged]
        {
            let name = format!("planted-{owner:?}").to_lowercase();
            let id = bench.plant::<Volume>(&name, owner, body.clone()).await;
            let mut by_name = undo.clone();
            by_name.plan.operation = "hetzner.volumes.delete".to_owned();
            by_name.remote_id = None;
            by_name.key = Some(name);
            assert_eq!(bench.project.undo(&by_name).await, Ok(Undone::NotOurs), "{owner:?}");
            let by_id = own_undo("hetzner.volumes.delete", &id, None);
            assert_eq!(bench.project.undo(&by_id).await, Ok(Undone::NotOurs), "{owner:?}");
            assert!(
                bench.project.client.get::<Volume>(id.parse().unwrap()).await.unwrap().is_some()
            );
        }
    });
}

/// An undo of a runbook's own, which names what it wants by id.
fn own_undo(operation: &str, id: &str, server: Option<&str>) -> UndoRequest {
    let mut arguments = BTreeMap::from([("id".to_owned(), json!(id))]);
    arguments.extend(server.map(|server| ("server".to_owned(), json!(server))));
    UndoRequest {
        call: CallId::single(0),
        plan: UndoPlan { operation: operation.to_owned(), arguments, rank: Rank::Server },
        request: json!({}),
        kind: None,
        key: None,
        labels: BTreeMap::new(),
        remote_id: None,
        previous: None,
        value: None,
    }
}

#[test]
fn changes_are_reverted_to_the_state_before() {
    run(async {
        let mut bench = provisioned().await;
        let server = bench.project.in_scope::<Server>().await.unwrap().remove(0);
        let firewall = bench.project.in_scope::<Firewall>().await.unwrap().remove(0);
        let volume = bench.project.in_scope::<Volume>().await.unwrap().remove(0);
        let (server_id, firewall_id) = (server.id.to_string(), firewall.id.to_string());
        bench.guest.gate.undos.clear();
        let guest = &mut bench.guest;
        servers::Host::power_off(guest, server_id.clone()).await.unwrap();
        let rules = vec![rule("22", "203.0.113.7/32")];
        firewalls::Host::set_rules(guest, firewall_id.clone(), rules).await.unwrap();
        firewalls::Host::remove(guest, firewall_id, server_id).await.unwrap();
        volumes::Host::detach(guest, volume.id.to_string()).await.unwrap();
        assert_eq!(guest.gate.undos.len(), 4);
        for round in ["once", "twice"] {
            let outcomes = bench.roll_back().await;
            assert!(outcomes.iter().all(|it| *it == Ok(Undone::Done)), "{round}: {outcomes:?}");
        }
        let client = &bench.project.client;
        let after = client.get::<Server>(server.id).await.unwrap().unwrap();
        assert_eq!((after.status.as_str(), &after.volumes), ("running", &vec![volume.id]));
        let after = client.get::<Firewall>(firewall.id).await.unwrap().unwrap();
        assert_eq!(after.servers(), vec![server.id]);
        assert_eq!(after.rules, firewall.rules);
    });
}

#[test]
fn what_somebody_changed_since_stays_theirs() {
    run(async {
        let mut bench = provisioned().await;
        let firewall = bench.project.in_scope::<Firewall>().await.unwrap().remove(0);
        bench.guest.gate.undos.clear();
        let rules = vec![rule("22", "203.0.113.7/32")];
        let id = firewall.id.to_string();
        firewalls::Host::set_rules(&mut bench.guest, id, rules).await.unwrap();
        let path = format!("firewalls/{}/actions/set_rules", firewall.id);
        let theirs = bench.project.client.act(path, json!({"rules": []})).await.unwrap();
        bench.project.client.wait(&theirs).await.unwrap();
        assert_eq!(bench.roll_back().await, vec![Ok(Undone::NotOurs)]);
    });
}

#[test]
fn an_operation_that_reverts_nothing_is_refused() {
    run(async {
        let bench = Bench::new().await;
        for operation in ["hetzner.servers.create", "hetzner.servers.*", "", "x"] {
            let outcome = bench.project.undo(&own_undo(operation, "1", None)).await;
            assert!(matches!(outcome, Err(UndoError::Never(_))), "`{operation}`: {outcome:?}");
        }
        let detach = own_undo("hetzner.volumes.detach", "1", Some("2"));
        assert_eq!(bench.project.undo(&detach).await, Ok(Undone::Absent));
    });
}
