//! `runwrit sign`: one signer vouches for a package, or answers for a grant.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use runwrit_engine::admission::{Package, collect};
use runwrit_model::exit::Exit;
use runwrit_model::text::escape;
use runwrit_trust::bundle;
use runwrit_trust::endorsement::{GrantStatement, Terms, stated_grant};
use runwrit_trust::envelope::Envelope;
use runwrit_trust::floors::timestamp;
use runwrit_trust::parcel::{Hashed, Parcel, SIGNATURES};
use runwrit_trust::public_key::PublicKey;
use runwrit_trust::refusal::Cause;
use runwrit_trust::statement::{Release, Statement};
use runwrit_trust::verdict::stated;
use serde_json::json;

use super::build::within_ask;
use crate::ambient::{self, trusted};
use crate::documents;
use crate::endorsement;
use crate::error::Error;
use crate::keyring::{self, Trust, agree_release, untrusted};
use crate::output::Style;
use crate::packages;
use crate::private_key::{self, Signer};
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
    /// The public key of an earlier signer whose word counts beside the keyring; repeat for more
    #[arg(long, value_name = "FILE")]
    known: Vec<PathBuf>,
    /// Take files of other signers away that do not count together with this one
    #[arg(long)]
    replace: bool,
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
        return sign_grant(grant, &arguments, session);
    }
    let folder = arguments.package.as_deref().unwrap_or(Path::new("."));
    let parcel = collect(folder).map_err(packages::unusable)?;
    let package = Package::of(folder, parcel.clone()).map_err(packages::unusable)?;
    within_ask(&package)?;
    let statement = match arguments.says_more() {
        false => {
            let known = Known::read(&arguments.known, Some(folder), session)?;
            known.signed_before(folder, &parcel, &package)?
        }
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
    let signatures = folder.join(SIGNATURES);
    trusted::make_directory("signatures", &signatures)?;
    let others = parcel.signatures.iter();
    let others = others.map(|(name, bytes)| (signatures.join(name), bytes.as_slice()));
    let path = signatures.join(bundle::file_name(&envelope.hint));
    arguments.write(&path, others, &envelope, session)?;
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
fn sign_grant(path: &Path, arguments: &Arguments, session: &Session) -> Result<Exit, Error> {
    let text = documents::grant_text(path)?;
    let grant = documents::parse_grant(path, &text)?;
    let earlier = endorsement::signatures(path)?;
    let known = Known::read(&arguments.known, None, session)?;
    let terms = Terms {
        runbook: grant.document().runbook.name.clone(),
        created_at: timestamp(ambient::now_unix_ms() / 1_000 * 1_000),
        expires_at: endorsement::expiry(&grant),
        critical: Vec::new(),
    };
    let before = known.granted_before(&earlier, text.as_bytes(), &terms, session);
    let statement = before.unwrap_or_else(|| GrantStatement::new(text.as_bytes(), terms));
    let Terms { runbook, expires_at, .. } = statement.terms();
    session.note(Style::Plain, &format!("granting to `{runbook}`, until {expires_at}:"));
    for line in grant.explain() {
        session.note(Style::Plain, &format!("  {:<10} {}", line.section, line.text));
    }
    let envelope = arguments.signer.envelope(statement.encode())?;
    let others = earlier.iter().map(|(name, bytes)| (path.with_file_name(name), bytes.as_slice()));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", bundle::file_name(&envelope.hint)));
    let file = path.with_file_name(name);
    arguments.write(&file, others, &envelope, session)?;
    let (hint, file) = (envelope.hint.to_string(), file.display().to_string());
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "grant-signed", "runbook": runbook, "hint": hint, "file": file,
        })),
        false => session.output.data(&file),
    }
    Ok(Exit::Done)
}

/// Whose earlier word a signer may repeat: what anybody could have laid there, nobody signs unread.
struct Known {
    trust: Result<Trust, String>,
    keys: Vec<PublicKey>,
}

impl Known {
    /// Takes the keyring of this host, with the roots in `folder`, and the keys that were named.
    fn read(files: &[PathBuf], folder: Option<&Path>, session: &Session) -> Result<Self, Error> {
        let keys = files.iter().map(|file| private_key::public(file)).collect::<Result<_, _>>()?;
        let trust = Trust::open(session).and_then(|trust| match folder {
            Some(folder) => trust.carried(folder),
            None => Ok(trust),
        });
        Ok(Self { trust: trust.map_err(|error| error.message), keys })
    }

    /// Returns what was signed, if one of the keys that were named did.
    fn named(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let envelope = bundle::decode(bytes).ok()?;
        let is_by = |key: &PublicKey| key.hint() == envelope.hint && envelope.is_by(key);
        self.keys.iter().any(is_by).then_some(envelope.payload)
    }

