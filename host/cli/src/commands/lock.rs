//! `runwrit lock`: pins packages that stand on this host.

use std::path::{Path, PathBuf};

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_trust::parcel::Hashed;
use serde_json::json;

use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring::Trust;
use crate::packages;
use crate::pins::{Files, Pinning, Pins, pinned};
use crate::session::Session;

/// What to pin.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Packages: their paths, or their names with an optional @version
    #[arg(required = true)]
    runbooks: Vec<String>,
    /// The lock; runwrit.lock of the current directory where none is named
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Pin packages that nobody signed too, where the keyring lets this flag through
    #[arg(long)]
    allow_unsigned: bool,
}

/// Pins.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let trust = Trust::open(session)?;
    let pinning = Pinning { lock: arguments.lock.clone(), locked: false };
    let mut pins = Pins::read(&pinning, session)?;
    let judge = |folder: &Path, hashed: &Hashed<'_>| {
        let trust = trust.clone().carried(folder)?;
        Ok((trust.admit(folder, hashed, arguments.allow_unsigned)?, Files::of(hashed)))
    };
    for runbook in &arguments.runbooks {
        let (package, (vouching, files)) = packages::find(runbook, &configuration, judge)?;
        vouching.agrees(&package.folder, &package.manifest)?;
        let pinned = pinned(&vouching, &package.manifest, &files);
        pins.check_new(&pinned)?;
        let id = pinned.id();
        pins.pin(pinned)?;
        let file = pins.file.display().to_string();
        match session.output.is_json {
            true => {
                let digest = package.digest;
                session.output.object(&json!({
                    "event": "pinned", "package": id, "component": digest, "file": file,
                }));
            }
            false => session.output.data(&format!("pinned {id} in {file}")),
        }
    }
    Ok(Exit::Done)
}
