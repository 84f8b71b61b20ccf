//! What the journal holds in the place of a call.

use runwrit_capabilities::gate::Stop;
use runwrit_model::call::{Call, CallId};
use runwrit_model::history::Effect;
use runwrit_model::journal::{CallResult, Outcome, UnixMs};
use runwrit_model::replay::{self, Asked, Mismatch, Replay, Request};

use super::RunGate;

/// As [`Replay`], but owned, since the journal goes on while the call does.
pub(super) enum Past {
    Live,
    Said(UnixMs),
    Answer(Outcome, UnixMs),
    Timer { until: UnixMs, woken_at: Option<UnixMs> },
    Effects(Vec<Standing>),
}

/// Where a recorded effect stands.
pub(super) enum Standing {
    Answered(CallResult, UnixMs),
    Recover(Box<Effect>),
}

impl RunGate {
    /// Looks the next call up; a mismatch or an earlier stop comes back as a stop.
    pub(super) fn recall(&self, call: &Call, request: Request<'_>) -> Result<Past, Stop> {
        self.seat.check_stop()?;
        let asked =
            Asked { index: self.next, operation: &call.operation, class: call.class, request };
        self.seat.recorder.with(|history| match replay::replay(history, &asked) {
            Replay::Live => Ok(Past::Live),
            Replay::Said(at) => Ok(Past::Said(at)),
            Replay::Answer(outcome, at) => Ok(Past::Answer(outcome.clone(), at)),
            Replay::Timer { until, woken_at } => Ok(Past::Timer { until, woken_at }),
            Replay::Effects(standings) => {
                Ok(Past::Effects(standings.into_iter().map(Standing::from).collect()))
            }
            Replay::Mismatch(mismatch) => Err(nondeterministic(mismatch)),
        })
    }
}

impl From<replay::Standing<'_>> for Standing {
    fn from(standing: replay::Standing<'_>) -> Self {
        match standing {
            replay::Standing::Answered(result, at) => Self::Answered(result.clone(), at),
            replay::Standing::Recover(effect) => Self::Recover(Box::new(effect.clone())),
        }
    }
}

impl Past {
    /// Says that the journal holds a call of another sort.
    pub(super) fn mismatch(&self, index: u32, call: &Call) -> Stop {
        let recorded = match self {
            Self::Live => "nothing",
            Self::Said(_) => "a step or refinement",
            Self::Answer(..) => "an answer",
            Self::Timer { .. } => "a wait",
            Self::Effects(_) => "an effect",
        };
        Stop::Nondeterministic {
            call: CallId::single(index),
            asked: call.operation.clone(),
            recorded: recorded.to_owned(),
        }
    }
}

/// Turns the disagreement into the end of the attempt.
pub(crate) fn nondeterministic(mismatch: Mismatch) -> Stop {
    let Mismatch { call, asked, recorded } = mismatch;
    Stop::Nondeterministic { call, asked, recorded }
}
