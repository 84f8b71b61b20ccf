//! The ceremony of roots: the next one is made, signed by each person, and followed.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use runwrit_model::exit::Exit;
use runwrit_model::id::Digest;
use runwrit_trust::floors::timestamp;
use runwrit_trust::keyring::{Floor, Revoked};
use runwrit_trust::public_key::Hint;
use runwrit_trust::roots::{Draft, Office, Root, RootError, file_name, version_of};
use serde_json::json;

use crate::ambient::{self, trusted};
use crate::error::Error;
use crate::keyring::Trust;
use crate::output::Style;
use crate::private_key::{self, Signer};
use crate::roots::{self, CARRIED};
use crate::session::Session;

/// How long a root counts where nothing else is said.
const LASTS_MS: u64 = 365 * 24 * 3_600 * 1_000;

/// What the next root says.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The root before; that of this host where none is named
    from: Option<PathBuf>,
    /// Begin a chain
    #[arg(long, conflicts_with = "from")]
    first: bool,
    /// Where the next root goes, without any signature
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Until when it counts; a year from now where nothing is said
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
    /// Take a key out, with all that it may do; repeat for more
    #[arg(long, value_name = "ID")]
    remove: Vec<String>,
    /// Bring a key in, for example `ops-1=ops-1.pem.pub`; repeat for more
    #[arg(long = "key", value_name = "ID=FILE", value_parser = pair)]
    keys: Vec<(String, String)>,
    /// Let a key sign: `root=alice`, `runbook=ops-1`, `bundle=…`, `grant=…`, `host=…`; repeat
    #[arg(long = "role", value_name = "ROLE=ID", value_parser = pair)]
    roles: Vec<(String, String)>,
    /// Let a key speak for a package or a namespace: `ops-1=acme:*`; repeat for more
    #[arg(long = "name", value_name = "ID=PACKAGE", value_parser = pair)]
    names: Vec<(String, String)>,
    /// How many different keys a role takes: `root=2`; repeat for more
    #[arg(long = "threshold", value_name = "ROLE=NUMBER", value_parser = pair)]
    thresholds: Vec<(String, String)>,
    /// Until when a key counts: `ops-1=2027-06-30T00:00:00Z`; repeat for more
    #[arg(long = "not-after", value_name = "ID=TIME", value_parser = pair)]
    not_after: Vec<(String, String)>,
    /// Let runs that rest on a key act on their machine alone; repeat for more
    #[arg(long, value_name = "ID")]
    loopback_only: Vec<String>,
    /// Revoke the hint of a key, a component or grant `sha256:…`, a package, or `PACKAGE@VERSION`
    #[arg(long, value_name = "WHAT", requires = "reason")]
    revoke: Vec<String>,
    /// Why it is revoked
    #[arg(long, value_name = "TEXT", requires = "revoke")]
    reason: Option<String>,
    /// The lowest sequence that runs: `acme:provision/stable=12`; repeat for more
    #[arg(long = "floor", value_name = "PACKAGE/CHANNEL=NUMBER", value_parser = pair)]
    floors: Vec<(String, String)>,
}

/// Which root, and as whom.
#[derive(Debug, Args)]
pub struct SignRoot {
    /// The file of the root; it gets one signature more
    file: PathBuf,
    /// The root before, to show what changes; the one beside it where none is named
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    signer: Signer,
}

