//! The smallest grant for a plan lets it run, and no line of it can be spared.

use std::fs;

use super::bench::{Bench, Order, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn a_suggested_grant_is_enough_and_each_line_of_it_is_needed() {
    let bench = Bench::start().await;
    let planned = bench.plan(&Order::provision()).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let plan = bench.path("plan.json").display().to_string();
    let suggested = bench.type_in(&["grants", "suggest", &plan], TOKEN).await;
    assert_eq!(suggested.code, Some(0), "{suggested:?}");

    let before = bench.changes();
    let lines: Vec<&str> = suggested.stdout.lines().collect();
    let needed = |line: &&usize| !lines[**line].is_empty() && !lines[**line].starts_with('#');
    let places: Vec<usize> = (0..lines.len()).collect();
    for place in places.iter().filter(needed) {
        let mut fewer = lines.clone();
        let line = fewer.remove(*place);
        let order = with_grant(&bench, &fewer.join("\n"));
        let refused = bench.plan(&order).await;
        let is_denied = refused.code == Some(1) && refused.stderr.contains("was refused");
        let is_refused = matches!(refused.code, Some(2 | 5)) || is_denied;
        assert!(is_refused, "`{line}` can be spared: {refused:?}");
    }
    assert_eq!(bench.changes(), before);

    let made = bench.run(&with_grant(&bench, &suggested.stdout), &[]).await;
    assert_eq!(made.code, Some(0), "{made:?}\n{}", suggested.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suggested_grant_is_enough_for_each_runbook() {
    let bench = Bench::provisioned().await;
    let check = || Order::of("check-tenant", &["tenant=acme"]);
    let rows: [(&str, Order); 2] = [("check", check()), ("deprovision", Order::deprovision())];
    for (row, order) in rows {
        let again = suggest(&bench, &order).await;
        let planned = bench.plan(&again).await;
        assert_eq!(planned.code, Some(0), "{row}: {planned:?}");
    }
    // Without names nothing of `[recovery]` is called, and it is asked for all the same.
    let zone = bench.id_of("example.org");
    for kind in ["A", "AAAA"] {
        let path = format!("/zones/{zone}/rrsets/acme/{kind}");
        bench.by_hand(TOKEN, "DELETE", &path, serde_json::json!(null));
    }
    let held = bench.path("held.toml");
    let grant = fs::read_to_string(Order::deprovision().grant).expect("an example");
    let grant = grant.replacen("version = 1\n", "version = 1\non-failure = \"hold\"\n", 1);
    fs::write(&held, grant).expect("writable");
    let again = suggest(&bench, &Order { grant: held, ..Order::deprovision() }).await;
    let planned = bench.plan(&again).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let suggested = fs::read_to_string(&again.grant).expect("it was just written");
    assert!(suggested.contains("on-failure = \"hold\""), "{suggested}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_replaces_the_set_of_another_is_suggested_as_such() {
    let bench = Bench::start().await;
    let zone = bench.id_of("example.org");
    let set = serde_json::json!({"name": "acme", "type": "A", "ttl": 300,
        "records": [{"value": "203.0.113.9"}]});
    bench.by_hand(TOKEN, "POST", &format!("/zones/{zone}/rrsets"), set);
    let wider = bench.path("wider.toml");
    let grant = fs::read_to_string(Order::provision().grant).expect("an example");
    let grant = grant.replace("max-ttl = 300\n", "max-ttl = 300\nreplace-foreign = true\n");
    fs::write(&wider, grant).expect("writable");
    let again = suggest(&bench, &Order { grant: wider, ..Order::provision() }).await;
    let planned = bench.plan(&again).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
}

/// Plans an order, and returns it under the grant that its plan suggests.
pub async fn suggest(bench: &Bench, order: &Order) -> Order {
    let planned = bench.plan(order).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let plan = bench.path("plan.json").display().to_string();
    let suggested = bench.type_in(&["grants", "suggest", &plan], TOKEN).await;
    assert_eq!(suggested.code, Some(0), "{suggested:?}");
    let grant = bench.path("smaller.toml");
    fs::write(&grant, &suggested.stdout).expect("writable");
    Order { grant, ..order.clone() }
}

fn with_grant(bench: &Bench, text: &str) -> Order {
    let grant = bench.path("suggested.toml");
    fs::write(&grant, text).expect("writable");
    Order { grant, ..Order::provision() }
}
