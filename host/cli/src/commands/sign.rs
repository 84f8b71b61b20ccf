//! `runwrit sign`: one signer vouches for a package, or answers for a grant.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use runwrit_engine::admission::{Package, collect};
use runwrit_model::exit::Exit;
use runwrit_model::limits;
use runwrit_trust::bundle;
use runwrit_trust::endorsement::{GrantStatement, Terms};
use runwrit_trust::envelope::Envelope;
use runwrit_trust::floors::timestamp;
use runwrit_trust::parcel::{Hashed, Parcel, SIGNATURES};
use runwrit_trust::statement::{Release, Statement};
use serde_json::json;

use super::build::within_ask;
use crate::ambient::{self, trusted};
use crate::documents;
use crate::endorsement;
use crate::error::Error;
use crate::output::Style;
use crate::packages;
use crate::private_key::Signer;
use crate::session::Session;

/// What to vouch for, and as whom.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder of the package
    #[arg(required_unless_present = "grant")]
    package: Option<PathBuf>,
    /// Answer for a grant instead: what runs that nobody watches need
    #[arg(
        long, value_name = "FILE",
        conflicts_with_all = ["package", "namespace", "channel", "sequence", "expires"]
    )]
    grant: Option<PathBuf>,
    #[command(flatten)]
    signer: Signer,
    /// Who publishes it: the first half of `namespace:name`
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The line of releases that it belongs to
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Its place in that line; the time in seconds where none is named
    #[arg(long, value_name = "NUMBER")]
    sequence: Option<u64>,
    /// After this nobody vouches for it any more, for example 2027-11-21T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
}

/// Signs.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    if let Some(grant) = &arguments.grant {
        return sign_grant(grant, &arguments.signer, session);
    }
    let folder = arguments.package.as_deref().unwrap_or(Path::new("."));
    let parcel = collect(folder).map_err(packages::unusable)?;
    let package = Package::of(folder, parcel.clone()).map_err(packages::unusable)?;
    within_ask(&package)?;
    let statement = match arguments.says_more() {
        false => signed_before(&parcel),
        true => None,
    };
    let is_countersigned = statement.is_some();
    let statement = match statement {
        Some(statement) => statement,
        None => Statement::new(
            &parcel.manifest,
            &parcel.component,
            arguments.release(&package, session)?,
        ),
    };
    let release = statement.release().clone();
    let word = if is_countersigned { "countersigning" } else { "signing" };
    session.note(Style::Plain, &format!("{word} {}", told(&release)));
    let envelope = arguments.signer.envelope(statement.encode())?;
    let path = write(folder, &parcel, &envelope)?;
    let (hint, path) = (envelope.hint.to_string(), path.display().to_string());
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "signed", "package": release.package, "version": release.version,
            "channel": release.channel, "sequence": release.sequence, "hint": hint, "file": path,
        })),
        false => session.output.data(&path),
    }
    Ok(Exit::Done)
}

/// Answers for a grant. Its signatures lie beside it, under its name.
fn sign_grant(path: &Path, signer: &Signer, session: &Session) -> Result<Exit, Error> {
    let text = documents::grant_text(path)?;
    let grant = documents::parse_grant(path, &text)?;
    let now = timestamp(ambient::now_unix_ms() / 1_000 * 1_000);
    let earlier = endorsement::signatures(path)?.into_iter().filter_map(|(_, bytes)| {
        let statement = GrantStatement::decode(&bundle::decode(&bytes).ok()?.payload).ok()?;
        statement.is_about(text.as_bytes()).then_some(statement)
    });
    let statement = earlier.max_by_key(|it| it.terms().created_at).unwrap_or_else(|| {
        let terms = Terms {
            runbook: grant.document().runbook.name.clone(),
            created_at: now,
            expires_at: endorsement::expiry(&grant),
            critical: Vec::new(),
        };
        GrantStatement::new(text.as_bytes(), terms)
    });
    let Terms { runbook, expires_at, .. } = statement.terms();
    session.note(Style::Plain, &format!("granting to `{runbook}`, until {expires_at}:"));
    for line in grant.explain() {
        session.note(Style::Plain, &format!("  {:<10} {}", line.section, line.text));
    }
    let envelope = signer.envelope(statement.encode())?;
    for (_, file) in endorsement::files(path) {
        let bytes = ambient::read("signature", &file, limits::SIGNATURE_BYTES_MAX as u64)?;
        // Those of another text or other terms count for nothing any more.
        if bundle::decode(&bytes).is_ok_and(|it| it.payload != envelope.payload) {
            trusted::remove("signature", &file)?;
        }
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", bundle::file_name(&envelope.hint)));
    let file = path.with_file_name(name);
    trusted::replace("signature", &file, &bundle::encode(&envelope), 0o644)?;
    let (hint, file) = (envelope.hint.to_string(), file.display().to_string());
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "grant-signed", "runbook": runbook, "hint": hint, "file": file,
        })),
        false => session.output.data(&file),
    }
    Ok(Exit::Done)
}