/// Which roots.
#[derive(Debug, Args)]
pub struct Advance {
    /// Files of roots, or folders that hold some
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Splits `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Makes the next root.
pub fn rotate(arguments: &Rotate, session: &Session) -> Result<Exit, Error> {
    let before = match &arguments.from {
        Some(path) => Some(decode(path)?),
        None if arguments.first => None,
        None => Some(newest(session)?),
    };
    let lasts = timestamp((ambient::now_unix_ms() + LASTS_MS) / 1_000 * 1_000);
    let expires = arguments.expires.unwrap_or(lasts);
    let mut draft = match &before {
        Some(root) => Draft::after(root, expires),
        None => Draft::first(expires),
    };
    arguments.change(&mut draft)?;
    let root = draft.finish().map_err(|error| unusable(&error))?;
    trusted::write_new("root", &arguments.out, &root.encode(), 0o644)?;
    tell_changes(before.as_ref(), &root, session);
    let file = arguments.out.display().to_string();
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "root-made", "version": root.version, "file": file,
        })),
        false => session.output.data(&file),
    }
    let next =
        format!("next: each holder of the root signs it: `runwrit trust sign-root {file} …`");
    session.note(Style::Plain, &next);
    Ok(Exit::Done)
}

impl Rotate {
    /// What goes, goes first: a name may come back with another key.
    fn change(&self, draft: &mut Draft) -> Result<(), Error> {
        let done = |result: Result<(), RootError>| result.map_err(|error| unusable(&error));
        self.remove.iter().try_for_each(|id| done(draft.remove(id)))?;
        for (id, file) in &self.keys {
            done(draft.key(id, &private_key::public(Path::new(file))?))?;
        }
        for (role, id) in &self.roles {
            done(draft.appoint(office(role)?, id))?;
        }
        for (role, number) in &self.thresholds {
            draft.threshold(office(role)?, parsed("threshold", number, "a number")?);
        }
        for (id, package) in &self.names {
            done(draft.speaks_for(id, package))?;
        }
        for (id, time) in &self.not_after {
            done(draft.not_after(id, parsed("not-after", time, "2027-06-30T00:00:00Z")?))?;
        }
        self.loopback_only.iter().try_for_each(|id| done(draft.loopback_only(id)))?;
        for what in &self.revoke {
            draft.revoke(revoked(what, self.reason.as_deref().unwrap_or_default()));
        }
        for (place, number) in &self.floors {
            let sequence = parsed("floor", number, "a number")?;
            let (package, channel) = place.split_once('/').ok_or_else(|| {
                Error::usage(format!("`--floor {place}={number}` names no channel"))
                    .hint("for example `--floor acme:provision/stable=12`")
            })?;
            let (package, channel) = (package.to_owned(), channel.to_owned());
            draft.floor(Floor { package, channel, sequence });
        }
        Ok(())
    }
}

/// Returns what is revoked; what is none of the others is a package, as the rules of roots check.
fn revoked(what: &str, reason: &str) -> Revoked {
    let (key, digest) = (what.parse::<Hint>().ok(), what.parse::<Digest>().ok());
    let (package, version) = what.split_once('@').unwrap_or((what, ""));
    let is_package = key.is_none() && digest.is_none();
    let has_version = is_package && !version.is_empty();
    Revoked {
        key,
        digest,
        package: is_package.then(|| package.to_owned()),
        versions: has_version.then(|| vec![version.to_owned()]),
        reason: reason.to_owned(),
    }
}

fn office(role: &str) -> Result<Office, Error> {
    role.parse().map_err(|expected| Error::usage(format!("`{role}` is no role: {expected}")))
}

fn parsed<T: std::str::FromStr>(option: &str, text: &str, expected: &str) -> Result<T, Error> {
    let wrong = |_| Error::usage(format!("`--{option}` has `{text}`: expected {expected}"));
    text.parse().map_err(wrong)
}

/// Adds one signature, after showing what it will say.
pub fn sign(arguments: &SignRoot, session: &Session) -> Result<Exit, Error> {
    let path = &arguments.file;
    let root = decode(path)?;
    let before = before(arguments, &root)?;
    tell_changes(before.as_ref(), &root, session);
    let (key, signature) = arguments.signer.sign(&root.to_be_signed())?;
    let is_held_before = before.as_ref().is_some_and(|before| before.is_held_by(&key));
    if !root.is_held_by(&key) && !is_held_before {
        let message = format!("the key {} holds the root in neither of the two", key.hint());
        return Err(Error::usage(message).hint(
            "sign with the key of somebody who does; one who leaves with this root names the one \
             before with `--from FILE`",
        ));
    }
    let root = root.signed_by(&key, &signature);
    trusted::replace("root", path, &root.encode(), 0o644)?;
    let missing: Vec<String> = [before.as_ref(), Some(&root)]
        .into_iter()
        .flatten()
        .filter_map(|holder| {
            holder.vouches_for(&root, &|_| false).err().map(|error| error.to_string())
        })
        .collect();
    let (hint, file) = (key.hint(), path.display().to_string());
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "root-signed", "version": root.version, "hint": hint, "file": file,
            "missing": missing,
        })),
        false => session.output.data(&file),
    }
    for line in &missing {
        session.note(Style::Plain, &format!("not complete yet: {line}"));
    }
    if missing.is_empty() {
        let line = "complete: hosts follow it with `runwrit trust advance`, or from a package";
        session.note(Style::Good, line);
    }
    Ok(Exit::Done)
}

/// Returns the root before: the named one, or the one that lies beside it under its number.
fn before(arguments: &SignRoot, root: &Root) -> Result<Option<Root>, Error> {
    if let Some(path) = &arguments.from {
        return decode(path).map(Some);
    }
    if root.version == 1 {
        return Ok(None);
    }
    let beside = arguments.file.with_file_name(file_name(root.version - 1));
    ambient::exists(&beside).then(|| decode(&beside)).transpose()
}

/// Follows more roots.
pub fn advance(arguments: &Advance, session: &Session) -> Result<Exit, Error> {
    let mut files = Vec::new();
    for path in &arguments.files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inner = roots::in_folder(path);
        let carried = roots::in_folder(&path.join(CARRIED));
        match (inner.is_empty() && carried.is_empty(), version_of(&name)) {
            (false, _) => files.extend(inner.into_iter().chain(carried)),
            (true, Some(version)) => files.push((version, path.clone())),
            (true, None) => files.push((decode(path)?.version, path.clone())),
        }
    }
    files.sort();
    let (trust, is_new) = Trust::open_with(session, &files)?;
    trust.keep()?;
    let newest = trust.chain.as_ref().map(|chain| chain.newest().clone());
    let Some(newest) = newest else { return Ok(Exit::Done) };
    match session.output.is_json {
        true => session.output.object(&json!({
            "event": "root-followed", "version": newest.version, "is-new": is_new,
            "expires": newest.expires.to_string(), "digest": newest.digest,
        })),
        false => session.output.data(&line(&newest)),
    }
    if !is_new {
        session.note(Style::Plain, "nothing new: this host had come that far");
    }
    Ok(Exit::Done)
}

/// Returns which root counts, in one line.
pub fn line(root: &Root) -> String {
    format!("root {}, {}, until {}", root.version, root.digest, root.expires)
}

fn newest(session: &Session) -> Result<Root, Error> {
    let trust = Trust::open(session)?;
    trust.chain.map(|chain| chain.newest().clone()).ok_or_else(|| {
        Error::usage("the keyring of this host follows no root")
            .hint("name the root before, or begin a chain with `--first`")
    })
}

fn decode(path: &Path) -> Result<Root, Error> {
    Root::decode(&roots::read(path)?).map_err(|error| roots::refused(path, &error))
}

/// Says what is wrong with what a person wants a root to say.
fn unusable(error: &RootError) -> Error {
    let told = Error::usage(format!("such a root cannot be: {error}"));
    match error {
        RootError::Policy(faults) => {
            faults.faults.iter().skip(1).fold(told, |told, it| told.detail(it.to_string()))
        }
        _ => told,
    }
}

/// Shows what a root says, or how it differs from the one before: who signs must have seen it.
fn tell_changes(before: Option<&Root>, root: &Root, session: &Session) {
    let version = root.version;
    let after = root.explain();
    let Some(before) = before else {
        session.note(Style::Strong, &format!("root {version} says:"));
        return after.iter().for_each(|line| session.note(Style::Plain, &format!("  {line}")));
    };
    let earlier = before.explain();
    session.note(Style::Strong, &format!("root {version}, after root {}:", before.version));
    for line in earlier.iter().filter(|line| !after.contains(line)) {
        session.note(Style::Bad, &format!("- {line}"));
    }
    for line in after.iter().filter(|line| !earlier.contains(line)) {
        session.note(Style::Good, &format!("+ {line}"));
    }
}
