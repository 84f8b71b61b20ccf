//! A plan changes nothing, and is done to its last effect where nothing changed meanwhile.

use runwrit_model::plan::{End, Plan};
use runwrit_simulator::hetzner::{Fault, Rule};

use super::bench::{Bench, Order};

fn read(bench: &Bench) -> Plan {
    let text = std::fs::read_to_string(bench.path("plan.json")).expect("it was written");
    Plan::parse("plan.json", &text).expect("it is sound")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_planned_made_planned_again_and_removed_as_planned() {
    let bench = Bench::start().await;
    let before = bench.changes();
    let planned = bench.plan(&Order::provision()).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let first = read(&bench);
    let again = bench.plan(&Order::provision()).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(read(&bench), first, "an unchanged world gives the same plan");
    assert_eq!(bench.changes(), before, "a plan sends nothing that changes anything");
    assert_eq!(first.end, End::Succeeds);
    let operations: Vec<&str> = first.effects.iter().map(|it| it.operation.as_str()).collect();
    assert_eq!(operations.first(), Some(&"registry.tenants.reserve"), "{operations:?}");
    assert!(first.effects.iter().any(|it| it.request.to_string().contains("{")), "no token");
    for text in ["acme-gateway (cx23 in nbg1)", "EUR 5.99", "together EUR 23.", "assumed"] {
        assert!(planned.stdout.contains(text), "`{text}` is missing from\n{}", planned.stdout);
    }

    let made = bench.apply(&Order::provision()).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let alive = bench.alive();
    assert!(alive.iter().any(|thing| thing == "server acme-db"), "{alive:?}");
    let runs = bench.type_in(&["runs"], super::bench::TOKEN).await;
    let costs = format!("tenant:acme costs EUR {} a month now", first.eur_per_month.plain());
    assert!(runs.stdout.contains(&costs), "{runs:?}");

    let twice = bench.apply(&Order::provision()).await;
    assert_eq!(twice.code, Some(6), "what is done already cannot be done as planned: {twice:?}");
    assert_eq!(bench.alive(), alive, "and nothing is undone that another run made");

    let before = bench.changes();
    let planned = bench.plan(&Order::deprovision()).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    assert_eq!(bench.changes(), before);
    assert!(planned.stdout.contains("(acme-db)"), "{}", planned.stdout);
    let gone = bench.apply(&Order::deprovision()).await;
    assert_eq!(gone.code, Some(0), "{gone:?}");
    assert_eq!(bench.alive(), Vec::<String>::new());
    let runs = bench.type_in(&["runs"], super::bench::TOKEN).await;
    assert!(!runs.stdout.contains("a month now"), "{runs:?}");
}

/// Returns the run that was killed.
async fn interrupted(bench: &Bench) -> String {
    let runs = bench.type_in(&["runs"], super::bench::TOKEN).await;
    let line = runs.stdout.lines().find(|line| line.contains("interrupted"));
    let run = line.and_then(|line| line.split_whitespace().next());
    run.expect("one was killed").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_goes_on_by_its_plan() {
    let place = "result-noted/hetzner.networks.create:1";
    for has_drifted in [false, true] {
        let bench = Bench::start().await;
        assert_eq!(bench.plan(&Order::provision()).await.code, Some(0));
        let killed = bench.apply_until(&Order::provision(), place).await;
        assert_eq!(killed.code, None, "{killed:?}");
        if has_drifted {
            let mut pricing = bench.cloud.desk().pricing(super::bench::TOKEN);
            super::drift::raise(&mut pricing, "cx33");
            bench.cloud.desk().set_pricing(&pricing);
        }
        let run = interrupted(&bench).await;
        let resumed = bench.type_in(&["resume", &run, "--json"], super::bench::TOKEN).await;
        let (code, things) = if has_drifted { (6, 0) } else { (0, 12) };
        assert_eq!(resumed.code, Some(code), "{resumed:?}");
        assert_eq!(bench.alive().len(), things, "{:?}", bench.alive());
        let again = bench.type_in(&["resume", &run, "--json"], super::bench::TOKEN).await;
        assert_eq!(again.code, Some(code), "the end is told again: {again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_what_would_fail_says_so_and_cannot_be_run() {
    let bench = Bench::start().await;
    for kind in ["cx23", "cpx22"] {
        bench.cloud.desk().set_stock(kind, "nbg1", false);
    }
    let before = bench.changes();
    let planned = bench.plan(&Order::provision()).await;
    assert_eq!(planned.code, Some(1), "{planned:?}");
    assert!(planned.stderr.contains("the run would fail"), "{planned:?}");
    let refused = bench.apply(&Order::provision()).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert_eq!(bench.changes(), before);
    assert!(matches!(read(&bench).end, End::Fails(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_refuses_its_reads_fails_the_plan_without_an_effect() {
    let bench = Bench::start().await;
    let before = bench.changes();
    let fault = Fault::Refuse { status: 403, code: "forbidden".into(), message: "no".into() };
    bench.cloud.desk().add_fault(Rule { times: 0, ..Rule::once("GET", "/volumes", fault) });
    let planned = bench.plan(&Order::provision()).await;
    assert_eq!(planned.code, Some(2), "{planned:?}");
    assert!(planned.stderr.contains("nothing was touched"), "{planned:?}");
    assert_eq!(bench.changes(), before);
}
