//! The keyring of this host: where it stands, what it remembers, and whom it lets through.

use std::path::{Path, PathBuf};

use runwrit_model::admission::Origin;
use runwrit_model::exit::Exit;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_model::manifest::Manifest;
use runwrit_model::provenance::{Provenance, Signed, Unsigned};
use runwrit_trust::floors::Floors;
use runwrit_trust::keyring::{self, Keyring, OtherKeyrings};
use runwrit_trust::parcel::Hashed;
use runwrit_trust::public_key::Signer;
use runwrit_trust::refusal::Refusal;
use runwrit_trust::roots::Chain;
use runwrit_trust::statement::Release;
use runwrit_trust::verdict::{Bench, Vouched, agrees, judge, within_rules};

use crate::ambient::{self, trusted};
use crate::error::Error;
use crate::output::Style;
use crate::roots;
use crate::session::Session;

/// Where the keyring of a machine is. No option of a command moves it once it stands there.
const SYSTEM: &str = "/etc/runwrit/trust.toml";
/// Where a machine remembers what ran; `--state` does not move it either.
const SYSTEM_STATE: &str = "/var/lib/runwrit/trust-state.json";
/// What stands beside any other keyring.
const STATE: &str = "trust-state.json";
/// Others could write there.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The keyring that counts, with what was remembered under it.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Where it stands.
    pub file: PathBuf,
    /// What counts: what the file says, and what the newest root says of keys.
    pub keyring: Keyring,
    /// The roots that were followed, where the file pins one.
    pub chain: Option<Chain>,
    /// What tells it from any other, for the record of a run.
    pub digest: Digest,
    /// Where it remembers.
    pub state: PathBuf,
    /// What it remembers.
    pub floors: Floors,
    /// What the file says by itself.
    own: Keyring,
    own_digest: Digest,
    /// Whether roots were followed that are not remembered yet.
    is_ahead: bool,
}

/// How a package was let through.
#[derive(Debug, Clone)]
pub enum Vouching {
    /// Enough of those who may vouch for it.
    Signed(Box<Vouched>, Digest),
    /// Nobody does, and the keyring lets `--allow-unsigned` through.
    Unsigned(Digest),
}

/// Returns where the keyring of this use of the command line stands.
pub fn place(session: &Session) -> Result<PathBuf, Error> {
    let named = match (&session.shared.trust, session.ambient.variable("RUNWRIT_TRUST")) {
        (Some(path), _) => Some((path.clone(), "--trust")),
        (None, Some(path)) => Some((PathBuf::from(path), "RUNWRIT_TRUST")),
        (None, None) => None,
    };
    let directory = &session.ambient.directory;
    choose(Path::new(SYSTEM), named.map(|(path, by)| (directory.join(path), by)))
}

/// Returns the keyring that counts, where that of the machine belongs to `system`. Another one that
/// was named counts only where the machine has none, or its own one says so.
fn choose(system: &Path, named: Option<(PathBuf, &str)>) -> Result<PathBuf, Error> {
    let Some((named, by)) = named else { return Ok(system.to_owned()) };
    if named == system || !ambient::exists(system) || allows_others(system)? {
        return Ok(named);
    }
    let shown = system.display();
    let message =
        format!("`{by}` names another keyring than `{shown}`, which is that of this host");
    Err(untrusted(message).hint(format!(
        "leave it out; `other-keyrings = \"allow\"` under `[policy]` in `{shown}` would allow it"
    )))
}

/// Returns whether this is the place of the keyring of a machine.
pub fn is_system(file: &Path) -> bool {
    file == Path::new(SYSTEM)
}

fn allows_others(system: &Path) -> Result<bool, Error> {
    let (keyring, _) = read(system)?;
    Ok(keyring.policy.other_keyrings == OtherKeyrings::Allow)
}

