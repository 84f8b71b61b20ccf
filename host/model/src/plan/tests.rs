//! Plans are drafted, read, followed and turned into grants.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::tokens::{Values, leaves};
use super::*;
use crate::call::{CallClass, CallId};
use crate::cost::Prices;
use crate::departure::Departure;
use crate::grant::Grant;
use crate::id::Digest;
use crate::journal::{OnFailure, Outcome, World};

fn world(marker: &str) -> BTreeMap<String, World> {
    let (credential, endpoint) = ("hetzner".to_owned(), "https://api".to_owned());
    let world = World { credential, endpoint, marker: marker.to_owned() };
    [("hetzner".to_owned(), world)].into()
}

fn frame() -> Frame {
    let settings = json!({"roles": {"db": ["cx33", "cpx32"], "other": ["cx23"]},
        "fallback-locations": {"nbg1": ["fsn1"]}});
    Frame {
        runbook: "make@0.1.0".to_owned(),
        component: Digest::of(b"component"),
        manifest: Digest::of(b"manifest"),
        asks: vec!["hetzner/servers".to_owned(), "registry/tenants".to_owned()],
        inputs: [("tenant".to_owned(), json!("acme"))].into(),
        grant: Digest::of(b"grant"),
        tenant: Some("acme".to_owned()),
        worlds: world("12:abc"),
        landmarks: BTreeMap::new(),
        given: Given::default(),
        settings: serde_json::from_value(settings).unwrap(),
        known: ["4711".to_owned()].into(),
        prices: Prices::new(),
    }
}

fn asked(call: &str, operation: &str, request: Value) -> Asked {
    let name = request["name"].as_str().unwrap_or("it").to_owned();
    Asked {
        call: call.parse().unwrap(),
        operation: operation.to_owned(),
        class: CallClass::KeyedCreate,
        kind: Some("hetzner.server".to_owned()),
        subject: name,
        request,
        found: None,
        before: None,
        eur_per_month: None,
        scope_eur_per_month: None,
        scope_count: None,
    }
}

fn server(call: &str, network: &str) -> Asked {
    let request = json!({"name": "acme-db", "role": "db", "location": "nbg1", "image": "debian-12",
        "ssh-keys": ["ops"], "networks": [network], "firewalls": ["4711"], "user-data": "hello",
        "has-public-ipv4": false, "has-public-ipv6": true});
    Asked {
        found: Some(json!({"server-type": "cx33", "location": "nbg1"})),
        eur_per_month: Some("8.49".parse().unwrap()),
        scope_eur_per_month: Some("8.49".parse().unwrap()),
        scope_count: Some(1),
        ..asked(call, "hetzner.servers.create", request)
    }
}

fn note(asked: Asked) -> Noted {
    Noted::Asked(Box::new(asked))
}

fn ended(call: &str, answer: Value) -> Noted {
    Noted::Ended(call.parse().unwrap(), Outcome::Ok(answer))
}

fn read(call: u32, operation: &str, request: Value, answer: Value) -> Noted {
    let (call, operation) = (CallId::single(call), operation.to_owned());
    Noted::Read { call, operation, request, outcome: Outcome::Ok(answer) }
}

/// A network, a server in it, and a registration of both, as `offset` later calls and these ids.
fn story(offset: u32, network: &str, ip: &str) -> Vec<Noted> {
    let at = |call: u32| (call + offset).to_string();
    let item = format!("{}.0", 3 + offset);
    let range = json!({"name": "acme-net", "ip-range": "10.7.0.0/16",
        "subnets": [{"ip-range": "10.7.1.0/24", "network-zone": "eu-central"}]});
    let details = json!({"id": "acme", "endpoints": {"db": format!("{ip}:5432 on {network}")}});
    vec![
        Noted::Step("the network".to_owned()),
        note(asked(&at(1), "hetzner.networks.create", range)),
        ended(&at(1), json!({"id": network, "ip-range": "10.7.0.0/16"})),
        Noted::Step("the server".to_owned()),
        note(server(&item, network)),
        ended(&item, json!({"id": "900001"})),
        read(4 + offset, "hetzner.servers.get", json!({"id": "900001"}), json!({"ip": ip})),
        read(
            5 + offset,
            "registry.tenants.get",
            json!({"id": "acme"}),
            json!({"id": "acme", "octet": 7}),
        ),
        note(asked(&at(6), "registry.tenants.activate", details)),
        ended(&at(6), json!(null)),
    ]
}

