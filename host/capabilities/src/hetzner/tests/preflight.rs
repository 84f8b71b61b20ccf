//! What is known before the first effect.

use runwrit_model::failure::Failure;
use serde_json::json;

use super::bench::{Bench, Planted, grant, run, server_spec};
use crate::bindings::runwrit::hetzner::servers;
use crate::gate::CallError;
use crate::hetzner::wire::{Firewall, Network, Server, Volume};

#[test]
fn a_check_finds_what_would_fail_before_anything_is_made() {
    run(async {
        let mut bench = Bench::new().await;
        let spec = bench.ready_spec("acme-db").await;
        let before = bench.mutations();
        let choices = servers::Host::check(&mut bench.guest, vec![spec.clone()]).await.unwrap();
        assert_eq!(choices[0].eur_per_month, "5.99");
        bench.desk().set_stock("cx23", "nbg1", false);
        let choices = servers::Host::check(&mut bench.guest, vec![spec.clone()]).await.unwrap();
        assert_eq!(choices[0].server_type, "cpx22");
        for (kind, place) in [("cpx22", "nbg1"), ("cx23", "fsn1"), ("cpx22", "fsn1")] {
            bench.desk().set_stock(kind, place, false);
        }
        let none = servers::Host::check(&mut bench.guest, vec![spec]).await;
        assert!(matches!(none, Err(CallError::Failed(Failure::Unavailable(_)))), "{none:?}");
        assert_eq!(bench.mutations(), before, "a check changed something");
    });
}

async fn plant(bench: &Bench, name: &str, owner: Planted) {
    let body = match name {
        "acme-net" => json!({"ip_range": "10.7.0.0/16"}),
        "acme-fw" => json!({}),
        "acme-data" => json!({"size": 10, "location": "nbg1"}),
        _ => json!({"server_type": "cx23", "image": "debian-12", "location": "nbg1"}),
    };
    match name {
        "acme-net" => bench.plant::<Network>(name, owner, body).await,
        "acme-fw" => bench.plant::<Firewall>(name, owner, body).await,
        "acme-data" => bench.plant::<Volume>(name, owner, body).await,
        _ => bench.plant::<Server>(name, owner, body).await,
    };
}

/// Checks one server, and returns what is in its way.
async fn gap(bench: &mut Bench) -> Option<Failure> {
    let before = bench.mutations();
    let spec = server_spec("acme-db", vec![], vec![]);
    let checked = servers::Host::check(&mut bench.guest, vec![spec]).await;
    assert_eq!(bench.mutations(), before, "a check changed something");
    match checked {
        Ok(_) => None,
        Err(CallError::Failed(failure)) => Some(failure),
        Err(stopped) => panic!("{stopped}"),
    }
}

#[test]
fn a_name_that_others_took_is_told_before_anything_is_made() {
    run(async {
        for name in ["acme-net", "acme-fw", "acme-data"] {
            for owner in Planted::ALL {
                let mut bench = Bench::new().await;
                plant(&bench, name, owner).await;
                let gap = gap(&mut bench).await;
                let is_told = matches!(&gap, Some(Failure::Conflict(problem))
                    if problem.message.contains(&format!("`{name}`")));
                assert_eq!(is_told, owner != Planted::Ours, "{name} of {owner:?}: {gap:?}");
            }
        }
    });
}

#[test]
fn all_that_is_in_the_way_is_told_together() {
    run(async {
        let mut bench = Bench::new().await;
        for name in ["acme-net", "acme-fw", "acme-data", "acme-db"] {
            plant(&bench, name, Planted::Unlabelled).await;
        }
        let told = gap(&mut bench).await.unwrap().to_string();
        for name in
            ["network `acme-net`", "firewall `acme-fw`", "volume `acme-data`", "server `acme-db`"]
        {
            assert!(told.contains(name), "{name}: {told}");
        }
        // A gap in the grant hides none of the others.
        let mut bench = Bench::granting(&grant("").replace("\"acme-db\", ", "")).await;
        plant(&bench, "acme-data", Planted::Unlabelled).await;
        let gap = gap(&mut bench).await;
        let is_denied = matches!(&gap, Some(Failure::Denied(denial))
            if denial.reason.contains("volume `acme-data`"));
        assert!(is_denied, "{gap:?}");
    });
}

#[test]
fn a_cap_without_room_for_the_volume_is_told_before_anything_is_made() {
    run(async {
        // The server costs 5.99, the smallest volume 0.572.
        let volumeless = grant("max-monthly-eur = \"5.99\"").replace("\"volumes.create\", ", "");
        let rows = [
            ("no room", grant("max-monthly-eur = \"6.561\""), None, true),
            ("room", grant("max-monthly-eur = \"6.562\""), None, false),
            ("it stands", grant("max-monthly-eur = \"6.562\""), Some(Planted::Ours), false),
            ("no volume is granted", volumeless, None, false),
        ];
        for (row, granting, planted, is_denied) in rows {
            let mut bench = Bench::granting(&granting).await;
            if let Some(owner) = planted {
                plant(&bench, "acme-data", owner).await;
            }
            let told = gap(&mut bench).await;
            let is_told = matches!(&told, Some(Failure::Denied(denial))
                if denial.resource == "acme-data" && denial.hint.contains("\"6.562\""));
            assert_eq!((is_told, told.is_some()), (is_denied, is_denied), "{row}: {told:?}");
        }
    });
}

#[test]
fn an_image_that_the_api_does_not_offer_is_told_before_anything_is_made() {
    run(async {
        let granting = grant("").replace("\"debian-12\"", "\"debian-99\"");
        let mut bench = Bench::granting(&granting).await;
        let mut spec = server_spec("acme-db", vec![], vec![]);
        spec.image = "debian-99".to_owned();
        let checked = servers::Host::check(&mut bench.guest, vec![spec]).await;
        let told = checked.map(drop).unwrap_err();
        let is_missing = matches!(&told, CallError::Failed(Failure::NotFound(problem))
            if problem.message.contains("`debian-99`"));
        assert!(is_missing, "{told}");
    });
}
