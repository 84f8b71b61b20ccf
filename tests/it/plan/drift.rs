//! Ten ways in which the world, or what is given, is no longer as planned.

use std::fs;

use runwrit_model::plan::Plan;
use serde_json::{Value, json};

use super::bench::{Bench, Ended, OTHER_TOKEN, Order, TOKEN};

/// A change between plan and run, which may order something else.
type Change = fn(&Bench, &mut Order);

/// Plans, lets something change, applies, and requires that the run left its plan with nothing left
/// of it, before it sent any request to `unsent`. `part` is what the message must show.
async fn expect_departure(
    bench: Bench,
    order: Order,
    change: Change,
    (part, unsent): (&str, (&str, &str)),
) -> Ended {
    let planned = bench.plan(&order).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let mut order = order;
    change(&bench, &mut order);
    let before = bench.alive();
    let sent = || bench.cloud.desk().request_count(unsent.0, unsent.1);
    let sent_before = sent();
    let ended = bench.apply(&order).await;
    assert_eq!(ended.code, Some(6), "{ended:?}");
    for text in ["planned", "actual", part] {
        assert!(ended.stdout.contains(text), "`{text}` is not told: {ended:?}");
    }
    assert_eq!(sent(), sent_before, "`{unsent:?}` was sent and undone: {ended:?}");
    // Names go first and come back, as long as the gateway stands that they lead to.
    assert_eq!(bench.alive(), before, "something was left, or something else was touched");
    ended
}

/// Of what a change between plan and run does to a provisioning, and what is told about it.
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_before_a_provisioning_stops_it_before_the_effect_that_differs() {
    let rows: [(&str, Change, &str, &str); 4] = [
        (
            "a resource appeared",
            |bench, _| {
                let range = json!({"name": "acme-net", "ip_range": "10.7.0.0/16"});
                bench.by_hand(TOKEN, "POST", "/networks", range);
            },
            "acme-net",
            "/networks",
        ),
        (
            "the stock is gone",
            |bench, _| {
                bench.cloud.desk().set_stock("cx23", "nbg1", false);
            },
            "`cx23` in `nbg1`",
            "/servers",
        ),
        (
            "a price changed",
            |bench, _| {
                let mut pricing = bench.cloud.desk().pricing(TOKEN);
                raise(&mut pricing, "cx33");
                bench.cloud.desk().set_pricing(&pricing);
            },
            "eur-per-month: planned `8.49`, actual `9.99`",
            "/servers",
        ),
        (
            "another order",
            |bench, _| {
                let text = fs::read_to_string(bench.path("plan.json")).expect("it was written");
                let mut plan = Plan::parse("plan.json", &text).expect("it is sound");
                let place = |plan: &Plan, operation: &str| {
                    plan.effects.iter().position(|it| it.operation == operation).expect("planned")
                };
                let network = place(&plan, "hetzner.networks.create");
                let firewall = place(&plan, "hetzner.firewalls.create");
                plan.effects.swap(network, firewall);
                fs::write(bench.path("plan.json"), plan.sealed().text().expect("short")).unwrap();
            },
            "operation: planned `hetzner.firewalls.create`, actual `hetzner.networks.create`",
            "/networks",
        ),
    ];
    for (row, change, part, unsent) in rows {
        let bench = Bench::start().await;
        let told = (part, ("POST", unsent));
        let ended = expect_departure(bench, Order::provision(), change, told).await;
        let outcome = "\"outcome\":\"left-plan\"";
        assert!(ended.stdout.contains(outcome), "{row}: {ended:?}");
    }
}