fn plan() -> Plan {
    draft(frame(), &story(0, "800001", "10.7.1.3"), End::Succeeds)
}

/// Lets a follower see a story, and returns where it left the plan.
fn walk(plan: Plan, noted: &[Noted]) -> Result<(), Departure> {
    let mut follower = Follower::new(plan);
    for noted in noted {
        match noted {
            Noted::Asked(asked) => follower.check(asked)?,
            other => follower.note(other),
        }
    }
    follower.end(None)
}

#[test]
fn what_is_deleted_costs_less_as_far_as_somebody_knows_its_price() {
    let delete = |call: &str, kind: &str, id: &str| {
        let request = json!({"id": id});
        let kind = Some(format!("hetzner.{kind}"));
        note(Asked { kind, ..asked(call, "hetzner.things.delete", request) })
    };
    let prices = [(("hetzner.server".to_owned(), "4711".to_owned()), "5.5".parse().unwrap())];
    let frame = || Frame { prices: prices.clone().into(), ..frame() };
    let ended = |more: &[Noted]| {
        let noted = [&story(0, "800001", "10.7.1.3"), more].concat();
        let plan = draft(frame(), &noted, End::Succeeds);
        let each = plan.effects.iter().filter_map(|it| it.ended_eur_per_month);
        let shown = rows(&plan).last().map(|row| row.price.clone()).unwrap_or_default();
        (each.map(|cost| cost.to_string()).collect::<Vec<_>>(), total(&plan), shown)
    };
    let [own, known] = [delete("7", "server", "900001"), delete("8", "server", "4711")];
    let [free, unknown] = [delete("9", "network", "800001"), delete("10", "server", "4712")];
    let more = "together EUR 8.49 a month";
    assert_eq!(ended(&[]), (vec![], format!("{more}, net"), "free".to_owned()));
    let (each, told, shown) = ended(&[own.clone(), known.clone(), free]);
    assert_eq!(shown, "free");
    assert_eq!(each, ["8.49", "5.5"], "a network is free");
    assert_eq!(told, format!("{more} more and EUR 13.99 less, net"));
    let (each, told, shown) = ended(&[own.clone(), unknown.clone(), known]);
    assert_eq!((shown, ended(&[own, unknown]).2), ("EUR -5.5".to_owned(), "unknown".to_owned()));
    assert_eq!(each, ["8.49", "unknown", "5.5"]);
    assert_eq!(told, format!("{more} more, net; nobody knows how much less"));
}

#[test]
fn what_a_remote_assigns_is_a_token_and_what_is_known_is_not() {
    let plan = plan();
    let requests: Vec<&Value> = plan.effects.iter().map(|effect| &effect.request).collect();
    assert_eq!(requests[0]["ip-range"], "10.7.0.0/16", "it was asked for");
    assert_eq!(requests[1]["networks"], json!(["{1.id}"]));
    assert_eq!(requests[1]["firewalls"], json!(["4711"]), "it was there before");
    assert_eq!(requests[2]["endpoints"]["db"], "{4.ip}:5432 on {1.id}");
    assert_eq!(plan.reads[0].request, json!({"id": "{3.0.id}"}));
    assert_eq!(plan.effects[1].step, "the server");
    assert_eq!(plan.eur_per_month.plain(), "8.49");
    let narrow = json!({"roles": {"db": ["cx33"], "other": ["cx23"]},
        "fallback-locations": {"nbg1": []}, "requests-per-hour": null});
    assert_eq!(plan.settings, narrow);
}

