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

fn with_grant(bench: &Bench, text: &str) -> Order {
    let grant = bench.path("suggested.toml");
    fs::write(&grant, text).expect("writable");
    Order { grant, ..Order::provision() }
}
