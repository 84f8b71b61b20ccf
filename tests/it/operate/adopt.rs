//! `adopt`: what stands already becomes part of a tenant, and is given back as it was.

use runwrit_simulator::hetzner::{Fault, Rule};
use serde_json::{Value, json};

use super::{run_breakable, swept};
use crate::cli::shell::{Cloud, Printed, Shell};

const ADOPT: [&str; 8] =
    ["adopt", "acme", "--server", "old-web", "--volume", "old-data", "--network", "old-net"];

/// A provisioned tenant, and three things beside it that somebody made by hand.
fn stage() -> (Cloud, Shell) {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let provisioned = shell.run(&shell.provision());
    assert_eq!(provisioned.code, Some(0), "{}", provisioned.stderr);
    let labels = json!({"team": "web"});
    cloud.post(
        "/servers",
        &json!({"name": "old-web", "server_type": "cx23", "image": "debian-12",
            "location": "nbg1", "ssh_keys": ["ops"], "labels": labels}),
    );
    cloud.post("/volumes", &json!({"name": "old-data", "size": 10, "location": "nbg1"}));
    cloud.post("/networks", &json!({"name": "old-net", "ip_range": "10.9.0.0/16"}));
    (cloud, shell)
}

fn adopt(shell: &Shell, last: &str) -> Printed {
    shell.run(&[&ADOPT[..], &[last]].concat())
}

/// Returns the labels of everything that is adopted.
fn labels(cloud: &Cloud) -> Vec<Value> {
    let paths = [("servers", "old-web"), ("volumes", "old-data"), ("networks", "old-net")];
    let labels = paths.map(|(list, name)| {
        let all = cloud.get(&format!("/{list}"));
        let found = all[list].as_array().expect("a list").iter().find(|it| it["name"] == name);
        found.expect("it stands")["labels"].clone()
    });
    labels.into()
}

#[test]
fn what_an_adoption_would_change_is_shown_before_anything_changes() {
    let (cloud, shell) = stage();
    let (before, changes) = (labels(&cloud), cloud.changes());
    let shown = adopt(&shell, "--dry-run");
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let ids = regex::Regex::new(r"id \d+").expect("a pattern");
    let told = format!("{}{}", ids.replace_all(&shown.stdout, "id ID"), shown.stderr);
    insta::assert_snapshot!(told, @r"
    network old-net (id ID), free: gets the labels of tenant acme
    server old-web (id ID), EUR 5.99 a month: gets the labels of tenant acme, and keeps team=web
    volume old-data (id ID), EUR 0.572 a month: gets the labels of tenant acme
    nothing else of them changes now; runbooks of the tenant may change and delete them from then on
    ");
    let unasked = shell.run(&ADOPT);
    assert_eq!(unasked.code, Some(2), "{}", unasked.stderr);
    assert!(unasked.stderr.contains("nobody is there to be asked"), "{}", unasked.stderr);
    assert_eq!((labels(&cloud), cloud.changes()), (before, changes), "something was changed");
}

#[test]
fn what_was_adopted_belongs_to_the_tenant() {
    let (cloud, shell) = stage();
    let alive = cloud.alive();
    let adopted = adopt(&shell, "--yes");
    assert_eq!(adopted.code, Some(0), "{}", adopted.stderr);
    for labels in labels(&cloud) {
        assert_eq!(labels["runwrit/tenant"], "acme", "{labels}");
    }
    assert_eq!(labels(&cloud)[0]["team"], "web", "what it carried stays");
    let sweep = shell.run(&["sweep", "--json"]);
    assert_eq!((sweep.code, &swept(&sweep).1["in-place"]), (Some(0), &11.into()), "{sweep:?}");
    let again = adopt(&shell, "--yes");
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert_eq!(again.stderr.matches("belongs to it already").count(), 3, "{}", again.stderr);
    assert_eq!(cloud.alive(), alive, "nothing was made and nothing deleted");
}

#[test]
fn an_adoption_that_fails_gives_back_what_it_took() {
    let (cloud, shell) = stage();
    let (before, alive) = (labels(&cloud), cloud.alive());
    cloud.handle.desk().add_fault(Rule {
        method: Some("PUT".to_owned()),
        path: "/volumes/*".to_owned(),
        nth: 1,
        times: 0,
        parts_per_million: None,
        project: None,
        fault: Fault::Refuse { status: 403, code: "forbidden".to_owned(), message: String::new() },
    });
    let failed = adopt(&shell, "--yes");
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("undone: server old-web"), "{}", failed.stderr);
    assert_eq!((labels(&cloud), cloud.alive()), (before, alive), "it was given back as it was");
}

