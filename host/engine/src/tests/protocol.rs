//! The rules of the gate, one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use runwrit_model::call::CallId;
use runwrit_model::due::Due;
use runwrit_model::event::{Event, RunOutcome};
use runwrit_model::history::History;
use runwrit_model::id::RunId;
use runwrit_model::journal::{
    Attempt, Ending, Entry, OnFailure, Outcome, Record, Resolved, UndoOutcome, UnixMs, VERSION,
    Verdict,
};

use super::fuse::Fuse;
use super::play::Act::{self, *};
use super::{Bench, Exit, START, calm, kill_at, kinds};
use crate::clock::Clock;
use crate::engine::Canceled;
use crate::error::EngineError;
use crate::guest::NoGuest;
use crate::recorder::Recorder;
use crate::store;
use crate::view::{CallState, RunState};

const WHOLE: &[Act] = &[Net("net"), Servers(&["one", "two"]), Link("one", "two")];

fn word(call: u32, verdict: Verdict) -> Resolved {
    let (reason, by) = ("looked at it".to_owned(), "ada".to_owned());
    Resolved { call: CallId::single(call), verdict, reason, by }
}

#[tokio::test]
async fn a_replay_sees_what_was_seen_and_sends_nothing() {
    let looks = [Look, Net("net"), Look, Servers(&["one", "two"]), Look, Read("net"), Look];
    // What was seen is on the disk with the next promise.
    let acts = [&looks[..], &[Net("gate")]].concat();
    let bench = calm(&acts).await;
    let alone = calm(&acts).await;
    alone.once().await.unwrap();
    // The last write of a run is its end; a kill right before it replays everything.
    let Exit::Killed(place) = kill_at(&bench, "before finish").await else {
        panic!("it was not killed");
    };
    let (seen, sends) = (bench.seen.lock().unwrap().clone(), bench.cloud.sends());
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded, "after {place}");
    assert_eq!(*bench.seen.lock().unwrap(), seen);
    assert_eq!(bench.cloud.sends(), sends);
    assert!(seen.len() >= 8, "{seen:?}");
}

#[tokio::test]
async fn a_guest_that_asks_for_something_else_is_stopped_without_an_effect() {
    let rows: [(&str, &[Act]); 7] = [
        ("another name", &[Net("one"), Server("two")]),
        ("another operation", &[Marked("net")]),
        ("a batch instead of one", &[Step("x"), Net("net")]),
        ("a step instead", &[Step("net")]),
        ("too few calls", &[]),
        ("a trap that was none", &[Net("net"), Trap]),
        ("a failure that was none", &[Net("net"), Fail]),
    ];
    for (name, acts) in rows {
        let mut bench = calm(WHOLE).await;
        kill_at(&bench, "before finish").await;
        let (sends, standing) = (bench.cloud.sends(), bench.cloud.standing());
        bench.acts = acts.to_vec();
        assert_eq!(bench.once().await.unwrap(), RunOutcome::Nondeterministic, "{name}");
        assert_eq!((bench.cloud.sends(), bench.cloud.standing()), (sends, standing), "{name}");
        let (engine, toy) = bench.calm();
        let rolled_back = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
        assert_eq!(rolled_back, RunOutcome::RolledBack, "{name}");
        assert!(bench.cloud.standing().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_replay_for_which_the_machine_is_too_slow_proves_nothing() {
    let mut bench = calm(WHOLE).await;
    kill_at(&bench, "before finish").await;
    let (sends, standing) = (bench.cloud.sends(), bench.cloud.standing());
    bench.acts = vec![Net("net"), Starve];
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Parked);
    assert_eq!((bench.cloud.sends(), bench.cloud.standing()), (sends, standing));
    bench.acts = WHOLE.to_vec();
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded, "on a faster machine");
    assert_eq!(bench.cloud.sends(), sends);
}

#[tokio::test]
async fn a_recorded_refusal_stays_one_when_the_grant_is_widened() {
    let mut bench = calm(&[Net("net"), TryNet("forbidden"), Server("one")]).await;
    kill_at(&bench, "before finish").await;
    let seen = bench.seen.lock().unwrap().clone();
    assert!(seen[1].contains("forbidden"), "{seen:?}");
    bench.grant = bench.grant.replace("\"one\"", "\"one\", \"forbidden\"");
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded);
    assert_eq!(*bench.seen.lock().unwrap(), seen);
    let entries = bench.journal().await;
    let refused = entries.iter().any(|entry| {
        matches!(&entry.record, Record::Observed(observed)
            if matches!(observed.outcome, Outcome::Err(_)) && observed.class.is_mutating())
    });
    assert!(refused, "the refusal is on record");
    assert_eq!(bench.cloud.standing(), ["net", "one"]);
}

