//! A component as the engine runs it.

use std::collections::BTreeSet;

use runwrit_capabilities::Capabilities;
use wasmtime::component::Component;

use super::Sandbox;
use crate::books::Books;
use crate::gate::RunGate;
use crate::guest::{Guest, GuestEnd};

/// A component with what its run was granted, ready to run once.
pub struct ComponentGuest<F> {
    /// Where it runs.
    pub sandbox: Sandbox,
    /// Its code.
    pub component: Component,
    /// The interfaces that exist for it, named as in an ask.
    pub granted: BTreeSet<String>,
    /// Puts the capabilities of the run together around its gate.
    pub assemble: F,
}

impl<F> Guest for ComponentGuest<F>
where
    F: FnOnce(RunGate, Books) -> Capabilities<RunGate> + Send,
{
    async fn run(self, gate: RunGate, books: Books) -> GuestEnd {
        let capabilities = (self.assemble)(gate, books);
        self.sandbox.run(&self.component, &self.granted, capabilities).await
    }
}
