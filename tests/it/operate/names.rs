//! Sets of records through the whole product: what a zone cannot hold is refused before it is asked
//! for, and what somebody else wrote meanwhile stays.

use std::time::Duration;

use serde_json::json;

use super::{only_run, run_breakable};
use crate::cli::shell::{Cloud, Shell, grant};

/// Where the simulator keeps the sets.
const SETS: &str = "/zones/example.org/rrsets";

/// Writes the grant of `namer`, which names three names, and returns what starts it.
fn publish(shell: &Shell, (name, kind): (&str, &str), (ttl, value): (i64, &str)) -> Vec<String> {
    let names = ["acme", "alias", "@"].map(|name| {
        format!(
            "[[dns.records]]\nzone = \"example.org\"\nname = \"{name}\"\n\
             types = [\"A\", \"CNAME\"]\nmax-ttl = 300\n"
        )
    });
    let head = "[scope]\ntenant = \"acme\"\n[dns]\noperations = [\"records.set\"]\n";
    shell.write("namer.toml", grant("namer", &format!("{head}{}", names.concat())));
    let inputs = [
        "tenant=acme".to_owned(),
        "zone=example.org".to_owned(),
        format!("name={name}"),
        format!("kind={kind}"),
        format!("ttl={ttl}"),
        format!("value={value}"),
    ];
    let mut arguments = ["run", "namer", "--grant", "namer.toml"].map(str::to_owned).to_vec();
    arguments.extend(inputs.into_iter().flat_map(|input| ["--input".to_owned(), input]));
    arguments
}

/// Has somebody else make or change a set; before and after that the zone is unlocked.
fn by_hand(cloud: &Cloud, path: &str, body: &serde_json::Value) {
    cloud.handle.desk().advance(Duration::from_secs(60));
    cloud.post(path, body);
    cloud.handle.desk().advance(Duration::from_secs(60));
}

fn strings(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn what_a_zone_cannot_hold_or_a_grant_does_not_allow_is_refused_before_it_is_sent() {
    let cloud = Cloud::start();
    let held = [("acme", "A", "192.0.2.1"), ("alias", "CNAME", "www.example.com.")];
    for (name, kind, value) in held {
        let set = json!({"name": name, "type": kind, "records": [{"value": value}]});
        by_hand(&cloud, SETS, &set);
    }
    let (a, cname) = ("192.0.2.7", "www.example.com.");
    let rows = [
        ("a CNAME at the apex", ("@", "CNAME"), (300, cname), "(`cname-conflict`)"),
        ("a CNAME beside an address", ("acme", "CNAME"), (300, cname), "(`cname-conflict`)"),
        ("an address beside a CNAME", ("alias", "A"), (300, a), "(`cname-conflict`)"),
        ("longer than granted", ("@", "A"), (301, a), "keep it for 301 seconds, 300 are granted"),
        ("for ever", ("@", "A"), (2_147_483_647, a), "keep it for 2147483647 seconds"),
        ("as long as the zone says", ("@", "A"), (-1, a), "keep it for 3600 seconds"),
        ("shorter than there is", ("@", "A"), (59, a), "expected 60 to 2147483647 seconds"),
    ];
    for (row, set, content, part) in rows {
        let shell = Shell::new().with_cloud(&cloud);
        let before = cloud.handle.desk().request_count("POST", "/zones/**");
        let refused = shell.run(&strings(&publish(&shell, set, content)));
        assert_eq!(refused.code, Some(1), "{row}: {}", refused.stderr);
        let sent = cloud.handle.desk().request_count("POST", "/zones/**");
        assert_eq!(sent, before, "{row}: something was sent");
        assert!(refused.stderr.contains(part), "{row}: {}", refused.stderr);
    }
    let shell = Shell::new().with_cloud(&cloud);
    let taken = shell.run(&strings(&publish(&shell, ("@", "A"), (60, a))));
    assert_eq!(taken.code, Some(0), "the shortest time that there is: {}", taken.stderr);
}

/// Returns the values that a name has now.
fn values(cloud: &Cloud) -> serde_json::Value {
    cloud.get("/zones/example.org/rrsets/acme/A")["rrset"]["records"].clone()
}

#[test]
fn whoever_wrote_between_the_promise_and_the_request_is_not_overwritten() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let start = publish(&shell, ("acme", "A"), (300, "192.0.2.7"));
    let point = [("RUNWRIT_CRASH_AT", "intent-committed/dns.records.set:1")];
    let killed = run_breakable(&shell, &strings(&start), &point);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let theirs = json!({"name": "acme", "type": "A", "records": [{"value": "203.0.113.9"}]});
    by_hand(&cloud, SETS, &theirs);
    let resumed = shell.run(&["resume", &only_run(&shell)]);
    assert_eq!(resumed.code, Some(1), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("somebody else changed"), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("203.0.113.9"), "{}", resumed.stderr);
    assert_eq!(values(&cloud), json!([{"value": "203.0.113.9"}]), "{}", resumed.stderr);
}

#[test]
fn whoever_wrote_after_us_keeps_the_name_in_a_rollback() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let start = publish(&shell, ("acme", "A"), (300, "192.0.2.7"));
    let point = [("RUNWRIT_CRASH_AT", "result-noted/dns.records.set:1")];
    let killed = run_breakable(&shell, &strings(&start), &point);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    assert_eq!(values(&cloud), json!([{"value": "192.0.2.7"}]));
    let theirs = json!({"records": [{"value": "203.0.113.9"}]});
    by_hand(&cloud, &format!("{SETS}/acme/A/actions/set_records"), &theirs);
    let rolled_back = shell.run(&["rollback", &only_run(&shell)]);
    assert_eq!(rolled_back.code, Some(3), "{}", rolled_back.stderr);
    assert!(rolled_back.stderr.contains("203.0.113.9"), "{}", rolled_back.stderr);
    assert_eq!(values(&cloud), json!([{"value": "203.0.113.9"}]), "{}", rolled_back.stderr);
}