    /// Returns the newest statement of an earlier signer over these very bytes. Without one, files
    /// that do not count are a refusal.
    fn signed_before(
        &self,
        folder: &Path,
        parcel: &Parcel,
        package: &Package,
    ) -> Result<Option<Statement>, Error> {
        let hashed = Hashed::of(parcel);
        let (mut found, mut doubts) = (Vec::new(), Vec::new());
        for (name, bytes) in &parcel.signatures {
            match self.stated(bytes, &hashed) {
                Ok(statement) => found.push(statement),
                Err(why) => doubts.push(format!("`{SIGNATURES}/{}`: {why}", escape(name))),
            }
        }
        let Some(statement) = found.into_iter().max_by_key(|it| it.release().sequence) else {
            return match doubts.is_empty() {
                true => Ok(None),
                false => Err(nothing_counts(folder, doubts)),
            };
        };
        agree_release(statement.release(), &package.manifest)
            .map_err(|refusal| keyring::refused(folder, &refusal))?;
        Ok(Some(statement))
    }

    fn stated(&self, bytes: &[u8], hashed: &Hashed<'_>) -> Result<Statement, String> {
        let Some(payload) = self.named(bytes) else {
            let trust = self.trust.as_ref().map_err(Clone::clone)?;
            return stated(bytes, hashed, trust.bench()).map_err(|cause| cause.to_string());
        };
        let statement = Statement::decode(&payload).map_err(|error| error.to_string())?;
        match statement.changed_file(hashed) {
            Some(file) => Err(format!("it is about another `{file}`")),
            None => Ok(statement),
        }
    }

    /// Returns the newest statement of an earlier signer over this grant that says the same.
    fn granted_before(
        &self,
        earlier: &[(String, Vec<u8>)],
        grant: &[u8],
        terms: &Terms,
        session: &Session,
    ) -> Option<GrantStatement> {
        let stated = |(name, bytes): &(String, Vec<u8>)| {
            let found = match (self.named(bytes), &self.trust) {
                (Some(payload), _) => GrantStatement::decode(&payload).map_err(|it| it.to_string()),
                (None, Ok(trust)) => match stated_grant(bytes, grant, trust.bench()) {
                    // Whoever edits a grant signs another one.
                    Err(Cause::Changed { .. }) => return None,
                    found => found.map_err(|it| it.to_string()),
                },
                (None, Err(why)) => Err(why.clone()),
            };
            let tell = |why: &String| {
                let line = format!("`{}` is not countersigned: {why}", escape(name));
                session.note(Style::Warning, &line);
            };
            found.inspect_err(tell).ok()
        };
        let says_the_same = |it: &GrantStatement| {
            let said = it.terms();
            let is_same = said.runbook == terms.runbook && said.expires_at == terms.expires_at;
            is_same && it.is_about(grant)
        };
        let found = earlier.iter().filter_map(stated).filter(says_the_same);
        found.max_by_key(|it| it.terms().created_at)
    }
}

fn nothing_counts(folder: &Path, doubts: Vec<String>) -> Error {
    let message =
        format!("no signature of `{}` counts here, so there is none to join", folder.display());
    let error = doubts.into_iter().fold(untrusted(message), Error::detail);
    error.hint(
        "`--known FILE.pub` names the key of an earlier signer, compared with its owner by another \
         way; or `--namespace` says anew what it is",
    )
}

fn told(release: &Release) -> String {
    let Release { channel, sequence, world, asks, .. } = release;
    let expires = release.expires_at.map_or("never".to_owned(), |until| until.to_string());
    let asks = if asks.is_empty() { "nothing".to_owned() } else { asks.join(", ") };
    let id = release.id();
    format!("{id}, {channel} {sequence}, expires {expires}, for {world}, asking for {asks}")
}

impl Arguments {
    /// Writes the file of the signer. What others have signed stays, unless they say otherwise.
    fn write<'a>(
        &self,
        path: &Path,
        others: impl Iterator<Item = (PathBuf, &'a [u8])>,
        envelope: &Envelope,
        session: &Session,
    ) -> Result<(), Error> {
        for (other, bytes) in others {
            let found = bundle::decode(bytes);
            let is_own = found.as_ref().is_ok_and(|it| it.hint == envelope.hint);
            let is_same = found.is_ok_and(|it| it.payload == envelope.payload);
            let shown = other.display();
            match (is_own || is_same, self.replace) {
                // Under the name of this signer lies the word of another one.
                (_, false) if other == path && !is_own => {
                    let message = format!("`{shown}` is not by the key that it is named after");
                    return Err(untrusted(message).hint("rename it, or replace it: `--replace`"));
                }
                (true, _) => {}
                (false, true) => trusted::remove("signature", &other)?,
                (false, false) => {
                    let line =
                        format!("`{shown}` does not count together with this one, and stays");
                    session.note(Style::Warning, &format!("{line}: `--replace` takes it away"));
                }
            }
        }
        trusted::replace("signature", path, &bundle::encode(envelope), 0o644)
    }

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