#[tokio::test]
async fn undos_come_in_reverse_and_what_hangs_on_others_comes_first() {
    let bench = calm(&[Net("net"), Servers(&["one", "two"]), Link("one", "two"), Fail]).await;
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RolledBack);
    assert_eq!(bench.cloud.undone(), ["link", "two", "one", "net"]);
}

#[tokio::test]
async fn what_is_not_ours_is_neither_adopted_nor_deleted() {
    let bench = calm(&[Net("net"), Server("one")]).await;
    bench.cloud.plant("server", "one");
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RolledBack);
    assert_eq!(bench.cloud.standing(), ["one"]);
}

#[tokio::test]
async fn an_unknown_outcome_that_nobody_can_look_up_is_put_to_a_person() {
    let bench = calm(&[Net("net"), Shout("hello"), Server("one")]).await;
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Parked);
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Parked, "asking again changes nothing");
    let (engine, _) = bench.calm();
    let view = engine.show(bench.run()).await.unwrap();
    assert_eq!(view.state, RunState::Asking(CallId::single(1)));
    assert!(view.next_commands[0].contains("resolve"), "{:?}", view.next_commands);
    assert_eq!(engine.resolve(bench.run(), word(1, Verdict::NotDone)).await.unwrap(), None);
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Parked, "the next send is lost as well");
    engine.resolve(bench.run(), word(1, Verdict::Done)).await.unwrap();
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded);
    assert_eq!(bench.cloud.standing(), ["net", "one"]);
}

#[tokio::test]
async fn a_kill_during_an_opaque_call_is_put_to_a_person_too() {
    let bench = calm(&[Net("net"), Shout("hello")]).await;
    kill_at(&bench, "before shout").await;
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Parked);
    let (engine, toy) = bench.calm();
    let canceled = engine.cancel(bench.run(), "ada", &toy).await.unwrap();
    // It has no undo, and nobody said what became of it.
    assert_eq!(canceled, Canceled::Ended(RunOutcome::RollbackIncomplete));
    assert!(bench.cloud.standing().is_empty());
    let ended = engine.resolve(bench.run(), word(1, Verdict::NotDone)).await.unwrap();
    assert_eq!(ended, Some(RunOutcome::RolledBack));
}

#[tokio::test]
async fn only_what_is_in_doubt_can_be_resolved() {
    let bench = calm(&[Net("net"), Fail]).await;
    bench.once().await.unwrap();
    let (engine, _) = bench.calm();
    for call in [0, 7] {
        let refused = engine.resolve(bench.run(), word(call, Verdict::Kept)).await;
        assert!(matches!(refused, Err(EngineError::NotResolvable { .. })), "call {call}");
    }
    let bench = calm(WHOLE).await;
    kill_at(&bench, "before link").await;
    let (engine, toy) = bench.calm();
    let outcome = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(outcome, RunOutcome::RolledBack);
    let refused = engine.resolve(bench.run(), word(2, Verdict::Done)).await;
    assert!(refused.unwrap_err().to_string().contains("its undo has settled it"));
}

