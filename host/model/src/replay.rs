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

    fn items(&self) -> &[Digest] {
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
