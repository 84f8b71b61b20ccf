//! Creations and changes, while the network and the API misbehave.

use runwrit_model::failure::Failure;
use runwrit_model::journal::Refinement;
use runwrit_simulator::hetzner::Fault;

use super::bench::{Bench, PUBLIC_KEY, grant, rule, run, server_spec};
use crate::bindings::runwrit::hetzner::{
    firewalls, networks, pricing, primary_ips, servers, ssh_keys, volumes,
};
use crate::gate::CallError;

pub fn refuse(status: u16, code: &str) -> Fault {
    Fault::Refuse { status, code: code.to_owned(), message: String::new() }
}

pub fn action_error(code: &str, command: &str) -> Fault {
    let message = format!("cannot perform operation because server is {code}");
    Fault::ActionError { code: code.to_owned(), message, command: Some(command.to_owned()) }
}

/// Everything that may become of a creation whose answer does not arrive.
fn unanswered() -> [Fault; 6] {
    [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::CommitThenRefuse { status: 502, code: "bad_gateway".to_owned(), html: true },
        Fault::CommitThenRefuse { status: 408, code: "timeout".to_owned(), html: true },
        Fault::CommitThenRefuse { status: 500, code: "server_error".to_owned(), html: false },
        Fault::LateCommit { delay_ms: 1 },
    ]
}

#[test]
fn every_creation_happens_once_whatever_becomes_of_its_answer() {
    run(async {
        for fault in unanswered() {
            for times in [1, 2] {
                let mut bench = Bench::new().await;
                for path in
                    ["/networks", "/firewalls", "/servers", "/volumes", "/ssh_keys", "/primary_ips"]
                {
                    bench.fault("POST", path, times, fault.clone());
                }
                let spec = bench.ready_spec("acme-db").await;
                let server = bench.server(spec).await;
                let volume = bench.volume().await.unwrap();
                let guest = &mut bench.guest;
                let (name, location) = ("acme-ip".to_owned(), "nbg1".to_owned());
                let ipv6 = primary_ips::Family::Ipv6;
                primary_ips::Host::create(guest, name, ipv6, location, vec![]).await.unwrap();
                assert_eq!(server.status, "running", "{fault:?} {times}");
                assert_eq!(volume.size_gb, 20, "{fault:?} {times}");
                for kind in ["network", "firewall", "server", "volume"] {
                    assert_eq!(bench.births(kind), 1, "{kind} {fault:?} {times}");
                }
            }
        }
    });
}

#[test]
fn what_only_looks_like_ours_is_never_adopted() {
    use super::bench::Planted;
    use crate::hetzner::wire::Network;
    run(async {
        for owner in Planted::ALL {
            let granting = grant("").replace("networks = 1,", "networks = 2,");
            let mut bench = Bench::granting(&granting).await;
            let body = serde_json::json!({"ip_range": "10.7.0.0/16"});
            bench.plant::<Network>("acme-net", owner, body).await;
            let spec = super::bench::network_spec();
            let made = networks::Host::create(&mut bench.guest, spec).await;
            let failure = made.map(drop).expect_err("another's network was adopted");
            let is_conflict = matches!(failure, CallError::Failed(Failure::Conflict(_)));
            assert!(is_conflict, "{owner:?}: {failure}");
            assert_eq!(bench.births("network"), 1, "{owner:?}");
        }
    });
}

#[test]
fn a_server_comes_with_all_that_was_asked_for_and_no_password() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-gateway").await;
        let (network, firewall) = (spec.networks[0].clone(), spec.firewalls[0].clone());
        let server = bench.server(spec).await;
        assert_eq!(server.private_addresses[0].network, network);
        assert_eq!(server.firewalls[0].firewall, firewall);
        assert!(server.firewalls[0].is_applied);
        assert_eq!((server.server_type.as_str(), server.location.as_str()), ("cx23", "nbg1"));
        let permit = bench.guest.gate.permits.last().unwrap();
        assert_eq!(permit.eur_per_month().unwrap().plain(), "5.99", "with its address");
    });
}

