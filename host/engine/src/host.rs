//! What the engine is given once and uses for every run.

use std::sync::Arc;
use std::time::Duration;

use runwrit_model::event::Event;
use runwrit_model::labels::HostKey;
use runwrit_model::timing::Timing;

use crate::clock::Clock;
use crate::interrupt::Interrupt;
use crate::report::Reporter;

/// Fills bytes with randomness.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The surroundings of all runs of one process.
#[derive(Clone)]
pub struct Host {
    /// Tells the time and waits.
    pub clock: Arc<dyn Clock>,
    /// Takes the events.
    pub reporter: Arc<dyn Reporter>,
    /// Asks all runs to stop, to be resumed.
    pub interrupt: Interrupt,
    /// Proves what this installation made.
    pub key: HostKey,
    /// How long to wait for what.
    pub timing: Timing,
    /// How long a rollback may wait in memory before its run is parked; nothing where a person
    /// watches, for whom it waits as long as it takes.
    pub patience: Option<Duration>,
    /// Fills bytes with randomness fit for secrets.
    pub entropy: Entropy,
    /// The version of the host, for the record.
    pub version: String,
    /// The name and version of what executes components, for the record.
    pub engine: String,
}

impl Host {
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }

    pub(crate) fn report(&self, event: Event) {
        self.reporter.report(event);
    }
}
