//! Checks that stand behind the grant: what each of them alone keeps from happening.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use runwrit_model::call::CallId;
use runwrit_model::failure::Failure;
use runwrit_model::hetzner::{ServerSpec, VolumeSpec};
use runwrit_simulator::hetzner::Fault;
use serde_json::json;

use super::bench::{Bench, Planted, run};
use crate::bindings::runwrit::hetzner::volumes;
use crate::gate::{Acceptance, CallError, Effect, SendError, Ticket};
use crate::hetzner::batch::Batch;
use crate::hetzner::effects::{Create, CreateServer, Delete, Order};
use crate::hetzner::wire::{Server, Volume};

const DISK: fn() -> serde_json::Value = || json!({"size": 10, "location": "nbg1"});

fn ticket(is_repeated: bool) -> Ticket {
    Ticket { call: CallId::single(3), labels: BTreeMap::new(), previous: None, is_repeated }
}

fn code(outcome: Result<Acceptance, SendError>) -> String {
    match outcome {
        Err(SendError::Refused(Failure::Failed(problem))) => problem.code,
        other => format!("{other:?}"),
    }
}

fn disk(bench: &Bench, name: &str) -> Create<VolumeSpec, volumes::Volume> {
    Create {
        hetzner: bench.guest.hetzner.clone().unwrap(),
        spec: VolumeSpec {
            name: name.to_owned(),
            size_gb: 10,
            location: "nbg1".to_owned(),
            format: "ext4".to_owned(),
            labels: Default::default(),
        },
        output: PhantomData,
    }
}

#[test]
fn a_deletion_looks_at_labels_again_before_it_is_sent_by_another_process_or_again() {
    run(async {
        let rows = [(Planted::Ours, true), (Planted::OtherTenant, false), (Planted::Forged, false)];
        for (owner, is_ours) in rows {
            for is_repeated in [false, true] {
                let bench = Bench::new().await;
                // Another process asked for the permit; since then the id may be a stranger's.
                let id = bench.plant::<Volume>("acme-data", owner, DISK()).await;
                let hetzner = bench.guest.hetzner.clone().unwrap();
                let deletion = Delete::<Volume>::new(hetzner, id);
                let sent = deletion.send(&ticket(is_repeated)).await;
                assert_eq!(sent.is_ok(), is_ours, "{owner:?} {is_repeated}: {sent:?}");
                let requests = bench.desk().request_count("DELETE", "/volumes/*");
                assert_eq!(requests, usize::from(is_ours), "{owner:?} {is_repeated}");
                assert!(is_ours || code(sent) == "not-ours", "{owner:?} {is_repeated}");
            }
        }
    });
}

#[test]
fn a_server_without_its_firewall_or_network_is_no_success() {
    run(async {
        let rows = [("both", true, true), ("no firewall", true, false), ("none", false, false)];
        for (name, has_network, has_firewall) in rows {
            let mut bench = Bench::new().await;
            let (network, firewall) = (bench.network().await, bench.firewall().await);
            let number = |id: &str| id.parse::<u64>().unwrap();
            let joined = |has_it: bool, id: &str| has_it.then(|| number(id));
            let networks: Vec<u64> = joined(has_network, &network.id).into_iter().collect();
            let firewalls = joined(has_firewall, &firewall.id).into_iter();
            let firewalls: Vec<_> = firewalls.map(|id| json!({"firewall": id})).collect();
            let body = json!({"server_type": "cx23", "image": "debian-12", "location": "nbg1",
                "ssh_keys": ["ops"], "networks": networks, "firewalls": firewalls});
            let id = bench.plant::<Server>("acme-db", Planted::Ours, body).await;
            let hetzner = bench.guest.hetzner.clone().unwrap();
            let spec = ServerSpec {
                name: "acme-db".to_owned(),
                role: "small".to_owned(),
                image: "debian-12".to_owned(),
                location: "nbg1".to_owned(),
                ssh_keys: vec!["ops".to_owned()],
                networks: vec![network.id],
                firewalls: vec![firewall.id],
                user_data: String::new(),
                has_public_ipv4: true,
                has_public_ipv6: true,
                labels: Default::default(),
            };
            let order = Order { hetzner, batch: Batch::default().into(), spec };
            let acceptance = Acceptance { remote_id: Some(id), ..Acceptance::default() };
            let made = CreateServer::new(order).complete(&acceptance).await.map(drop);
            match (has_network && has_firewall, made) {
                (true, Ok(())) => {}
                (false, Err(SendError::FailedAfterEffect(Failure::Failed(problem)))) => {
                    assert_eq!(problem.code, "incomplete", "{name}");
                }
                (_, other) => panic!("{name}: {other:?}"),
            }
        }
    });
}

