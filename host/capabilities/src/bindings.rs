//! What `wit/` says, as Rust: generated when this crate is compiled.
//!
//! Calls that reach the gate are async. An error of a capability is a `CallError`: a failure goes
//! to the guest, a stop traps it and can be downcast from the trap.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "runwrit:host/everything",
    imports: {
        "runwrit:run/inputs": trappable,
        "runwrit:run/outputs": trappable,
        "runwrit:run/log": trappable,
        "runwrit:run/random": trappable,
        "runwrit:run/clock.now": trappable,
        "runwrit:run/recovery.last-call": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    trappable_error_type: {
        "runwrit:types/failures.failure" => crate::gate::CallError,
    },
});
