//! Removes everything of a tenant, found by its labels.

mod found;
mod names;
mod remove;

use runwrit_sdk::registry::State;
use runwrit_sdk::{
    Context as _, Result, audit, failed, info, inputs, outputs, registry, step, verify,
};

use found::Found;

runwrit_sdk::main!(run);

fn run() -> Result {
    let tenant = inputs::text("tenant")?;
    step("look at what stands")?;
    let found = Found::look()?;
    info(&format!("tenant {tenant} has {}", found.summary()));
    check_data(&found, inputs::boolean("delete-data")?)?;
    let names = names::remove()?;
    remove::all(&found, &names)?;
    step("verify that nothing is left")?;
    let left = Found::look()?;
    names.verify_gone()?;
    verify(left.is_empty(), "nothing stands in the scope of the tenant any more")?;
    retire(&tenant)?;
    tell_auditors(&tenant, &found)?;
    outputs::set("removed", &found.summary())?;
    Ok(())
}

/// Refuses to delete data that nobody agreed to delete, before anything else is deleted.
fn check_data(found: &Found, may_delete: bool) -> Result {
    if may_delete || found.volumes.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = found.volumes.iter().map(|volume| volume.name.as_str()).collect();
    Err(failed(format!(
        "the volumes `{}` may hold data; nothing was deleted: back them up and run again with \
         `delete-data=true`",
        names.join("`, `")
    )))
}

fn retire(tenant: &str) -> Result {
    step("retire the tenant in the registry")?;
    match registry::get(tenant).context("looking the tenant up")? {
        None => verify(true, "the registry has never known the tenant"),
        Some(_) => {
            let retired = registry::retire(tenant).context("retiring the tenant")?;
            let holds = retired.state == State::Deleted;
            verify(holds, "the registry holds the tenant as deleted, its octet is free")
        }
    }
}

fn tell_auditors(tenant: &str, found: &Found) -> Result {
    step("write the audit event")?;
    let removed = audit::Detail { name: "removed".to_owned(), value: found.summary() };
    audit::append("TENANT_DEPROVISIONED", tenant, &[removed]).context("writing the event")
}