#[tokio::test]
async fn a_run_that_nobody_works_on_is_rolled_back_by_who_cancels() {
    let bench = calm(WHOLE).await;
    kill_at(&bench, "before link").await;
    let (engine, toy) = bench.calm();
    let canceled = engine.cancel(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(canceled, Canceled::Ended(RunOutcome::RolledBack));
    assert!(bench.cloud.standing().is_empty());
    let again = engine.cancel(bench.run(), "ada", &toy).await;
    assert!(matches!(again, Err(EngineError::Over { ending: Ending::RolledBack, .. })));
}

#[tokio::test]
async fn a_living_process_is_only_asked_to_cancel() {
    let bench = calm(WHOLE).await;
    kill_at(&bench, "before link").await;
    let claim = bench.store.claim(bench.run()).await.unwrap();
    let (engine, toy) = bench.calm();
    let canceled = engine.cancel(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(canceled, Canceled::Requested);
    assert_eq!(bench.cloud.standing(), ["net", "one", "two"]);
    drop(claim);
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RolledBack);
}

/// A clock that stands until it is pushed.
#[derive(Default)]
struct Still(AtomicU64);

impl Clock for Still {
    fn now(&self) -> UnixMs {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep_until(&self, _: UnixMs) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_wish_to_cancel_is_heard_in_the_next_millisecond() {
    let bench = calm(WHOLE).await;
    kill_at(&bench, "before link").await;
    let (clock, claim) =
        (Arc::new(Still::default()), bench.store.claim(bench.run()).await.unwrap());
    let history = History::of(&bench.journal().await).unwrap();
    let recorder = Recorder::new(Arc::clone(&bench.store), clock.clone(), claim, history, 0);
    assert_eq!(recorder.cancel_requested().await.unwrap(), None);
    bench.store.request_cancel(bench.run(), "ada").await.unwrap();
    assert_eq!(recorder.cancel_requested().await.unwrap(), None, "the store was asked just now");
    clock.0.fetch_add(1, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(recorder.cancel_requested().await.unwrap().as_deref(), Some("ada"));
    }
}

#[tokio::test]
async fn an_interrupt_leaves_the_run_to_be_resumed() {
    for acts in [WHOLE, &[Net("net"), Fail]] {
        let mut bench = calm(acts).await;
        kill_at(&bench, "before read").await;
        bench.interrupt.raise();
        assert_eq!(bench.once().await.unwrap(), RunOutcome::Interrupted);
        assert_eq!(bench.cloud.standing(), ["net"]);
        bench.interrupt = Default::default();
        assert_ne!(bench.once().await.unwrap(), RunOutcome::Interrupted);
    }
}

#[tokio::test]
async fn a_rollback_is_interrupted_too_and_goes_on() {
    let mut bench = calm(&[Net("net"), Fail]).await;
    kill_at(&bench, "before delete").await;
    bench.interrupt.raise();
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Interrupted);
    assert_eq!(bench.cloud.standing(), ["net"]);
    bench.interrupt = Default::default();
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RolledBack);
}

#[tokio::test]
async fn a_bug_of_the_host_stops_the_work_and_loses_nothing() {
    for mended in [Some(&[Net("net"), Server("one")][..]), None] {
        let mut bench = calm(&[Net("net"), Panic]).await;
        let stopped = bench.once().await.expect_err("the host panicked");
        assert!(matches!(stopped, EngineError::Panicked(_)), "{stopped}");
        assert_eq!(stopped.exit(), runwrit_model::exit::Exit::Bug);
        assert_eq!(bench.cloud.standing(), ["net"], "nothing is done in a hurry");
        let Some(acts) = mended else {
            let (engine, toy) = bench.calm();
            let outcome = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
            assert_eq!((outcome, bench.cloud.standing()), (RunOutcome::RolledBack, vec![]));
            continue;
        };
        bench.acts = acts.to_vec();
        assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded);
        assert_eq!(bench.cloud.standing(), ["net", "one"]);
    }
}

#[tokio::test]
async fn a_run_past_its_deadline_is_rolled_back() {
    let mut bench = calm(&[Net("net"), Sleep(7_200), Server("one")]).await;
    bench.created.deadline = Some(START + 3_600_000);
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Parked);
    assert!(bench.calm().0.duties().await.unwrap().runs.is_empty());
    bench.clock.advance(Duration::from_secs(3_700));
    let due = bench.calm().0.duties().await.unwrap().runs;
    assert_eq!(due, [(bench.run().clone(), Due::Deadline)], "long before its timer");
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RolledBack);
    assert!(bench.cloud.standing().is_empty());
}

#[tokio::test]
async fn a_failure_is_held_where_the_grant_or_a_pivot_says_so() {
    let rows: [(OnFailure, &[Act]); 2] =
        [(OnFailure::Hold, &[Net("net"), Fail]), (OnFailure::Rollback, &[Net("net"), Pivot, Fail])];
    for (on_failure, acts) in rows {
        let mut bench = calm(acts).await;
        bench.created.on_failure = on_failure;
        assert_eq!(bench.once().await.unwrap(), RunOutcome::Held);
        assert_eq!(bench.cloud.standing(), ["net"]);
        let (engine, toy) = bench.calm();
        let view = engine.show(bench.run()).await.unwrap();
        assert!(view.next_commands[0].contains("rollback"), "{:?}", view.next_commands);
        let outcome = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
        assert_eq!(outcome, RunOutcome::RolledBack);
        assert!(bench.cloud.standing().is_empty());
    }
}

