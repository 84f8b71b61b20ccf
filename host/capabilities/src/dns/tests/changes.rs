//! Declaring and deleting sets.

use runwrit_model::dns::{Declaration, SetId};
use runwrit_simulator::hetzner::Fault;
use serde_json::{Value, json};

use super::super::effects::Set;
use super::{code, declare, plant, send, set, staged, standing};
use crate::bindings::runwrit::dns::records;
use crate::gate::{Effect, Gate, SendError, Ticket};
use crate::hetzner::tests::bench::run;

#[test]
fn a_set_is_declared_whole_and_found_again() {
    run(async {
        let mut bench = staged().await;
        let wanted = set("ACME", "A", Some(300), &["192.0.2.2", "192.0.2.1"]);
        let made = declare(&mut bench, wanted.clone()).await.unwrap();
        assert_eq!((made.set.name.as_str(), made.is_ours), ("acme", true));
        let sent = bench.mutations();
        records::Host::verify(&mut bench.guest, wanted.clone()).await.unwrap();
        let full = "acme.example.org.".to_owned();
        let org = || "example.org".to_owned();
        let found = records::Host::get(&mut bench.guest, org(), full, "A".into()).await.unwrap();
        assert_eq!(json!(found), json!(made));
        let listed = records::Host::list(&mut bench.guest, org()).await.unwrap();
        assert_eq!(json!(listed), json!([made]));
        declare(&mut bench, wanted).await.unwrap();
        assert_eq!(bench.mutations(), sent, "a repetition changes nothing");
        let fewer = set("acme", "A", Some(60), &["192.0.2.3"]);
        declare(&mut bench, fewer.clone()).await.unwrap();
        records::Host::verify(&mut bench.guest, fewer).await.unwrap();
        let old = set("acme", "A", Some(300), &["192.0.2.1", "192.0.2.2"]);
        let differs = records::Host::verify(&mut bench.guest, old).await;
        assert_eq!(code(differs), "record-differs");
        let gone = records::Host::delete(&mut bench.guest, org(), "acme".into(), "A".into());
        gone.await.unwrap();
        let gone = records::Host::delete(&mut bench.guest, org(), "acme".into(), "A".into());
        gone.await.unwrap();
        assert_eq!(standing(&bench).await, Vec::<Value>::new());
    });
}

#[test]
fn no_time_to_live_is_not_that_of_the_zone_written_out() {
    run(async {
        let mut bench = staged().await;
        send(&bench, "zones/example.org/actions/change_ttl", json!({"ttl": 300})).await;
        let without = set("acme", "A", None, &["192.0.2.1"]);
        let made = declare(&mut bench, without.clone()).await.unwrap();
        assert_eq!(made.set.ttl, None);
        let explicit = set("acme", "A", Some(300), &["192.0.2.1"]);
        let differs = records::Host::verify(&mut bench.guest, explicit.clone()).await;
        assert_eq!(code(differs), "record-differs");
        declare(&mut bench, explicit).await.unwrap();
        assert_eq!(standing(&bench).await[0]["ttl"], 300);
        declare(&mut bench, without).await.unwrap();
        assert_eq!(standing(&bench).await[0]["ttl"], Value::Null);
    });
}

#[test]
fn what_the_provider_would_refuse_is_refused_before_the_first_effect() {
    run(async {
        let mut bench = staged().await;
        plant(&bench, "acme", "CNAME", (Value::Null, &["www.example.com."])).await;
        plant(&bench, "old", "A", (Value::Null, &["198.51.100.1"])).await;
        let protect = "zones/example.org/rrsets/old/A/actions/change_protection";
        send(&bench, protect, json!({"change": true})).await;
        let rows = [
            ("example.org", "acme", "cname-conflict"),
            ("example.org", "old", "protected"),
            ("copy.example", "acme", "zone-not-editable"),
            ("missing.example", "acme", "zone-not-found"),
        ];
        for (zone, name, expected) in rows {
            let wanted = set(name, "A", Some(60), &["192.0.2.1"]);
            let wanted = records::RecordSet { zone: zone.to_owned(), ..wanted };
            assert_eq!(code(declare(&mut bench, wanted).await), expected, "{zone} {name}");
            let (zone, name) = (zone.to_owned(), name.to_owned());
            let checked = records::Host::check(&mut bench.guest, zone, name, "A".into()).await;
            assert_eq!(code(checked), expected);
        }
        assert_eq!(bench.mutations(), bench.planted.get());
        assert!(bench.guest.gate.undos.is_empty(), "no intent was written");
    });
}

