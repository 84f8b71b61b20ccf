//! Running a component with nothing but what its run was granted, within bounds.

mod bounds;
mod config;
mod guest;
mod ticker;
mod trouble;
mod wasi;

use std::collections::BTreeSet;

use runwrit_capabilities::bindings::{Everything, EverythingPre};
use runwrit_capabilities::gate::Gate;
use runwrit_capabilities::{Capabilities, linker};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Error, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

pub use self::bounds::Bounds;
use self::bounds::{Memory, Pace};
pub use self::config::{engine, fingerprint, version};
pub use self::guest::ComponentGuest;
use self::trouble::Enforced;
pub use self::trouble::Trouble;
use self::wasi::Inert;
use crate::guest::GuestEnd;

/// The Wasm engine of this process. All runs share its code; each has memory of its own.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
    bounds: Bounds,
}

/// A sandbox that cannot be set up: the processor or the operating system lacks something.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The Wasm engine.
    #[error("the Wasm engine does not start on this machine")]
    Engine(#[source] Error),
    /// The thread that counts time.
    #[error("the thread that interrupts endless loops does not start")]
    Ticker(#[source] std::io::Error),
}

/// What belongs to one run while it is in memory.
struct State<G> {
    capabilities: Capabilities<G>,
    memory: Memory,
    pace: Pace,
    wasi: Inert,
}

impl<G: Gate> State<G> {
    /// Lends the capabilities for one call; the guest has shown that it does not loop.
    fn lend(&mut self) -> &mut Capabilities<G> {
        self.pace.call();
        self.wasi.flush(&mut self.capabilities.gate, false);
        &mut self.capabilities
    }
}

impl<G: Gate> WasiView for State<G> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}

impl Sandbox {
    /// Starts the engine and the thread that interrupts endless loops.
    pub fn new(bounds: Bounds) -> Result<Self, SandboxError> {
        let engine = engine().map_err(SandboxError::Engine)?;
        ticker::start(&engine).map_err(SandboxError::Ticker)?;
        Ok(Self { engine, bounds })
    }

    /// Returns the engine that code must be compiled for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs `component` to its end in memory of its own. Only the interfaces of `granted`, named as
    /// in an ask (`hetzner/servers`), exist for it.
    ///
    /// A component that imports WASI, which admission allows to the tier `inert-wasi` only, gets an
    /// empty context. Dropping the future ends the run at once, also in the middle of a loop.
    pub async fn run<G: Gate + 'static>(
        &self,
        component: &Component,
        granted: &BTreeSet<String>,
        capabilities: Capabilities<G>,
    ) -> GuestEnd {
        let ready = match self.link(component, granted) {
            Ok(ready) => ready,
            Err(error) => {
                let trouble = Trouble::NotStarted(format!("{error:#}"));
                return GuestEnd::Trapped(trouble.to_string());
            }
        };
        let mut store = self.store(capabilities, self.imports_wasi(component));
        let ended = call(&ready, &mut store).await;
        let State { capabilities, wasi, .. } = store.data_mut();
        wasi.flush(&mut capabilities.gate, true);
        match ended {
            Ok(Ok(())) => GuestEnd::Returned,
            Ok(Err(failure)) => GuestEnd::Failed(failure.into()),
            Err(error) => trouble::ending(&error, self.enforced()),
        }
    }

    fn link<G: Gate + 'static>(
        &self,
        component: &Component,
        granted: &BTreeSet<String>,
    ) -> Result<EverythingPre<State<G>>, Error> {
        let mut linker = Linker::new(&self.engine);
        linker::add::<State<G>, G>(&mut linker, granted, State::lend).map_err(Error::new)?;
        if self.imports_wasi(component) {
            wasi::link(&mut linker, |state: &mut State<G>| &mut state.wasi)?;
        }
        EverythingPre::new(linker.instantiate_pre(component)?)
    }

    fn imports_wasi(&self, component: &Component) -> bool {
        let surface = component.component_type();
        surface.imports(&self.engine).any(|(name, _)| name.starts_with("wasi:"))
    }

    fn store<G: Gate + 'static>(
        &self,
        mut capabilities: Capabilities<G>,
        has_wasi: bool,
    ) -> Store<State<G>> {
        let bounds = &self.bounds;
        let wasi = match has_wasi {
            true => Inert::new(&mut capabilities.gate, bounds.handles_max),
            false => Inert::unused(),
        };
        let (memory, pace) = (Memory::new(bounds), Pace::new(bounds));
        let state = State { capabilities, memory, pace, wasi };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(bounds.call_bytes_max);
        store.set_max_component_handles(bounds.handles_max);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().pace.tick().map_err(Error::new)?;
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }

    fn enforced(&self) -> Enforced {
        let Bounds { call_bytes_max, handles_max, .. } = self.bounds;
        Enforced { call_bytes_max, handles_max }
    }
}

/// Instantiates and calls `run`; a start function may loop or trap as well.
async fn call<G: Gate + 'static>(
    ready: &EverythingPre<State<G>>,
    store: &mut Store<State<G>>,
) -> Result<Result<(), runwrit_capabilities::bindings::Failure>, Error> {
    let runbook: Everything = ready.instantiate_async(&mut *store).await?;
    runbook.call_run(store).await
}