#[tokio::test]
async fn differences_that_were_found_are_told_from_a_failure_where_nothing_is_left() {
    let rows: [(&[Act], OnFailure, RunOutcome, &[&str]); 4] = [
        (&[Look, Differ], OnFailure::Rollback, RunOutcome::Differs, &[]),
        (&[Net("net"), Differ], OnFailure::Rollback, RunOutcome::Differs, &[]),
        (&[Net("net"), Differ], OnFailure::Hold, RunOutcome::Held, &["net"]),
        (
            &[Net("net"), HoldsData, Differ],
            OnFailure::Rollback,
            RunOutcome::RollbackIncomplete,
            &["net"],
        ),
    ];
    for (acts, on_failure, expected, standing) in rows {
        let mut bench = calm(acts).await;
        bench.created.on_failure = on_failure;
        for again in ["at first", "asked again"] {
            assert_eq!(bench.once().await.unwrap(), expected, "{acts:?} {again}");
        }
        assert_eq!(bench.cloud.standing(), standing, "{acts:?}");
    }
}

#[tokio::test]
async fn a_kill_around_differences_loses_and_doubles_nothing() {
    for boundary in 1.. {
        let bench = calm(&[Net("net"), Differ]).await;
        if let Exit::Ended(ended) = bench.process(Fuse::at(boundary), None).await {
            assert_eq!(ended.unwrap(), RunOutcome::Differs);
            break;
        }
        assert_eq!(bench.once().await.unwrap(), RunOutcome::Differs, "killed at {boundary}");
        assert!(bench.cloud.standing().is_empty(), "killed at {boundary}");
        let kinds = kinds(&bench.journal().await);
        let written = kinds.iter().filter(|it| **it == "differed").count();
        assert_eq!(written, 1, "killed at {boundary}: {kinds:?}");
    }
}

/// Kills a process right after it took a run, or after it wrote that it did.
async fn take_and_die(bench: &Bench, has_written: bool) {
    let claim = bench.store.claim(bench.run()).await.unwrap();
    if has_written {
        let (host, engine) = ("0.1.0".to_owned(), "48".to_owned());
        let record = Record::Attempt(Attempt { fence: claim.fence.number, host, engine });
        let (seq, at) = (claim.head.next_seq, START + 1_000_000);
        let entry = Entry { version: VERSION, seq, at, record };
        bench.store.append(&claim.fence, vec![entry]).await.unwrap();
    }
}

#[tokio::test]
async fn a_rollback_that_was_killed_before_it_turned_does_not_keep_the_scope() {
    for has_written in [false, true] {
        let mut bench = calm(&[Net("net"), Fail]).await;
        bench.created.on_failure = OnFailure::Hold;
        assert_eq!(bench.once().await.unwrap(), RunOutcome::Held);
        take_and_die(&bench, has_written).await;
        let first = bench.run().clone();
        bench.created.run = RunId::new(START + 1, [9; 10]);
        let refused = bench.once().await.unwrap_err();
        assert!(refused.to_string().contains("resume"), "{refused}");
        let (engine, toy) = bench.calm();
        let outcome = engine.resume(&first, None::<NoGuest>, &toy).await.unwrap();
        assert_eq!(outcome, RunOutcome::Held);
        let row = bench.store.run(&first).await.unwrap();
        assert_eq!(row.state, store::RunState::Finished(Ending::Held));
        bench.acts = vec![Look];
        assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded, "the scope is free");
    }
}

#[tokio::test]
async fn what_holds_data_is_left_for_a_person() {
    let bench = calm(&[Net("net"), Server("one"), HoldsData, Server("two"), Fail]).await;
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RollbackIncomplete);
    let (engine, toy) = bench.calm();
    let view = engine.show(bench.run()).await.unwrap();
    let names: Vec<_> = view.left.iter().map(|orphan| orphan.name.as_str()).collect();
    assert_eq!(names, ["net", "one"], "the net stays in use");
    assert_eq!(bench.cloud.standing(), ["net", "one"]);
    bench.cloud.remove("one");
    let ended = engine.resolve(bench.run(), word(1, Verdict::Deleted)).await.unwrap();
    assert_eq!(ended, None, "the net is still left");
    let outcome = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(outcome, RunOutcome::RolledBack);
    assert!(bench.cloud.standing().is_empty());
}