#[test]
fn values_are_replaced_where_they_stand_whole() {
    let mut values = Values::default();
    values.set("1.ip".to_owned(), "10.7.1.1".to_owned());
    values.set("2.id".to_owned(), "70001".to_owned());
    leaves(&json!({"v6": "2001:db8:7::/64"}), "3", &mut |token, text| {
        values.set(token, text.to_owned());
    });
    let rows = [
        ("2001:db8:7::/64", "{3.v6}"),
        ("2001:db8:7::1", "{3.v6.prefix}1"),
        ("2001:db8:7:1::1", "2001:db8:7:1::1"),
        ("10.7.1.1", "{1.ip}"),
        ("to 10.7.1.1.", "to {1.ip}."),
        ("10.7.1.1:443,70001", "{1.ip}:443,{2.id}"),
        ("10.7.1.10 and 110.7.1.1", "10.7.1.10 and 110.7.1.1"),
        ("10.7.1.1.5", "10.7.1.1.5"),
        ("Volume_70001", "Volume_{2.id}"),
        ("x70001", "x70001"),
        ("{ 22, 5432 } {", "{ 22, 5432 } {"),
        ("", ""),
    ];
    for (text, template) in rows {
        assert_eq!(values.template_text(text), template, "{text}");
        assert_eq!(values.fill_text(template), text, "{template}");
    }
    assert_eq!(values.fill_text("{9.id} {{1.ip}}"), "{9.id} {10.7.1.1}");
}

#[test]
fn an_unchanged_world_matches_with_other_ids_addresses_and_more_looks() {
    walk(plan(), &story(0, "800001", "10.7.1.3")).unwrap();
    walk(plan(), &story(0, "55", "10.7.1.9")).unwrap();
    walk(plan(), &story(5, "55", "10.7.1.9")).unwrap();
}

#[test]
fn each_difference_is_told_before_its_effect() {
    type Change = fn(&mut Vec<Noted>);
    fn effect(noted: &mut [Noted], place: usize) -> &mut Asked {
        match &mut noted[place] {
            Noted::Asked(asked) => asked,
            other => panic!("{other:?}"),
        }
    }
    let rows: [(&str, u32, &str, Change); 9] = [
        ("another name", 1, "request.name", |it| effect(it, 1).request["name"] = json!("x")),
        ("another operation", 1, "operation", |it| effect(it, 1).operation = "x.y.z".to_owned()),
        ("another choice", 2, "found.server-type", |it| {
            effect(it, 4).found = Some(json!({"server-type": "cpx32", "location": "nbg1"}));
        }),
        ("another price", 2, "eur-per-month", |it| {
            effect(it, 4).eur_per_month = Some("9.49".parse().unwrap());
        }),
        ("more in the scope", 2, "scope-count", |it| effect(it, 4).scope_count = Some(2)),
        ("another network", 2, "request.networks.0", |it| {
            effect(it, 4).request["networks"] = json!(["66"]);
        }),
        ("another state before", 3, "before", |it| effect(it, 8).before = Some(json!({"a": 1}))),
        ("another order", 1, "operation", |it| it.swap(1, 4)),
        ("one effect less", 2, "operation", |it| drop(it.drain(4..6))),
    ];
    for (row, place, way, change) in rows {
        let mut noted = story(0, "800001", "10.7.1.3");
        change(&mut noted);
        let left = walk(plan(), &noted).expect_err(row);
        assert_eq!(left.effect, place, "{row}: {left}");
        assert!(left.differences.iter().any(|it| it.starts_with(way)), "{row}: {left}");
        assert!(left.to_string().contains("planned"), "{row}: {left}");
    }
    let mut more = story(0, "800001", "10.7.1.3");
    more.push(note(asked("9", "audit.events.append", json!({}))));
    let left = walk(plan(), &more).unwrap_err();
    assert_eq!((left.effect, left.planned.as_str()), (4, "the end of the run"));
    let left = walk(plan(), &story(0, "800001", "10.7.1.3")[..6]).unwrap_err();
    assert_eq!((left.effect, left.actual.as_str()), (3, "the runbook ended"));
}

