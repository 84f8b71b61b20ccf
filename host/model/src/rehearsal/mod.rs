//! Thousands of runs in virtual time: workers that die, sleep and take over, a cloud that lands
//! late and loses answers, and the very functions that decide in the product.
//!
//! `RUNWRIT_SEEDS=100000` rehearses more seeds than the default; a failing one is printed.

mod cloud;
mod script;
mod stage;
mod worker;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::breakable::with_broken;

use self::stage::Stage;

/// What may happen to a run, from quiet to wild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Nothing dies; the cloud misbehaves.
    Calm,
    /// Processes are killed.
    Crashes,
    /// Processes are also stopped, taken over and woken again.
    Zombies,
}

/// Small and fast: the source is Vigna's SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Returns true this often in a hundred.
    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

fn seeds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a nightly job rehearses more")]
    let text = std::env::var("RUNWRIT_SEEDS").ok();
    text.map_or(300, |text| text.parse().expect("RUNWRIT_SEEDS is a number"))
}

/// Rehearses one run; panics with the rule that it violated.
fn rehearse(seed: u64, weather: Weather) -> Stage {
    let mut stage = Stage::new(seed, weather);
    stage.play();
    stage
}

/// Returns the violation that a run meets with a rule broken, if it meets one.
fn violation(rule: &str, weather: Weather, seed: u64) -> Option<String> {
    let run = || with_broken(rule, || drop(rehearse(seed, weather)));
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

#[test]
fn no_weather_leaks_doubles_or_lies() {
    let mut endings = std::collections::BTreeMap::<String, u32>::new();
    let mut crashes = 0;
    for weather in [Weather::Calm, Weather::Crashes, Weather::Zombies] {
        for seed in 0..seeds() {
            let run = || rehearse(seed, weather);
            let stage = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                let reason = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                panic!("seed {seed} in {weather:?}: {reason}");
            });
            *endings.entry(format!("{:?}", stage.ending())).or_default() += 1;
            crashes += stage.crashes;
        }
    }
    // A rehearsal that never reached an ending or never killed anything proves nothing.
    assert!(crashes > 0, "nothing was ever killed");
    for ending in ["Succeeded", "RolledBack", "RollbackIncomplete", "FailedClean"] {
        assert!(endings.contains_key(ending), "no run ended {ending}: {endings:?}");
    }
}

#[test]
fn each_broken_rule_is_found_by_its_violation() {
    let rows = [
        ("no-intent", Weather::Calm, "effect without intent"),
        ("no-adoption", Weather::Crashes, "leaked"),
        ("no-settle", Weather::Crashes, "leaked"),
        ("unfenced-finish", Weather::Zombies, "wrong ending"),
    ];
    for (rule, weather, expected) in rows {
        let found = (0..5_000).filter_map(|seed| violation(rule, weather, seed));
        let is_found = found.into_iter().any(|violation| violation.contains(expected));
        assert!(is_found, "breaking `{rule}` was not found as `{expected}`");
    }
}