#[tokio::test]
async fn an_undo_that_cannot_pass_is_left_and_the_others_go_on() {
    let bench = calm(&[Net("net"), Servers(&["one", "two"]), Link("one", "two"), Fail]).await;
    bench.cloud.protect("two");
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RollbackIncomplete);
    assert_eq!(bench.cloud.standing(), ["net", "two"]);
    let (engine, toy) = bench.calm();
    let view = engine.show(bench.run()).await.unwrap();
    let names: Vec<_> = view.left.iter().map(|orphan| orphan.name.as_str()).collect();
    assert_eq!(names, ["net", "two"], "the net stays in use");
    assert!(matches!(view.state, RunState::Ended(Ending::RollbackIncomplete)));
    let calls: Vec<_> = view.steps.iter().flat_map(|step| &step.calls).collect();
    assert!(calls.iter().any(|call| call.state == CallState::Undo(UndoOutcome::Done)));
    bench.cloud.remove("two");
    let outcome = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(outcome, RunOutcome::RolledBack);
    assert!(bench.cloud.standing().is_empty());
}

#[tokio::test]
async fn in_another_world_nothing_is_touched_and_nothing_is_called_clean() {
    let mut bench = calm(WHOLE).await;
    kill_at(&bench, "before link").await;
    bench.world.marker = "two".to_owned();
    let entries = bench.journal().await.len();
    let standing = bench.cloud.standing();
    let (engine, toy) = bench.calm();
    let results = [bench.once().await, engine.rollback(bench.run(), "ada", &toy).await];
    for refused in results {
        let error = refused.unwrap_err();
        assert!(matches!(error, EngineError::OtherWorld { .. }), "{error}");
        assert!(error.to_string().contains("project of `toy`"), "{error}");
    }
    let canceled = engine.cancel(bench.run(), "ada", &toy).await.unwrap_err();
    assert!(matches!(canceled, EngineError::OtherWorld { .. }), "{canceled}");
    assert_eq!(bench.cloud.standing(), standing);
    let undone = kinds(&bench.journal().await)[entries..].contains(&"undo-intent");
    assert!(!undone, "an undo began in another world");
    bench.world.marker = "one".to_owned();
    assert_eq!(bench.once().await.unwrap(), RunOutcome::RolledBack);
}

#[tokio::test]
async fn a_second_run_on_the_scope_is_refused_before_anything_happens() {
    let first = calm(WHOLE).await;
    kill_at(&first, "before link").await;
    let (engine, toy) = first.calm();
    let mut created = first.created.clone();
    created.run = engine.new_run_id();
    let store = first.store.clone();
    let player = first.player(&toy, &store);
    let refused = engine.start(created, player, &toy).await.unwrap_err();
    assert_eq!(refused.exit(), runwrit_model::exit::Exit::Busy, "{refused}");
    assert_eq!(first.cloud.standing(), ["net", "one", "two"]);
}

#[tokio::test]
async fn a_log_is_told_once_and_a_replay_is_announced() {
    let bench = calm(&[Log("a"), Net("net"), Log("b"), Server("one")]).await;
    kill_at(&bench, "before finish").await;
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded);
    let events = bench.tape.events();
    let logs = events.iter().filter(|event| matches!(event, Event::Log { .. })).count();
    assert_eq!(logs, 2);
    assert!(events.iter().any(|event| matches!(event, Event::Replayed { calls: 2, .. })));
    assert!(matches!(events.last(), Some(Event::Finished { outcome: RunOutcome::Succeeded, .. })));
}

#[tokio::test]
async fn outputs_are_kept_with_the_end() {
    let bench = calm(&[Net("net"), Output("address", "10.0.0.1")]).await;
    bench.once().await.unwrap();
    let view = bench.calm().0.show(bench.run()).await.unwrap();
    assert_eq!(view.outputs["address"], "10.0.0.1");
    assert_eq!(view.state, RunState::Ended(Ending::Succeeded));
    assert!(view.next_commands.is_empty());
}

#[tokio::test]
async fn a_journal_without_end_parks_its_run() {
    let acts: Vec<Act> = std::iter::repeat_n(Step("again"), 10_050).collect();
    let bench = calm(&acts).await;
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Parked);
    let (engine, toy) = bench.calm();
    let canceled = engine.cancel(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(canceled, Canceled::Ended(RunOutcome::FailedClean));
}

#[tokio::test]
async fn a_rollback_needs_no_component() {
    let bench = calm(WHOLE).await;
    kill_at(&bench, "before link").await;
    let (engine, toy) = bench.calm();
    let needs = engine.resume(bench.run(), None::<super::Player>, &toy).await;
    assert!(matches!(needs, Err(EngineError::NeedsComponent(_))));
    let outcome = engine.rollback(bench.run(), "ada", &toy).await.unwrap();
    assert_eq!(outcome, RunOutcome::RolledBack);
    let refused = engine.rollback(bench.run(), "ada", &toy).await;
    assert!(matches!(refused, Err(EngineError::NotRolledBack { .. })));
}