#[test]
fn another_start_is_told_with_both_sides() {
    let plan = plan();
    let (worlds, other) = (world("12:abc"), world("13:abc"));
    let inputs: BTreeMap<String, Value> = [("tenant".to_owned(), json!("bolt"))].into();
    let good = Start {
        runbook: "make@0.1.0",
        component: Digest::of(b"component"),
        manifest: Digest::of(b"manifest"),
        inputs: &plan.inputs,
        grant: Digest::of(b"grant"),
        worlds: &worlds,
        landmarks: &BTreeMap::new(),
    };
    assert_eq!(start(&plan, &good), [] as [&str; 0]);
    let another = Digest::of(b"another");
    let rows = [
        ("runbook", Start { runbook: "make@0.2.0", ..good }),
        ("component", Start { component: another, ..good }),
        ("runbook.toml", Start { manifest: another, ..good }),
        ("grant", Start { grant: another, ..good }),
        ("input.tenant", Start { inputs: &inputs, ..good }),
        ("world.hetzner.marker", Start { worlds: &other, ..good }),
    ];
    for (row, begun) in rows {
        let told = start(&plan, &begun);
        assert_eq!(told.len(), 1, "{row}: {told:?}");
        assert!(told[0].starts_with(&format!("{row}: planned `")), "{row}: {told:?}");
    }
}

#[test]
fn a_project_without_a_mark_is_known_by_what_stands_in_it() {
    let marks = |marks: &[&str]| -> BTreeMap<String, BTreeSet<String>> {
        [("hetzner".to_owned(), marks.iter().map(|it| (*it).to_owned()).collect())].into()
    };
    let unmarked = world("");
    let rows = [
        ("unchanged", marks(&["zones/1", "servers/2"]), true),
        ("most of it is gone", marks(&["servers/2", "servers/3"]), true),
        ("another", marks(&["zones/4"]), false),
        ("an empty one", marks(&[]), false),
    ];
    let landmarks = marks(&["zones/1", "servers/2"]);
    let plan = draft(Frame { worlds: unmarked.clone(), landmarks, ..frame() }, &[], End::Succeeds);
    for (row, actual, is_same) in rows {
        let begun = Start {
            runbook: "make@0.1.0",
            component: Digest::of(b"component"),
            manifest: Digest::of(b"manifest"),
            inputs: &plan.inputs,
            grant: Digest::of(b"grant"),
            worlds: &unmarked,
            landmarks: &actual,
        };
        let told = start(&plan, &begun);
        assert_eq!(told.is_empty(), is_same, "{row}: {told:?}");
        assert!(told.iter().all(|it| it.contains("planned") && it.contains("actual")), "{told:?}");
    }
}

#[test]
fn a_suggested_grant_keeps_what_is_asked_for_and_was_not_called() {
    let text = r#"version = 1
        expires = 2099-01-01T00:00:00Z
        on-failure = "hold"
        runbook.name = "make"
        scope.tenant = "acme"
        recovery.keep = ["dns.records.delete", "dns.records.set"]
        http.requests = [{ method = "GET", url = "https://a.example/" }]"#;
    let given = Given::of(&Grant::parse("given.toml", text).expect("it is sound"));
    let asks =
        vec!["run/recovery".to_owned(), "http/requests".to_owned(), "dns/records".to_owned()];
    let set = json!({"id": {"zone": "example.org", "name": "acme", "kind": "A"}, "ttl": 300});
    let foreign = Some(json!({"holder": "foreign"}));
    let noted = [note(Asked { found: foreign, ..asked("1", "dns.records.set", set) })];
    let plan = draft(Frame { given, asks, ..frame() }, &noted, End::Succeeds);
    let text = suggest(&plan, "2099-01-01T00:00:00Z");
    let grant = Grant::parse("suggested.toml", &text).expect(&text);
    let document = grant.document();
    assert_eq!(grant.on_failure(), Some(OnFailure::Hold));
    let recovery = document.recovery.as_ref().expect("a section");
    assert_eq!(recovery.keep, ["dns.records.delete"], "one line is enough");
    assert_eq!(document.http.as_ref().map(|http| http.requests.len()), Some(1));
    assert!(document.dns.as_ref().expect("a section").records[0].replace_foreign, "{text}");
}

