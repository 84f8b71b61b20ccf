//! A guest that tries to get out by a name: every escape is refused for the rule expected, and no
//! request that changes anything is seen by the server. With the feature `breakable` each rule is
//! switched off once, and the rows that rest on it must fail.

use serde_json::{Value, json};

use super::{RECORDS, code, declare, grant, plant, plant_owned, staged_with};
use crate::bindings::runwrit::dns::records;
use crate::gate::CallError;
use crate::hetzner::tests::bench::{Bench, Planted, run};

/// One escape.
struct Row {
    name: &'static str,
    /// What must refuse it.
    rule: &'static str,
    grant: String,
    /// Whose set stands there before, where one does.
    planted: Option<Planted>,
    zone: &'static str,
    record: &'static str,
    kind: &'static str,
    ttl: Option<u32>,
    value: &'static str,
}

/// A row that differs from what is granted in nothing yet.
fn row(name: &'static str, rule: &'static str) -> Row {
    Row {
        name,
        rule,
        grant: grant(),
        planted: None,
        zone: "example.org",
        record: "acme",
        kind: "A",
        ttl: Some(300),
        value: "192.0.2.1",
    }
}

/// Escapes by what is addressed; they are tried with every operation that changes something.
fn addressed(operation: &str) -> Vec<Row> {
    let named = |name, rule, record| Row { record, ..row(name, rule) };
    let zoned = |name, rule, zone| Row { zone, ..row(name, rule) };
    let typed = |name, rule, kind, value| Row { kind, value, ..row(name, rule) };
    let owned = |name, owner| Row { planted: Some(owner), ..row(name, "record-not-ours") };
    let text = RECORDS.replace(&format!("\"records.{operation}\""), "\"records.zones\"");
    let text = text.replace("[\"records.zones\", ", "[");
    let without = grant().replace(RECORDS, &text);
    let expired = grant().replace("2030-01-01", "2020-01-01");
    vec![
        zoned("another zone", "record-not-granted", "example.net"),
        zoned("a zone that ends alike", "record-not-granted", "badexample.org"),
        zoned("a zone with Cyrillic", "name-not-ascii", "exаmple.org"),
        zoned("a path for a zone", "name-malformed", "example.org/../example.net"),
        named("another name", "record-not-granted", "bolt"),
        named("another name in capitals", "record-not-granted", "BOLT"),
        named("a name below", "record-not-granted", "www.acme"),
        named("the zone itself", "record-not-granted", "@"),
        named("the zone itself in full", "record-not-granted", "example.org."),
        named("a wildcard", "name-wildcard", "*"),
        named("a wildcard below", "name-wildcard", "*.acme"),
        named("another zone in full", "name-outside-zone", "acme.example.net."),
        named("the zone repeated", "name-ambiguous", "acme.example.org"),
        named("Cyrillic", "name-not-ascii", "аcme"),
        named("a Kelvin sign", "name-not-ascii", "ac\u{212a}"),
        named("zero width", "name-not-ascii", "ac\u{200b}me"),
        named("an escaped dot", "name-malformed", "acme\\046x"),
        named("a path", "name-malformed", "acme/../bolt"),
        named("punycode that looks alike", "record-not-granted", "xn--cme-7cd"),
        typed("another type", "record-type-not-granted", "TXT", "\"x\""),
        typed("the servers of the zone", "record-type-not-granted", "NS", "ns.evil.example."),
        Row {
            record: "@",
            ..typed("the servers of the whole zone", "zone-servers", "NS", "ns.evil.example.")
        },
        owned("somebody's", Planted::Unlabelled),
        owned("another tenant's", Planted::OtherTenant),
        owned("that of another host", Planted::OtherInstallation),
        owned("with copied labels", Planted::Forged),
        Row { grant: without, ..row("operation absent", "operation-not-granted") },
        Row { grant: expired, ..row("grant expired", "grant-expired") },
    ]
}

