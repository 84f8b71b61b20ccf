//! A clock that need not be waited for.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use runwrit_model::journal::UnixMs;

use crate::clock::Clock;

/// Begins at a time and is moved on by whoever waits.
#[derive(Debug)]
pub struct RehearsalClock(AtomicU64);

impl RehearsalClock {
    /// Begins at `now`.
    pub fn new(now: UnixMs) -> Self {
        Self(AtomicU64::new(now))
    }
}

impl Clock for RehearsalClock {
    fn now(&self) -> UnixMs {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()> {
        self.0.fetch_max(until, Ordering::SeqCst);
        Box::pin(async {})
    }
}
