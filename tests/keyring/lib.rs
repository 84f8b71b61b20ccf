//! Keyrings for tests: they trust what `cargo xtask guests` signed, and what tests sign themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use runwrit_model::manifest::Manifest;
use runwrit_trust::bundle;
use runwrit_trust::envelope::Envelope;
use runwrit_trust::floors::timestamp;
use runwrit_trust::private_key::PrivateKey;
use runwrit_trust::public_key::{Algorithm, PublicKey};
use runwrit_trust::statement::{Release, Statement};

/// Writes a keyring into `folder` and returns its path, for `RUNWRIT_TRUST`.
pub fn install(folder: &Path) -> PathBuf {
    let path = folder.join("trust.toml");
    let entry = |id: &str, key: &PublicKey| {
        format!(
            "\n[[key]]\nid = \"{id}\"\npublic = \"{key}\"\nroles = [\"runbook\"]\n\
             names = [\"runwrit:*\"]\n"
        )
    };
    let (development, tests) =
        (entry("development", &development()), entry("tests", &own().public()));
    // Nobody watches what tests run, and nobody signs their grants, but where a test does.
    let policy = "[policy]\nallow-unsigned-grants = true\n";
    fs::write(&path, format!("version = 1\n{policy}{development}{tests}")).expect("writable");
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(&path, mode).expect("it was just written");
    path
}

/// Signs the package in `folder` as it stands, whatever is wrong with it, later than anything that
/// was signed before.
pub fn sign(folder: &Path) {
    let read = |name: &str| fs::read(folder.join(name)).expect("a package");
    let (manifest, component) = (read("runbook.toml"), read("component.wasm"));
    let payload = Statement::new(&manifest, &component, release(&manifest)).encode();
    let envelope = Envelope::sign(payload, own()).expect("randomness");
    let signatures = folder.join("signatures");
    let _ = fs::remove_dir_all(&signatures);
    fs::create_dir_all(&signatures).expect("writable");
    let name = bundle::file_name(&envelope.hint);
    fs::write(signatures.join(name), bundle::encode(&envelope)).expect("writable");
}

/// What a manifest says, or something that will never be compared because it cannot be parsed.
fn release(manifest: &[u8]) -> Release {
    static SIGNED: AtomicU64 = AtomicU64::new(1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let text = String::from_utf8_lossy(manifest);
    let manifest = Manifest::parse("runbook.toml", &text).ok();
    let told =
        |of: fn(&Manifest) -> &str, other: &str| manifest.as_ref().map_or(other, of).to_owned();
    let asks = manifest.as_ref().map(|it| it.ask.iter().map(|ask| ask.interface.clone()));
    Release {
        package: format!("runwrit:{}", told(|it| &it.name, "broken")),
        version: told(|it| &it.runbook_version, "0.1.0"),
        channel: "development".to_owned(),
        sequence: now + SIGNED.fetch_add(1, Ordering::Relaxed),
        created_at: timestamp(now * 1_000),
        expires_at: None,
        world: told(|it| &it.world, "a:b/c@0.1.0"),
        asks: asks.into_iter().flatten().collect(),
        critical: Vec::new(),
    }
}

/// The key of this process.
fn own() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(Algorithm::P256).expect("randomness"))
}

/// Returns the public half of the key that signed what this clone built.
pub fn development() -> PublicKey {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/development/key.pub");
    let text = fs::read_to_string(path).expect("build the guests: `cargo xtask guests`");
    PublicKey::from_pem(&text).expect("a public key")
}
