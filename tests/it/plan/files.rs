//! Files that are no plan, or no longer the one that was made.

use std::fs;

use super::bench::{Bench, Order};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_plan_file_is_refused_with_clear_words() {
    let bench = Bench::start().await;
    let planned = bench.plan(&Order::provision()).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let text = fs::read_to_string(bench.path("plan.json")).expect("it was written");
    let before = bench.changes();
    let rows = [
        ("cut off", text[..text.len() / 2].to_owned(), "cut off"),
        ("empty", String::new(), "no plan"),
        ("of another version", text.replacen("\"version\": 1", "\"version\": 9", 1), "version 9"),
        ("edited", text.replace("acme-db", "acme-xx"), "was changed since it was made"),
        ("with another field", text.replacen('{', "{\"why\": 1,", 1), "unknown field `why`"),
        ("too large", " ".repeat(600 << 10), "too large"),
    ];
    for (row, text, part) in rows {
        fs::write(bench.path("plan.json"), text).expect("writable");
        let refused = bench.apply(&Order::provision()).await;
        assert_eq!(refused.code, Some(2), "{row}: {refused:?}");
        assert!(refused.stderr.contains(part), "{row}: {refused:?}");
        assert!(refused.stderr.contains("plan.json"), "{row}: {refused:?}");
    }
    fs::remove_file(bench.path("plan.json")).expect("it is there");
    let missing = bench.apply(&Order::provision()).await;
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert_eq!(bench.changes(), before, "nothing was sent");
}
