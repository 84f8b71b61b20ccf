//! The rate limit of a credential, shared by all runs that use it.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// What the API says about the limit with every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Requests an hour, which is also the size of the bucket.
    pub limit: u32,
    /// What is left of it.
    pub remaining: u32,
    /// When it will be full again.
    pub refilled_after: Duration,
}

/// The requests that a credential has left. The engine backs it by the store's rate bucket.
pub trait Budget: Send + Sync {
    /// Takes `requests` and returns how long to wait before the first is sent.
    fn take(&self, requests: u32) -> BoxFuture<'_, Duration>;

    /// Corrects the budget by what the API said.
    fn correct(&self, levels: Levels) -> BoxFuture<'_, ()>;
}

/// A budget of one process, for simulators and tools that run alone.
#[derive(Debug, Default)]
pub struct LocalBudget {
    last: Mutex<Option<Levels>>,
}

impl Budget for LocalBudget {
    fn take(&self, requests: u32) -> BoxFuture<'_, Duration> {
        let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let wait = last.as_mut().map_or(Duration::ZERO, |levels| levels.take(requests));
        Box::pin(async move { wait })
    }

    fn correct(&self, levels: Levels) -> BoxFuture<'_, ()> {
        *self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(levels);
        Box::pin(async {})
    }
}

impl Levels {
    /// Takes what is left and returns the wait for what is not: the bucket refills evenly.
    fn take(&mut self, requests: u32) -> Duration {
        let missing = requests.saturating_sub(self.remaining);
        self.remaining = self.remaining.saturating_sub(requests);
        let used = self.limit.saturating_sub(self.remaining).max(1);
        self.refilled_after * missing / used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_begin_when_the_bucket_is_empty() {
        let levels = |limit, remaining, seconds| Levels {
            limit,
            remaining,
            refilled_after: Duration::from_secs(seconds),
        };
        let rows = [
            ("full", levels(3600, 3600, 0), 1, 0),
            ("last one", levels(3600, 1, 3599), 1, 0),
            ("empty", levels(3600, 0, 3600), 1, 1),
            ("empty for ten", levels(3600, 0, 3600), 10, 10),
            ("half there", levels(3600, 5, 3600), 10, 5),
        ];
        for (name, mut levels, requests, seconds) in rows {
            assert_eq!(levels.take(requests).as_secs(), seconds, "{name}");
        }
    }
}
