//! What is written when: promises before their effects, and what may wait for the next write.

use runwrit_model::call::CallId;
use runwrit_model::event::RunOutcome;
use runwrit_model::journal::{Entry, Record};
use runwrit_model::limits;

use super::fuse::Fuse;
use super::play::Act::{self, *};
use super::{Exit, calm, kill_at, kinds};

#[tokio::test]
async fn each_effect_is_promised_then_accepted_then_answered() {
    let bench = calm(&[Step("all"), Net("net"), Read("net")]).await;
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded);
    let expected =
        ["created", "attempt", "step", "intent", "accepted", "result", "observed", "finished"];
    assert_eq!(kinds(&bench.journal().await), expected);
}

#[tokio::test]
async fn all_items_of_a_batch_are_promised_before_the_first_is_sent() {
    let bench = calm(&[Net("net"), Servers(&["one", "two", "three"])]).await;
    bench.once().await.unwrap();
    let kinds = kinds(&bench.journal().await);
    let intents = kinds.iter().rposition(|kind| *kind == "intent").unwrap();
    assert_eq!(kinds[intents - 2..=intents], ["intent"; 3]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "accepted").count(), 4);
}

#[tokio::test]
async fn what_was_only_seen_is_lost_with_the_process_but_for_what_is_over_the_limit() {
    let mut acts = vec![Net("net")];
    // The result of the effect is on the disk before the first of them.
    acts.extend([Read("net"); limits::JOURNAL_DEFERRED_MAX + 4]);
    let bench = calm(&acts).await;
    kill_at(&bench, "before finish").await;
    let seen = kinds(&bench.journal().await).iter().filter(|kind| **kind == "observed").count();
    assert_eq!(seen, limits::JOURNAL_DEFERRED_MAX);
    assert_eq!(bench.once().await.unwrap(), RunOutcome::Succeeded);
    assert_eq!(bench.cloud.sends(), 1);
}

#[tokio::test]
async fn what_is_over_when_it_is_accepted_is_written_at_once_with_its_outcome() {
    let change: &[Act] = &[Server("one"), Server("two"), Link("one", "two")];
    let creation: &[Act] = &[Row("one")];
    for (acts, call) in [(change, 3), (creation, 1)] {
        let (together, alone) = ends(&[&[Net("net")], acts].concat(), CallId::single(call)).await;
        assert!(together > 0, "{acts:?}: no kill came after both");
        assert_eq!(alone, 0, "{acts:?}: one of them was on the disk without the other");
    }
}

/// Kills a run at each boundary. Returns how often the acceptance and the result of a call were on
/// the disk then, and how often one without the other.
async fn ends(acts: &[Act], call: CallId) -> (u32, u32) {
    let (mut together, mut alone) = (0, 0);
    for boundary in 1.. {
        let bench = calm(acts).await;
        let Exit::Killed(_) = bench.process(Fuse::at(boundary), None).await else { break };
        // The first kill comes before there is a run.
        let Ok(journal) = bench.store.journal(bench.run()).await else { continue };
        let is_accepted =
            |entry: &Entry| matches!(&entry.record, Record::Accepted(it) if it.call == call);
        let is_result =
            |entry: &Entry| matches!(&entry.record, Record::Result(it) if it.call == call);
        match (journal.iter().any(is_accepted), journal.iter().any(is_result)) {
            (true, true) => together += 1,
            (false, false) => {}
            _ => alone += 1,
        }
    }
    (together, alone)
}