#[test]
fn stock_that_vanishes_leads_to_the_next_candidate() {
    type Offer = (&'static str, &'static str);
    let rows: [(&str, &[Offer], Option<Offer>); 4] = [
        ("the next type", &[("cx23", "nbg1")], Some(("cpx22", "nbg1"))),
        ("the next location", &[("cx23", "nbg1"), ("cpx22", "nbg1")], Some(("cx23", "fsn1"))),
        (
            "the last one",
            &[("cx23", "nbg1"), ("cpx22", "nbg1"), ("cx23", "fsn1")],
            Some(("cpx22", "fsn1")),
        ),
        ("none", &[("cx23", "nbg1"), ("cpx22", "nbg1"), ("cx23", "fsn1"), ("cpx22", "fsn1")], None),
    ];
    run(async {
        for (name, gone, expected) in rows {
            for is_known in [true, false] {
                let mut bench = Bench::new().await;
                let spec = bench.ready_spec("acme-db").await;
                for (place, (kind, location)) in gone.iter().enumerate() {
                    if is_known {
                        bench.desk().set_stock(kind, location, false);
                    } else if place == 0 || expected.is_some() {
                        // Refused at the order, though the look before it said it was there.
                        bench.fault("POST", "/servers", 1, refuse(412, "resource_unavailable"));
                    }
                }
                if !is_known && expected.is_none() {
                    bench.fault("POST", "/servers", 3, refuse(422, "placement_error"));
                }
                let made = servers::Host::create(&mut bench.guest, spec).await;
                let got = made.as_ref().map(|it| (it.server_type.as_str(), it.location.as_str()));
                match expected {
                    Some(expected) => assert_eq!(got.unwrap(), expected, "{name} {is_known}"),
                    None => {
                        let failure = got.unwrap_err();
                        let fits = matches!(failure, CallError::Failed(Failure::Unavailable(_)));
                        assert!(fits, "{name} {is_known}: {failure}");
                    }
                }
                assert!(bench.births("server") <= 1, "{name} {is_known}");
            }
        }
    });
}

#[test]
fn the_cap_holds_for_every_candidate_and_for_a_batch_together() {
    run(async {
        // Two small servers fit; a fallback to the larger kind does not.
        let granting = grant("max-monthly-eur = \"12\"");
        let mut bench = Bench::granting(&granting).await;
        let spec = bench.ready_spec("acme-db").await;
        bench.fault("POST", "/servers", 1, refuse(412, "resource_unavailable"));
        let made = servers::Host::create(&mut bench.guest, spec).await.unwrap();
        assert_eq!((made.server_type.as_str(), made.location.as_str()), ("cx23", "fsn1"));

        let mut bench = Bench::granting(&granting).await;
        let (network, firewall) = (bench.network().await, bench.firewall().await);
        let specs = ["acme-db", "acme-worker", "acme-gateway"]
            .map(|name| server_spec(name, vec![network.id.clone()], vec![firewall.id.clone()]));
        let before = bench.mutations();
        let three = servers::Host::create_many(&mut bench.guest, specs.to_vec()).await;
        let denial = three.map(drop).unwrap_err().to_string();
        assert!(denial.contains("17.97"), "{denial}");
        assert_eq!(bench.mutations(), before, "nothing is sent when one is denied");
        let two = servers::Host::create_many(&mut bench.guest, specs[..2].to_vec()).await;
        assert!(two.unwrap().iter().all(|made| made.is_ok()));
        let estimate = pricing::Host::scope(&mut bench.guest).await.unwrap();
        assert_eq!(estimate.eur_per_month, "11.98");
    });
}

#[test]
fn a_new_server_joins_later_what_a_lock_kept_it_from() {
    run(async {
        let joins = [
            ("attach_to_network", "/servers/*/actions/attach_to_network"),
            ("apply_firewall", "/firewalls/*/actions/apply_to_resources"),
        ];
        for (command, path) in joins {
            let mut bench = Bench::new().await;
            let spec = bench.ready_spec("acme-db").await;
            bench.fault("POST", "/servers", 1, action_error("locked", command));
            let server = bench.server(spec).await;
            let joined = (server.private_addresses.len(), server.firewalls.len());
            assert_eq!(joined, (1, 1), "{command}");
            assert_eq!(bench.desk().request_count("POST", path), 1, "{command} was not mended");
            assert_eq!(bench.births("server"), 1, "{command}");
        }
    });
}

