//! What every store must do, whatever it is made of. Each case gets an empty store.

mod books;
mod ledger;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::thread;

use runwrit_capabilities::books::{BookError, Writer};
use runwrit_model::call::{CallClass, CallId, Rank, UndoPlan};
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::journal::{
    Accepted, Attempt, CallResult, Created, Ending, Entry, Finished, Intent, OnFailure, Orphan,
    Outcome, Record, Resolved, RollbackStarted, UndoIntent, UndoOutcome, UndoResult, VERSION,
    Verdict, World,
};
use runwrit_model::limits::JOURNAL_ENTRY_BYTES_MAX;

use self::books::{
    audit_is_written_once, component_is_kept, event, octet_is_unique, tenant, tenant_revision,
};
use self::ledger::{
    budget_is_shared, sweeps_are_scheduled,
    sweeps_that_were_scheduled_too_early_keep_their_distance,
};
use super::*;

/// A store under test, which can be opened by several hosts at once.
pub(super) trait Bench: Sync {
    /// Opens it as one more host would.
    fn open(&self) -> Arc<dyn Store>;
}

/// One rule and its test.
pub(super) type Case = (&'static str, fn(&dyn Bench));

/// All rules.
pub(super) const CASES: &[Case] = &[
    ("what is created can be read by another host", created_is_read),
    ("a run id is taken once", run_id_is_taken_once),
    ("one run holds a scope until it finishes", scope_is_held),
    ("an append is all or nothing", append_is_atomic),
    ("an entry beyond the limit is refused", entry_size_is_limited),
    ("a later claim fences every write", later_claim_fences),
    ("of many claims at once one wins", one_claim_wins),
    ("of two writers in one place one wins", one_writer_wins),
    ("many runs append at once", many_runs_append),
    ("finishing frees the scope and destroys the seed", finish_cleans_up),
    ("a finished run can be opened again", finished_run_reopens),
    ("a parked run says until when", parked_run_waits),
    ("a wish to cancel is seen by another host", cancel_is_seen),
    ("a person's word is appended when nobody works", word_is_appended),
    ("what executed and seemed to fail is found again", executed_and_lost),
    ("hosts share one budget of requests", budget_is_shared),
    ("things and leftovers follow the journal", things_follow_the_journal),
    ("sweeps are scheduled once and closed once", sweeps_are_scheduled),
    (
        "sweeps that were scheduled too early keep their distance",
        sweeps_that_were_scheduled_too_early_keep_their_distance,
    ),
    ("an octet belongs to one living tenant", octet_is_unique),
    ("a tenant is written by revision", tenant_revision),
    ("an audit event is written once", audit_is_written_once),
    ("a component is kept by its digest", component_is_kept),
    ("what is unknown is not found", unknown_is_not_found),
];

/// Waits for a reply.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime starts").block_on(future)
}

pub(super) fn run_id(number: u8) -> RunId {
    RunId::new(1_000 + u64::from(number), [number; 10])
}

pub(super) fn entry(seq: u64, record: Record) -> Entry {
    Entry { version: VERSION, seq, at: 10_000 + seq, record }
}

/// A run of a tenant, with the two entries that create it.
pub(super) fn new_run(number: u8, tenant: &str) -> NewRun {
    let world = World {
        credential: "prod".to_owned(),
        endpoint: "https://api.example".to_owned(),
        marker: "1".to_owned(),
    };
    let created = Created {
        run: run_id(number),
        runbook: "provision-tenant@0.1.0".to_owned(),
        component: Digest::of(b"component"),
        manifest: String::new(),
        grant: String::new(),
        inputs: BTreeMap::new(),
        settings: serde_json::Value::Null,
        scope: Scope::tenant(tenant),
        worlds: BTreeMap::from([("hetzner".to_owned(), world)]),
        starter: "ada".to_owned(),
        deadline: None,
        on_failure: OnFailure::Rollback,
        host: "0.1.0".to_owned(),
        plan: None,
        provenance: None,
        endorsement: None,
    };
    let entries = vec![entry(0, Record::Created(Box::new(created))), entry(1, attempt(1))];
    NewRun { entries, sealed_seed: b"sealed".to_vec() }
}

fn attempt(fence: u64) -> Record {
    Record::Attempt(Attempt { fence, host: "0.1.0".to_owned(), engine: "48".to_owned() })
}

