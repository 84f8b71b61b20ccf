//! The rate limit of a credential, kept in the store: all runs of the installation share it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runwrit_capabilities::hetzner::budget::{Budget, Levels};
use runwrit_engine::clock::Clock;
use runwrit_engine::store::{Bucket, Correction, Store, Tokens};

use crate::ambient::SystemClock;

/// Seconds in which a bucket fills.
const FILL_SECONDS: f64 = 3600.0;

/// The bucket of one credential.
pub struct StoreBudget {
    store: Arc<dyn Store>,
    bucket: Bucket,
}

impl StoreBudget {
    /// Holds the bucket of a credential that may send `requests_per_hour`.
    pub fn new(store: Arc<dyn Store>, credential: &str, requests_per_hour: u32) -> Self {
        let bucket = Bucket {
            credential: credential.to_owned(),
            capacity: requests_per_hour,
            refill_per_second: f64::from(requests_per_hour) / FILL_SECONDS,
        };
        Self { store, bucket }
    }
}

impl Budget for StoreBudget {
    fn take(&self, requests: u32) -> BoxFuture<'_, Duration> {
        Box::pin(async move {
            let clock = SystemClock;
            loop {
                match self.store.take_tokens(&self.bucket, requests, clock.now()).await {
                    Ok(Tokens::Taken) => return Duration::ZERO,
                    Ok(Tokens::Wait(until)) => clock.sleep_until(until).await,
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
            credential: self.bucket.credential.clone(),
            remaining: levels.remaining,
            at: SystemClock.now(),
        };
        Box::pin(async move {
            if let Err(error) = self.store.correct_tokens(correction).await {
                tracing::warn!(%error, "the rate limit is not corrected");
            }
        })
    }
}
