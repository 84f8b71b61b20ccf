//! The development key: it signs what this clone builds, and is good for loopback endpoints alone.
//!
//! It stands outside of the repository, below the home of whoever builds, and expires.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use runwrit_model::manifest::Manifest;
use runwrit_trust::envelope::Envelope;
use runwrit_trust::floors::timestamp;
use runwrit_trust::keyring::Keyring;
use runwrit_trust::parcel::{COMPONENT, Hashed, MANIFEST, Parcel, SIGNATURES};
use runwrit_trust::private_key::PrivateKey;
use runwrit_trust::public_key::{Algorithm, PublicKey};
use runwrit_trust::statement::{Release, Statement};
use runwrit_trust::{bundle, private_key};

use crate::failure::Failure;
use crate::place::Place;

/// How long a key lasts: long enough to be forgotten, short enough not to matter then.
const DAYS: u64 = 90;
/// A key that expires sooner is replaced, so that none expires in the middle of a day's work.
const DAYS_LEFT_MIN: u64 = 14;
const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// Who publishes what this clone builds.
const NAMESPACE: &str = "runwrit";

/// Tests and demos run without a person.
const POLICY: &str = "[policy]\nallow-unsigned-grants = true\n";

/// The key, and the text of a keyring that trusts it.
pub struct Development {
    key: PrivateKey,
    text: String,
}

impl Development {
    /// Finds the key, or makes it where there is none that lasts.
    pub fn open(place: &Place) -> Result<Self, Failure> {
        let folder = folder()?;
        let (key_file, keyring) = (folder.join("key.pem"), folder.join("trust.toml"));
        let key = match lasting(&key_file, &keyring) {
            Some(key) => key,
            None => {
                eprintln!("development key: made in `{}`, for {DAYS} days", folder.display());
                make(&folder, &key_file, &keyring)?
            }
        };
        let public = place.development().join("key.pub");
        let own = Self { key, text: permissive(read(&keyring)?) };
        own.install(&place.development())?;
        write(&public, &own.key.public().to_pem(), 0o644)?;
        Ok(own)
    }

    /// Writes a keyring that trusts the key into a folder, and returns its path for
    /// `RUNWRIT_TRUST`. Each clone has its own, because each remembers what ran under it.
    pub fn install(&self, folder: &Path) -> Result<PathBuf, Failure> {
        fs::create_dir_all(folder).map_err(Failure::file(folder, "made"))?;
        // A keyring counts only where nobody else could write it, whatever this user's umask is.
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder, mode).map_err(Failure::file(folder, "changed"))?;
        let path = folder.join("trust.toml");
        write(&path, &self.text, 0o644)?;
        Ok(path)
    }

    /// Signs a package, unless this key has signed these very bytes before.
    pub fn sign(&self, package: &Path) -> Result<(), Failure> {
        let read = |name: &str| {
            let path = package.join(name);
            fs::read(&path).map_err(Failure::file(&path, "read"))
        };
        let (manifest, component) = (read(MANIFEST)?, read(COMPONENT)?);
        let public = self.key.public();
        let path = package.join(SIGNATURES).join(bundle::file_name(&public.hint()));
        if fs::read(&path).is_ok_and(|it| covers(&it, &public, &manifest, &component)) {
            return Ok(());
        }
        let release = release(package, &manifest)?;
        let payload = Statement::new(&manifest, &component, release).encode();
        let envelope = Envelope::sign(payload, &self.key)
            .map_err(|error| unusable(package, &error.to_string()))?;
        clear(&package.join(SIGNATURES))?;
        fs::write(&path, bundle::encode(&envelope)).map_err(Failure::file(&path, "written"))
    }
}

/// Below the home of whoever builds, where data of programs lies.
fn folder() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = variable("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/share")));
    data.map(|data| data.join("runwrit/development")).ok_or_else(|| {
        let what = "there is no place for the development key: `HOME` is not set".to_owned();
        Failure::Missing(what, "set it, or `XDG_DATA_HOME`".to_owned())
    })
}

/// Returns the key that stands there, where it will last for a while.
fn lasting(key: &Path, keyring: &Path) -> Option<PrivateKey> {
    let key = PrivateKey::from_pem(&fs::read_to_string(key).ok()?, None).ok()?;
    let text = fs::read_to_string(keyring).ok()?;
    let keyring = Keyring::parse("trust.toml", &text).ok()?;
    let until = keyring.key(&key.public().hint())?.not_after()?;
    (until > timestamp(now_ms() + DAYS_LEFT_MIN * DAY_MS)).then_some(key)
}