#[test]
fn a_name_that_is_taken_but_not_listed_yet_is_looked_for_again() {
    run(async {
        for (lag_ms, is_waited_out) in [(20_000, true), (60_000, false)] {
            let bench = Bench::new().await;
            bench.fault("POST", "/volumes", 1, Fault::ListLag { delay_ms: lag_ms });
            let creation = disk(&bench, "acme-data");
            let mut ticket = bench.guest.gate.ticket(CallId::single(3), &creation.call());
            let lost = creation.send(&ticket).await.unwrap();
            ticket.is_repeated = true;
            let mut again = creation.send(&ticket).await;
            if let Err(SendError::Unknown(cause)) = &again {
                assert!(cause.contains("taken, but not listed after 30s"), "{cause}");
                assert!(!is_waited_out, "{cause}");
                bench.desk().advance(Duration::from_secs(60));
                again = creation.send(&ticket).await;
            } else {
                assert!(is_waited_out, "{again:?}");
            }
            let found = again.unwrap();
            assert!(found.is_adopted && found.remote_id == lost.remote_id, "{found:?}");
            assert_eq!(bench.births("volume"), 1);
        }
    });
}

#[test]
fn an_action_that_never_ends_is_given_up_in_time_and_its_volume_is_left_to_a_person() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-db").await;
        let server = bench.server(spec).await;
        let volume = bench.volume().await.unwrap();
        let (id, to) = (volume.id.clone(), server.id);
        volumes::Host::attach(&mut bench.guest, id, to).await.unwrap();
        let slow = Fault::ActionTime { delay_ms: Some(130_000), command: None };
        bench.fault("POST", "/volumes/*/actions/detach", 1, slow);
        volumes::Host::detach(&mut bench.guest, volume.id.clone()).await.expect("it is only slow");
        let server = bench.project.in_scope::<Server>().await.unwrap().remove(0);
        let to = server.id.to_string();
        volumes::Host::attach(&mut bench.guest, volume.id.clone(), to).await.unwrap();
        let stuck = Fault::ActionTime { delay_ms: None, command: None };
        bench.fault("POST", "/volumes/*/actions/detach", 1, stuck);
        let late = volumes::Host::detach(&mut bench.guest, volume.id).await;
        let Err(CallError::Failed(Failure::TimedOut(problem))) = late else {
            panic!("a detach that never ends: {late:?}");
        };
        assert_eq!(problem.code, "action-late");
        assert!(problem.message.contains("did not end within"), "{}", problem.message);
    });
}

/// Each check that has a switch is switched off once, and what it alone refused must then happen.
#[cfg(feature = "breakable")]
mod switched_off {
    use runwrit_model::breakable::with_broken;

    use super::*;
    use crate::bindings::runwrit::hetzner::networks;
    use crate::gate::{Undo, Undone};
    use crate::hetzner::wire::{Firewall, Network};

    #[test]
    fn a_list_then_leaves_out_what_is_not_proven() {
        let listed = with_broken("list-doubtful", || {
            run(async {
                let mut bench = Bench::new().await;
                bench.plant::<Volume>("elsewhere", Planted::Forged, DISK()).await;
                volumes::Host::list(&mut bench.guest).await.map(|them| them.len())
            })
        });
        assert_eq!(listed.expect("no check is left"), 0);
    }

    #[test]
    fn an_undo_then_deletes_what_another_call_made() {
        for owner in [Planted::OtherTenant, Planted::Unlabelled] {
            let undone = with_broken("undo-labels", || {
                run(async {
                    let mut bench = Bench::new().await;
                    bench.firewall().await;
                    let id = bench.plant::<Firewall>("other", owner, json!({"rules": []})).await;
                    let mut undo = bench.guest.gate.undos[0].clone();
                    (undo.call, undo.remote_id) = (CallId::single(77), Some(id));
                    bench.project.undo(&undo).await
                })
            });
            assert_eq!(undone, Ok(Undone::Done), "{owner:?}");
        }
    }

    #[test]
    fn a_creation_then_takes_what_somebody_else_made() {
        let adopted = with_broken("adopt-anything", || {
            run(async {
                let mut bench = Bench::new().await;
                let body = json!({"ip_range": "10.7.0.0/16"});
                let id = bench.plant::<Network>("acme-net", Planted::Unlabelled, body).await;
                let spec = super::super::bench::network_spec();
                let made = networks::Host::create(&mut bench.guest, spec).await;
                made.map(|network| network.id == id)
            })
        });
        assert!(adopted.expect("no check is left"), "it is the one that stood there");
    }
}
