//! Running a component with nothing but what its run was granted, within bounds.

mod bounds;
mod config;
mod desk;
mod sockets;
mod ticker;
mod trouble;
mod wasi;

use std::collections::BTreeSet;

use runwrit_capabilities::bindings::{Everything, EverythingPre};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Error, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

pub use self::bounds::Bounds;
use self::bounds::{Memory, Pace};
pub use self::config::{engine, fingerprint, version};
pub use self::desk::Desk;
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
pub struct State<D> {
    desk: D,
    memory: Memory,
    pace: Pace,
    wasi: Inert,
}

impl<D: Desk> State<D> {
    /// Lends the desk for one call; the guest has shown that it does not loop.
    pub fn lend(&mut self) -> &mut D {
        self.pace.call();
        self.wasi.flush(&mut self.desk, false);
        &mut self.desk
    }
}

impl<D: Desk> WasiView for State<D> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}

impl Sandbox {
    /// Starts the engine and the thread that interrupts endless loops.
    pub fn new(bounds: Bounds) -> Result<Self, SandboxError> {
        Self::around(engine().map_err(SandboxError::Engine)?, bounds)
    }

    /// Starts the thread for an engine that has been started.
    pub fn around(engine: Engine, bounds: Bounds) -> Result<Self, SandboxError> {
        ticker::start(&engine).map_err(SandboxError::Ticker)?;
        Ok(Self { engine, bounds })
    }

    /// Keeps guests within other bounds.
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
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
    pub async fn run<D: Desk>(
        &self,
        component: &Component,
        granted: &BTreeSet<String>,
        desk: D,
    ) -> GuestEnd {
        let ready = match self.link(component, granted) {
            Ok(ready) => ready,
            Err(error) => {
                let trouble = Trouble::NotStarted(format!("{error:#}"));
                return GuestEnd::Trapped(trouble.to_string());
            }
        };
        let mut store = self.store(desk, self.imports_wasi(component));
        let ended = call(&ready, &mut store).await;
        let State { desk, wasi, .. } = store.data_mut();
        wasi.flush(desk, true);
        match ended {
            Ok(Ok(())) => GuestEnd::Returned,
            Ok(Err(failure)) => GuestEnd::Failed(failure.into()),
            Err(error) => trouble::ending(&error, self.enforced()),
        }
    }

    fn link<D: Desk>(
        &self,
        component: &Component,
        granted: &BTreeSet<String>,
    ) -> Result<EverythingPre<State<D>>, Error> {
        let mut linker = Linker::new(&self.engine);
        D::link(&mut linker, component, granted)?;
        if self.imports_wasi(component) {
            wasi::link(&mut linker, |state: &mut State<D>| &mut state.wasi)?;
            sockets::close(&mut linker, component)?;
        }
        EverythingPre::new(linker.instantiate_pre(component)?)
    }

    fn imports_wasi(&self, component: &Component) -> bool {
        let surface = component.component_type();
        surface.imports(&self.engine).any(|(name, _)| name.starts_with("wasi:"))
    }

    fn store<D: Desk>(&self, mut desk: D, has_wasi: bool) -> Store<State<D>> {
        let bounds = &self.bounds;
        let wasi = match has_wasi {
            true => Inert::new(&mut desk, bounds.handles_max),
            false => Inert::unused(),
        };
        let (memory, pace) = (Memory::new(bounds), Pace::new(bounds));
        let state = State { desk, memory, pace, wasi };
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
async fn call<D: Desk>(
    ready: &EverythingPre<State<D>>,
    store: &mut Store<State<D>>,
) -> Result<Result<(), runwrit_capabilities::bindings::Failure>, Error> {
    let runbook: Everything = ready.instantiate_async(&mut *store).await?;
    runbook.call_run(store).await
}