pub(super) fn note(seq: u64) -> Entry {
    entry(seq, Record::RollbackStarted(RollbackStarted { cause: format!("entry {seq}") }))
}

pub(super) fn finished(seq: u64, ending: Ending) -> Entry {
    let (message, outputs) = (String::new(), BTreeMap::new());
    entry(seq, Record::Finished(Finished { ending, message, outputs }))
}

fn intent(seq: u64, call: CallId) -> Entry {
    let intent = Intent {
        call,
        operation: "hetzner.servers.create".to_owned(),
        class: CallClass::KeyedCreate,
        digest: Digest::of(b"request"),
        request: serde_json::json!({ "name": "acme-db" }),
        subject: "server acme-db".to_owned(),
        kind: Some("hetzner.server".to_owned()),
        key: Some("acme-db".to_owned()),
        labels: BTreeMap::new(),
        previous: None,
        undo: Some(UndoPlan {
            operation: "hetzner.servers.delete".to_owned(),
            arguments: BTreeMap::new(),
            rank: Rank::Server,
        }),
        depends_on: Vec::new(),
        permit: "hetzner.servers: acme-db".to_owned(),
        eur_per_month: Some("5.49".to_owned()),
    };
    entry(seq, Record::Intent(Box::new(intent)))
}

fn orphan(call: CallId) -> Orphan {
    Orphan {
        call,
        kind: "hetzner.server".to_owned(),
        name: "acme-db".to_owned(),
        remote_id: Some("4711".to_owned()),
        eur_per_month: Some("5.49".to_owned()),
        error: "protected".to_owned(),
    }
}

fn word(call: CallId, verdict: Verdict) -> Resolved {
    Resolved { call, verdict, reason: "I looked".to_owned(), by: "ada".to_owned() }
}

fn created_is_read(bench: &dyn Bench) {
    let store = bench.open();
    let new = new_run(1, "acme");
    let claim = wait(store.create_run(new.clone())).unwrap();
    assert_eq!((claim.fence.number, claim.head.next_seq), (1, 2));
    let other = bench.open();
    assert_eq!(wait(other.journal(&run_id(1))).unwrap(), new.entries);
    assert_eq!(wait(other.verify_chain(&run_id(1))).unwrap(), claim.head);
    assert_eq!(wait(other.sealed_seed(&run_id(1))).unwrap().as_deref(), Some(&b"sealed"[..]));
    let row = wait(other.run(&run_id(1))).unwrap();
    assert_eq!((row.state, row.entries, row.starter.as_str()), (RunState::Working, 2, "ada"));
    drop(claim);
    assert_eq!(wait(other.runs()).unwrap()[0].state, RunState::Interrupted);
}

fn run_id_is_taken_once(bench: &dyn Bench) {
    let store = bench.open();
    drop(wait(store.create_run(new_run(1, "acme"))).unwrap());
    let again = wait(store.create_run(new_run(1, "bolt"))).unwrap_err();
    assert!(matches!(again, StoreError::Exists { .. }), "{again}");
}

fn scope_is_held(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let refused = |store: &dyn Store| match wait(store.create_run(new_run(2, "acme"))) {
        Err(StoreError::Busy { scope, holder }) => {
            assert_eq!((scope, holder), (Scope::tenant("acme"), run_id(1)));
        }
        other => panic!("the scope was not held: {other:?}"),
    };
    refused(&*bench.open());
    wait(store.park(&claim.fence, None, vec![])).unwrap();
    drop(claim);
    // Parked and abandoned runs hold their scope: what they made is still theirs.
    refused(&*store);
    wait(store.create_run(new_run(3, "bolt"))).expect("another scope is free");
    let claim = wait(store.claim(&run_id(1))).unwrap();
    wait(store.finish(&claim.fence, vec![finished(2, Ending::Succeeded)], vec![])).unwrap();
    wait(store.create_run(new_run(2, "acme"))).expect("the scope is free again");
}

fn append_is_atomic(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    for (entries, found) in [(vec![note(3)], 3), (vec![note(2), note(4)], 4), (vec![note(1)], 1)] {
        match wait(store.append(&claim.fence, entries)) {
            Err(StoreError::OutOfOrder { found: refused, .. }) => assert_eq!(refused, found),
            other => panic!("entry {found} was not refused: {other:?}"),
        }
        assert_eq!(wait(store.verify_chain(&run_id(1))).unwrap(), claim.head);
    }
    let head = wait(store.append(&claim.fence, vec![note(2), note(3)])).unwrap();
    assert_eq!(head.next_seq, 4);
    assert_eq!(wait(store.verify_chain(&run_id(1))).unwrap(), head);
}

