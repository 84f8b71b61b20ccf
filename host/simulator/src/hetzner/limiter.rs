//! The rate limit: a bucket that refills evenly, counted without fractions.

use jiff::Timestamp;

// One request weighs as many units as an hour has milliseconds; a bucket of `limit` requests an
// hour then gains exactly `limit` units a millisecond.
const REQUEST: u64 = 3_600_000;

/// The requests that a project may still make.
#[derive(Debug, Clone)]
pub struct Bucket {
    limit: u64,
    level: u64,
    updated: Timestamp,
}

/// What the rate-limit headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub limit: u64,
    pub remaining: u64,
    /// Unix seconds at which the bucket is full again.
    pub reset: i64,
}

impl Bucket {
    /// Starts full.
    pub fn full(limit: u32, now: Timestamp) -> Self {
        let limit = u64::from(limit.max(1));
        Self { limit, level: limit * REQUEST, updated: now }
    }

    /// Takes one request out of the bucket; tells whether there was one.
    pub fn take(&mut self, now: Timestamp) -> bool {
        let passed = now.as_millisecond().saturating_sub(self.updated.as_millisecond());
        let gained = u64::try_from(passed).unwrap_or(0).saturating_mul(self.limit);
        self.level = self.level.saturating_add(gained).min(self.limit * REQUEST);
        self.updated = now;
        let is_allowed = self.level >= REQUEST;
        self.level -= if is_allowed { REQUEST } else { 0 };
        is_allowed
    }

    /// Returns what the headers say now.
    pub fn rate(&self) -> Rate {
        let missing = self.limit * REQUEST - self.level;
        let wait_ms = missing.div_ceil(self.limit);
        let reset = self.updated.as_second() + i64::try_from(wait_ms.div_ceil(1000)).unwrap_or(0);
        Rate { limit: self.limit, remaining: self.level / REQUEST, reset }
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::later;
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills_evenly() {
        let start = Timestamp::UNIX_EPOCH;
        let mut bucket = Bucket::full(3600, start);
        assert!(bucket.take(start));
        assert_eq!(bucket.rate(), Rate { limit: 3600, remaining: 3599, reset: 1 });
        assert!((0..3599).all(|_| bucket.take(start)));
        assert!(!bucket.take(start), "the burst is spent");
        assert!(!bucket.take(later(start, 999)), "not yet refilled");
        assert!(bucket.take(later(start, 1000)));
        assert!(!bucket.take(later(start, 1001)));
        assert_eq!(bucket.rate().remaining, 0);
    }
}
