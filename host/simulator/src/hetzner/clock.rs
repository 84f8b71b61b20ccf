//! The simulated clock: starts where it is told, runs faster than the wall, can be pushed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock whose seconds last `factor` real seconds; a frozen one moves only when pushed.
#[derive(Debug)]
pub struct Clock {
    starts_at: Timestamp,
    origin: Instant,
    factor: f64,
    is_frozen: bool,
    pushed: Duration,
}

impl Clock {
    /// Starts at `starts_at`; a factor of 0.001 lets a simulated second last a millisecond.
    #[expect(clippy::disallowed_methods, reason = "the one place where simulated time begins")]
    pub fn start(starts_at: Timestamp, factor: f64, is_frozen: bool) -> Self {
        let factor = if factor.is_finite() && factor > 0.0 { factor } else { 1.0 };
        Self { starts_at, origin: Instant::now(), factor, is_frozen, pushed: Duration::ZERO }
    }

    /// Returns the simulated time.
    pub fn now(&self) -> Timestamp {
        self.after(self.origin.elapsed())
    }

    /// Returns the simulated time when this much real time has passed since the start.
    fn after(&self, real: Duration) -> Timestamp {
        let elapsed = if self.is_frozen { Duration::ZERO } else { self.simulated(real) };
        let passed = elapsed.saturating_add(self.pushed);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.starts_at.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Pushes the clock forward by a simulated span.
    pub fn advance(&mut self, span: Duration) {
        self.pushed = self.pushed.saturating_add(span);
    }

    /// Returns the time of day as it would be had all pushes really passed, for the header `Date`:
    /// clients compare it with their own clocks.
    #[expect(clippy::disallowed_methods, reason = "the one place where real time enters")]
    pub fn date(&self) -> Timestamp {
        let pushed = SignedDuration::try_from(self.pushed).unwrap_or(SignedDuration::MAX);
        Timestamp::now().checked_add(pushed).unwrap_or(Timestamp::MAX)
    }

    /// Returns how many simulated seconds pass while a real span passes; a frozen clock counts
    /// them one to one, so that delays given in real time keep a meaning.
    pub fn simulated(&self, real: Duration) -> Duration {
        if self.is_frozen {
            return real;
        }
        Duration::try_from_secs_f64(real.as_secs_f64() / self.factor).unwrap_or(Duration::MAX)
    }

    /// Returns how many real seconds a simulated second lasts.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Tells whether only `advance` moves this clock.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }
}

/// Writes a time the way the API does: RFC 3339, UTC, whole seconds.
pub fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Adds simulated milliseconds, ending at the last representable time instead of overflowing.
pub fn later(time: Timestamp, milliseconds: u64) -> Timestamp {
    let span = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().expect("a literal time")
    }

    #[test]
    fn a_small_factor_makes_time_fly() {
        let rows = [
            (0.001, 20, "2026-11-21T12:00:20Z"),
            (1.0, 2_000, "2026-11-21T12:00:02Z"),
            (2.0, 2_000, "2026-11-21T12:00:01Z"),
            (0.0, 2_000, "2026-11-21T12:00:02Z"),
        ];
        for (factor, real_ms, expected) in rows {
            let clock = Clock::start(noon(), factor, false);
            let time = clock.after(Duration::from_millis(real_ms));
            assert_eq!(written(time), expected, "factor {factor}");
        }
    }

    #[test]
    fn a_frozen_clock_moves_only_when_pushed() {
        let mut clock = Clock::start(noon(), 0.001, true);
        assert_eq!(clock.after(Duration::from_secs(5)), noon());
        clock.advance(Duration::from_secs(61));
        assert_eq!(written(clock.after(Duration::from_secs(5))), "2026-11-21T12:01:01Z");
    }
}