/// Returns the statement of an earlier signer over these very bytes. What it says is shown to the
/// next one; whether its signature holds is for whoever verifies.
fn signed_before(parcel: &Parcel) -> Option<Statement> {
    let envelopes = parcel.signatures.iter().filter_map(|(_, bytes)| bundle::decode(bytes).ok());
    let statements = envelopes.filter_map(|it| Statement::decode(&it.payload).ok());
    let hashed = Hashed::of(parcel);
    let is_same = |it: &Statement| it.changed_file(&hashed).is_none();
    statements.filter(is_same).max_by_key(|it| it.release().sequence)
}

/// Writes the file of the signer. Those of other bytes or of another release count for nothing any
/// more, so they go.
fn write(folder: &Path, parcel: &Parcel, envelope: &Envelope) -> Result<PathBuf, Error> {
    let signatures = folder.join(SIGNATURES);
    trusted::make_directory("signatures", &signatures)?;
    for (name, bytes) in &parcel.signatures {
        let is_same = bundle::decode(bytes).is_ok_and(|it| it.payload == envelope.payload);
        if !is_same {
            trusted::remove("signature", &signatures.join(name))?;
        }
    }
    let path = signatures.join(bundle::file_name(&envelope.hint));
    trusted::replace("signature", &path, &bundle::encode(envelope), 0o644)?;
    Ok(path)
}

fn told(release: &Release) -> String {
    let Release { channel, sequence, world, asks, .. } = release;
    let expires = release.expires_at.map_or("never".to_owned(), |until| until.to_string());
    let asks = if asks.is_empty() { "nothing".to_owned() } else { asks.join(", ") };
    let id = release.id();
    format!("{id}, {channel} {sequence}, expires {expires}, for {world}, asking for {asks}")
}

impl Arguments {
    /// Whether anything is said that an earlier signer may have said otherwise.
    fn says_more(&self) -> bool {
        let is_said = self.namespace.is_some() || self.channel.is_some();
        is_said || self.sequence.is_some() || self.expires.is_some()
    }

    fn release(&self, package: &Package, session: &Session) -> Result<Release, Error> {
        let Some(namespace) = &self.namespace else {
            let message = "nobody has signed these bytes before, so it takes a namespace";
            return Err(Error::usage(message).hint(
                "say who publishes it: `--namespace acme` makes it `acme:NAME`, which the keyring \
                 compares with the `names` of the key",
            ));
        };
        let manifest = &package.manifest;
        // A package made anew from the same source is to get the same statement.
        let epoch = session.ambient.variable("SOURCE_DATE_EPOCH");
        let now = match epoch.and_then(|text| text.parse::<u64>().ok()) {
            Some(seconds) => seconds.saturating_mul(1_000),
            None => ambient::now_unix_ms() / 1_000 * 1_000,
        };
        let release = Release {
            package: format!("{namespace}:{}", manifest.name),
            version: manifest.runbook_version.clone(),
            channel: self.channel.clone().unwrap_or_else(|| "stable".to_owned()),
            sequence: self.sequence.unwrap_or(now / 1_000),
            created_at: timestamp(now),
            expires_at: self.expires,
            world: manifest.world.clone(),
            asks: manifest.ask.iter().map(|ask| ask.interface.clone()).collect(),
            critical: Vec::new(),
        };
        // What would be refused when it is read is not signed either.
        let statement = Statement::new(b"", b"", release.clone());
        Statement::decode(&statement.encode())
            .map_err(|error| Error::usage(format!("this cannot be signed: {error}")))?;
        Ok(release)
    }
}