/// Reads a keyring that nobody but root and this user can write.
fn read(file: &Path) -> Result<(Keyring, Digest), Error> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    for path in [file, folder] {
        if let Some(complaint) = complaint(path) {
            return Err(untrusted(complaint.0).hint(complaint.1));
        }
    }
    let text = ambient::read_text("keyring", file, limits::DOCUMENT_BYTES_MAX)?;
    let keyring = Keyring::parse(&file.display().to_string(), &text).map_err(|faults| {
        let error = Error::from(faults);
        Error { exit: Exit::Untrusted, ..error }
    })?;
    Ok((keyring, Digest::of(text.as_bytes())))
}

/// Returns what is wrong with the owner or the mode of a file or directory, and its fix.
pub fn complaint(path: &Path) -> Option<(String, String)> {
    let (owner, mode) = trusted::ownership(path)?;
    let shown = path.display();
    if owner != 0 && owner != trusted::user() {
        let text = format!("`{shown}` belongs to another user (uid {owner}), who could change it");
        return Some((text, format!("`chown root {shown}`, after looking at what it says")));
    }
    // A sticky directory lets nobody replace the files of others.
    (mode & WRITABLE_BY_OTHERS != 0 && mode & 0o1000 == 0).then(|| {
        let text = format!("others may write to `{shown}` (mode {mode:04o})");
        (text, format!("`chmod go-w {shown}`: it says whose code runs here"))
    })
}

impl Trust {
    /// Reads the keyring and what it remembers. Without a keyring nobody is trusted.
    pub fn open(session: &Session) -> Result<Self, Error> {
        Self::load(session)?.settle()
    }

    /// Reads the same, and follows more roots before it looks whether any is missing that was
    /// followed before. Returns whether any was new.
    pub fn open_with(session: &Session, more: &[(u64, PathBuf)]) -> Result<(Self, bool), Error> {
        let mut trust = Self::load(session)?;
        let Some(chain) = &mut trust.chain else {
            let message = format!("the keyring `{}` follows no root", trust.file.display());
            return Err(Error::usage(message)
                .hint("`runwrit trust init --root FILE` makes one that does, on a host without"));
        };
        let is_new = roots::meet(chain, more, &trust.own)?;
        // Those that were lost are remembered, and have to be written down again.
        trust.is_ahead |= is_new;
        Ok((trust.settle()?, is_new))
    }

    fn load(session: &Session) -> Result<Self, Error> {
        let file = place(session)?;
        if !ambient::exists(&file) {
            let message = format!("there is no keyring `{}`, so nobody is trusted", file.display());
            return Err(untrusted(message).hint(
                "`runwrit trust init` makes it, and `runwrit trust add-key FILE.pub` adds who may \
                 sign; another place is named with `--trust FILE`",
            ));
        }
        let (own, own_digest) = read(&file)?;
        let state = state_of(&file, &own);
        let floors = remembered(&state)?;
        let chain = roots::follow(&file, &own, &state)?;
        let (keyring, digest) = (own.clone(), own_digest);
        Ok(Self { file, keyring, chain, digest, state, floors, own, own_digest, is_ahead: false })
    }

    /// Lets the newest root count.
    fn settle(mut self) -> Result<Self, Error> {
        let Some(chain) = &self.chain else { return Ok(self) };
        let newest = chain.newest();
        self.is_ahead |= follow(&mut self.floors, chain, &self.own, &self.file)?;
        self.keyring = chain.keyring(&self.own);
        let both = [self.own_digest.as_bytes().as_slice(), newest.digest.as_bytes()].concat();
        self.digest = Digest::of(&both);
        Ok(self)
    }

    /// Follows the roots that travel with a package; nothing is written yet.
    pub fn carried(mut self, package: &Path) -> Result<Self, Error> {
        let Some(chain) = &mut self.chain else { return Ok(self) };
        let files = roots::in_folder(&package.join(roots::CARRIED));
        match roots::meet(chain, &files, &self.own)? {
            true => self.settle(),
            false => Ok(self),
        }
    }

