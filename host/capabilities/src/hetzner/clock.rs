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

impl Default for Pace {
    fn default() -> Self {
        Self { poll: limits::POLLS.to_vec(), request_timeout: limits::REQUEST_TIMEOUT }
    }
}
