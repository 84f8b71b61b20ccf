//! The time, as a value that is handed in.

use futures_util::future::BoxFuture;
use runwrit_model::journal::UnixMs;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Returns the milliseconds since 1970-01-01 UTC.
    fn now(&self) -> UnixMs;

    /// Returns once [`Clock::now`] has reached `until`.
    fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()>;
}
