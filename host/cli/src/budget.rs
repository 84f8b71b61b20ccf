//! The rate limit of a credential, kept in the store: all runs of the installation share it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runwrit_capabilities::hetzner::budget::{Budget, Levels};
use runwrit_engine::clock::Clock;
use runwrit_engine::store::{Bucket, Correction, Store, Tokens};

/// Seconds in which a bucket fills.
const FILL_SECONDS: f64 = 3600.0;

/// The bucket of one credential.
pub struct StoreBudget {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    bucket: Bucket,
}

impl StoreBudget {
    /// Holds the bucket of a credential that may send `requests_per_hour`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        credential: &str,
        requests_per_hour: u32,
    ) -> Self {
        let bucket = Bucket {
            credential: credential.to_owned(),
            capacity: requests_per_hour,
            refill_per_second: f64::from(requests_per_hour) / FILL_SECONDS,
        };
        Self { store, clock, bucket }
    }
}

impl Budget for StoreBudget {
    fn take(&self, requests: u32) -> BoxFuture<'_, Duration> {
        Box::pin(async move {
            loop {
                match self.store.take_tokens(&self.bucket, requests, self.clock.now()).await {
                    Ok(Tokens::Taken) => return Duration::ZERO,
                    Ok(Tokens::Wait(until)) => self.clock.sleep_until(until).await,
                    Err(error) => {
                        // The API has a limit of its own; a store that cannot count is no reason to
                        // leave something half-done. Journal entries fail on their own.
                        tracing::warn!(%error, "the rate limit is not counted");
                        return Duration::ZERO;
                    }
                }
            }
        })
    }

    fn correct(&self, levels: Levels) -> BoxFuture<'_, ()> {
        let correction = Correction {
            bucket: self.bucket.clone(),
            limit: levels.limit,
            remaining: levels.remaining,
            at: self.clock.now(),
        };
        Box::pin(async move {
            if let Err(error) = self.store.correct_tokens(correction).await {
                tracing::warn!(%error, "the rate limit is not corrected");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use runwrit_engine::store::SqliteStore;
    use runwrit_model::journal::UnixMs;

    use super::*;

    /// A clock that whoever sleeps sets.
    #[derive(Default)]
    struct Pushed(AtomicU64);

    impl Clock for Pushed {
        fn now(&self) -> UnixMs {
            self.0.load(Ordering::SeqCst)
        }

        fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()> {
            self.0.fetch_max(until, Ordering::SeqCst);
            Box::pin(tokio::task::yield_now())
        }
    }

    /// Sends `requests` to an API that lets 3,600 an hour through and hardly notices them.
    async fn send(budget: &StoreBudget, requests: u32) {
        for _ in 0..requests {
            budget.take(1).await;
            let refilled_after = Duration::from_secs(1);
            budget.correct(Levels { limit: 3_600, remaining: 3_599, refilled_after }).await;
        }
    }

    #[tokio::test]
    async fn two_runs_together_stay_within_a_budget_below_that_of_the_api() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Pushed::default());
        let run = || {
            let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
            StoreBudget::new(store, Arc::clone(&clock) as Arc<dyn Clock>, "hetzner", 60)
        };
        let (one, other) = (run(), run());
        futures_util::future::join(send(&one, 40), send(&other, 40)).await;
        // Sixty at once, and the other twenty as they come: one a minute.
        let minutes = clock.now() / 60_000;
        assert!((19..=21).contains(&minutes), "80 requests took {minutes} minutes");
    }
}
