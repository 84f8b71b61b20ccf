//! Calls that the host answers from what it knows.

use hkdf::Hkdf;
use runwrit_capabilities::gate::{CallError, Stop};
use runwrit_model::call::{Call, CallClass};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::id::Digest;
use runwrit_model::journal::{Record, Refinement};
use runwrit_model::limits;
use runwrit_model::replay::Request;
use serde_json::{Value, json};
use sha2::Sha256;

use super::recall::Past;
use super::{RunGate, encode};

impl RunGate {
    /// Records something that has no answer, unless it is on record.
    ///
    /// A step rides with the next durable write: nothing outside depends on it, and a lost one is
    /// said again. A refinement decides about undo, so it is flushed before the guest goes on.
    pub(super) async fn say(
        &mut self,
        (call, digest): (&Call, Digest),
        record: Record,
        is_flushed: bool,
    ) -> Result<(), Stop> {
        let at = match self.recall(call, Request::One(digest))? {
            Past::Said(at) => at,
            Past::Live => {
                self.seat.check().await?;
                match is_flushed {
                    true => self.seat.recorder.append(vec![record]).await?,
                    false => self.seat.recorder.defer(record).await?,
                }
            }
            other => return Err(other.mismatch(self.next, call)),
        };
        self.consume(at);
        Ok(())
    }

    /// Refuses to refine what is no effect of this run. Needs no record: what came before this call
    /// is the same in every replay.
    pub(super) fn check_refinement(&self, refinement: &Refinement) -> Result<(), CallError> {
        let index = match refinement {
            Refinement::Pivot => return Ok(()),
            Refinement::Keep(index)
            | Refinement::UndoWith(index, _)
            | Refinement::HoldsData(index, _) => *index,
        };
        let is_effect = self
            .seat
            .recorder
            .with(|history| history.effects.keys().any(|call| call.index == index));
        if is_effect && index < self.next {
            return Ok(());
        }
        let message = format!("call {index} of this run had no effect");
        Err(Failure::NotFound(Problem::new("no-such-call", message).with_field("call")).into())
    }
}

/// Describes a step or a note.
pub(super) fn step(text: &str, is_note: bool) -> Call {
    let operation = if is_note { "run.steps.verified" } else { "run.steps.begin" };
    said(operation, json!({ "text": text }))
}

/// Describes a refinement.
pub(super) fn refinement(refinement: &Refinement) -> Call {
    let operation = match refinement {
        Refinement::Keep(_) => "run.recovery.keep",
        Refinement::UndoWith(..) => "run.recovery.undo-with",
        Refinement::Pivot => "run.recovery.pivot",
        Refinement::HoldsData(..) => "run.recovery.holds-data",
    };
    said(operation, encode(refinement))
}

/// Describes a wait.
pub(super) fn sleep(seconds: u32) -> Call {
    said("run.clock.sleep", json!({ "seconds": seconds }))
}

fn said(operation: &str, request: Value) -> Call {
    Call {
        operation: operation.to_owned(),
        class: CallClass::Local,
        request,
        kind: None,
        key: None,
        references: Vec::new(),
        subject: String::new(),
    }
}

/// Derives bytes from the seed and the place in the run (RFC 5869), so that a replay repeats them.
pub(super) fn random(seed: &[u8; 32], index: u32, draw: u32, count: u32) -> Vec<u8> {
    let mut info = b"runwrit-random-v1".to_vec();
    info.extend_from_slice(&index.to_be_bytes());
    info.extend_from_slice(&draw.to_be_bytes());
    let mut bytes = vec![0; count.min(limits::RANDOM_BYTES_MAX) as usize];
    let derived = Hkdf::<Sha256>::new(None, seed).expand(&info, &mut bytes);
    derived.expect("the limit of one draw is far below what HKDF can derive");
    bytes
}