#[test]
fn what_lingers_after_its_deletion_is_waited_for_but_not_for_ever() {
    run(async {
        for (seconds, is_gone) in [(20, true), (600, false)] {
            let mut bench = Bench::new().await;
            let volume = bench.volume().await.unwrap();
            let delay_ms = seconds * 1_000;
            bench.fault("DELETE", "/volumes/*", 1, Fault::Linger { delay_ms });
            let deleted = volumes::Host::delete(&mut bench.guest, volume.id).await;
            let told = format!("{deleted:?}");
            assert_eq!(deleted.is_ok(), is_gone, "after {seconds} s: {told}");
            assert_eq!(bench.alive().is_empty(), is_gone, "after {seconds} s: {told}");
            assert!(is_gone || told.contains("was deleted and is still there"), "{told}");
        }
    });
}

#[test]
fn a_failed_action_fails_the_call_and_leaves_its_undo() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-db").await;
        bench.fault("POST", "/servers", 1, action_error("placement_failed", "create_server"));
        let made = servers::Host::create(&mut bench.guest, spec).await;
        assert!(matches!(made, Err(CallError::Failed(Failure::Failed(_)))), "{made:?}");
        assert!(bench.roll_back().await.iter().all(|undone| undone.is_ok()));
        assert_eq!(bench.alive(), Vec::<String>::new());
    });
}

#[test]
fn firewalls_are_deleted_once_the_api_lets_go_of_them() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-db").await;
        let firewall = spec.firewalls[0].clone();
        let server = bench.server(spec).await;
        servers::Host::delete(&mut bench.guest, server.id.clone()).await.unwrap();
        firewalls::Host::delete(&mut bench.guest, firewall.clone()).await.unwrap();
        let guest = &mut bench.guest;
        servers::Host::delete(guest, server.id).await.expect("gone already counts as deleted");
        firewalls::Host::delete(guest, firewall).await.expect("gone already counts as deleted");
        let deletes = bench.desk().request_count("DELETE", "/firewalls/*");
        assert!(deletes > 1, "the lag of the simulator did not show");
    });
}

#[test]
fn a_deletion_whose_answers_are_all_lost_is_found_done_by_looking() {
    run(async {
        for fault in [unanswered()[0].clone(), unanswered()[2].clone()] {
            let mut bench = Bench::new().await;
            let network = bench.network().await;
            bench.fault("DELETE", "/networks/*", 0, fault.clone());
            let deleted = networks::Host::delete(&mut bench.guest, network.id).await;
            deleted.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(bench.alive(), Vec::<String>::new(), "{fault:?}");
            assert_eq!(bench.desk().request_count("DELETE", "/networks/*"), 1, "{fault:?}");
        }
    });
}

#[test]
fn firewalls_change_and_move() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-db").await;
        let firewall = spec.firewalls[0].clone();
        let server = bench.server(spec).await;
        let guest = &mut bench.guest;
        let rules = vec![rule("443", "0.0.0.0/0"), rule("22", "203.0.113.7/32")];
        let set = firewalls::Host::set_rules(guest, firewall.clone(), rules).await.unwrap();
        assert_eq!(set.rules.len(), 2);
        for _ in 0..2 {
            let (id, of) = (firewall.clone(), server.id.clone());
            firewalls::Host::remove(guest, id, of).await.unwrap();
        }
        let read = firewalls::Host::get(guest, firewall.clone()).await.unwrap();
        assert_eq!(read.servers, Vec::<String>::new());
        for _ in 0..2 {
            firewalls::Host::apply(guest, firewall.clone(), server.id.clone()).await.unwrap();
        }
        let read = firewalls::Host::get(guest, firewall).await.unwrap();
        assert_eq!(read.servers, vec![server.id]);
    });
}

