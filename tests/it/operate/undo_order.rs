//! In which order a rollback takes things back, as the cloud sees it: the name first, then servers
//! with the gateway last of them, then what they hung on, and the data at the very end.

use std::collections::BTreeMap;

use super::audit::events;
use super::{only_run, run_breakable};
use crate::cli::shell::{Cloud, Shell};

/// Returns what changed something since a number of requests, with names for ids.
fn changes(cloud: &Cloud, since: usize) -> Vec<String> {
    let desk = cloud.handle.desk();
    let events = desk.resource_events("").expect("a sound selector");
    let names: BTreeMap<String, String> =
        events.into_iter().map(|it| (it.touched.id, it.touched.name)).collect();
    let ledger = desk.ledger();
    let changes = ledger.iter().skip(since);
    let changes = changes.filter(|it| it.method != "GET" && (200..300).contains(&it.status));
    let named = |path: &str| {
        let words = path.split('/').map(|word| names.get(word).map_or(word, String::as_str));
        words.collect::<Vec<_>>().join("/")
    };
    changes.map(|entry| format!("{} {}", entry.method, named(&entry.path))).collect()
}

/// Returns what the registry says of the tenant.
fn state_of_tenant(shell: &Shell) -> String {
    let store = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a store");
    let state = "SELECT state FROM tenant WHERE id = 'acme'";
    store.query_row(state, [], |row| row.get(0)).expect("the tenant is known")
}

/// Compares the order, and what is left of it.
fn expect_order(cloud: &Cloud, shell: &Shell, since: usize) {
    let told = changes(cloud, since);
    // The API lets go of a firewall some time after its servers are gone, and nothing hangs on it.
    let (firewall, undone): (Vec<&str>, Vec<&str>) =
        told.iter().map(String::as_str).partition(|it| it.contains("/firewalls/"));
    assert_eq!(firewall, ["DELETE /firewalls/acme-fw"]);
    let place = |wanted: &str| told.iter().position(|it| it.contains(wanted));
    assert!(place("/firewalls/") > place("/servers/acme-gateway"), "{told:?}");
    assert_eq!(
        undone,
        [
            "DELETE /zones/example.org/rrsets/acme/AAAA",
            "DELETE /zones/example.org/rrsets/acme/A",
            "POST /volumes/acme-data/actions/detach",
            "DELETE /servers/acme-db",
            "DELETE /servers/acme-worker-1",
            "DELETE /servers/acme-gateway",
            "DELETE /networks/acme-net",
            "DELETE /volumes/acme-data",
            "DELETE /placement_groups/runwrit-claim-acme",
        ]
    );
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    assert_eq!(state_of_tenant(shell), "failed");
}

#[test]
fn a_failure_at_the_last_step_takes_everything_back_in_order() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    let grant = std::fs::read_to_string(shell.path("acme.toml")).expect("it was just written");
    // The last step is the audit event, and this kind of it is not granted.
    shell.write("acme.toml", grant.replace("\"TENANT_PROVISIONED\"", "\"TENANT_MOVED\""));
    let failed = shell.run(&arguments);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let ledger = cloud.handle.desk().ledger();
    let first = ledger.iter().position(|it| it.method == "DELETE").expect("a rollback deletes");
    expect_order(&cloud, &shell, first);
    assert_eq!(events(&shell), ["TENANT_FAILED acme"]);
}

#[test]
fn a_rollback_that_a_person_types_takes_everything_back_in_order() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let point = "result-noted/audit.events.append:1";
    let killed = run_breakable(&shell, &shell.provision(), &[("RUNWRIT_CRASH_AT", point)]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let since = cloud.requests();
    let rolled_back = shell.run(&["rollback", &only_run(&shell)]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    expect_order(&cloud, &shell, since);
    let told = events(&shell);
    assert_eq!(told.first().map(String::as_str), Some("TENANT_PROVISIONED acme"), "{told:?}");
    assert!(told.contains(&"TENANT_PROVISIONED_ROLLED_BACK acme".to_owned()), "{told:?}");
    assert!(told.contains(&"TENANT_FAILED acme".to_owned()), "{told:?}");
}
