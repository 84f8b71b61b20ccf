//! `runwrit pull`: gets a package, and keeps it where this host trusts it.

use std::path::{Path, PathBuf};

use clap::Args;
use runwrit_distribution::artifact::Unpacked;
use runwrit_distribution::error::TransferError;
use runwrit_distribution::lock::Pinned;
use runwrit_distribution::reference::Reference;
use runwrit_engine::admission::{Package, collect};
use runwrit_model::exit::Exit;
use runwrit_trust::parcel::{COMPONENT, Hashed, MANIFEST, Parcel, SIGNATURES};
use serde_json::json;

use super::push::companions;
use crate::ambient::{self, trusted};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring::{Trust, Vouching};
use crate::output::Style;
use crate::packages;
use crate::pins::{Files, Pinning, Pins, pinned};
use crate::registries;
use crate::roots;
use crate::session::Session;

/// What to get.
#[derive(Debug, Args)]
pub struct Arguments {
    /// HOST/REPOSITORY:TAG, oci:FOLDER:TAG or oci-archive:FILE:TAG, or @sha256:…
    #[arg(required_unless_present = "locked")]
    reference: Option<String>,
    /// The folder of the package; NAME@VERSION in the first package directory where none is named
    #[arg(long, value_name = "DIR", requires = "reference")]
    to: Option<PathBuf>,
    /// Keep it although nobody vouches for it here, to look at it; it will not run
    #[arg(long, conflicts_with = "locked", requires = "to")]
    unverified: bool,
    #[command(flatten)]
    pinning: Pinning,
}

/// Where packages come from and what they are held to.
struct Desk<'a> {
    configuration: Configuration,
    trust: Option<Trust>,
    session: &'a Session,
}

/// Pulls.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let trust = match arguments.unverified {
        true => None,
        false => Some(Trust::open(session)?),
    };
    let mut pins = Pins::read(&arguments.pinning, session)?;
    let desk = Desk { configuration, trust, session };
    if let Some(reference) = &arguments.reference {
        let reference = registries::reference(reference, session)?;
        desk.pull(&reference, arguments.to.as_deref(), &mut pins)?;
        return Ok(Exit::Done);
    }
    for listed in pins.lock.packages.clone() {
        let Some((source, digest)) = listed.source.as_ref().zip(listed.digest) else {
            let line =
                format!("{} was pinned where it stands, and comes from nowhere", listed.id());
            session.note(Style::Warning, &line);
            continue;
        };
        let source = registries::reference(source, session)?;
        desk.pull(&source.at(digest), None, &mut pins)?;
    }
    Ok(Exit::Done)
}

