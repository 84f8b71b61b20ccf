//! What to do after an exchange that gave no answer: a pure decision.

use std::time::Duration;

use runwrit_model::limits::{LOCKED_MAX, SEND_ATTEMPTS_MAX};
use sha2::{Digest as _, Sha256};

use super::error::{ApiError, Refusal};

/// Longest pause of a backoff in units: 30 s where the unit is a second.
const PAUSE_UNITS_MAX: u32 = 30;
/// Longest pause before a lock is met again, in units: most actions end within seconds.
const LOCKED_UNITS_MAX: u32 = 5;

/// One exchange that gave no answer.
#[derive(Debug, Clone)]
pub struct Miss {
    /// Whether the request only reads.
    pub is_read: bool,
    /// Counts the exchanges of this request from one.
    pub attempt: u32,
    /// How long its earlier pauses took together.
    pub waited: Duration,
    /// What happened.
    pub error: ApiError,
    /// How long until the rate limit is full again, where the API said so.
    pub refilled_after: Option<Duration>,
}

impl Miss {
    /// Returns the pause after which to send the request again; nothing where it must not be.
    ///
    /// A request that changes something is only repeated here when the answer proves that nothing
    /// happened; whatever may have happened is for the gate to look at.
    pub fn retry_after(&self, unit: Duration, seed: &[u8]) -> Option<Duration> {
        if self.error.is_one_of(&["locked"]) {
            return self.locked_pause(unit, seed);
        }
        if self.attempt >= SEND_ATTEMPTS_MAX || !self.may_pass() {
            return None;
        }
        let longest = unit * PAUSE_UNITS_MAX;
        let backoff = jittered(unit, self.attempt, seed).min(longest);
        let is_limited = self.error.is_one_of(&["rate_limit_exceeded"]);
        let refill = self.refilled_after.filter(|_| is_limited).unwrap_or_default();
        Some(backoff.max(refill.min(longest)))
    }

    /// A lock lasts as long as the action that holds it, however often it is asked for. A pause is
    /// at least an eighth of the wait so far, so that a fast pace costs few requests.
    fn locked_pause(&self, unit: Duration, seed: &[u8]) -> Option<Duration> {
        let pause = jittered(unit, self.attempt, seed).min(unit * LOCKED_UNITS_MAX);
        (self.waited < LOCKED_MAX).then(|| pause.max(self.waited / 8))
    }

    fn may_pass(&self) -> bool {
        match &self.error {
            ApiError::Unreachable(_) => true,
            ApiError::Unclear(_) => self.is_read,
            ApiError::Refused(refusal) => is_transient(refusal),
        }
    }
}

/// Refusals that the same request may not meet again a moment later.
fn is_transient(refusal: &Refusal) -> bool {
    refusal.is_one_of(&["conflict", "rate_limit_exceeded"]) || refusal.status == 429
}

/// Returns a pause that doubles with every attempt, spread evenly between the unit and the double,
/// so that callers who collide once do not collide again. Equal requests wait equally long.
fn jittered(unit: Duration, attempt: u32, seed: &[u8]) -> Duration {
    let mut hasher = Sha256::new();
    hasher.update(attempt.to_be_bytes());
    hasher.update(seed);
    let spread = u32::from(hasher.finalize()[0]);
    let span = unit * ((1 << attempt.min(10)) - 1);
    unit + span * spread / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Duration = Duration::from_secs(1);

    fn refused(status: u16, code: &str) -> ApiError {
        let message = String::new();
        let code = code.into();
        ApiError::Refused(Refusal { status, code, message, field: None, is_bare: false })
    }

    fn miss(is_read: bool, attempt: u32, error: ApiError) -> Miss {
        Miss { is_read, attempt, waited: Duration::ZERO, error, refilled_after: None }
    }

    #[test]
    fn writes_are_repeated_only_when_nothing_happened() {
        let unclear = || ApiError::Unclear("timeout".into());
        let rows = [
            ("lost answer of a read", miss(true, 1, unclear()), true),
            ("lost answer of a write", miss(false, 1, unclear()), false),
            ("no connection", miss(false, 1, ApiError::Unreachable("".into())), true),
            ("conflict", miss(false, 1, refused(409, "conflict")), true),
            ("locked", miss(false, 1, refused(423, "locked")), true),
            ("limit", miss(false, 1, refused(429, "rate_limit_exceeded")), true),
            ("protected", miss(false, 1, refused(423, "protected")), false),
            ("taken", miss(false, 1, refused(409, "uniqueness_error")), false),
            ("no stock", miss(false, 1, refused(412, "resource_unavailable")), false),
            ("quota", miss(false, 1, refused(403, "resource_limit_exceeded")), false),
            ("wrong token", miss(true, 1, refused(401, "unauthorized")), false),
            ("redirect", miss(true, 1, refused(302, "redirect")), false),
            ("too often", miss(true, SEND_ATTEMPTS_MAX, unclear()), false),
        ];
        for (name, miss, is_repeated) in rows {
            assert_eq!(miss.retry_after(UNIT, b"seed").is_some(), is_repeated, "{name}");
        }
    }

    #[test]
    fn a_lock_is_waited_out_by_time_and_not_by_count_at_any_pace() {
        for unit_ms in [1, 100, 1_000] {
            let mut miss = miss(false, 1, refused(423, "locked"));
            while let Some(pause) = miss.retry_after(Duration::from_millis(unit_ms), b"seed") {
                miss.waited += pause;
                miss.attempt += 1;
            }
            let tries = miss.attempt;
            assert!((20..120).contains(&tries), "{unit_ms} ms: {tries} tries");
            let is_patient = miss.waited >= LOCKED_MAX && miss.waited < LOCKED_MAX * 3 / 2;
            assert!(is_patient, "{unit_ms} ms: {:?}", miss.waited);
        }
    }

    #[test]
    fn pauses_grow_stay_bounded_and_depend_on_the_request_alone() {
        for attempt in 1..SEND_ATTEMPTS_MAX {
            let miss = miss(false, attempt, refused(409, "conflict"));
            let pause = miss.retry_after(UNIT, b"a").unwrap();
            assert_eq!(Some(pause), miss.retry_after(UNIT, b"a"), "attempt {attempt}");
            assert!(pause >= UNIT && pause <= UNIT * PAUSE_UNITS_MAX, "{attempt}: {pause:?}");
        }
        let pauses: std::collections::BTreeSet<_> = (0..20u8)
            .filter_map(|seed| miss(false, 3, refused(409, "conflict")).retry_after(UNIT, &[seed]))
            .collect();
        assert!(pauses.len() > 10, "only {} different pauses", pauses.len());
    }

    #[test]
    fn a_rate_limit_is_waited_out_but_not_for_an_hour() {
        let limited = |seconds| Miss {
            refilled_after: Some(Duration::from_secs(seconds)),
            ..miss(false, 1, refused(429, "rate_limit_exceeded"))
        };
        assert!(limited(20).retry_after(UNIT, b"").unwrap() >= Duration::from_secs(20));
        assert_eq!(limited(3600).retry_after(UNIT, b"").unwrap(), UNIT * PAUSE_UNITS_MAX);
    }
}
