//! Kills the process under test at a boundary: it stops there for good, and its harness drops it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts boundaries and blows at one of them.
#[derive(Default)]
pub struct Fuse {
    at: Option<u64>,
    passed: AtomicU64,
    is_blown: AtomicBool,
    blown: Notify,
    place: Mutex<Option<String>>,
}

impl Fuse {
    /// Blows at the given boundary, counted from one.
    pub fn at(boundary: u64) -> Self {
        Self { at: Some(boundary), ..Self::default() }
    }

    /// Passes a boundary, or never returns.
    pub async fn pass(&self, name: &str) {
        if self.is_blown.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let count = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if self.at == Some(count) {
            *self.place.lock().unwrap() = Some(name.to_owned());
            self.is_blown.store(true, Ordering::SeqCst);
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Returns once the fuse has blown.
    pub async fn blown(&self) {
        self.blown.notified().await;
    }

    /// Tells where it blew, if it did.
    pub fn place(&self) -> Option<String> {
        self.place.lock().unwrap().clone()
    }
}
