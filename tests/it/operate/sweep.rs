//! `sweep`: what is left behind is found and priced; only what a journal proves is deleted.

use runwrit_simulator::hetzner::{Fault, Rule};
use serde_json::{Value, json};

use super::{kill_in, only_run, provision, swept};
use crate::cli::shell::{Cloud, Shell, grant};
use crate::sandbox::escapes::INTRUDER;

/// Things of a tenant that carry labels, its two sets of records among them; its addresses do not.
const LABELLED: u64 = 8;

#[test]
fn beside_three_tenants_an_empty_state_directory_deletes_nothing_and_prices_everything() {
    let cloud = Cloud::start();
    for tenant in ["acme", "bolt", "crab"] {
        let shell = Shell::new().with_cloud(&cloud);
        let provisioned = provision(&shell, tenant);
        assert_eq!(provisioned.code, Some(0), "{}", provisioned.stderr);
        let own = shell.run(&["sweep", "--delete", "--json"]);
        assert_eq!(own.code, Some(0), "{}", own.stderr);
        assert_eq!(swept(&own).1["in-place"], LABELLED, "{}", own.stdout);
    }
    let alive = cloud.alive();
    let (requests, shell) = (cloud.requests(), Shell::new().with_cloud(&cloud));
    let printed = shell.run(&["sweep", "--delete", "--json"]);
    let (leftovers, sum) = swept(&printed);
    assert_eq!(cloud.alive(), alive, "something was deleted");
    let ledger = cloud.handle.desk().ledger();
    let mutating = ledger.iter().skip(requests).filter(|entry| entry.method != "GET").count();
    assert_eq!(mutating, 0, "a sweep of an empty store only reads");
    assert_eq!((leftovers.len() as u64, sum["left"].as_u64()), (24, Some(24)), "{sum}");
    assert_eq!(
        (&sum["deleted"], &sum["in-place"], &sum["unpriced"]),
        (&0.into(), &0.into(), &0.into())
    );
    // Three times what `provision-tenant` says that a tenant costs.
    assert_eq!(sum["eur-per-month"], "70.626", "{sum}");
    for leftover in &leftovers {
        assert_eq!(leftover["cause"], "other-installation", "{leftover}");
        assert_eq!(leftover["fate"], "left", "{leftover}");
        // The API tells of a set of records when it was made nowhere.
        let is_record = leftover["kind"] == "dns.record-set";
        assert_eq!(leftover["since"].is_string(), !is_record, "{leftover}");
        assert!(leftover["run"].is_string(), "{leftover}");
    }
    let names: Vec<&str> = leftovers.iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(names.contains(&"bolt-gateway") && names.contains(&"crab-data"), "{names:?}");
    assert!(names.contains(&"bolt.example.org/A"), "{names:?}");
    assert!(!names.contains(&"runwrit-project"), "the marker of the project is no leftover");
    // For people the same.
    let told = shell.run(&["sweep"]);
    assert_eq!(told.stdout.lines().count(), 24, "{}", told.stdout);
    assert!(told.stdout.contains("EUR 8.49 a month"), "{}", told.stdout);
}

/// Returns the labels that a thing had which once existed.
fn labels_of(cloud: &Cloud, name: &str) -> Value {
    let events = cloud.handle.desk().resource_events("runwrit/run").expect("a sound selector");
    let event = events.iter().find(|event| event.touched.name == name).expect("it existed");
    json!(event.touched.labels)
}

fn network(name: &str, labels: &Value) -> Value {
    json!({"name": name, "ip_range": "10.9.0.0/16", "labels": labels})
}

