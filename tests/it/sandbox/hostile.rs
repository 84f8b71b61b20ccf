//! Guests that misbehave after an effect: the run ends with the reason, and the effect is undone.

use super::bench::Installation;
use super::handwritten::{CALLS_OF_A_BOMB, bomb};

/// What a guest leads to.
struct Row {
    guest: &'static str,
    /// A part of the message that says what happened.
    says: &'static str,
    /// The most memory that the host may have held. A debug build without a guest takes some 60.
    peak_mib_max: u64,
}

const fn row(guest: &'static str, says: &'static str, peak_mib_max: u64) -> Row {
    Row { guest, says, peak_mib_max }
}

/// Runs a guest, and checks that it was ended, that its effect was undone, and at what cost.
fn check(Row { guest, says, peak_mib_max }: &Row) {
    let ended = Installation::new().run(guest, &["--json"]);
    let finished = ended.finished();
    let message = finished["message"].as_str().unwrap_or_default();
    assert!(message.contains(says), "{guest} said `{message}`, not `{says}`");
    assert_eq!(finished["outcome"], "rolled-back", "{guest}: {}", ended.stderr);
    assert_eq!(ended.code, Some(1), "{guest}: {}", ended.stderr);
    assert!(ended.has_event("undo-ended"), "{guest} undid nothing: {}", ended.stdout);
    let peak = ended.peak_mib;
    assert!(peak <= *peak_mib_max, "{guest} made the host take {peak} MiB, over {peak_mib_max}");
}

#[test]
fn what_a_guest_does_to_itself_ends_its_run_and_nothing_else() {
    let rows = [
        row("panic", "the runbook panicked", 150),
        row("memory-hog", "of memory, and a run may have 256 MiB", 450),
        row("deep-recursion", "exhausted its call stack", 150),
        row("huge-list-to-host", "passed more than 16 MiB to the host in one call", 350),
        row("huge-list-from-host", "`random.bytes` is limited to 1024", 150),
    ];
    rows.iter().for_each(check);
}

#[test]
fn a_flood_of_messages_ends_the_run_and_fills_no_disk() {
    check(&row("log-flood", "made more than 1000000 calls", 200));
}

#[test]
fn an_endless_loop_ends_after_its_time() {
    check(&row("endless-loop", "computed for 30 s without a call", 150));
}

/// Nothing is undone, for nothing was done: code is made before the run begins.
#[test]
fn a_component_bomb_ends_before_its_run_begins() {
    let installation = Installation::new();
    let small = installation.run_instead("quiet", &bomb(10), &["--json"]);
    assert_eq!(small.finished()["outcome"], "succeeded", "{small:?}");
    let installation = Installation::new();
    let ended = installation.run_instead("quiet", &bomb(CALLS_OF_A_BOMB), &[]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    // Where the machine is slow, time ends it before memory does.
    let said = ended.stderr.split_once("error: compiling the component took more than ");
    let (limit, advice) = said.and_then(|(_, rest)| rest.split_once(", ")).unwrap_or_default();
    assert!(["4096 MiB of memory", "120 s", "300 s"].contains(&limit), "{}", ended.stderr);
    let expected = "which counts as an attack; split its largest functions, or leave out what it \
                    does not need\n";
    assert_eq!(advice, expected, "{}", ended.stderr);
    // What a compiler may take is its address space; the host beside it takes the rest.
    assert!(ended.peak_mib <= 4_096 + 150, "the host took {} MiB", ended.peak_mib);
    assert_eq!(installation.runs(), 0, "a run began");
}

#[test]
fn well_behaved_guests_pass_through_the_same_sandbox() {
    for guest in ["quiet", "inert-wasi"] {
        let ended = Installation::new().run(guest, &["--json"]);
        assert_eq!(ended.finished()["outcome"], "succeeded", "{guest}: {ended:?}");
        assert_eq!(ended.code, Some(0), "{guest}");
    }
}

#[test]
fn what_is_not_admitted_does_not_start() {
    let rows = [
        ("unasked-import", "`audit/events` is imported, but `runbook.toml` does not ask for it"),
        ("other-world", "`runwrit:run/random@0.9.0` is imported, but this host does not offer it"),
        ("wasi-importer", "`wasi:random/random@0.2.6` is imported, but the tier is `pure`"),
        ("http-importer", "`wasi:http/outgoing-handler@0.2.6` is imported, but never linked"),
        ("gc-probe", "gc proposal must be enabled"),
    ];
    for (guest, says) in rows {
        let ended = Installation::new().run(guest, &[]);
        assert_eq!(ended.code, Some(4), "{guest}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{guest} was refused with `{}`", ended.stderr);
    }
}