#[test]
fn a_tenant_takes_what_it_adopted_along_when_it_goes() {
    let (cloud, shell) = stage();
    assert_eq!(adopt(&shell, "--yes").code, Some(0));
    let gone = shell.run(&shell.deprovision());
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_killed_adoption_goes_on_or_goes_back() {
    let points = ["intent-committed", "sent", "accepted-noted", "result-noted"];
    for (point, command) in points.iter().flat_map(|it| [(it, "resume"), (it, "rollback")]) {
        let (cloud, shell) = stage();
        let (before, alive) = (labels(&cloud), cloud.alive());
        let crash = format!("{point}/hetzner.servers.adopt:1");
        let arguments = [&ADOPT[..], &["--yes"]].concat();
        let killed = run_breakable(&shell, &arguments, &[("RUNWRIT_CRASH_AT", &crash)]);
        assert_eq!(killed.code, None, "{crash}: {}", killed.stderr);
        let ended = shell.run(&[command, &shell.last_run()]);
        let is_adopted = labels(&cloud).iter().all(|it| it["runwrit/tenant"] == "acme");
        match command {
            "resume" => assert!(ended.code == Some(0) && is_adopted, "{crash}: {ended:?}"),
            _ => {
                assert_eq!(ended.code, Some(1), "{crash}: {ended:?}");
                assert_eq!((labels(&cloud), cloud.alive()), (before, alive), "{crash}");
            }
        }
    }
}

#[test]
fn what_cannot_be_adopted_is_told_all_at_once() {
    let (cloud, shell) = stage();
    assert_eq!(adopt(&shell, "--yes").code, Some(0));
    let other = Shell::new().with_cloud(&cloud);
    let homeless = adopt(&other, "--yes");
    assert_eq!(homeless.code, Some(2), "{}", homeless.stderr);
    assert!(homeless.stderr.contains("no living tenant `acme`"), "{}", homeless.stderr);
    cloud.post(
        "/volumes",
        &json!({"name": "typed", "size": 10, "location": "nbg1",
        "labels": {"runwrit/tenant": "acme"}}),
    );
    let refused = shell.run(&[
        "adopt",
        "acme",
        "--server",
        "none",
        "--volume",
        "typed",
        "--network",
        "acme-net",
        "--yes",
    ]);
    insta::assert_snapshot!(refused.told(), @r"
    exit 2
    error: nothing was adopted
      conflict: network acme-net belongs to it already (`owned`)
      not found: server none was not found: nothing in the project has that name (`not_found`)
      conflict: volume typed: its label `runwrit/run` is missing or malformed; remove its `runwrit/` labels first (`owned`)
    ");
    let nothing = shell.run(&["adopt", "acme"]);
    assert!(nothing.stderr.contains("nothing was named"), "{}", nothing.stderr);
    let odd = shell.run(&["adopt", "acme", "--network", "l\u{e4}den", "--volume", "", "--yes"]);
    assert_eq!(odd.code, Some(2), "{}", odd.stderr);
    assert_eq!(odd.stderr.matches("no grant can name `").count(), 2, "{}", odd.stderr);
    let nobody = shell.run(&["adopt", "Acme", "--server", "x"]);
    assert!(nobody.stderr.contains("`Acme` is no tenant"), "{}", nobody.stderr);
}
