//! Time as the client sees it: passed in, so that tests need not wait.

use std::time::Duration;

use futures_util::future::BoxFuture;
use runwrit_model::limits;

/// Tells the time and waits.
pub trait Clock: Send + Sync {
    /// Returns the milliseconds since 1970-01-01 UTC.
    fn now_unix_ms(&self) -> u64;

    /// Waits.
    fn sleep(&self, pause: Duration) -> BoxFuture<'_, ()>;
}

/// How fast the client asks again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Pauses between two looks at running actions; the last one repeats.
    pub poll: Vec<Duration>,
    /// How long one exchange may take.
    pub request_timeout: Duration,
}

impl Pace {
    /// Returns the pause before look number `looks`, counted from zero.
    pub fn poll_pause(&self, looks: usize) -> Duration {
        let pause = self.poll.get(looks).or(self.poll.last());
        pause.copied().unwrap_or(Duration::from_secs(1))
    }

    /// Returns the first pause of a backoff: the unit that all other pauses are multiples of.
    pub fn unit(&self) -> Duration {
        self.poll_pause(0)
    }
}

/// A wait for something that has no action to wait for: it looks often at first, then ever less.
#[derive(Debug)]
pub struct Patience {
    pace: Pace,
    waited: Duration,
    looks: usize,
    max: Duration,
}

impl Patience {
    /// Begins to wait, for `max` at most.
    pub fn new(pace: &Pace, max: Duration) -> Self {
        Self { pace: pace.clone(), waited: Duration::ZERO, looks: 0, max }
    }

    /// Returns the pause before the next look; nothing once all patience is gone. A pause is at
    /// least an eighth of the wait so far, so that a long wait costs few requests.
    pub fn pause(&mut self) -> Option<Duration> {
        if self.waited >= self.max {
            return None;
        }
        let pause = self.pace.poll_pause(self.looks).max(self.waited / 8);
        self.looks += 1;
        self.waited += pause;
        Some(pause)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { poll: limits::POLLS.to_vec(), request_timeout: limits::REQUEST_TIMEOUT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_costs_few_requests_at_any_pace() {
        for first_ms in [1, 100, 1_000, 5_000] {
            let poll = vec![Duration::from_millis(first_ms)];
            let pace = Pace { poll, ..Pace::default() };
            let mut patience = Patience::new(&pace, Duration::from_secs(300));
            let pauses: Vec<_> = std::iter::from_fn(|| patience.pause()).collect();
            let total: Duration = pauses.iter().sum();
            assert!(pauses.len() < 120, "{first_ms} ms: {} looks", pauses.len());
            assert!(total >= Duration::from_secs(300), "{first_ms} ms: {total:?}");
        }
    }
}
