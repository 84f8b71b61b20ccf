//! Whether the call that a guest makes now is the one that its journal holds.

use crate::call::{CallClass, CallId};
use crate::history::{Effect, History, Recorded};
use crate::id::Digest;
use crate::journal::{CallResult, Outcome, UnixMs};

/// A call that the guest makes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its index, counted by the gate.
    pub index: u32,
    /// The operation.
    pub operation: &'a str,
    /// Its class.
    pub class: CallClass,
    /// What it asks for.
    pub request: Request<'a>,
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// One thing: the digest of the call.
    One(Digest),
    /// A batch: the digests of its items.
    Batch(&'a [Digest]),
}

impl Request<'_> {
    /// Returns the digest under which an answer to the whole call is recorded.
    pub fn digest(&self) -> Digest {
        match self {
            Self::One(digest) => *digest,
            Self::Batch(digests) => {
                let mut bytes = b"batch".to_vec();
                digests.iter().for_each(|digest| bytes.extend_from_slice(digest.as_bytes()));
                Digest::of(&bytes)
            }
        }
    }

    /// Returns the digests of the calls: one, or one for each item of the batch.
    pub fn items(&self) -> &[Digest] {
        match self {
            Self::One(digest) => std::slice::from_ref(digest),
            Self::Batch(digests) => digests,
        }
    }
}

/// What the journal holds in the place of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Replay<'h> {
    /// Nothing yet: the call acts.
    Live,
    /// A step, a note or a refinement: it was said then.
    Said(UnixMs),
    /// The answer to the whole call: of a read, or a refusal before any effect.
    Answer(&'h Outcome, UnixMs),
    /// A timer; it is over when there is a second time.
    Timer {
        /// Until when it runs.
        until: UnixMs,
        /// When its end was recorded.
        woken_at: Option<UnixMs>,
    },
    /// Effects: one, or one for each item of the batch.
    Effects(Vec<Standing<'h>>),
    /// Something else: the run stops without an effect.
    Mismatch(Mismatch),
}

/// Where a recorded effect stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing<'h> {
    /// It was answered then.
    Answered(&'h CallResult, UnixMs),
    /// It was promised and never answered: `reconcile::forward` says what to do.
    Recover(&'h Effect),
}

/// The guest and its journal disagree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("call {call} is {asked} now, but the journal holds {recorded}")]
pub struct Mismatch {
    /// The call.
    pub call: CallId,
    /// What the guest asks for.
    pub asked: String,
    /// What the journal holds.
    pub recorded: String,
}

/// Compares a call with the journal. It must match in place, operation, class and request.
pub fn replay<'h>(history: &'h History, asked: &Asked<'_>) -> Replay<'h> {
    let place = asked.index as usize;
    let Some(recorded) = history.calls.get(place) else {
        // A hole means that the gate lost count; it must not act on that.
        return match place == history.calls.len() {
            true => Replay::Live,
            false => mismatch(asked, format!("only {} calls", history.calls.len())),
        };
    };
    let digest = asked.request.digest();
    match recorded {
        Recorded::Said { digest: said, at } if *said == digest => Replay::Said(*at),
        Recorded::Timer { digest: timed, until, woken_at } if *timed == digest => {
            Replay::Timer { until: *until, woken_at: *woken_at }
        }
        Recorded::Observed { observed, at }
            if observed.digest == digest
                && observed.operation == asked.operation
                && observed.class == asked.class =>
        {
            Replay::Answer(&observed.outcome, *at)
        }
        Recorded::Effects { items } if is_same(history, items, asked) => {
            Replay::Effects(items.iter().map(|call| standing(&history.effects[call])).collect())
        }
        _ => mismatch(asked, describe(history, recorded)),
    }
}

/// Returns the first recorded call that the guest did not make before it returned: none may stay.
pub fn unconsumed(history: &History, next_index: u32) -> Option<Mismatch> {
    let recorded = history.calls.get(next_index as usize)?;
    Some(Mismatch {
        call: CallId::single(next_index),
        asked: "the end of the runbook".to_owned(),
        recorded: describe(history, recorded),
    })
}

fn standing(effect: &Effect) -> Standing<'_> {
    match &effect.result {
        Some(result) => Standing::Answered(result, effect.answered_at),
        None => Standing::Recover(effect),
    }
}

fn is_same(history: &History, items: &[CallId], asked: &Asked<'_>) -> bool {
    let is_batch = matches!(asked.request, Request::Batch(_));
    let digests = asked.request.items();
    items.len() == digests.len()
        && items.iter().zip(digests).all(|(call, digest)| {
            let intent = &history.effects[call].intent;
            call.item.is_some() == is_batch
                && intent.operation == asked.operation
                && intent.class == asked.class
                && intent.digest == *digest
        })
}

fn mismatch<'h>(asked: &Asked<'_>, recorded: String) -> Replay<'h> {
    let digest = asked.request.digest();
    let size = match asked.request {
        Request::One(_) => String::new(),
        Request::Batch(digests) => format!(" of {} items", digests.len()),
    };
    Replay::Mismatch(Mismatch {
        call: CallId::single(asked.index),
        asked: format!("`{}`{size} with request {}", asked.operation, start_of(&digest)),
        recorded,
    })
}

