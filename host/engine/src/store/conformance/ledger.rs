//! What runs share: budgets of requests, and sweeps.

use std::collections::BTreeMap;

use runwrit_model::call::CallId;
use runwrit_model::journal::Ending;
use runwrit_model::undo::LateSweep;

use super::{Bench, finished, new_run, wait};
use crate::store::{Bucket, Correction, SweepOutcome, Tokens};

pub(super) fn budget_is_shared(bench: &dyn Bench) {
    let (one, other) = (bench.open(), bench.open());
    let bucket = Bucket { credential: "prod".to_owned(), capacity: 3, refill_per_second: 2.0 };
    for host in [&one, &other, &one] {
        assert_eq!(wait(host.take_tokens(&bucket, 1, 1_000)).unwrap(), Tokens::Taken);
    }
    assert_eq!(wait(other.take_tokens(&bucket, 1, 1_000)).unwrap(), Tokens::Wait(1_500));
    assert_eq!(wait(one.take_tokens(&bucket, 1, 1_500)).unwrap(), Tokens::Taken);
    assert_eq!(wait(one.take_tokens(&bucket, 1, 900)).unwrap(), Tokens::Wait(2_000));
    // A bucket from the future fills from now on, and is no fuller than it was.
    assert_eq!(wait(one.take_tokens(&bucket, 1, 99_000)).unwrap(), Tokens::Taken);
    assert_eq!(wait(one.take_tokens(&bucket, 2, 1_000)).unwrap(), Tokens::Taken);
    assert_eq!(wait(one.take_tokens(&bucket, 1, 1_000)).unwrap(), Tokens::Wait(1_500));
    let told = |limit, remaining, at| {
        let correction = Correction { bucket: bucket.clone(), limit, remaining, at };
        wait(other.correct_tokens(correction)).unwrap();
    };
    told(3, 2, 1_600);
    assert_eq!(wait(one.take_tokens(&bucket, 2, 1_600)).unwrap(), Tokens::Taken);
    // What a larger limit outside leaves fills no smaller budget; what it lacks counts.
    told(3_600, 3_599, 1_600);
    assert_eq!(wait(one.take_tokens(&bucket, 1, 1_600)).unwrap(), Tokens::Wait(2_100));
    told(3_600, 1, 2_600);
    assert_eq!(wait(one.take_tokens(&bucket, 2, 2_600)).unwrap(), Tokens::Wait(3_100));
    let another = Bucket { credential: "other".to_owned(), ..bucket };
    assert_eq!(wait(one.take_tokens(&another, 9, 1_600)).unwrap(), Tokens::Taken);
}

pub(super) fn sweeps_are_scheduled(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let sweep = |at| LateSweep {
        call: CallId::single(4),
        at,
        kind: "hetzner.server".to_owned(),
        key: Some("acme-db".to_owned()),
        labels: BTreeMap::from([("runwrit/run".to_owned(), "x".to_owned())]),
    };
    let sweeps = vec![sweep(100), sweep(10_200)];
    let end = vec![finished(2, Ending::RollbackIncomplete)];
    wait(store.finish(&claim.fence, end, sweeps.clone())).unwrap();
    wait(store.finish(&claim.fence, vec![finished(3, Ending::RolledBack)], sweeps)).unwrap();
    assert_eq!(wait(store.due_sweeps(99)).unwrap(), vec![]);
    let due = wait(store.due_sweeps(150)).unwrap();
    assert_eq!((due.len(), due[0].at, due[0].labels.len()), (1, 100, 1));
    wait(store.close_sweep(due[0].id, SweepOutcome::Deleted("9".to_owned()), 151)).unwrap();
    wait(store.close_sweep(due[0].id, SweepOutcome::Nothing, 152)).unwrap();
    assert_eq!(wait(store.due_sweeps(10_199)).unwrap(), vec![]);
    assert_eq!(wait(store.due_sweeps(10_200)).unwrap().len(), 1);
    // Its run ended at 10,003 by a clock that was wrong: 197 later.
    wait(store.realign_sweeps(10, 0..=10_200, 0)).unwrap();
    assert_eq!(wait(store.due_sweeps(10_200)).unwrap().len(), 1, "10,200 is within reach");
    wait(store.realign_sweeps(10, 0..=10_199, 0)).unwrap();
    assert_eq!(wait(store.due_sweeps(206)).unwrap(), vec![]);
    assert_eq!(wait(store.due_sweeps(207)).unwrap().len(), 1);
}

pub(super) fn sweeps_that_were_scheduled_too_early_keep_their_distance(bench: &dyn Bench) {
    let store = bench.open();
    for (number, scope, at) in [(1, "acme", 100), (2, "bolt", 40)] {
        let claim = wait(store.create_run(new_run(number, scope))).unwrap();
        let sweep = |at| LateSweep {
            call: CallId::single(4),
            at,
            kind: "hetzner.server".to_owned(),
            key: None,
            labels: BTreeMap::new(),
        };
        let end = vec![finished(2, Ending::RolledBack)];
        wait(store.finish(&claim.fence, end, vec![sweep(at), sweep(at + 900)])).unwrap();
    }
    wait(store.realign_sweeps(50_000, 10_000..=90_000, 15)).unwrap();
    assert_eq!(wait(store.due_sweeps(50_014)).unwrap(), vec![]);
    for (at, expected) in [(50_015, 2), (50_914, 2), (50_915, 4)] {
        assert_eq!(wait(store.due_sweeps(at)).unwrap().len(), expected, "{at}");
    }
}