    /// Follows the roots that came with a package from `shown`; nothing is written yet.
    pub fn brought(mut self, shown: &Path, roots: &[(u64, Vec<u8>)]) -> Result<Self, Error> {
        let Some(chain) = &mut self.chain else { return Ok(self) };
        match roots::meet_brought((chain, &self.own), shown, roots)? {
            true => self.settle(),
            false => Ok(self),
        }
    }

    /// Remembers which roots were followed.
    pub fn keep(&self) -> Result<(), Error> {
        if !self.is_ahead {
            return Ok(());
        }
        self.change(|_| Ok(false))
    }

    /// Judges the bytes of a package. `is_unsigned_allowed` is what the person typed.
    pub fn admit(
        &self,
        folder: &Path,
        hashed: &Hashed<'_>,
        is_unsigned_allowed: bool,
    ) -> Result<Vouching, Error> {
        self.note_time();
        match self.judge(hashed) {
            Ok(vouched) => Ok(Vouching::Signed(Box::new(vouched), self.digest)),
            Err(Refusal::Unsigned) if is_unsigned_allowed => match self.keyring.policy.unsigned {
                keyring::Unsigned::Flag => Ok(Vouching::Unsigned(self.digest)),
                keyring::Unsigned::Deny => Err(self.forbids_unsigned(folder)),
            },
            Err(refusal) => Err(refused(folder, &refusal)),
        }
    }

    /// Judges the bytes of a package.
    pub fn judge(&self, hashed: &Hashed<'_>) -> Result<Vouched, Refusal> {
        judge(hashed, self.bench())
    }

    /// Returns what signatures are judged by, now.
    pub fn bench(&self) -> Bench<'_> {
        let (keyring, floors) = (&self.keyring, &self.floors);
        Bench { keyring, floors, clock: ambient::now_unix_ms() }
    }

    fn forbids_unsigned(&self, folder: &Path) -> Error {
        let (shown, file) = (folder.display(), self.file.display());
        let message =
            format!("`{shown}` is refused: it is not signed, and `{file}` allows no such");
        untrusted(message).hint(
            "have it signed with `runwrit sign`; or write `unsigned = \"flag\"` under `[policy]` \
             of the keyring, if unsigned packages are to run here",
        )
    }

    /// Returns where a package comes from, for the grant that it is to run under.
    pub fn origin(&self, vouching: &Vouching) -> Origin {
        let Vouching::Signed(vouched, _) = vouching else { return Origin::default() };
        Origin {
            package: Some(vouched.release.package.clone()),
            namespaces: self.keyring.namespaces_of(vouched.release.name()),
        }
    }

    /// Remembers a package before its run begins, so that nothing older runs from here on. What ran
    /// while a person was asked stands against it as well.
    pub fn remember(&self, vouching: &Vouching, folder: &Path) -> Result<(), Error> {
        let Vouching::Signed(vouched, _) = vouching else { return Ok(()) };
        let clock = ambient::now_unix_ms();
        self.change(|floors| {
            let bench = Bench { keyring: &self.keyring, floors, clock };
            within_rules(vouched, bench).map_err(|refusal| refused(folder, &refusal))?;
            Ok(floors.raise(vouched.seen(), &self.keyring, clock))
        })
    }

    /// Remembers the time, so that a clock that is turned back revives nothing. Whoever may not
    /// write there gets the verdict all the same; a run that starts has to.
    pub fn note_time(&self) {
        let clock = ambient::now_unix_ms();
        if self.floors.clone().note_time(clock) {
            let _ = self.with_memory(|floors| Ok(floors.note_time(clock)));
        }
    }

    /// Changes what is remembered, with the roots that were followed, one process at a time.
    pub fn change(
        &self,
        change: impl FnOnce(&mut Floors) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        self.with_memory(|floors| {
            let is_ahead = self.keep_roots(floors)?;
            Ok(change(floors)? | is_ahead)
        })
    }

    fn with_memory(
        &self,
        change: impl FnOnce(&mut Floors) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        if let Some(folder) = self.state.parent().filter(|folder| !ambient::exists(folder)) {
            ambient::make_private_directory("memory of the keyring", folder)?;
        }
        let _lock = trusted::lock("memory of the keyring", &self.state.with_extension("lock"))?;
        // Another process may have changed it meanwhile.
        let mut floors = remembered(&self.state)?;
        match change(&mut floors)? {
            true => trusted::replace("memory of the keyring", &self.state, &floors.encode(), 0o600),
            false => Ok(()),
        }
    }
}

