//! `runwrit push`: puts a package with its signatures where others find it.

use clap::Args;
use runwrit_distribution::artifact::{Artifact, Surface};
use runwrit_distribution::error::TransferError;
use runwrit_engine::admission::Package;
use runwrit_model::exit::Exit;
use runwrit_trust::parcel::Parcel;
use serde_json::json;

use super::build::within_ask;
use crate::configuration::Configuration;
use crate::error::{Error, chain};
use crate::output::Style;
use crate::packages;
use crate::registries;
use crate::roots;
use crate::session::Session;

/// What to put where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package: its path, or its name with an optional @version
    package: String,
    /// HOST/REPOSITORY:TAG, oci:FOLDER:TAG or oci-archive:FILE:TAG
    reference: String,
}

/// Pushes.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let to = registries::reference(&arguments.reference, session)?;
    let (package, parcel) = packages::find(&arguments.package, &configuration, |_, hashed| {
        Ok(hashed.parcel().clone())
    })?;
    // Nobody could run what imports more than it asks for.
    within_ask(&package)?;
    let roots = roots::brought_by(&package.folder)?;
    let artifact = pack(&package, &parcel, &roots)?;
    let digest = artifact.digest();
    if let Some(expected) = to.digest.filter(|expected| *expected != digest) {
        let what = to.to_string();
        let error = TransferError::OtherDigest { what, expected, found: digest };
        return Err(registries::failed(error));
    }
    let shelf = registries::begin(&to, &configuration, session)?;
    session.block_on(async {
        shelf.put(&artifact, to.tag.as_deref()).await.map_err(registries::failed)
    })?;
    let (id, count) = (package.manifest.id(), artifact.signatures.len());
    match count {
        0 => session.note(Style::Warning, &format!("UNSIGNED: nobody vouches for {id} yet")),
        _ => session.note(Style::Plain, &format!("pushed {id} with {}", companions(&artifact))),
    }
    let at = to.at(digest).to_string();
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "pushed", "runbook": id, "reference": to.to_string(), "digest": digest,
            "signatures": count, "roots": artifact.roots.len(),
        })),
        false => session.output.data(&at),
    }
    Ok(Exit::Done)
}

/// Packs a package as registries keep it.
fn pack(package: &Package, parcel: &Parcel, roots: &[(u64, Vec<u8>)]) -> Result<Artifact, Error> {
    let surface = Surface {
        exports: package.surface.exports.clone(),
        imports: package.surface.imports.iter().map(|import| import.name.clone()).collect(),
        target: package.manifest.world.clone(),
    };
    Artifact::pack(parcel, roots, &surface).map_err(|error| {
        let shown = package.folder.display();
        Error::usage(format!("`{shown}` cannot be packed: {}", chain(&error)))
            .hint("remove the file, and sign again")
    })
}

/// Tells how many signatures and roots travel with a package.
pub fn companions(artifact: &Artifact) -> String {
    let counted = |count: usize, what: &str| {
        if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
    };
    let signatures = counted(artifact.signatures.len(), "signature");
    match artifact.roots.len() {
        0 => signatures,
        count => format!("{signatures} and {}", counted(count, "root")),
    }
}