fn entry_size_is_limited(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let cause = "x".repeat(JOURNAL_ENTRY_BYTES_MAX);
    let large = entry(2, Record::RollbackStarted(RollbackStarted { cause }));
    let refused = wait(store.append(&claim.fence, vec![large])).unwrap_err();
    assert!(matches!(refused, StoreError::EntrySize { .. }), "{refused}");
    wait(store.append(&claim.fence, vec![note(2)])).expect("the journal is as it was");
}

fn later_claim_fences(bench: &dyn Bench) {
    let (store, other) = (bench.open(), bench.open());
    let first = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let refused = wait(other.claim(&run_id(1))).unwrap_err();
    assert!(matches!(refused, StoreError::Live { .. }), "{refused}");
    let old = first.fence.clone();
    drop(first);
    let claim = wait(other.claim(&run_id(1))).unwrap();
    assert_eq!(claim.fence.number, 2);
    let writer = Writer { run: run_id(1), call: CallId::single(0) };
    let writes: Vec<(&str, Result<(), StoreError>)> = vec![
        ("append", wait(store.append(&old, vec![note(2)])).map(drop)),
        ("park", wait(store.park(&old, None, vec![])).map(drop)),
        (
            "finish",
            wait(store.finish(&old, vec![finished(2, Ending::Succeeded)], vec![])).map(drop),
        ),
        ("release", wait(store.release(&old))),
        ("tenant", wait(store.write_tenant(&old, tenant("acme", 7, 1)))),
        ("audit", wait(store.append_audit(&old, event(&writer), 1)).map(drop)),
    ];
    for (name, outcome) in writes {
        assert!(matches!(outcome, Err(StoreError::Fenced { held: 1, current: 2, .. })), "{name}");
    }
    assert_eq!(wait(other.verify_chain(&run_id(1))).unwrap().next_seq, 2);
    assert_eq!(wait(other.tenants()).unwrap(), vec![]);
    assert_eq!(wait(other.audit_events()).unwrap(), vec![]);
    wait(other.append(&claim.fence, vec![entry(2, attempt(2))])).expect("the new holder writes");
}

fn one_claim_wins(bench: &dyn Bench) {
    drop(wait(bench.open().create_run(new_run(1, "acme"))).unwrap());
    for round in 0..3 {
        let claims: Vec<Option<Claim>> = thread::scope(|scope| {
            let hosts: Vec<_> =
                (0..4).map(|_| scope.spawn(|| wait(bench.open().claim(&run_id(1))).ok())).collect();
            hosts.into_iter().map(|host| host.join().unwrap()).collect()
        });
        // The claims live until here, so the others were refused by a living process.
        let winners = claims.iter().flatten().count();
        assert_eq!(winners, 1, "round {round}");
    }
}

fn one_writer_wins(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let fence = &claim.fence;
    let won: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let store = &store;
                scope.spawn(move || usize::from(wait(store.append(fence, vec![note(2)])).is_ok()))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
    assert_eq!(wait(store.verify_chain(&run_id(1))).unwrap().next_seq, 3);
}

fn many_runs_append(bench: &dyn Bench) {
    let (one, other) = (bench.open(), bench.open());
    thread::scope(|scope| {
        for number in 0..8 {
            let store = if number % 2 == 0 { &one } else { &other };
            scope.spawn(move || {
                let new = new_run(number, &format!("tenant{number}"));
                let claim = wait(store.create_run(new)).unwrap();
                for seq in 2..30 {
                    wait(store.append(&claim.fence, vec![note(seq)])).unwrap();
                }
            });
        }
    });
    for number in 0..8 {
        assert_eq!(wait(one.verify_chain(&run_id(number))).unwrap().next_seq, 30);
    }
    assert_eq!(wait(one.runs()).unwrap().len(), 8);
}

fn finish_cleans_up(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let end = vec![note(2), finished(3, Ending::RolledBack)];
    wait(store.finish(&claim.fence, end, vec![])).unwrap();
    assert_eq!(wait(store.sealed_seed(&run_id(1))).unwrap(), None);
    let row = wait(store.run(&run_id(1))).unwrap();
    assert_eq!(row.state, RunState::Finished(Ending::RolledBack));
    assert_eq!(row.entries, 4);
}