impl Desk<'_> {
    fn pull(&self, from: &Reference, to: Option<&Path>, pins: &mut Pins) -> Result<(), Error> {
        let (session, configuration) = (self.session, &self.configuration);
        let shelf = registries::open(from, configuration, session)?;
        let artifact =
            session.block_on(async { shelf.take(from).await.map_err(registries::failed) })?;
        let (digest, brought) = (artifact.digest(), companions(&artifact));
        let Unpacked { parcel, roots } = artifact.unpack().map_err(|why| {
            registries::failed(TransferError::NotAPackage { what: from.to_string(), why })
        })?;
        let shown = PathBuf::from(from.to_string());
        // Signature and keyring first: nothing of `runbook.toml` is parsed before.
        let hashed = Hashed::of(&parcel);
        let vouching = self.judge(&shown, &hashed, &roots)?;
        let package = Package::of_hashed(&shown, parcel.clone(), hashed.component())
            .map_err(packages::unusable)?;
        if let Some(vouching) = &vouching {
            vouching.agrees(&shown, &package.manifest)?;
        }
        let folder = self.folder(&package, to)?;
        if let Some(vouching) = &vouching {
            let found = pinned(vouching, &package.manifest, &Files::of(&hashed));
            let found = Pinned { digest: Some(digest), source: Some(from.to_string()), ..found };
            pins.check(&found)?;
            keep(&folder, &parcel, &roots)?;
            self.pin(found, pins)?;
            vouching.tell(&package.manifest, &package.digest, session);
        } else {
            keep(&folder, &parcel, &roots)?;
            let line = format!("UNVERIFIED: nobody was asked who vouches for {}", from);
            session.note(Style::Warning, &line);
        }
        self.session.note(Style::Plain, &format!("pulled {} with {brought}", from.at(digest)));
        let counts = (parcel.signatures.len(), roots.len());
        self.tell(&package, &folder, from.at(digest), counts);
        Ok(())
    }

    /// Judges a package by the keyring, and by the roots that came with it.
    fn judge(
        &self,
        shown: &Path,
        hashed: &Hashed<'_>,
        roots: &[(u64, Vec<u8>)],
    ) -> Result<Option<Vouching>, Error> {
        let Some(trust) = &self.trust else { return Ok(None) };
        trust.clone().brought(shown, roots)?.admit(shown, hashed, false).map(Some)
    }

    fn folder(&self, package: &Package, to: Option<&Path>) -> Result<PathBuf, Error> {
        let directory = &self.session.ambient.directory;
        match (to, self.configuration.package_directories().first()) {
            (Some(to), _) => Ok(directory.join(to)),
            (None, Some(folder)) => Ok(folder.join(package.manifest.id())),
            (None, None) => Err(Error::usage(
                "there is no package directory to keep the package in",
            )
            .hint("name a folder with `--to DIR`, or directories as `packages` in runwrit.toml")),
        }
    }

    /// Lists a package. One that is listed keeps the reference by which it first came.
    fn pin(&self, found: Pinned, pins: &mut Pins) -> Result<(), Error> {
        let id = found.id();
        let known = pins.lock.packages.iter().find(|known| known.id() == id);
        let source = known.and_then(|known| known.source.clone()).or(found.source);
        pins.pin(Pinned { source, ..found })
    }

    fn tell(
        &self,
        package: &Package,
        folder: &Path,
        at: Reference,
        (signatures, roots): (usize, usize),
    ) {
        let (output, id) = (&self.session.output, package.manifest.id());
        let shown = folder.display().to_string();
        if output.is_json {
            output.object(&json!({
                "event": "pulled", "runbook": id, "reference": at.to_string(),
                "digest": at.digest, "package": shown, "signatures": signatures, "roots": roots,
                "is-verified": self.trust.is_some(),
            }));
            return;
        }
        output.data(&shown);
    }
}

/// Keeps the files of a package. One that stands there gets signatures and roots that it lacked,
/// and is not changed otherwise.
fn keep(folder: &Path, parcel: &Parcel, roots: &[(u64, Vec<u8>)]) -> Result<(), Error> {
    if ambient::exists(folder) {
        let known = collect(folder).map_err(packages::unusable)?;
        if (&known.manifest, &known.component) != (&parcel.manifest, &parcel.component) {
            let shown = folder.display();
            let message = format!("`{shown}` stands there already, and is another package");
            return Err(
                Error::usage(message).hint("move it away, or name a folder with `--to DIR`")
            );
        }
        sign(folder, parcel)?;
        return roots::keep_brought(folder, roots);
    }
    let partial = trusted::partial(folder);
    trusted::make_directory("package", &partial)?;
    trusted::replace("manifest", &partial.join(MANIFEST), &parcel.manifest, 0o644)?;
    trusted::replace("component", &partial.join(COMPONENT), &parcel.component, 0o644)?;
    sign(&partial, parcel)?;
    roots::keep_brought(&partial, roots)?;
    trusted::publish("package", &partial, folder)
}

fn sign(folder: &Path, parcel: &Parcel) -> Result<(), Error> {
    if parcel.signatures.is_empty() {
        return Ok(());
    }
    let signatures = folder.join(SIGNATURES);
    trusted::make_directory("signatures", &signatures)?;
    let write = |(name, bytes): &(String, Vec<u8>)| {
        trusted::replace("signature", &signatures.join(name), bytes, 0o644)
    };
    parcel.signatures.iter().try_for_each(write)
}