#[test]
fn servers_are_switched_and_volumes_moved() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-db").await;
        let server = bench.server(spec).await;
        let volume = bench.volume().await.unwrap();
        let guest = &mut bench.guest;
        for _ in 0..2 {
            let off = servers::Host::power_off(guest, server.id.clone()).await.unwrap();
            assert_eq!(off.status, "off");
        }
        let on = servers::Host::power_on(guest, server.id.clone()).await.unwrap();
        assert_eq!(on.status, "running");
        volumes::Host::attach(guest, volume.id.clone(), server.id).await.unwrap();
        for _ in 0..2 {
            let free = volumes::Host::detach(guest, volume.id.clone()).await.unwrap();
            assert_eq!(free.server, None);
        }
        volumes::Host::declare_data(guest, volume.id, "a database".to_owned()).await.unwrap();
        let held = &guest.gate.refinements;
        assert!(matches!(held[..], [Refinement::HoldsData(_, _)]), "{held:?}");
    });
}

#[test]
fn reads_show_the_scope_and_nothing_else() {
    use super::bench::Planted;
    use crate::hetzner::wire::Volume;
    run(async {
        let mut bench = Bench::new().await;
        let body = |size: u32| serde_json::json!({"size": size, "location": "nbg1"});
        let own = bench.plant::<Volume>("acme-data", Planted::Ours, body(10)).await;
        let bolt = bench.plant::<Volume>("bolt-data", Planted::OtherTenant, body(10)).await;
        let plain = bench.plant::<Volume>("plain", Planted::Unlabelled, body(10)).await;
        let listed = volumes::Host::list(&mut bench.guest).await.unwrap();
        assert_eq!(listed.iter().map(|it| &it.id).collect::<Vec<_>>(), vec![&own]);
        let foreign = [
            bolt,
            plain,
            bench.plant::<Volume>("typed", Planted::Forged, body(10)).await,
            bench.plant::<Volume>("elsewhere", Planted::OtherInstallation, body(10)).await,
            "123456789".to_owned(),
            format!("0{own}"),
            String::new(),
        ];
        assert!(volumes::Host::get(&mut bench.guest, own).await.is_ok());
        for id in foreign {
            let read = volumes::Host::get(&mut bench.guest, id.clone()).await;
            let is_absent = matches!(read, Err(CallError::Failed(Failure::NotFound(_))));
            assert!(is_absent, "`{id}` was shown: {read:?}");
        }
    });
}

#[test]
fn a_list_that_would_leave_something_out_is_no_list() {
    use super::bench::Planted;
    use crate::hetzner::wire::Volume;
    run(async {
        for owner in [Planted::OtherInstallation, Planted::Forged] {
            let mut bench = Bench::new().await;
            let body = serde_json::json!({"size": 10, "location": "nbg1"});
            bench.plant::<Volume>("elsewhere", owner, body).await;
            let listed = volumes::Host::list(&mut bench.guest).await;
            let Err(CallError::Failed(Failure::Conflict(problem))) = listed else {
                panic!("{owner:?} was left out: {listed:?}");
            };
            assert!(problem.message.contains("`elsewhere`"), "{}", problem.message);
        }
    });
}

#[test]
fn keys_are_created_by_the_grant_and_found_by_name() {
    run(async {
        let key = PUBLIC_KEY.replace("dGVzdGtleX", "b3RoZXJrZX");
        let granting = grant("")
            .replace(&format!("public-key = \"{PUBLIC_KEY}\""), &format!("public-key = \"{key}\""));
        let mut bench = Bench::granting(&granting).await;
        let guest = &mut bench.guest;
        let made = ssh_keys::Host::create(guest, "acme-key".to_owned(), key, vec![]).await.unwrap();
        let found = ssh_keys::Host::get(guest, "ops".to_owned()).await.unwrap();
        assert_ne!(found.id, made.id);
        assert_eq!(ssh_keys::Host::list(guest).await.unwrap().len(), 1, "`ops` is not the scope's");
        ssh_keys::Host::delete(guest, made.id).await.unwrap();
    });
}
