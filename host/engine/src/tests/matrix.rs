//! Kills at every boundary, in every weather: nothing leaks, nothing is doubled, the end is right.

use runwrit_model::event::RunOutcome::{self, Differs, FailedClean, RolledBack, Succeeded};

use std::time::Duration;

use super::Bench;
use super::Exit;
use super::cloud::Weather;
use super::fuse::Fuse;
use super::play::Act::{self, *};

/// A toy runbook and what it must lead to.
struct Row {
    name: &'static str,
    acts: &'static [Act],
    outcome: RunOutcome,
    standing: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        name: "success",
        acts: &[
            Step("net"),
            Net("net"),
            Note("it is there"),
            Servers(&["one", "two"]),
            Read("net"),
            Link("one", "two"),
            Log("done"),
        ],
        outcome: Succeeded,
        standing: &["net", "one", "one-two", "two"],
    },
    Row {
        name: "failure at the end",
        acts: &[Net("net"), Servers(&["one", "two"]), Link("one", "two"), Fail],
        outcome: RolledBack,
        standing: &[],
    },
    Row {
        name: "differences at the end",
        acts: &[Net("net"), Servers(&["one", "two"]), Differ],
        outcome: Differs,
        standing: &[],
    },
    Row {
        name: "trap after the first call",
        acts: &[Net("net"), Trap],
        outcome: RolledBack,
        standing: &[],
    },
    Row {
        name: "failure before any call",
        acts: &[Step("nothing"), Fail],
        outcome: FailedClean,
        standing: &[],
    },
    Row {
        name: "cancel in the middle",
        acts: &[Net("net"), Server("one"), Cancel, Server("two"), Link("one", "two")],
        outcome: RolledBack,
        standing: &[],
    },
    Row {
        name: "cancel before the end",
        acts: &[Net("net"), Server("one"), Cancel],
        outcome: RolledBack,
        standing: &[],
    },
    Row {
        name: "a refused batch",
        acts: &[Net("net"), Servers(&["one", "forbidden"])],
        outcome: RolledBack,
        standing: &[],
    },
    Row {
        name: "a long and a short sleep",
        acts: &[Net("net"), Sleep(7_200), Server("one"), Sleep(3), Server("two")],
        outcome: Succeeded,
        standing: &["net", "one", "two"],
    },
    Row {
        name: "a creation without a unique name",
        acts: &[Marked("mark"), Net("net")],
        outcome: Succeeded,
        standing: &["mark", "net"],
    },
    Row {
        name: "a creation without a unique name, rolled back",
        acts: &[Marked("mark"), Net("net"), Fail],
        outcome: RolledBack,
        standing: &[],
    },
    Row {
        name: "a key that the cloud does not keep unique",
        acts: &[Twin("mark"), Net("net")],
        outcome: Succeeded,
        standing: &["mark", "net"],
    },
    Row {
        name: "a key that the cloud does not keep unique, rolled back",
        acts: &[Twin("mark"), Net("net"), Fail],
        outcome: RolledBack,
        standing: &[],
    },
    Row {
        name: "keep",
        acts: &[Net("net"), Keep, Server("one"), Fail],
        outcome: RolledBack,
        standing: &["net"],
    },
];

/// Checks the end of a run after everything that was on its way has landed.
async fn check(bench: &Bench, row: &Row, outcome: RunOutcome, context: &str) {
    bench.clock.advance(Duration::from_secs(86_400));
    assert_eq!(outcome, row.outcome, "{context}: the ending");
    assert_eq!(bench.cloud.standing(), row.standing, "{context}: what stands");
    assert_eq!(bench.cloud.doubled(), Vec::<String>::new(), "{context}: what was doubled");
    bench
        .store
        .verify_chain(bench.run())
        .await
        .unwrap_or_else(|error| panic!("{context}: {error}"));
}

/// Kills one run at each boundary until no boundary is left; returns how many there were.
async fn kill_everywhere(row: &Row, weather: Weather) -> u64 {
    for boundary in 0.. {
        let bench = Bench::new(row.acts, weather).await;
        let fuses = if boundary == 0 { vec![] } else { vec![boundary] };
        let (outcome, killed) = bench.to_end(&fuses).await;
        let context = format!("{}, {weather:?}, killed at {boundary} {killed:?}", row.name);
        check(&bench, row, outcome, &context).await;
        if boundary > 0 && killed.is_empty() {
            return boundary - 1;
        }
    }
    unreachable!("a run has an end")
}

#[tokio::test]
async fn a_kill_at_any_boundary_leaks_nothing_and_doubles_nothing() {
    for row in ROWS {
        let boundaries = kill_everywhere(row, Weather::Calm).await;
        assert!(boundaries >= 6, "{}: only {boundaries} boundaries were met", row.name);
    }
}

#[tokio::test]
async fn a_kill_in_bad_weather_leaks_nothing_and_doubles_nothing() {
    for weather in [Weather::LostReply, Weather::LostRequest, Weather::Late(4_000)] {
        for row in ROWS {
            kill_everywhere(row, weather).await;
        }
    }
}

#[tokio::test]
async fn what_fails_after_its_effect_is_rolled_back() {
    for row in ROWS.iter().filter(|row| row.outcome != FailedClean && row.name != "keep") {
        let row = Row { outcome: RolledBack, standing: &[], ..*row };
        for weather in [Weather::FailsAfterEffect, Weather::RefusesAgain] {
            kill_everywhere(&row, weather).await;
        }
    }
}

#[tokio::test]
async fn kills_during_recovery_leak_nothing() {
    for row in &ROWS[..2] {
        for weather in [Weather::Calm, Weather::Late(4_000)] {
            // Steps of different size meet different pairs and triples of places.
            for first in (1..60).step_by(3) {
                let bench = Bench::new(row.acts, weather).await;
                let fuses = [first, 1 + first % 17, 1 + first % 11, 1 + first % 5];
                let (outcome, killed) = bench.to_end(&fuses).await;
                let context = format!("{}, {weather:?}, killed at {killed:?}", row.name);
                check(&bench, row, outcome, &context).await;
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_stops_the_process_and_the_next_one_recovers() {
    for is_written in [false, true] {
        for row in &ROWS[..2] {
            for from in 1.. {
                let bench = Bench::new(row.acts, Weather::Calm).await;
                let refusal = super::Refusal { from, is_written, ..Default::default() };
                let refusal = std::sync::Arc::new(refusal);
                let exit = bench.process(Fuse::default(), Some(refusal.clone())).await;
                let has_refused = refusal.has_refused.load(std::sync::atomic::Ordering::SeqCst);
                let is_refused = matches!(exit, Exit::Ended(Err(_)));
                assert_eq!(has_refused, is_refused, "{}: write {from}: {exit:?}", row.name);
                if !has_refused {
                    break;
                }
                let (outcome, _) = bench.to_end(&[]).await;
                let context = format!("{}, write {from} failed ({is_written})", row.name);
                check(&bench, row, outcome, &context).await;
            }
        }
    }
}
