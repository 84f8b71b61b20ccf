//! The wish of a person to stop this process, which is not the wish to cancel the run.

use tokio::sync::watch;

/// Raised once by whoever watches the signals; read by every run of the process.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Sender<bool>);

impl Default for Interrupt {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Interrupt {
    /// Asks all runs of this process to finish their call, to be resumed later.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }

    /// Tells whether it was raised.
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is raised.
    pub async fn raised(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so waiting ends only with the value.
        let _ = receiver.wait_for(|is_raised| *is_raised).await;
    }
}