#[test]
fn an_answer_that_is_lost_is_settled_by_reading() {
    let faults = [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::CommitThenRefuse { status: 504, code: "timeout".into(), html: true },
        Fault::Html { status: 502 },
        Fault::Refuse { status: 423, code: "locked".into(), message: String::new() },
        Fault::Refuse { status: 409, code: "conflict".into(), message: String::new() },
        Fault::Refuse { status: 429, code: "rate_limit_exceeded".into(), message: String::new() },
    ];
    run(async {
        for fault in faults {
            let mut bench = staged().await;
            bench.fault("POST", "/zones/*/rrsets", 2, fault.clone());
            bench.fault("POST", "/zones/*/rrsets/*/*/actions/set_records", 2, fault.clone());
            bench.fault("POST", "/zones/*/rrsets/*/*/actions/change_ttl", 2, fault.clone());
            bench.fault("DELETE", "/zones/*/rrsets/*/*", 2, fault.clone());
            let wanted = set("acme", "A", Some(300), &["192.0.2.1"]);
            declare(&mut bench, wanted).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            let wanted = set("acme", "A", Some(60), &["192.0.2.2"]);
            declare(&mut bench, wanted).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            let sets = standing(&bench).await;
            assert_eq!((sets.len(), &sets[0]["ttl"]), (1, &json!(60)), "{fault:?}: {sets:?}");
            assert_eq!(sets[0]["records"], json!([{"value": "192.0.2.2"}]), "{fault:?}");
            let (zone, name) = ("example.org".to_owned(), "acme".to_owned());
            let gone = records::Host::delete(&mut bench.guest, zone, name, "A".into()).await;
            gone.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(standing(&bench).await, Vec::<Value>::new(), "{fault:?}");
        }
    });
}

/// Lets a call get its permit and read the state before, then lets somebody else act, then sends.
async fn raced(before: Option<&str>, meanwhile: &str) -> (Result<(), SendError>, Vec<Value>) {
    let bench = staged().await;
    if let Some(value) = before {
        plant(&bench, "old", "A", (json!(300), &[value])).await;
    }
    let id = SetId::parse("example.org", "old", "A").unwrap();
    let values = ["192.0.2.9".to_owned()];
    let declaration = Declaration::parse(id, Some(300), &values).unwrap();
    let effect = Set::new(bench.guest.dns.clone().unwrap(), declaration);
    effect.permit(bench.guest.gate.provenance(), &[]).await.unwrap();
    let previous = effect.previous().await.unwrap();
    match before {
        None => plant(&bench, "old", "A", (json!(300), &[meanwhile])).await,
        Some(_) => {
            let records = json!({"records": [{"value": meanwhile}]});
            send(&bench, "zones/example.org/rrsets/old/A/actions/set_records", records).await;
        }
    }
    let call = runwrit_model::call::CallId::single(1);
    let ticket = Ticket { call, labels: Default::default(), previous, is_repeated: false };
    let sent = effect.send(&ticket).await;
    assert_eq!(bench.planted.get() + usize::from(before.is_none()), bench.mutations());
    (sent.map(drop), standing(&bench).await)
}

#[test]
fn what_changed_between_read_and_write_is_left_alone() {
    run(async {
        for before in [None, Some("198.51.100.1")] {
            let (sent, stands) = raced(before, "203.0.113.1").await;
            let Err(SendError::Refused(failure)) = sent else { panic!("{before:?}: {sent:?}") };
            let text = failure.to_string();
            assert!(text.contains("record-moved") && text.contains("203.0.113.1"), "{text}");
            assert_eq!(stands[0]["records"], json!([{"value": "203.0.113.1"}]), "{before:?}");
        }
    });
}
