//! The name of a tenant: published last, removed first, and never somebody else's.

use runwrit_simulator::hetzner::{Fault, Rule};
use serde_json::json;

use super::bench::Bench;

/// Where the simulator keeps the records of the zone.
const SETS: &str = "/zones/example.org/rrsets";

fn refuse(method: &str, path: &str) -> Rule {
    let message = "refused by the test".to_owned();
    let fault = Fault::Refuse { status: 422, code: "invalid_input".to_owned(), message };
    Rule { times: 0, ..Rule::once(method, path, fault) }
}

/// Returns the records that carry no labels of this host.
fn foreign(bench: &Bench) -> Vec<String> {
    let report = bench.cloud.desk().leaks("!runwrit/run").expect("a sound selector");
    let sets = report.alive.into_iter().filter(|thing| thing.kind == "rrset");
    sets.map(|set| set.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_removes_the_name_before_the_servers() {
    let bench = Bench::start().await;
    // The registry refuses nothing here, so the second record is what fails.
    let rule = Rule { nth: 2, ..refuse("POST", "/zones/*/rrsets") };
    bench.cloud.desk().add_fault(rule);
    let failed = bench.provision().await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(bench.alive(), Vec::<String>::new());
    let ledger = bench.cloud.desk().ledger();
    let deletions: Vec<_> = ledger.iter().filter(|entry| entry.method == "DELETE").collect();
    let first = deletions.first().expect("a rollback deletes");
    assert!(first.path.contains("/rrsets/acme/A"), "{}", first.path);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_zone_nothing_begins() {
    let bench = Bench::start().await;
    let example = Bench::example_grant();
    let (head, rest) = example.split_once("# The zone must stand").expect("a part on the DNS");
    let (_, tail) = rest.split_once("[registry]").expect("a part on the registry");
    let absent = bench.provision_under(&format!("{head}[registry]{tail}")).await;
    assert_eq!(absent.code, Some(5), "{absent:?}");
    assert!(absent.tells("dns/records") && absent.tells("[dns]"), "{absent:?}");

    let other = example.replace("zone = \"example.org\"", "zone = \"example.net\"");
    let missing = bench.provision_under(&other).await;
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.tells("there is no zone `example.net`"), "{missing:?}");
    assert_eq!(bench.alive(), Vec::<String>::new());

    bench.by_hand("/zones", json!({"name": "example.net", "mode": "primary"})).await;
    let elsewhere = bench.provision_under(&other).await;
    assert_eq!(elsewhere.code, Some(1), "{elsewhere:?}");
    assert!(elsewhere.tells("lies in no zone of the grant"), "{elsewhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_fails_the_preflight_and_is_restored_where_it_may_be_replaced() {
    let bench = Bench::start().await;
    let body = json!({"name": "acme", "type": "A", "records": [{"value": "198.51.100.1"}]});
    bench.by_hand(SETS, body).await;
    let taken = bench.provision().await;
    assert_eq!(taken.code, Some(1), "{taken:?}");
    assert!(taken.tells("no run of this scope made the A records there"), "{taken:?}");
    assert_eq!(bench.cloud.desk().request_count("POST", "/networks"), 0, "nothing was made");

    let allowed = Bench::example_grant()
        .replace("max-ttl = 300\n", "max-ttl = 300\nreplace-foreign = true\n");
    bench.cloud.desk().add_fault(refuse("POST", "/zones/*/rrsets"));
    let failed = bench.provision_under(&allowed.replace("max-ttl = 300", "max-ttl = 3600")).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(bench.alive(), Vec::<String>::new());
    assert_eq!(foreign(&bench), ["acme/A"], "it stands as before");
    let changes =
        bench.cloud.desk().request_count("POST", "/zones/*/rrsets/acme/A/actions/set_records");
    assert_eq!(changes, 2, "it was replaced and brought back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_changed_meanwhile_is_left_to_a_person() {
    let bench = Bench::start().await;
    assert_eq!(bench.provision().await.code, Some(0));
    let set = "/zones/example.org/rrsets/acme/A/actions/set_records";
    bench.by_hand(set, json!({"records": [{"value": "203.0.113.9"}]})).await;
    let differs = bench.provision().await;
    assert_eq!(differs.code, Some(6), "{differs:?}");
    assert!(differs.tells("203.0.113.9") && differs.tells("it should be"), "{differs:?}");

    // What a run of this tenant made stays this tenant's, whatever it holds by now.
    let gone = bench.deprovision("delete-data=true").await;
    assert_eq!(gone.code, Some(0), "{gone:?}");
    assert_eq!(bench.alive(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_removed_comes_back_only_while_its_server_stands() {
    let bench = Bench::start().await;
    assert_eq!(bench.provision().await.code, Some(0));
    bench.cloud.desk().add_fault(refuse("DELETE", "/zones/*/rrsets/acme/AAAA"));
    let early = bench.deprovision("delete-data=true").await;
    assert_eq!(early.code, Some(1), "{early:?}");
    assert!(bench.alive().contains(&"rrset acme/A".to_owned()), "{:?}", bench.alive());
    bench.cloud.desk().clear_faults();

    bench.cloud.desk().add_fault(refuse("DELETE", "/volumes/*"));
    let late = bench.deprovision("delete-data=true").await;
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(!bench.alive().iter().any(|thing| thing.starts_with("rrset")), "{:?}", bench.alive());
    bench.cloud.desk().clear_faults();
    assert_eq!(bench.deprovision("delete-data=true").await.code, Some(0));
    assert_eq!(bench.alive(), Vec::<String>::new());
}
