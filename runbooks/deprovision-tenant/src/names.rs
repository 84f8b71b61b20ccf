//! Removes the names of the tenant, before the servers that they lead to.

use runwrit_sdk::dns::{self, RecordSet};
use runwrit_sdk::{Context as _, Result, failed, recovery, step, verified, warn};

/// Removes every record that a run of this tenant made, among those that the grant names.
pub fn remove() -> Result<Vec<RecordSet>> {
    step("remove the names")?;
    let mut removed = Vec::new();
    for zone in dns::zones().context("looking the zones up")? {
        for found in dns::list(&zone.name).context("listing the records")? {
            let set = found.set;
            let what = title(&set);
            if !found.is_ours {
                warn(&format!("{what} was made by somebody else and stays: see where it leads"));
                continue;
            }
            dns::delete(&set.zone, &set.name, &set.kind).context(&format!("removing {what}"))?;
            removed.push((recovery::last_call()?, set));
        }
    }
    let sets: Vec<_> = removed.iter().map(|(_, set)| set.clone()).collect();
    verify_gone(&sets)?;
    // From here on servers go, and none of them comes back: nor may a name that leads to one.
    removed.iter().try_for_each(|(call, _)| recovery::keep(*call))?;
    Ok(sets)
}

/// Looks whether records are really gone.
pub fn verify_gone(sets: &[RecordSet]) -> Result {
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
