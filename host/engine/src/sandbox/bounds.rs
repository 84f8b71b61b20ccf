//! What one run may use of the machine, and the meters that watch it.

use std::time::Duration;

use runwrit_model::limits;
use serde::{Deserialize, Serialize};
use wasmtime::{Error, ResourceLimiter};

use super::ticker::TICK;
use super::trouble::Trouble;

/// What one run may use of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// All linear memories together.
    pub memory_bytes_max: usize,
    /// Computing between two calls.
    pub compute_max: Duration,
    /// Calls, local ones too.
    pub calls_max: u64,
    /// Bytes that one call may carry from guest to host.
    pub call_bytes_max: usize,
    /// Handles alive at once.
    pub handles_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            memory_bytes_max: limits::GUEST_MEMORY_BYTES_MAX,
            compute_max: limits::GUEST_COMPUTE_MAX,
            calls_max: limits::GUEST_CALLS_MAX,
            call_bytes_max: limits::CALL_BYTES_MAX,
            handles_max: limits::GUEST_HANDLES_MAX,
        }
    }
}

/// Counts the memory of a run; asking for more traps the guest, so that the error names the cause.
#[derive(Debug)]
pub struct Memory {
    bytes: usize,
    bytes_max: usize,
}

impl Memory {
    /// Watches a new run.
    pub fn new(bounds: &Bounds) -> Self {
        Self { bytes: 0, bytes_max: bounds.memory_bytes_max }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, Error> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > self.bytes_max {
            return Err(Error::new(Trouble::Memory { asked: bytes, max: self.bytes_max }));
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, Error> {
        let max = limits::GUEST_TABLE_ELEMENTS_MAX;
        if desired > max {
            return Err(Error::new(Trouble::Table { asked: desired, max }));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        limits::GUEST_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        limits::GUEST_TABLES_MAX
    }

    fn memories(&self) -> usize {
        limits::GUEST_MEMORIES_MAX
    }
}

/// Counts how long a guest computes between its calls, and its calls.
///
/// It counts the ticks at which the guest was seen computing, so that waiting inside of a call is
/// free.
#[derive(Debug)]
pub struct Pace {
    ticks: u64,
    ticks_max: u64,
    calls: u64,
    calls_max: u64,
}

impl Pace {
    /// Watches a new run.
    pub fn new(bounds: &Bounds) -> Self {
        let ticks_max = bounds.compute_max.as_millis() / TICK.as_millis();
        let ticks_max = u64::try_from(ticks_max).unwrap_or(u64::MAX).max(1);
        Self { ticks: 0, ticks_max, calls: 0, calls_max: bounds.calls_max }
    }

    /// Notes a call: the guest may compute again.
    pub fn call(&mut self) {
        self.ticks = 0;
        self.calls = self.calls.saturating_add(1);
    }

    /// Notes a tick of computing.
    pub fn tick(&mut self) -> Result<(), Trouble> {
        self.ticks += 1;
        if self.calls > self.calls_max {
            return Err(Trouble::Calls { max: self.calls_max });
        }
        if self.ticks > self.ticks_max {
            let seconds = TICK.as_secs_f64() * self.ticks_max as f64;
            return Err(Trouble::Compute { seconds });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        let compute_max = TICK * 3;
        Bounds { memory_bytes_max: 100, compute_max, calls_max: 2, ..Bounds::default() }
    }

    #[test]
    fn memories_count_together() {
        let mut memory = Memory::new(&bounds());
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(60, 80, None).unwrap());
        let error = memory.memory_growing(0, 21, None).unwrap_err();
        let trouble = error.downcast_ref::<Trouble>().unwrap();
        assert_eq!(*trouble, Trouble::Memory { asked: 101, max: 100 });
        assert!(memory.memory_growing(0, 20, None).unwrap(), "a refused growth counts for nothing");
    }

    #[test]
    fn a_call_lets_the_guest_compute_again_but_not_for_ever() {
        let mut pace = Pace::new(&bounds());
        for _ in 0..2 {
            for tick in 0..3 {
                assert!(pace.tick().is_ok(), "tick {tick}");
            }
            pace.call();
        }
        for _ in 0..3 {
            pace.tick().unwrap();
        }
        assert!(matches!(pace.tick(), Err(Trouble::Compute { .. })));
        pace.call();
        assert_eq!(pace.tick(), Err(Trouble::Calls { max: 2 }));
    }
}
