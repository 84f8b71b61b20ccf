//! `runwrit copy`: carries a package from one place to another. Whoever carries it judges nothing.

use clap::Args;
use runwrit_distribution::error::TransferError;
use runwrit_model::exit::Exit;
use serde_json::json;

use super::push::companions;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::output::Style;
use crate::registries;
use crate::session::Session;

/// What to carry where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where it is: HOST/REPOSITORY:TAG, oci:FOLDER:TAG or oci-archive:FILE:TAG, or @sha256:…
    from: String,
    /// Where it goes, in the same words
    to: String,
}

/// Copies.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let from = registries::reference(&arguments.from, session)?;
    let to = registries::reference(&arguments.to, session)?;
    let source = registries::open(&from, &configuration, session)?;
    let artifact =
        session.block_on(async { source.take(&from).await.map_err(registries::failed) })?;
    let digest = artifact.digest();
    if let Some(expected) = to.digest.filter(|expected| *expected != digest) {
        let what = to.to_string();
        let error = TransferError::OtherDigest { what, expected, found: digest };
        return Err(registries::failed(error));
    }
    let target = registries::begin(&to, &configuration, session)?;
    session.block_on(async {
        target.put(&artifact, to.tag.as_deref()).await.map_err(registries::failed)
    })?;
    let count = artifact.signatures.len();
    session
        .note(Style::Plain, &format!("copied with {}; nothing was judged", companions(&artifact)));
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "copied", "from": from.to_string(), "to": to.to_string(), "digest": digest,
            "signatures": count, "roots": artifact.roots.len(),
        })),
        false => session.output.data(&to.at(digest).to_string()),
    }
    Ok(Exit::Done)
}
