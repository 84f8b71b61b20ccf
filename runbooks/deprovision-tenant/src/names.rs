//! Removes the names of the tenant, before the servers that they lead to.

use runwrit_sdk::dns::{self, RecordSet};
use runwrit_sdk::{Context as _, Result, failed, recovery, step, verified, warn};

/// The records that were removed.
pub struct Removed {
    calls: Vec<u32>,
    sets: Vec<RecordSet>,
}

impl Removed {
    /// Lets no rollback bring them back: what they led to is about to go for good.
    pub fn stay_removed(&self) -> Result {
        Ok(self.calls.iter().try_for_each(|call| recovery::keep(*call))?)
    }

    /// Looks whether they are really gone.
    pub fn verify_gone(&self) -> Result {
        verify_gone(&self.sets)
    }
}

/// Removes every record that a run of this tenant made, among those that the grant names.
pub fn remove() -> Result<Removed> {
    step("remove the names")?;
    let mut removed = Removed { calls: Vec::new(), sets: Vec::new() };
    for zone in dns::zones().context("looking the zones up")? {
        for found in dns::list(&zone.name).context("listing the records")? {
            let set = found.set;
            let what = title(&set);
            if !found.is_ours {
                warn(&format!("{what} was made by somebody else and stays: see where it leads"));
                continue;
            }
            dns::delete(&set.zone, &set.name, &set.kind).context(&format!("removing {what}"))?;
            removed.calls.push(recovery::last_call()?);
            removed.sets.push(set);
        }
    }
    removed.verify_gone()?;
    Ok(removed)
}

fn verify_gone(sets: &[RecordSet]) -> Result {
    for set in sets {
        let found = dns::get(&set.zone, &set.name, &set.kind).context("looking for a record")?;
        let what = title(set);
        match found {
            None => verified(&format!("{what} is gone"))?,
            Some(_) => return Err(failed(format!("{what} was removed and stands there again"))),
        }
    }
    Ok(())
}

fn title(set: &RecordSet) -> String {
    let RecordSet { zone, name, kind, .. } = set;
    match name.as_str() {
        "@" => format!("{zone} {kind}"),
        name => format!("{name}.{zone} {kind}"),
    }
}
