//! `runwrit trust approve`: a person says that a package may want what it wants.

use std::path::Path;

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_trust::parcel::Hashed;
use serde_json::json;

use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring::{self, Trust};
use crate::packages;
use crate::session::Session;
use crate::widening;

/// Which package.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package: its path, or its name with an optional @version
    runbook: String,
}

/// Approves.
pub fn execute(arguments: &Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let trust = Trust::open(session)?;
    let judge = |folder: &Path, hashed: &Hashed<'_>| {
        let judged = trust.clone().carried(folder)?.judge(hashed);
        judged.map_err(|refusal| keyring::refused(folder, &refusal))
    };
    let (package, vouched) = packages::find(&arguments.runbook, &configuration, judge)?;
    keyring::agree(&vouched, &package.manifest)
        .map_err(|refusal| keyring::refused(&package.folder, &refusal))?;
    let (name, id) = (&vouched.release.package, vouched.release.id());
    let changes = widening::newly(&trust, name, &package);
    widening::approve(&trust, name, &package)?;
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    if session.output.is_json {
        let event = json!({"event": "approved", "package": id, "newly": told});
        session.output.object(&event);
        return Ok(Exit::Done);
    }
    session.output.data(&format!("approved {id}"));
    for line in told {
        session.output.data(&format!("{id} {line}"));
    }
    Ok(Exit::Done)
}
