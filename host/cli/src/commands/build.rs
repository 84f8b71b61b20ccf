//! `runwrit build`: makes the package of a runbook, the same bytes from the same component.

use std::path::{Path, PathBuf};

use clap::Args;
use runwrit_engine::admission::Package;
use runwrit_model::exit::Exit;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_trust::parcel::{COMPONENT, MANIFEST, Parcel};
use serde_json::json;

use crate::ambient::{self, trusted};
use crate::error::Error;
use crate::packages;
use crate::session::Session;
use crate::source;

/// What to pack.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder with `runbook.toml`; its `build.toml` says how to make the component
    source: PathBuf,
    /// A component, or a core module that carries its world; nothing is built then. Without it and
    /// without `build.toml`, `component.wasm` of the folder is packed
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The folder of the package
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Builds where there is something to build, and packs.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let manifest = arguments.source.join(MANIFEST);
    let manifest = ambient::read("manifest", &manifest, limits::DOCUMENT_BYTES_MAX)?;
    let named = arguments.component.as_deref();
    let component = source::component(&arguments.source, named, session)?;
    let parcel = Parcel { manifest, component, signatures: Vec::new() };
    let package = Package::of(&arguments.source, parcel.clone()).map_err(packages::unusable)?;
    within_ask(&package)?;
    write(&arguments.out, &parcel)?;
    let (id, out) = (package.manifest.id(), arguments.out.display().to_string());
    let digests = [&parcel.manifest, &parcel.component].map(|bytes| Digest::of(bytes).to_string());
    let [manifest, component] = digests;
    if session.output.is_json {
        session.output.object(&json!({
            "event": "built", "runbook": id, "package": out,
            "manifest": manifest, "component": component,
        }));
        return Ok(Exit::Done);
    }
    session.output.data(&format!("built {id} in {out}"));
    session.output.data(&format!("{MANIFEST}    {manifest}"));
    session.output.data(&format!("{COMPONENT}  {component}"));
    Ok(Exit::Done)
}

/// Nobody could run what imports more than it asks for, so nobody is to pack or to sign it.
pub fn within_ask(package: &Package) -> Result<(), Error> {
    let gaps = package.gaps();
    if gaps.is_empty() {
        return Ok(());
    }
    let error =
        Error::new(Exit::Untrusted, "the component imports more than `runbook.toml` asks for");
    Err(gaps.iter().fold(error, |error, gap| error.detail(gap.to_string())))
}

/// Writes the files; signatures of other bytes are worth nothing, so they go.
fn write(out: &Path, parcel: &Parcel) -> Result<(), Error> {
    trusted::make_directory("package", out)?;
    let signatures = out.join(runwrit_trust::parcel::SIGNATURES);
    for name in ambient::names_in(&signatures) {
        trusted::remove("signature", &signatures.join(name))?;
    }
    trusted::replace("manifest", &out.join(MANIFEST), &parcel.manifest, 0o644)?;
    trusted::replace("component", &out.join(COMPONENT), &parcel.component, 0o644)
}
