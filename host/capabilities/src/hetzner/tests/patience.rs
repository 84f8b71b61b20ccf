//! What passes is waited out: locks, what still uses a thing, and what an action has yet to show.

use super::bench::{Bench, rule, run};
use super::effects::{action_error, refuse};
use crate::bindings::runwrit::hetzner::{firewalls, primary_ips, servers, volumes};
use crate::gate::{Acceptance, Effect, SendError};
use crate::hetzner::effects::{Applied, SetRules};

#[test]
fn locks_are_waited_out_as_answers_and_as_failed_actions() {
    run(async {
        for (fault, times) in [
            (refuse(423, "locked"), 12),
            (refuse(409, "conflict"), 3),
            (refuse(429, "rate_limit_exceeded"), 3),
            (action_error("locked", "attach_volume"), 3),
        ] {
            let mut bench = Bench::new().await;
            let spec = bench.ready_spec("acme-db").await;
            let server = bench.server(spec).await;
            let volume = bench.volume().await.unwrap();
            bench.fault("POST", "/volumes/*/actions/attach", times, fault.clone());
            let (id, to) = (volume.id.clone(), server.id.clone());
            let attached = volumes::Host::attach(&mut bench.guest, id, to).await.unwrap();
            assert_eq!(attached.server.as_ref(), Some(&server.id), "{fault:?}");
            let again = volumes::Host::attach(&mut bench.guest, volume.id, server.id.clone()).await;
            assert_eq!(again.unwrap().server, Some(server.id), "a repetition changes nothing");
        }
    });
}

#[test]
fn an_action_that_a_lock_fails_is_started_again() {
    run(async {
        let rows = [
            ("delete_server", "DELETE", "/servers/*"),
            ("shutdown_server", "POST", "/servers/*/actions/shutdown"),
            ("set_firewall_rules", "POST", "/firewalls/*/actions/set_rules"),
        ];
        for (command, method, path) in rows {
            let mut bench = Bench::new().await;
            let spec = bench.ready_spec("acme-db").await;
            let firewall = spec.firewalls[0].clone();
            let server = bench.server(spec).await.id;
            bench.fault(method, path, 2, action_error("locked", command));
            let guest = &mut bench.guest;
            match command {
                "delete_server" => servers::Host::delete(guest, server).await.unwrap(),
                "shutdown_server" => {
                    let off = servers::Host::power_off(guest, server).await.unwrap();
                    assert_eq!(off.status, "off");
                }
                _ => {
                    let rules = vec![rule("22", "203.0.113.7/32")];
                    let set = firewalls::Host::set_rules(guest, firewall, rules).await.unwrap();
                    assert_eq!(set.rules[0].port.as_deref(), Some("22"));
                }
            }
            assert_eq!(bench.desk().request_count(method, path), 3, "{command}");
        }
    });
}

#[test]
fn what_others_still_use_is_deleted_once_they_let_go() {
    run(async {
        let mut bench = Bench::new().await;
        let volume = bench.volume().await.unwrap().id;
        bench.fault("DELETE", "/volumes/*", 4, refuse(422, "service_error"));
        volumes::Host::delete(&mut bench.guest, volume).await.unwrap();
        let guest = &mut bench.guest;
        let (name, location) = ("acme-ip".to_owned(), "nbg1".to_owned());
        let ipv6 = primary_ips::Family::Ipv6;
        let address =
            primary_ips::Host::create(guest, name, ipv6, location, vec![]).await.unwrap().id;
        bench.fault("DELETE", "/primary_ips/*", 4, refuse(422, "must_be_unassigned"));
        primary_ips::Host::delete(&mut bench.guest, address).await.unwrap();
        assert_eq!(bench.alive(), Vec::<String>::new());
    });
}

#[test]
fn an_action_that_ends_well_and_does_nothing_is_no_success() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-db").await;
        let id = spec.firewalls[0].clone();
        let server = bench.server(spec).await.id;
        let hetzner = bench.guest.hetzner.clone().unwrap();
        let acceptance = Acceptance { remote_id: Some(id.clone()), ..Acceptance::default() };
        let rules = |port| vec![rule(port, "0.0.0.0/0").into()];
        for (port, is_set) in [("443", true), ("80", false)] {
            let effect = SetRules::new(hetzner.clone(), id.clone(), rules(port));
            let ended = effect.complete(&acceptance).await.map(drop);
            let is_told = matches!(ended, Err(SendError::FailedAfterEffect(_)));
            assert_eq!((ended.is_ok(), is_told), (is_set, !is_set), "{port}: {ended:?}");
        }
        for is_applied in [true, false] {
            let (hetzner, id, server) = (hetzner.clone(), id.clone(), server.clone());
            let effect = Applied { hetzner, id, server, is_applied };
            let ended = effect.complete(&acceptance).await;
            let is_told = matches!(ended, Err(SendError::FailedAfterEffect(_)));
            assert_eq!((ended.is_ok(), is_told), (is_applied, !is_applied), "{ended:?}");
        }
    });
}