/// Escapes by what is declared.
fn declared() -> Vec<Row> {
    let lasting = |name, rule, ttl| Row { ttl, ..row(name, rule) };
    let valued = |name, value| Row { value, ..row(name, "value-malformed") };
    vec![
        lasting("a second too long", "ttl-too-long", Some(301)),
        lasting("for ever", "ttl-too-long", Some(2_147_483_647)),
        lasting("as long as the zone says", "ttl-too-long", None),
        lasting("beyond what there is", "ttl-out-of-range", Some(u32::MAX)),
        lasting("not at all", "ttl-out-of-range", Some(0)),
        valued("a second record in the value", "192.0.2.1\n@ 300 IN NS ns.evil.example."),
        valued("a name for an address", "evil.example."),
        valued("zeros before", "192.0.2.001"),
    ]
}

async fn attempt(bench: &mut Bench, operation: &str, row: &Row) -> Result<(), CallError> {
    let Row { zone, record, kind, ttl, value, .. } = row;
    let texts = || ((*zone).to_owned(), (*record).to_owned(), (*kind).to_owned());
    let (zone, name, kind) = texts();
    match operation {
        "set" => {
            let values = vec![(*value).to_owned()];
            let set = records::RecordSet { zone, name, kind, ttl: *ttl, values };
            declare(bench, set).await.map(drop)
        }
        _ => records::Host::delete(&mut bench.guest, zone, name, kind).await,
    }
}

/// Tries one escape. Returns what is wrong with how it was refused.
fn outcome(operation: &str, row: &Row) -> Result<(), String> {
    run(async {
        let mut bench = staged_with(&row.grant).await;
        let held = (Value::from(300), &["198.51.100.1"][..]);
        // Something to be deleted stands under the other names.
        plant(&bench, "bolt", "A", held.clone()).await;
        plant(&bench, "www.acme", "A", held.clone()).await;
        plant(&bench, "acme", "TXT", (json!(300), &["\"x\""])).await;
        if let Some(owner) = row.planted {
            plant_owned(&bench, ("acme", "A"), held, owner).await;
        }
        let answer = attempt(&mut bench, operation, row).await;
        let found = code(answer);
        if found != row.rule {
            return Err(format!("expected `{}`, got `{found}`", row.rule));
        }
        match bench.mutations() - bench.planted.get() {
            0 => Ok(()),
            sent => Err(format!("{sent} requests that change something were seen")),
        }
    })
}

fn table() -> Vec<(&'static str, Row)> {
    let set = addressed("set").into_iter().chain(declared()).map(|row| ("set", row));
    set.chain(addressed("delete").into_iter().map(|row| ("delete", row))).collect()
}

#[test]
fn every_escape_is_refused_for_the_rule_expected() {
    let mut wrong = Vec::new();
    for (operation, row) in table() {
        if let Err(text) = outcome(operation, &row) {
            wrong.push(format!("{operation} with {}: {text}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_granted_gets_through() {
    for operation in ["set", "delete"] {
        let open = Row { planted: Some(Planted::Ours), ..row("what is granted", "") };
        let told = outcome(operation, &open).unwrap_err();
        assert!(told.contains("Ok("), "{operation}: {told}");
    }
}

/// Switches one rule off at a time: each row must then get out, or be refused by another rule.
#[cfg(feature = "breakable")]
#[test]
fn every_single_rule_is_needed() {
    use runwrit_model::breakable::with_broken;

    let rows = table();
    let mut needless = Vec::new();
    for (operation, row) in &rows {
        if with_broken(row.rule, || outcome(operation, row)).is_ok() {
            needless.push(format!("`{}`: {operation} with {}", row.rule, row.name));
        }
    }
    assert!(needless.is_empty(), "refused although switched off:\n{}", needless.join("\n"));
    for (operation, row) in rows.iter().filter(|(_, row)| row.name == "with copied labels") {
        let is_refused = with_broken("label-mac", || outcome(operation, row)).is_ok();
        assert!(!is_refused, "the proof of labels is not needed: {operation}");
    }
}
