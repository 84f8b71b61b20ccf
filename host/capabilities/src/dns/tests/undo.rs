//! Undoing: exactly what was before, and only what is still ours.

use runwrit_simulator::hetzner::Fault;
use serde_json::{Value, json};

use super::{declare, plant, roll_back, send, set, staged, standing, zones};
use crate::bindings::runwrit::dns::records;
use crate::gate::{Undo, UndoError, Undone};
use crate::hetzner::tests::bench::{Bench, run};

async fn delete(bench: &mut Bench, name: &str) {
    let zone = "example.org".to_owned();
    records::Host::delete(&mut bench.guest, zone, name.to_owned(), "A".into()).await.unwrap();
}

#[test]
fn what_was_made_is_removed_and_stays_removed() {
    run(async {
        let mut bench = staged().await;
        declare(&mut bench, set("acme", "A", Some(300), &["192.0.2.1"])).await.unwrap();
        declare(&mut bench, set("acme", "AAAA", Some(300), &["2001:db8::1"])).await.unwrap();
        assert_eq!(roll_back(&bench).await, [Ok(Undone::Done), Ok(Undone::Done)]);
        assert_eq!(standing(&bench).await, Vec::<Value>::new());
        assert_eq!(roll_back(&bench).await, [Ok(Undone::Absent), Ok(Undone::Absent)]);
    });
}

#[test]
fn what_was_there_before_is_restored_to_the_letter() {
    run(async {
        let mut bench = staged().await;
        let records = json!([
            {"value": "198.51.100.1", "comment": "by hand"}, {"value": "198.51.100.2"}
        ]);
        let labels = json!({"team": "web"});
        let body = json!({"name": "old", "type": "A", "ttl": null, "records": records,
            "labels": labels});
        send(&bench, "zones/example.org/rrsets", body).await;
        let before = standing(&bench).await;
        let wanted = set("old", "A", Some(60), &["192.0.2.1"]);
        declare(&mut bench, wanted).await.unwrap();
        assert_ne!(standing(&bench).await, before);
        assert_eq!(roll_back(&bench).await, [Ok(Undone::Done)]);
        assert_eq!(standing(&bench).await, before);
        bench.guest.gate.undos.clear();
        delete(&mut bench, "old").await;
        assert_eq!(standing(&bench).await, Vec::<Value>::new());
        assert_eq!(roll_back(&bench).await, [Ok(Undone::Done)]);
        assert_eq!(standing(&bench).await, before);
    });
}

#[test]
fn what_somebody_else_changed_since_is_left_and_told_with_both_values() {
    run(async {
        let mut bench = staged().await;
        declare(&mut bench, set("acme", "A", Some(300), &["192.0.2.1"])).await.unwrap();
        plant(&bench, "old", "A", (json!(300), &["198.51.100.1"])).await;
        declare(&mut bench, set("old", "A", Some(300), &["192.0.2.1"])).await.unwrap();
        for name in ["acme", "old"] {
            let path = format!("zones/example.org/rrsets/{name}/A/actions/set_records");
            send(&bench, &path, json!({"records": [{"value": "203.0.113.9"}]})).await;
        }
        let before = standing(&bench).await;
        for outcome in roll_back(&bench).await {
            let Err(UndoError::Never(text)) = outcome else { panic!("{outcome:?}") };
            let holds = text.contains("`192.0.2.1`") && text.contains("`203.0.113.9`");
            assert!(holds && text.contains("somebody else"), "{text}");
        }
        assert_eq!(standing(&bench).await, before);
        assert_eq!(bench.mutations(), bench.planted.get());
    });
}

#[test]
fn the_same_values_by_another_hand_are_not_ours() {
    run(async {
        let mut bench = staged().await;
        declare(&mut bench, set("acme", "A", Some(300), &["192.0.2.1"])).await.unwrap();
        let mut unanswered = bench.guest.gate.undos[0].clone();
        roll_back(&bench).await;
        plant(&bench, "acme", "A", (json!(300), &["192.0.2.1"])).await;
        let answered = zones(&bench).undo(&bench.guest.gate.undos[0]).await;
        assert!(matches!(answered, Err(UndoError::Never(_))), "{answered:?}");
        unanswered.remote_id = None;
        assert_eq!(zones(&bench).undo(&unanswered).await, Ok(Undone::NotOurs));
        assert_eq!(standing(&bench).await.len(), 1);
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
    ];
    run(async {
        for fault in faults {
            let mut bench = staged().await;
            plant(&bench, "old", "A", (json!(300), &["198.51.100.1"])).await;
            let before = standing(&bench).await;
            declare(&mut bench, set("old", "A", Some(60), &["192.0.2.1"])).await.unwrap();
            declare(&mut bench, set("acme", "A", Some(60), &["192.0.2.1"])).await.unwrap();
            bench.fault("DELETE", "/zones/*/rrsets/*/*", 2, fault.clone());
            bench.fault("POST", "/zones/*/rrsets/*/*/actions/set_records", 2, fault.clone());
            bench.fault("POST", "/zones/*/rrsets/*/*/actions/change_ttl", 2, fault.clone());
            let outcomes = roll_back(&bench).await;
            assert!(outcomes.iter().all(Result::is_ok), "{fault:?}: {outcomes:?}");
            assert_eq!(standing(&bench).await, before, "{fault:?}");
        }
    });
}

#[test]
fn a_protected_record_is_for_a_person_and_a_vanished_zone_holds_nothing() {
    run(async {
        let mut bench = staged().await;
        declare(&mut bench, set("acme", "A", Some(60), &["192.0.2.1"])).await.unwrap();
        let protect = "zones/example.org/rrsets/acme/A/actions/change_protection";
        send(&bench, protect, json!({"change": true})).await;
        let outcomes = roll_back(&bench).await;
        let [Err(UndoError::Never(text))] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert!(text.contains("protected"), "{text}");
        send(&bench, protect, json!({"change": false})).await;
        let client = &bench.project.client;
        let request = crate::hetzner_api::client::Request::delete("zones/example.org");
        let answer = client.ask(&request).await.unwrap();
        client.wait(&crate::hetzner_api::client::actions(&answer)).await.unwrap();
        assert_eq!(roll_back(&bench).await, [Ok(Undone::Absent)]);
    });
}
