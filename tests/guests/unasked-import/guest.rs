//! Imports an interface that its `runbook.toml` does not ask for.

use misbehaving_guests::bindings::runwrit::audit::events;

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    events::append("TENANT_PROVISIONED", "acme", &[])
}

misbehaving_guests::main!(run);