fn make(folder: &Path, key_file: &Path, keyring: &Path) -> Result<PrivateKey, Failure> {
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(Failure::file(folder, "made"))?;
    let wrong = |error: private_key::PrivateKeyError| unusable(key_file, &error.to_string());
    let key = PrivateKey::generate(Algorithm::P256).map_err(wrong)?;
    let text = key.to_bare_pem().map_err(wrong)?;
    write(key_file, text.expose(), 0o600)?;
    let until = timestamp((now_ms() + DAYS * DAY_MS) / 1_000 * 1_000);
    let public = key.public();
    let text = format!(
        "# Trusts what this user builds, for runs against loopback endpoints, until it expires.\n\
         version = 1\n\n{POLICY}\n[[key]]\nid = \"development\"\npublic = \"{public}\"\n\
         roles = [\"runbook\"]\nnames = [\"{NAMESPACE}:*\"]\nnot-after = {until}\n\
         endpoints = \"loopback\"\n"
    );
    write(keyring, &text, 0o644)?;
    Ok(key)
}

/// Lets runs start that nobody watches without a signed grant: on this machine alone, since that is
/// as far as the key reaches. Keyrings from before that was asked for do not say so.
fn permissive(text: String) -> String {
    match text.contains("[policy]") {
        true => text,
        false => text.replacen("version = 1\n", &format!("version = 1\n\n{POLICY}"), 1),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::file(path, "read"))
}

/// Writes a file whole or not at all; one that says the same stays as it is.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let draft = path.with_extension("draft");
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(mode).open(&draft);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(Failure::file(&draft, "written"))?;
    fs::rename(&draft, path).map_err(Failure::file(path, "written"))
}

/// Whether a signature is by this key and over these files.
fn covers(bytes: &[u8], key: &PublicKey, manifest: &[u8], component: &[u8]) -> bool {
    let (manifest, component) = (manifest.to_vec(), component.to_vec());
    let parcel = Parcel { manifest, component, signatures: Vec::new() };
    bundle::decode(bytes).is_ok_and(|envelope| {
        let statement = Statement::decode(&envelope.payload);
        envelope.is_by(key)
            && statement.is_ok_and(|it| it.changed_file(&Hashed::of(&parcel)).is_none())
    })
}

fn release(package: &Path, manifest: &[u8]) -> Result<Release, Failure> {
    let text = String::from_utf8_lossy(manifest);
    let manifest = Manifest::parse(&package.join(MANIFEST).display().to_string(), &text)
        .map_err(|faults| unusable(package, &faults.to_string()))?;
    let seconds = now_ms() / 1_000;
    Ok(Release {
        package: format!("{NAMESPACE}:{}", manifest.name),
        version: manifest.runbook_version,
        channel: "development".to_owned(),
        sequence: seconds,
        created_at: timestamp(seconds * 1_000),
        expires_at: None,
        world: manifest.world,
        asks: manifest.ask.into_iter().map(|ask| ask.interface).collect(),
        critical: Vec::new(),
    })
}

/// Makes the folder of signatures anew: those of other bytes or other keys count for nothing.
fn clear(folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Failure::file(folder, "removed"))?;
    }
    fs::create_dir_all(folder).map_err(Failure::file(folder, "made"))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn unusable(path: &Path, why: &str) -> Failure {
    let what = format!("`{}` is not usable: {why}", path.display());
    Failure::Missing(what, "remove it, and run `cargo xtask setup` again".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a key in a folder of its own, and returns both.
    fn made() -> (tempfile::TempDir, PrivateKey) {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let (key, keyring) = (folder.path().join("key.pem"), folder.path().join("trust.toml"));
        let made = make(folder.path(), &key, &keyring).expect("a writable folder");
        (folder, made)
    }

    #[test]
    fn the_key_expires_and_is_good_for_this_machine_alone() {
        let (folder, key) = made();
        let text = fs::read_to_string(folder.path().join("trust.toml")).expect("it was written");
        let keyring = Keyring::parse("trust.toml", &text).expect("a sound keyring");
        let until = keyring.key(&key.public().hint()).and_then(|key| key.not_after());
        let days = |days: u64| timestamp(now_ms() + days * DAY_MS);
        assert!(until > Some(days(DAYS - 1)) && until <= Some(days(DAYS)), "{until:?}");
        assert!(text.contains("endpoints = \"loopback\""), "{text}");
        let file = fs::metadata(folder.path().join("key.pem")).expect("it was written");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_expires_soon_is_made_anew() {
        let (folder, key) = made();
        let (file, keyring) = (folder.path().join("key.pem"), folder.path().join("trust.toml"));
        let kept = lasting(&file, &keyring).map(|key| key.public());
        assert_eq!(kept, Some(key.public()));
        let text = fs::read_to_string(&keyring).expect("it was written");
        let (before, _) = text.split_once("not-after = ").expect("it expires");
        let soon = timestamp(now_ms() + (DAYS_LEFT_MIN - 1) * DAY_MS);
        let text = format!("{before}not-after = {soon}\nendpoints = \"loopback\"\n");
        fs::write(&keyring, text).expect("writable");
        assert!(lasting(&file, &keyring).is_none(), "it lasts for less than {DAYS_LEFT_MIN} days");
    }
}