fn finished_run_reopens(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let end = vec![finished(2, Ending::RollbackIncomplete)];
    wait(store.finish(&claim.fence, end, vec![])).unwrap();
    drop(claim);
    let holder = wait(store.create_run(new_run(2, "acme"))).unwrap();
    let refused = wait(store.claim(&run_id(1))).unwrap_err();
    assert!(matches!(refused, StoreError::Busy { .. }), "{refused}");
    let end = vec![finished(2, Ending::Succeeded)];
    wait(store.finish(&holder.fence, end, vec![])).unwrap();
    drop(holder);
    let claim = wait(store.claim(&run_id(1))).unwrap();
    // Only looked at and given back: the scope is free again.
    wait(store.release(&claim.fence)).unwrap();
    drop(claim);
    let third = wait(store.create_run(new_run(3, "acme"))).unwrap();
    wait(store.finish(&third.fence, vec![finished(2, Ending::Succeeded)], vec![])).unwrap();
    let claim = wait(store.claim(&run_id(1))).unwrap();
    wait(store.append(&claim.fence, vec![entry(3, attempt(3)), note(4)])).unwrap();
    assert_eq!(wait(store.run(&run_id(1))).unwrap().state, RunState::Working);
    wait(store.release(&claim.fence)).unwrap();
    let refused = wait(store.create_run(new_run(4, "acme"))).unwrap_err();
    assert!(matches!(refused, StoreError::Busy { .. }), "an open run keeps its scope: {refused}");
}

fn parked_run_waits(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    wait(store.park(&claim.fence, Some(77), vec![note(2)])).unwrap();
    drop(claim);
    assert_eq!(wait(store.run(&run_id(1))).unwrap().state, RunState::Parked(Some(77)));
    let claim = wait(store.claim(&run_id(1))).unwrap();
    wait(store.append(&claim.fence, vec![note(3)])).unwrap();
    drop(claim);
    assert_eq!(wait(store.run(&run_id(1))).unwrap().state, RunState::Interrupted);
}

fn cancel_is_seen(bench: &dyn Bench) {
    let (store, other) = (bench.open(), bench.open());
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    assert_eq!(wait(store.cancel_requested(&run_id(1))).unwrap(), None);
    wait(other.request_cancel(&run_id(1), "bob")).unwrap();
    wait(other.request_cancel(&run_id(1), "eve")).unwrap();
    assert_eq!(wait(store.cancel_requested(&run_id(1))).unwrap().as_deref(), Some("bob"));
    drop(claim);
    assert_eq!(wait(store.claim(&run_id(1))).unwrap().cancel.as_deref(), Some("bob"));
}

fn word_is_appended(bench: &dyn Bench) {
    let (store, other) = (bench.open(), bench.open());
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let call = CallId::single(0);
    wait(store.park(&claim.fence, None, vec![intent(2, call)])).unwrap();
    let word = word(call, Verdict::Done);
    let refused = wait(other.resolve(&run_id(1), word.clone(), 5)).unwrap_err();
    assert!(matches!(refused, StoreError::Live { .. }), "{refused}");
    let old = claim.fence.clone();
    drop(claim);
    wait(other.resolve(&run_id(1), word.clone(), 5)).unwrap();
    let entries = wait(store.journal(&run_id(1))).unwrap();
    assert_eq!(entries[3].record, Record::Resolved(word));
    assert_eq!(wait(store.run(&run_id(1))).unwrap().state, RunState::Interrupted);
    let late = wait(store.append(&old, vec![note(4)])).unwrap_err();
    assert!(matches!(late, StoreError::Fenced { .. }), "{late}");
}

