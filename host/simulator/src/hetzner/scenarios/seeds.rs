//! What one world showed stands in another one as it was.

use runwrit_model::plan::snapshot::{BELONGINGS, CATALOGUE, Snapshot};
use serde_json::{Value, json};

use super::super::auth::Digest;
use super::Stage;

fn look(stage: &mut Stage) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for list in CATALOGUE.into_iter().chain(BELONGINGS) {
        let documents = stage.get(&format!("/{list}?per_page=50"))[list].take();
        let documents: Vec<Value> = documents.as_array().cloned().unwrap_or_default();
        for zone in documents.iter().filter(|_| list == "zones") {
            let path = format!("zones/{}/rrsets", zone["id"]);
            let sets = stage.get(&format!("/{path}"))["rrsets"].take();
            snapshot.collections.insert(path, sets.as_array().cloned().unwrap_or_default());
        }
        snapshot.collections.insert(list.to_owned(), documents);
    }
    snapshot.pricing = stage.get("/pricing")["pricing"].take();
    snapshot
}

fn furnished() -> Stage {
    let mut stage = Stage::new();
    let range = json!({"name": "net", "ip_range": "10.0.0.0/16", "labels": {"a": "b"}, "subnets":
        [{"type": "cloud", "ip_range": "10.0.1.0/24", "network_zone": "eu-central"}]});
    let network = stage.ask("POST /networks", range).1["network"]["id"].take();
    let rule = json!({"direction": "in", "protocol": "tcp", "port": "22",
        "source_ips": ["203.0.113.7/32"]});
    let firewall = json!({"name": "fw", "rules": [rule]});
    let firewall = stage.ask("POST /firewalls", firewall).1["firewall"]["id"].take();
    stage.ask("POST /placement_groups", json!({"name": "group", "type": "spread"}));
    let server = json!({"name": "one", "server_type": "cx23", "location": "nbg1",
        "image": "debian-12", "networks": [network], "firewalls": [{"firewall": firewall}],
        "labels": {"role": "db"}});
    let server = stage.ask("POST /servers", server).1["server"]["id"].take();
    stage.now = super::later(stage.now, 600_000);
    let volume = json!({"name": "data", "size": 10, "server": server, "format": "ext4"});
    assert_eq!(stage.ask("POST /volumes", volume).0, 201);
    let zone = json!({"name": "example.org", "mode": "primary", "rrsets":
        [{"name": "www", "type": "A", "ttl": 300, "records": [{"value": "192.0.2.1"}]}]});
    assert_eq!(stage.ask("POST /zones", zone).0, 201);
    stage.now = super::later(stage.now, 600_000);
    stage.world.set_stock("cx33", "nbg1", false);
    stage
}

#[test]
fn a_seeded_project_shows_what_was_seen() {
    let seen = look(&mut furnished());
    let mut other = Stage::new();
    let name = Digest::of(&"a".repeat(64)).project_name();
    other.world.seed(&name, &seen, other.now).expect("its own documents");
    let shown = look(&mut other);
    for (list, documents) in &seen.collections {
        assert_eq!(shown.of(list), documents, "{list}");
    }
    assert_eq!(shown.pricing, seen.pricing);
}

#[test]
fn a_seeded_project_goes_on_from_there() {
    let seen = look(&mut furnished());
    let mut other = Stage::new();
    let name = Digest::of(&"a".repeat(64)).project_name();
    other.world.seed(&name, &seen, other.now).expect("its own documents");
    let order = |name: &str, kind: &str| {
        let image = "debian-12";
        json!({"name": name, "server_type": kind, "location": "nbg1", "image": image})
    };
    let (status, made) = other.ask("POST /servers", order("two", "cx23"));
    assert_eq!(status, 201, "{made}");
    let id = made["server"]["id"].as_u64().expect("an id");
    assert!(id > 7_000_000_000_000, "new ids are told from old ones: {id}");
    assert_eq!(other.ask("POST /servers", order("one", "cx23")).0, 409, "the name is taken");
    let (status, refused) = other.ask("POST /servers", order("three", "cx33"));
    assert_eq!((status, &refused["error"]["code"]), (412, &json!("resource_unavailable")));
}

#[test]
fn a_document_that_lacks_something_is_refused_by_name() {
    let mut seen = look(&mut furnished());
    seen.collections.get_mut("servers").expect("a list")[0]["location"] = json!(null);
    let mut other = Stage::new();
    let error = other.world.seed("x", &seen, other.now).expect_err("no location");
    assert_eq!(error.to_string(), "a document of `servers` has no usable `location/name`: null");
}
