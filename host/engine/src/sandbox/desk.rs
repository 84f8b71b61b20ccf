//! Where the calls of a guest arrive: at the capabilities of its run, or at a stream to the process
//! that holds them.

use std::collections::BTreeSet;

use runwrit_capabilities::gate::{Gate, Notice};
use runwrit_capabilities::{Capabilities, linker};
use wasmtime::Error;
use wasmtime::component::{Component, Linker};

use super::State;

/// Takes the calls of one guest.
pub trait Desk: Send + Sized + 'static {
    /// Links what `component` imports of the interfaces in `granted`.
    fn link(
        linker: &mut Linker<State<Self>>,
        component: &Component,
        granted: &BTreeSet<String>,
    ) -> Result<(), Error>;

    /// Returns the time that the guest sees.
    fn now_unix_ms(&mut self) -> u64;

    /// Returns bytes derived from the seed of the run.
    fn random(&mut self, count: u32) -> Vec<u8>;

    /// Tells the watchers of the run what the guest printed.
    fn log(&mut self, line: String);
}

impl<G: Gate + 'static> Desk for Capabilities<G> {
    fn link(
        linker: &mut Linker<State<Self>>,
        _: &Component,
        granted: &BTreeSet<String>,
    ) -> Result<(), Error> {
        linker::add::<State<Self>, G>(linker, granted, State::lend).map_err(Error::new)
    }

    fn now_unix_ms(&mut self) -> u64 {
        self.gate.now_unix_ms()
    }

    fn random(&mut self, count: u32) -> Vec<u8> {
        self.gate.random(count)
    }

    fn log(&mut self, line: String) {
        self.gate.notify(Notice::Log("info".to_owned(), line));
    }
}