#[test]
fn a_plan_is_read_strictly() {
    let text = plan().text().unwrap();
    assert_eq!(Plan::parse("plan.json", &text).unwrap(), plan());
    let rows = [
        ("empty", String::new(), "is no plan"),
        ("cut off", text[..text.len() / 2].to_owned(), "cut off"),
        ("another version", text.replacen("\"version\": 1", "\"version\": 2", 1), "version 2"),
        ("an unknown field", text.replacen('{', "{\"x\": 1,", 1), "unknown field `x`"),
        ("edited", text.replace("acme-db", "acme-dx"), "was changed"),
        ("no digest", text.replace("\"digest\": \"sha256:", "\"digest\": \"x"), "is no digest"),
    ];
    for (row, text, part) in rows {
        let error = Plan::parse("plan.json", &text).expect_err(row).to_string();
        assert!(error.contains(part), "{row}: {error}");
        assert!(error.contains("plan.json"), "{row}: {error}");
    }
}

#[test]
fn a_suggested_grant_is_sound_and_names_no_more_than_the_plan_does() {
    let text = suggest(&plan(), "2099-01-01T00:00:00Z");
    let grant = Grant::parse("suggested.toml", &text).expect(&text);
    let hetzner = grant.document().hetzner.as_ref().expect("a section");
    assert_eq!(hetzner.operations, ["networks.create", "servers.create", "servers.get"]);
    assert_eq!(hetzner.server_types, ["cx33"]);
    assert_eq!(hetzner.ssh_keys, ["ops"]);
    assert_eq!(hetzner.max_monthly_eur, Some("8.49".parse().unwrap()));
    assert_eq!((hetzner.counts.servers, hetzner.counts.volumes), (1, 0));
    assert_eq!(hetzner.user_data_sha256, [Digest::of(b"hello")]);
    assert_eq!(hetzner.networks[0].subnets, ["10.7.1.0/24"]);
    let registry = grant.document().registry.as_ref().expect("a section");
    assert_eq!((registry.tenants[0].id.as_str(), registry.tenants[0].octet), ("acme", 7));
    assert_eq!(grant.tenant(), Some("acme"));
}

#[test]
fn rows_name_step_choice_and_price() {
    let rows = rows(&plan());
    let shown: Vec<_> = rows.iter().map(|row| (&*row.step, &*row.resource, &*row.price)).collect();
    let expected = [
        ("the network", "acme-net (10.7.0.0/16)", "free"),
        ("the server", "acme-db (cx33 in nbg1)", "EUR 8.49"),
        ("the server", "it", "free"),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_state_before_is_planned_without_the_labels_that_name_its_run() {
    let set = |run: &str, role: &str| {
        json!({"set": {"ttl": 300, "records": [{"value": "192.0.2.1"}],
            "labels": {"runwrit/run": run, "runwrit/mac": "x", "role": role}}})
    };
    let expected = json!({"set": {"ttl": 300, "records": [{"value": "192.0.2.1"}],
        "labels": {"role": "web"}}});
    assert_eq!(without_proof(&set("one", "web")), expected);
    assert_eq!(without_proof(&set("one", "web")), without_proof(&set("other", "web")));
    assert_ne!(without_proof(&set("one", "web")), without_proof(&set("one", "db")));
}