impl Trust {
    /// Writes down the roots that were followed, and follows them in what is remembered.
    fn keep_roots(&self, floors: &mut Floors) -> Result<bool, Error> {
        let Some(chain) = &self.chain else { return Ok(false) };
        roots::keep(chain, &self.own, &self.state)?;
        // Another process may have followed further than this one.
        let found = roots::follow(&self.file, &self.own, &self.state)?;
        follow(floors, found.as_ref().unwrap_or(chain), &self.own, &self.file)
    }
}

fn follow(floors: &mut Floors, chain: &Chain, own: &Keyring, file: &Path) -> Result<bool, Error> {
    floors.follow(chain, own).map_err(|error| {
        let message = format!("the roots of the keyring `{}` are refused: {error}", file.display());
        untrusted(message).hint(error.hint())
    })
}

/// Returns where a keyring remembers.
fn state_of(file: &Path, keyring: &Keyring) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new("/"));
    match &keyring.policy.state {
        Some(path) => folder.join(path),
        None if is_system(file) => PathBuf::from(SYSTEM_STATE),
        None => folder.join(STATE),
    }
}

/// Reads what is remembered; nothing on a host where nothing ran yet.
fn remembered(state: &Path) -> Result<Floors, Error> {
    if !ambient::exists(state) {
        return Ok(Floors::default());
    }
    let bytes = ambient::read_private("memory of the keyring", state, limits::FLOORS_BYTES_MAX)
        .map_err(|error| Error { exit: Exit::Untrusted, ..error })?;
    Floors::decode(&bytes).map_err(|error| {
        untrusted(format!("the memory of the keyring `{}` is not usable: {error}", state.display()))
            .hint("restore it from a backup: without it a host forgets what it must not go back to")
    })
}

/// Says why a package does not run.
pub fn refused(folder: &Path, refusal: &Refusal) -> Error {
    let error = untrusted(format!("`{}` is refused: {refusal}", folder.display()));
    refusal.details().into_iter().fold(error, Error::detail).hint(refusal.hint())
}

/// Builds an error about trust.
pub fn untrusted(message: impl Into<String>) -> Error {
    Error::new(Exit::Untrusted, message)
}

impl Vouching {
    /// Returns the digest of the keyring that let it through.
    pub fn keyring(&self) -> Digest {
        match self {
            Self::Unsigned(keyring) | Self::Signed(_, keyring) => *keyring,
        }
    }

    /// Compares what was signed with what `runbook.toml` says.
    pub fn agrees(&self, folder: &Path, manifest: &Manifest) -> Result<(), Error> {
        let Self::Signed(vouched, _) = self else { return Ok(()) };
        agree(vouched, manifest).map_err(|refusal| refused(folder, &refusal))
    }

    /// Returns whether its runs may act on this machine alone.
    pub fn is_loopback_only(&self) -> bool {
        matches!(self, Self::Signed(vouched, _) if vouched.is_loopback_only)
    }

    /// Returns what the journal of a run keeps.
    pub fn provenance(&self) -> Provenance {
        match self {
            Self::Unsigned(keyring) => Provenance::Unsigned(Unsigned { keyring: *keyring }),
            Self::Signed(vouched, keyring) => {
                let release = &vouched.release;
                let signer = |it: &Signer| (it.id.clone(), it.hint.as_str().to_owned());
                Provenance::Signed(Box::new(Signed {
                    package: release.package.clone(),
                    version: release.version.clone(),
                    channel: release.channel.clone(),
                    sequence: release.sequence,
                    statement: vouched.statement,
                    signers: vouched.signers.iter().map(signer).collect(),
                    keyring: *keyring,
                    proof: Some(vouched.proof.clone()),
                }))
            }
        }
    }