/// A host that saw an error after its operation was executed claims the run and reads.
fn executed_and_lost(bench: &dyn Bench) {
    let store = bench.open();
    let lost = |outcome: bool| assert!(outcome, "the operation was executed");
    lost(wait(store.create_run(new_run(1, "acme"))).is_ok());
    let claim = wait(store.claim(&run_id(1))).unwrap();
    lost(wait(store.append(&claim.fence, vec![note(2), note(3)])).is_ok());
    let again = wait(store.append(&claim.fence, vec![note(2), note(3)])).unwrap_err();
    assert!(matches!(again, StoreError::OutOfOrder { expected: 4, found: 2, .. }), "{again}");
    let old = claim.fence.clone();
    drop(claim);
    let claim = wait(store.claim(&run_id(1))).unwrap();
    assert_eq!(wait(store.journal(&run_id(1))).unwrap().len(), 4);
    let writer = Writer { run: run_id(1), call: CallId::single(0) };
    lost(wait(store.append_audit(&claim.fence, event(&writer), 1)).unwrap());
    assert!(!wait(store.append_audit(&claim.fence, event(&writer), 2)).unwrap());
    lost(wait(store.write_tenant(&claim.fence, tenant("acme", 7, 1))).is_ok());
    let again = wait(store.write_tenant(&claim.fence, tenant("acme", 7, 1))).unwrap_err();
    assert!(matches!(again, StoreError::Book(BookError::Moved)), "{again}");
    lost(wait(store.finish(&claim.fence, vec![finished(4, Ending::Held)], vec![])).is_ok());
    let stale = wait(store.finish(&old, vec![finished(4, Ending::Succeeded)], vec![]));
    assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    let row = wait(store.run(&run_id(1))).unwrap();
    assert_eq!((row.state, row.entries), (RunState::Finished(Ending::Held), 5));
}

fn things_follow_the_journal(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let calls: Vec<CallId> = (0..3).map(CallId::single).collect();
    let entries = (0..3).map(|place| intent(2 + place, calls[place as usize])).collect();
    wait(store.append(&claim.fence, entries)).unwrap();
    let accepted = Accepted {
        call: calls[0],
        remote_id: Some("4711".to_owned()),
        actions: vec![],
        is_adopted: false,
        is_resent: false,
        note: serde_json::Value::Null,
    };
    let refused = CallResult {
        call: calls[1],
        outcome: Outcome::Ok(serde_json::Value::Null),
        is_effect_free: true,
    };
    let entries = vec![entry(5, Record::Accepted(accepted)), entry(6, Record::Result(refused))];
    wait(store.append(&claim.fence, entries)).unwrap();
    let externals = wait(store.externals()).unwrap();
    let seen: Vec<_> =
        externals.iter().map(|thing| (thing.call, thing.remote_id.as_deref())).collect();
    assert_eq!(seen, [(calls[0], Some("4711")), (calls[2], None)]);
    assert_eq!(externals[0].credential.as_deref(), Some("prod"));
    let entries = vec![
        entry(7, Record::UndoIntent(UndoIntent { call: calls[0], attempt: 1 })),
        entry(8, Record::UndoQuarantined(orphan(calls[0]))),
        entry(9, Record::UndoQuarantined(orphan(calls[2]))),
    ];
    wait(store.append(&claim.fence, entries)).unwrap();
    let orphans = wait(store.orphans()).unwrap();
    assert_eq!((orphans.len(), &orphans[0].orphan), (2, &orphan(calls[0])));
    let undone = UndoResult { call: calls[0], outcome: UndoOutcome::Done, has_acted: false };
    wait(store.append(&claim.fence, vec![entry(10, Record::UndoResult(undone))])).unwrap();
    drop(claim);
    wait(store.resolve(&run_id(1), word(calls[2], Verdict::Deleted), 11)).unwrap();
    assert_eq!(wait(store.orphans()).unwrap(), vec![]);
    assert_eq!(wait(store.externals()).unwrap(), vec![]);
}

fn unknown_is_not_found(bench: &dyn Bench) {
    let store = bench.open();
    let run = run_id(9);
    let fence = Fence { run: run.clone(), number: 1 };
    let outcomes = [
        ("claim", wait(store.claim(&run)).map(drop)),
        ("run", wait(store.run(&run)).map(drop)),
        ("journal", wait(store.journal(&run)).map(drop)),
        ("append", wait(store.append(&fence, vec![note(0)])).map(drop)),
        ("cancel", wait(store.request_cancel(&run, "ada"))),
        ("canceled", wait(store.cancel_requested(&run)).map(drop)),
        ("resolve", wait(store.resolve(&run, word(CallId::single(0), Verdict::Done), 1)).map(drop)),
    ];
    for (name, outcome) in outcomes {
        assert!(matches!(outcome, Err(StoreError::NotFound { .. })), "{name}: {outcome:?}");
    }
    assert_eq!(wait(store.runs()).unwrap(), vec![]);
}
