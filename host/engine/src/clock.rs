//! The time, as a value that is handed in.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runwrit_model::journal::UnixMs;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Returns the milliseconds since 1970-01-01 UTC.
    fn now(&self) -> UnixMs;

    /// Returns after as long as it is now until `until`, whatever is done to the clock meanwhile.
    fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()>;

    /// Returns milliseconds since some point, which grow at real speed and never jump.
    fn ticks(&self) -> u64 {
        self.now()
    }

    /// Returns when the clock of the machine will show what this one shows at `at`.
    fn by_machine(&self, at: UnixMs) -> UnixMs {
        at
    }
}

/// The time of one run in one process. It begins where the machine is, but never before the last
/// entry of the journal, and goes on at real speed: a clock that is set while the process runs
/// neither cuts a wait short nor makes it last for years, and one that was set back between two
/// processes makes none last longer. One that was set forward between two ends what waited: `tick`
/// has an endpoint confirm the clock before it begins one.
pub struct RunClock {
    machine: Arc<dyn Clock>,
    began_at: UnixMs,
    began_ticks: u64,
}

impl RunClock {
    /// Begins now, but not before a time that the run has seen.
    pub fn new(machine: Arc<dyn Clock>, not_before: UnixMs) -> Self {
        let (began_at, began_ticks) = (machine.now().max(not_before), machine.ticks());
        Self { machine, began_at, began_ticks }
    }
}

impl Clock for RunClock {
    fn now(&self) -> UnixMs {
        self.began_at.saturating_add(self.ticks().saturating_sub(self.began_ticks))
    }

    fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()> {
        self.machine.sleep_until(self.by_machine(until))
    }

    fn ticks(&self) -> u64 {
        self.machine.ticks()
    }

    fn by_machine(&self, at: UnixMs) -> UnixMs {
        self.machine.now().saturating_add(at.saturating_sub(self.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A machine whose clock is set at will.
    #[derive(Default)]
    struct Machine {
        now: AtomicU64,
        ticks: AtomicU64,
    }

    impl Clock for Machine {
        fn now(&self) -> UnixMs {
            self.now.load(Ordering::SeqCst)
        }

        fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()> {
            self.ticks.fetch_add(until.saturating_sub(self.now()), Ordering::SeqCst);
            self.now.fetch_max(until, Ordering::SeqCst);
            Box::pin(async {})
        }

        fn ticks(&self) -> u64 {
            self.ticks.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_set_moves_no_run() {
        const YEARS: u64 = 73 * 365 * 86_400_000;
        for (name, set_to) in [("forward", 1_000 + YEARS), ("backward", 3)] {
            let machine = Arc::new(Machine::default());
            machine.now.store(1_000, Ordering::SeqCst);
            let clock = RunClock::new(Arc::clone(&machine) as _, 0);
            machine.now.store(set_to, Ordering::SeqCst);
            assert_eq!(clock.now(), 1_000, "{name}");
            clock.sleep_until(1_120).await;
            assert_eq!((clock.now(), machine.ticks()), (1_120, 120), "{name}");
        }
        // A journal from the future: its waits last as long as they were meant to.
        let machine = Arc::new(Machine::default());
        machine.now.store(1_000, Ordering::SeqCst);
        let clock = RunClock::new(Arc::clone(&machine) as _, YEARS);
        assert_eq!((clock.now(), clock.by_machine(YEARS + 50)), (YEARS, 1_050));
        clock.sleep_until(YEARS + 50).await;
        assert_eq!((clock.now(), machine.ticks()), (YEARS + 50, 50));
    }
}