    /// Tells a person who vouches for a package.
    pub fn tell(&self, manifest: &Manifest, digest: &Digest, session: &Session) {
        let name = manifest.id();
        match self {
            Self::Unsigned(_) => {
                let line = format!("UNSIGNED: nobody vouches for {name} ({digest})");
                session.note(Style::Warning, &line);
            }
            Self::Signed(vouched, _) => {
                session.note(Style::Plain, &format!("signed: {}", vouched_line(vouched)));
                for warning in &vouched.warnings {
                    session.note(Style::Warning, &format!("warning: {warning}"));
                }
            }
        }
    }
}

/// Compares a statement with a manifest.
pub fn agree(vouched: &Vouched, manifest: &Manifest) -> Result<(), Refusal> {
    agree_release(&vouched.release, manifest)
}

/// Compares what a statement says with a manifest.
pub fn agree_release(release: &Release, manifest: &Manifest) -> Result<(), Refusal> {
    let asks: Vec<String> = manifest.ask.iter().map(|ask| ask.interface.clone()).collect();
    agrees(release, (&manifest.name, &manifest.runbook_version, &manifest.world), &asks)
}

/// Returns who vouches for what, in one line.
pub fn vouched_line(vouched: &Vouched) -> String {
    let release = &vouched.release;
    let ids: Vec<String> =
        vouched.signers.iter().map(|signer| format!("`{}`", signer.id)).collect();
    let reach = if vouched.is_loopback_only { ", for loopback endpoints only" } else { "" };
    let (id, channel, sequence) = (release.id(), &release.channel, release.sequence);
    format!("{id}, {channel} {sequence}, by {}{reach}", ids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_moves_the_keyring_of_a_machine_that_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let system = folder.path().join("etc-trust.toml");
        let other = || folder.path().join("other.toml");
        let named = |by| choose(&system, Some((other(), by)));
        let write = |text: &str| {
            trusted::replace("keyring", &system, text.as_bytes(), 0o644).unwrap();
        };
        assert_eq!(choose(&system, None).unwrap(), system, "nothing was named");
        assert_eq!(named("--trust").unwrap(), other(), "the machine has none");
        for text in ["version = 1\n", "version = 1\n[policy]\nother-keyrings = \"deny\"\n"] {
            write(text);
            assert_eq!(choose(&system, None).unwrap(), system);
            assert_eq!(choose(&system, Some((system.clone(), "--trust"))).unwrap(), system);
            for by in ["--trust", "RUNWRIT_TRUST"] {
                let refused = named(by).unwrap_err();
                assert_eq!(refused.exit, Exit::Untrusted, "{text}");
                assert!(refused.message.starts_with(&format!("`{by}` names another")), "{text}");
                assert!(!refused.hints.is_empty());
            }
        }
        write("version = 1\n[policy]\nother-keyrings = \"allow\"\n");
        assert_eq!(named("RUNWRIT_TRUST").unwrap(), other(), "its own one says so");
        write("version = 1\nnonsense\n");
        assert_eq!(named("--trust").unwrap_err().exit, Exit::Untrusted, "who knows what it says");
    }

    #[test]
    fn only_the_keyring_says_where_it_remembers() {
        let silent = Keyring::empty();
        let mut telling = Keyring::empty();
        telling.policy.state = Some("memory/floors.json".to_owned());
        let rows = [
            (SYSTEM, &silent, SYSTEM_STATE),
            (SYSTEM, &telling, "/etc/runwrit/memory/floors.json"),
            ("/home/ops/trust.toml", &silent, "/home/ops/trust-state.json"),
            ("/home/ops/trust.toml", &telling, "/home/ops/memory/floors.json"),
        ];
        for (file, keyring, expected) in rows {
            assert_eq!(state_of(Path::new(file), keyring), Path::new(expected), "{file}");
        }
    }
}