fn describe(history: &History, recorded: &Recorded) -> String {
    match recorded {
        Recorded::Said { digest, .. } => format!("a step or refinement {}", start_of(digest)),
        Recorded::Timer { digest, .. } => format!("a wait {}", start_of(digest)),
        Recorded::Observed { observed, .. } => {
            format!("`{}` with request {}", observed.operation, start_of(&observed.digest))
        }
        Recorded::Effects { items } => {
            let intent = &history.effects[&items[0]].intent;
            let size = match items[0].item {
                Some(_) => format!(" of {} items", items.len()),
                None => String::new(),
            };
            let digest = start_of(&intent.digest);
            format!("`{}`{size} with request {digest}", intent.operation)
        }
    }
}

/// Twelve digits tell two requests apart and fit a line.
fn start_of(digest: &Digest) -> String {
    digest.hex()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use crate::call::Rank;
    use crate::tale::{Tale, call};

    use super::*;

    const GET: &str = "test.things.get";
    const CREATE: &str = "test.things.create";

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn asked(index: u32, operation: &'static str, class: CallClass, text: &str) -> Asked<'static> {
        Asked { index, operation, class, request: Request::One(digest(text)) }
    }

    /// A read, a creation, a step, a wait, an unanswered creation.
    fn tale() -> Tale {
        let tale = Tale::new().at(5).observed("0").made("1", Rank::Server, &[]);
        tale.step("2").timer("3", 90).create("4", Rank::Server, &[])
    }

    #[test]
    fn a_call_that_matches_gets_what_is_recorded() {
        let history = tale().history();
        let read = replay(&history, &asked(0, GET, CallClass::Read, "0"));
        assert!(matches!(read, Replay::Answer(Outcome::Ok(_), 5)), "{read:?}");
        let made = replay(&history, &asked(1, CREATE, CallClass::KeyedCreate, "1"));
        let Replay::Effects(items) = made else { panic!("{made:?}") };
        assert!(matches!(items[..], [Standing::Answered(_, 5)]), "{items:?}");
        let step = replay(&history, &asked(2, "run.steps.begin", CallClass::Local, "2"));
        assert_eq!(step, Replay::Said(5));
        let timer = replay(&history, &asked(3, "run.clock.sleep", CallClass::Local, "3"));
        assert_eq!(timer, Replay::Timer { until: 90, woken_at: None });
        let open = replay(&history, &asked(4, CREATE, CallClass::KeyedCreate, "4"));
        let Replay::Effects(items) = open else { panic!("{open:?}") };
        assert!(matches!(items[..], [Standing::Recover(_)]), "{items:?}");
        assert_eq!(replay(&history, &asked(5, GET, CallClass::Read, "x")), Replay::Live);
    }

    #[test]
    fn a_call_that_differs_in_anything_is_a_mismatch() {
        let history = tale().history();
        let batch = [digest("1")];
        let as_batch = Request::Batch(&batch);
        let made = asked(1, CREATE, CallClass::KeyedCreate, "1");
        let rows = [
            ("another request", asked(1, CREATE, CallClass::KeyedCreate, "other")),
            ("another operation", asked(1, "test.things.grow", CallClass::KeyedCreate, "1")),
            ("another class", asked(1, CREATE, CallClass::Opaque, "1")),
            ("a batch of one", Asked { request: as_batch, ..made }),
            ("a read with another request", asked(0, GET, CallClass::Read, "x")),
            ("a read of another operation", asked(0, "test.things.list", CallClass::Read, "0")),
            ("a read of another class", asked(0, GET, CallClass::Converge, "0")),
            ("a read where a creation was", asked(1, GET, CallClass::Read, "1")),
            ("a creation where a read was", asked(0, CREATE, CallClass::KeyedCreate, "0")),
            ("another step", asked(2, "run.steps.begin", CallClass::Local, "x")),
            ("another wait", asked(3, "run.clock.sleep", CallClass::Local, "x")),
            ("a call beyond the next", asked(6, GET, CallClass::Read, "x")),
        ];
        for (name, asked) in rows {
            let answer = replay(&history, &asked);
            assert!(matches!(answer, Replay::Mismatch(_)), "{name}: {answer:?}");
        }
    }

    #[test]
    fn a_batch_matches_item_by_item() {
        let tale = Tale::new().create("0.0", Rank::Server, &[]).create("0.1", Rank::Server, &[]);
        let history = tale.accepted("0.1").ok("0.1").history();
        let ask = |items: &[&str]| {
            let digests: Vec<_> = items.iter().map(|item| digest(item)).collect();
            let request = Request::Batch(&digests);
            let class = CallClass::KeyedCreate;
            let answer = replay(&history, &Asked { index: 0, operation: CREATE, class, request });
            match answer {
                Replay::Effects(items) => {
                    items.iter().map(|item| matches!(item, Standing::Answered(..))).collect()
                }
                Replay::Mismatch(_) => vec![],
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ask(&["0.0", "0.1"]), [false, true]);
        for items in [&["0.0"][..], &["0.1", "0.0"], &["0.0", "0.1", "0.2"], &["0.0", "x"], &[]] {
            assert_eq!(ask(items), [] as [bool; 0], "{items:?} matched");
        }
    }

    #[test]
    fn at_the_end_nothing_recorded_may_be_left() {
        let history = tale().history();
        assert_eq!(unconsumed(&history, 5), None);
        for made in 0..5 {
            let left = unconsumed(&history, made).expect("a call is left");
            assert_eq!(left.call, CallId::single(made));
            assert!(left.to_string().contains("the end of the runbook"), "{left}");
        }
        assert_eq!(call("4"), CallId::single(4));
    }
}
