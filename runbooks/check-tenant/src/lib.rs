//! Tells how a tenant differs from what the registry says, and changes nothing.
//!
//! `found` looks, `compare` judges what was seen, and `reach` how the tenant is reached.

mod found;
mod compared;
mod reach;
mod compare;

use runwrit_sdk::registry;
use runwrit_sdk::{Context as _, Result, differs, info, inputs, outputs, step, verified, warn};

use found::Found;

runwrit_sdk::main!(run);

fn run() -> Result {
    let id = inputs::text("tenant")?;
    step("look at the registry and at what stands")?;
    let known = registry::get(&id).context("looking the tenant up")?;
    let found = Found::look()?;
    step("compare")?;
    let compared = compare::compare(&id, known.as_ref(), &found);
    for agreement in &compared.agreements {
        verified(agreement)?;
    }
    for difference in &compared.differences {
        warn(difference);
    }
    let count = compared.differences.len();
    outputs::set("differences", &count.to_string())?;
    match compared.differences.first() {
        None => {
            info(&format!("tenant {id} is as the registry says"));
            Ok(())
        }
        Some(first) if count == 1 => Err(differs(first)),
        Some(first) => Err(differs(format!("{first}, and {} more differences", count - 1))),
    }
}