/// Raises the price of a type of servers everywhere.
pub fn raise(pricing: &mut Value, kind: &str) {
    let types = pricing["server_types"].as_array_mut().expect("a list");
    let kind = types.iter_mut().find(|it| it["name"] == kind).expect("a known type");
    for price in kind["prices"].as_array_mut().expect("a list") {
        price["price_monthly"]["net"] = json!("9.9900000000");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_before_a_deprovisioning_stops_it_before_the_effect_that_differs() {
    let rows: [(&str, Change, &str); 2] = [
        (
            "a resource vanished",
            |bench, _| {
                let id = bench.id_of("acme-db");
                bench.by_hand(TOKEN, "DELETE", &format!("/servers/{id}"), json!(null));
                bench.cloud.desk().advance(std::time::Duration::from_secs(60));
            },
            "found.name: planned `acme-db`, actual `acme-worker-1`",
        ),
        (
            "a resource changed",
            |bench, _| {
                let id = bench.id_of("acme-db");
                let report = bench.cloud.desk().leaks("runwrit/run").expect("a sound selector");
                let thing =
                    report.alive.into_iter().find(|thing| thing.id == id).expect("it stands");
                let mut labels = json!(thing.labels);
                labels["role"] = json!("bastion");
                bench.by_hand(TOKEN, "PUT", &format!("/servers/{id}"), json!({"labels": labels}));
            },
            "found.labels.role: planned `db`, actual `bastion`",
        ),
    ];
    for (row, change, part) in rows {
        let bench = Bench::provisioned().await;
        let told = (part, ("DELETE", "/servers/**"));
        let ended = expect_departure(bench, Order::deprovision(), change, told).await;
        assert!(ended.stdout.contains("before effect 3 of"), "{row}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_not_go_back_by_itself_leaves_its_plan_held_and_says_so() {
    let bench = Bench::start().await;
    let mut order = Order::provision();
    let text = fs::read_to_string(&order.grant).expect("a grant");
    order.grant = bench.path("holding.toml");
    fs::write(&order.grant, format!("on-failure = \"hold\"\n{text}")).expect("writable");
    let planned = bench.plan(&order).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let mut pricing = bench.cloud.desk().pricing(TOKEN);
    raise(&mut pricing, "cx33");
    bench.cloud.desk().set_pricing(&pricing);
    let ended = bench.apply(&order).await;
    assert_eq!(ended.code, Some(6), "{ended:?}");
    for text in ["planned `8.49`, actual `9.99`", "\"outcome\":\"left-plan\""] {
        assert!(ended.stdout.contains(text), "`{text}` is not told: {ended:?}");
    }
    assert_eq!(bench.cloud.desk().request_count("POST", "/servers"), 0, "{ended:?}");
    let held = bench.alive();
    assert!(held.iter().any(|it| it.ends_with("acme-net")), "{held:?}");
    let runs = bench.type_in(&["runs", "--json"], TOKEN).await.stdout;
    let run: Value = serde_json::from_str(runs.trim()).expect("one run");
    assert_eq!(run["state"]["ended"], "held", "{run}");
    let run = run["run"].as_str().expect("an id");
    let gone = bench.type_in(&["rollback", run], TOKEN).await;
    assert_eq!(gone.code, Some(6), "{gone:?}");
    assert!(gone.stderr.contains("left its plan and was rolled back"), "{gone:?}");
    assert_eq!(bench.alive(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_project_stops_the_start_where_no_run_has_marked_either() {
    let bench = Bench::start().await;
    let planned = bench.plan(&Order::provision()).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let before = bench.changes();
    let other = Order { token: OTHER_TOKEN, ..Order::provision() };
    let refused = bench.apply(&other).await;
    assert_eq!(refused.code, Some(6), "{refused:?}");
    for text in ["world.hetzner: planned", "actual"] {
        assert!(refused.stderr.contains(text), "`{text}` is not told: {refused:?}");
    }
    assert_eq!(bench.changes(), before, "nothing was sent that changes anything");
    let made = bench.apply(&Order::provision()).await;
    assert_eq!(made.code, Some(0), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_otherwise_than_planned_refuses_the_start() {
    let rows: [(&str, Change, &str); 4] = [
        ("other inputs", |_, order| order.inputs[1] = "octet=8".to_owned(), "input.octet"),
        (
            "another component",
            |bench, order| {
                let folder = bench.path("package");
                fs::create_dir_all(&folder).expect("writable");
                for name in ["runbook.toml", "component.wasm"] {
                    let mut bytes = fs::read(order.package.join(name)).expect("a package");
                    if name.ends_with("wasm") {
                        // A section of its own that nothing reads.
                        bytes.extend([0, 2, 1, b'x']);
                    }
                    fs::write(folder.join(name), bytes).expect("writable");
                }
                runwrit_keyring::sign(&folder);
                order.package = folder;
            },
            "component: planned",
        ),
        (
            "another grant",
            |bench, order| {
                let text = fs::read_to_string(&order.grant).expect("a grant");
                let wider = bench.path("wider.toml");
                fs::write(&wider, text.replace("95.00", "96.00")).expect("writable");
                order.grant = wider;
            },
            "grant: planned",
        ),
        ("another project", |_, order| order.token = OTHER_TOKEN, "world.hetzner.marker"),
    ];
    for (row, change, part) in rows {
        // The project has its mark, so that another one differs from it.
        let bench = Bench::provisioned().await;
        let gone = bench.run(&Order::deprovision(), &[]).await;
        assert_eq!(gone.code, Some(0), "{row}: {gone:?}");
        let runs = |bench: &Bench| bench.changes();
        let before = runs(&bench);
        let planned = bench.plan(&Order::provision()).await;
        assert_eq!(planned.code, Some(0), "{row}: {planned:?}");
        let mut order = Order::provision();
        change(&bench, &mut order);
        let ended = bench.apply(&order).await;
        assert_eq!(ended.code, Some(6), "{row}: {ended:?}");
        for text in ["planned", "actual", part] {
            assert!(ended.stderr.contains(text), "{row}: `{text}` is not told: {ended:?}");
        }
        assert_eq!(runs(&bench), before, "{row}: nothing was sent that changes anything");
    }
}
