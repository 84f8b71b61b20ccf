//! One journal that is damaged: it is told, and no other run is concerned.

use runwrit_tests::hook::Hook;
use serde_json::Value;

use super::{kill_in, only_run, park_bolt, run_breakable, swept};
use crate::cli::shell::{Cloud, Printed, Shell};

/// Leaves a run of `acme` in the middle of its rollback, with a journal that was edited, and a run
/// of `bolt` that waits for ten minutes.
fn damaged(shell: &Shell, hook: &Hook) {
    kill_in(shell, "7/14");
    let point = ("RUNWRIT_CRASH_AT", "undo-intent-committed:2");
    let killed = run_breakable(shell, &["rollback", &only_run(shell)], &[point]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let run = only_run(shell);
    let database = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a store");
    park_bolt(shell, hook, "");
    let sql = "UPDATE journal SET bytes =
        CAST(replace(CAST(bytes AS TEXT), 'acme', 'acne') AS BLOB) WHERE seq = 0 AND run = ?";
    assert_eq!(database.execute(sql, [run]).expect("writable"), 1);
}

/// Asserts that the damage is told, with the run and what to do.
fn assert_told(printed: &Printed) {
    let told = "error: the journal of run `RUN` was changed at entry 0: its bytes do not have its \
                hash\nhint: restore the state directory from a backup; the other runs are not \
                concerned\n";
    assert!(printed.stderr.contains(told), "{}", printed.stderr);
}

#[test]
fn runs_lists_the_others_and_says_which_is_damaged() {
    let (cloud, hook) = (Cloud::start(), Hook::start(0));
    let shell = Shell::new().with_cloud(&cloud);
    damaged(&shell, &hook);
    let listed = shell.run(&["runs"]);
    assert_eq!(listed.code, Some(2), "{}", listed.stderr);
    assert_told(&listed);
    insta::assert_snapshot!(listed.stdout, @r"
    RUN  TIME  waits until TIME  webhook@0.1.0 on tenant:bolt
    RUN  TIME  damaged               provision-tenant@0.1.0 on tenant:acme
    tenant:acme costs an unknown amount now: a journal of it cannot be read
    ");
    let objects = shell.run(&["runs", "--json"]).objects();
    let of = |field: &str| objects.iter().map(|it| it[field].clone()).collect::<Vec<Value>>();
    assert_eq!(of("state")[1], "damaged", "{objects:?}");
    assert_eq!(of("scope-eur-per-month")[1], "unknown", "{objects:?}");
    assert_eq!(of("event")[2], "error", "{objects:?}");
    assert!(objects[2]["message"].to_string().contains("was changed at entry 0"), "{objects:?}");
}

#[test]
fn tick_reports_it_and_goes_on_with_the_others() {
    let (cloud, hook) = (Cloud::start(), Hook::start(0));
    let shell = Shell::new().with_cloud(&cloud);
    damaged(&shell, &hook);
    cloud.handle.desk().advance(std::time::Duration::from_secs(3_600));
    let tick = run_breakable(&shell, &["tick"], &[("RUNWRIT_CLOCK_SHIFT_MS", "3600000")]);
    assert_eq!(tick.stdout, "timer of run RUN: exit 0\n", "{}", tick.stderr);
    assert_eq!((tick.code, hook.taken()), (Some(2), 1), "{}", tick.stderr);
    assert_told(&tick);
}

#[test]
fn sweep_deletes_nothing_of_it_and_tells_the_rest() {
    let (cloud, hook) = (Cloud::start(), Hook::start(0));
    let shell = Shell::new().with_cloud(&cloud);
    damaged(&shell, &hook);
    let alive = cloud.alive();
    assert!(!alive.is_empty());
    let printed = shell.run(&["sweep", "--delete"]);
    assert_eq!((printed.code, cloud.alive()), (Some(2), alive.clone()), "{}", printed.stderr);
    assert_told(&printed);
    let printed = shell.run(&["sweep", "--delete", "--json"]);
    let objects = printed.objects();
    let left: Vec<_> = objects.iter().filter(|it| it["event"] == "leftover").collect();
    assert!(!left.is_empty(), "{objects:?}");
    for thing in left {
        assert_eq!((&thing["cause"], &thing["fate"]), (&"unreadable".into(), &"left".into()));
    }
    assert_eq!(swept(&printed).1["deleted"], 0);
    assert_eq!(cloud.alive(), alive);
}