/// A run that was killed and rolled back: its network existed and is gone.
fn rolled_back(cloud: &Cloud) -> Shell {
    let shell = Shell::new().with_cloud(cloud);
    kill_in(&shell, "4-6/14");
    let rollback = shell.run(&["rollback", &only_run(&shell)]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    shell
}

#[test]
fn what_landed_after_its_rollback_is_deleted_by_the_store_that_proves_it_and_by_no_other() {
    let cloud = Cloud::start();
    let shell = rolled_back(&cloud);
    cloud.post("/networks", &network("acme-net", &labels_of(&cloud, "acme-net")));
    let stranger = Shell::new().with_cloud(&cloud);
    let (left, _) = swept(&stranger.run(&["sweep", "--delete", "--json"]));
    assert_eq!(left[0]["cause"], "other-installation", "{left:?}");
    let reported = shell.run(&["sweep", "--json"]);
    let (left, sum) = swept(&reported);
    assert_eq!(reported.code, Some(3), "{}", reported.stderr);
    assert_eq!(left[0]["cause"], "undone", "{left:?}");
    assert_eq!((&left[0]["fate"], &sum["deleted"]), (&"left".into(), &0.into()));
    assert_eq!(cloud.alive(), ["acme-net"]);
    let deleted = shell.run(&["sweep", "--delete", "--json"]);
    let (left, sum) = swept(&deleted);
    assert_eq!(deleted.code, Some(0), "{}", deleted.stderr);
    assert_eq!((&left[0]["fate"], &sum["deleted"]), (&"deleted".into(), &1.into()));
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_record_that_landed_after_its_rollback_is_deleted_and_one_that_was_typed_is_not() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let standing = kill_in_and_look(&cloud, &shell);
    let rollback = shell.run(&["rollback", &only_run(&shell)]);
    assert_eq!(rollback.code, Some(1), "{}", rollback.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
    let mut typed = standing.clone();
    typed["name"] = "evil".into();
    for set in [&standing, &typed] {
        cloud.post("/zones/example.org/rrsets", set);
        // The zone is locked until it is done.
        cloud.handle.desk().advance(std::time::Duration::from_secs(60));
    }
    let printed = shell.run(&["sweep", "--delete", "--json"]);
    let (left, sum) = swept(&printed);
    assert_eq!(printed.code, Some(3), "{}", printed.stderr);
    let told = |name: &str| left.iter().find(|it| it["name"] == name).expect("it is reported");
    let (late, evil) = (told("acme.example.org/A"), told("evil.example.org/A"));
    assert_eq!((&late["cause"], &late["fate"]), (&"undone".into(), &"deleted".into()), "{late}");
    assert_eq!((&evil["cause"], &evil["fate"]), (&"forged".into(), &"left".into()), "{evil}");
    assert_eq!((&sum["left"], &sum["deleted"]), (&1.into(), &1.into()), "{sum}");
    assert_eq!(cloud.alive(), ["evil/A"]);
}

/// Kills a run once its names are published, and returns the first set as a request makes it.
fn kill_in_and_look(cloud: &Cloud, shell: &Shell) -> Value {
    kill_in(shell, "13/14");
    let set = &cloud.get("/zones/example.org/rrsets/acme/A")["rrset"];
    let record = json!({"value": set["records"][0]["value"]});
    let (ttl, labels) = (&set["ttl"], &set["labels"]);
    json!({"name": "acme", "type": "A", "ttl": ttl, "records": [record], "labels": labels})
}

#[test]
fn what_somebody_typed_is_reported_and_never_deleted() {
    let cloud = Cloud::start();
    let shell = rolled_back(&cloud);
    let labels = labels_of(&cloud, "acme-net");
    let mut other_run = labels.clone();
    other_run["runwrit/run"] = "aaaaaaaaaaaa".into();
    let bare = json!({"runwrit/by": labels["runwrit/by"]});
    let rows = [
        ("another name", "forged", network("evil-net", &labels)),
        ("another run", "forged", network("acme-net", &other_run)),
        ("only an installation", "incomplete", network("bare-net", &bare)),
        ("only a word", "incomplete", network("word-net", &json!({"runwrit/note": "mine"}))),
    ];
    for (name, _, body) in &rows {
        cloud.post("/networks", body);
        let (left, _) = swept(&shell.run(&["sweep", "--json"]));
        assert_eq!(left.len(), cloud.alive().len(), "{name}: {left:?}");
    }
    let printed = shell.run(&["sweep", "--delete", "--json"]);
    let (left, sum) = swept(&printed);
    assert_eq!(printed.code, Some(3), "{}", printed.stderr);
    assert_eq!((&sum["left"], &sum["deleted"]), (&4.into(), &0.into()), "{sum}");
    for (name, cause, body) in &rows {
        let found = left.iter().find(|it| it["name"] == body["name"]).expect("it is reported");
        assert_eq!(found["cause"], *cause, "{name}: {found}");
    }
    assert_eq!(cloud.alive().len(), 4, "{:?}", cloud.alive());
}

#[test]
fn a_run_that_stands_still_is_reported_with_its_price_and_kept() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    kill_in(&shell, "7/14");
    let alive = cloud.alive();
    let printed = shell.run(&["sweep", "--delete", "--json"]);
    let (left, sum) = swept(&printed);
    assert_eq!(printed.code, Some(3), "{}", printed.stderr);
    assert!(left.iter().all(|it| it["cause"] == "unfinished"), "{left:?}");
    assert!(left.len() >= 5 && sum["deleted"] == 0, "{sum}");
    assert_eq!(cloud.alive(), alive, "something was deleted");
}

#[test]
fn without_a_credential_a_sweep_says_so() {
    let shell = Shell::new();
    insta::assert_snapshot!(shell.run(&["sweep"]).told(), @r"
    exit 2
    error: there is no credential whose project could be looked at
    hint: `export HCLOUD_TOKEN=…`, or add `[credentials.NAME]` to runwrit.toml
    ");
}

#[test]
fn what_a_creation_that_failed_left_is_found_though_its_run_succeeded() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    // A runbook that goes on whatever fails: the one thing that it may make never gets ready.
    let text = grant("intruder", INTRUDER).replace("max-gb = 10", "max-gb = 11");
    shell.write("intruder.toml", text);
    let fault = Fault::ActionError {
        code: "action_failed".to_owned(),
        message: "it cannot be made".to_owned(),
        command: Some("create_volume".to_owned()),
    };
    cloud.handle.desk().add_fault(Rule::once("POST", "/volumes", fault));
    let mut arguments = ["run", "intruder", "--grant", "intruder.toml", "--input", "tenant=acme"]
        .map(str::to_owned)
        .to_vec();
    for kind in ["network", "firewall", "server", "volume", "ssh-key", "primary-ip"] {
        arguments.extend(["--input".to_owned(), format!("foreign-{kind}=1")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = shell.run(&arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(cloud.alive(), ["acme-x"]);
    let told = shell.run(&["sweep", "--json"]);
    let (left, sum) = swept(&told);
    assert_eq!((told.code, left.len()), (Some(3), 1), "{told:?}");
    let words = ["name", "cause", "fate"].map(|word| left[0][word].as_str().unwrap_or_default());
    assert_eq!(words, ["acme-x", "abandoned", "left"], "{left:?}");
    // Eleven gigabytes at 0.0572 each.
    assert_eq!(sum["eur-per-month"], "0.6292", "{sum}");
    assert_eq!(cloud.alive().len(), 1, "a sweep only looks");
    let deleted = shell.run(&["sweep", "--delete", "--json"]);
    assert_eq!(swept(&deleted).0[0]["fate"], "deleted", "{deleted:?}");
    assert_eq!(cloud.alive(), Vec::<String>::new());
}
