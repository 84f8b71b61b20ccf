//! Packages that travel, and those that are stopped on their way.

mod attacks;
mod credentials;
mod fake;
mod layouts;
mod locks;

use runwrit_trust::bundle;
use runwrit_trust::envelope::Envelope;
use runwrit_trust::floors::timestamp;
use runwrit_trust::parcel::Parcel;
use runwrit_trust::private_key::PrivateKey;
use runwrit_trust::public_key::Algorithm;
use runwrit_trust::statement::{Release, Statement};

use crate::artifact::{Artifact, Surface};
use crate::error::TransferError;
use crate::reference::Reference;
use crate::shelf::Shelf;

/// A package that so many people signed.
fn parcel(signers: usize) -> Parcel {
    let manifest = b"version = 1\nname = \"hello\"\n# \xc3\xa4, \"quotes\" and \t tabs\n".to_vec();
    let component = b"\0asm and what follows it".repeat(1_000);
    let release = Release {
        package: "acme:hello".to_owned(),
        version: "0.1.0".to_owned(),
        channel: "stable".to_owned(),
        sequence: 1,
        created_at: timestamp(1_800_000_000_000),
        expires_at: None,
        world: "runwrit:hello@0.1.0".to_owned(),
        asks: Vec::new(),
        critical: Vec::new(),
    };
    let payload = Statement::new(&manifest, &component, release).encode();
    let sign = |_| {
        let key = PrivateKey::generate(Algorithm::P256).unwrap();
        let envelope = Envelope::sign(payload.clone(), &key).unwrap();
        (bundle::file_name(&envelope.hint), bundle::encode(&envelope))
    };
    let mut signatures: Vec<_> = (0..signers).map(sign).collect();
    signatures.sort();
    Parcel { manifest, component, signatures }
}

fn surface() -> Surface {
    Surface {
        exports: vec!["run".to_owned()],
        imports: vec!["runwrit:run/log@0.1.0".to_owned()],
        target: "runwrit:hello@0.1.0".to_owned(),
    }
}

fn packed(parcel: &Parcel) -> Artifact {
    Artifact::pack(parcel, &[], &surface()).unwrap()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Puts a package where a reference says.
async fn put(to: &str, artifact: &Artifact) -> Result<(), TransferError> {
    // Another test may have installed it first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reference = reference(to);
    Shelf::begin(&reference.place, None)?.put(artifact, reference.tag.as_deref()).await
}

/// Takes a package from where a reference says.
async fn take(from: &str) -> Result<Artifact, TransferError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reference = reference(from);
    Shelf::open(&reference.place, None)?.take(&reference).await
}

#[test]
fn the_same_package_has_the_same_digest_everywhere() {
    let parcel = parcel(2);
    let one = packed(&parcel);
    assert_eq!(one, packed(&parcel));
    let unsigned = Parcel { signatures: Vec::new(), ..parcel.clone() };
    assert_eq!(one.digest(), packed(&unsigned).digest(), "signatures change no digest");
    let other = Parcel { manifest: b"version = 2".to_vec(), ..parcel.clone() };
    assert_ne!(one.digest(), packed(&other).digest(), "one digest pins both files");
    assert_eq!(one.unpack().unwrap().parcel, parcel);
    let roots = [(1, b"one".to_vec()), (2, b"two".to_vec())];
    let rooted = Artifact::pack(&parcel, &roots, &surface()).unwrap();
    assert_eq!(rooted.digest(), packed(&parcel).digest(), "roots change no digest");
    assert_eq!(rooted.unpack().unwrap().roots, roots);
}

#[test]
fn others_read_an_artifact_as_any_other() {
    let artifact = packed(&parcel(1));
    let manifest: serde_json::Value = serde_json::from_slice(&artifact.manifest).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert!(manifest["annotations"].is_null());
    let config: serde_json::Value = serde_json::from_slice(&artifact.config).unwrap();
    assert_eq!((&config["architecture"], &config["os"]), (&"wasm".into(), &"wasip2".into()));
    assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
    assert_eq!(config["component"]["exports"][0], "run");
    let signature: serde_json::Value =
        serde_json::from_slice(&artifact.signatures[0].manifest).unwrap();
    assert_eq!(signature["subject"]["digest"], artifact.digest().to_string());
    assert_eq!(signature["artifactType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
    assert_eq!(signature["config"]["size"], 2);
}

#[test]
fn signatures_that_share_a_name_are_all_kept() {
    let mut signed = parcel(1);
    let mut artifact = packed(&signed);
    let mut again = artifact.signatures[0].clone();
    again.file.push(b' ');
    let mut broken = artifact.signatures[0].clone();
    broken.file = b"{}".to_vec();
    artifact.signatures.extend([again, broken]);
    let names: Vec<_> =
        artifact.unpack().unwrap().parcel.signatures.into_iter().map(|it| it.0).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("unreadable-")), "{names:?}");
    assert!(names.iter().all(|name| name.ends_with(".sigstore.json")), "{names:?}");
    signed.signatures[0].1 = b"{}".to_vec();
    let error = Artifact::pack(&signed, &[], &surface()).unwrap_err().to_string();
    assert!(error.contains("is no signature"), "{error}");
}

#[test]
fn an_artifact_that_is_no_runbook_is_refused() {
    let artifact = packed(&parcel(0));
    let rows: [(&str, &[u8], &str); 5] = [
        ("no JSON", b"hello", "cannot be read"),
        ("of somebody else", b"{\"os\":\"wasip2\"}", "holds no `runbook.toml`"),
        ("of another version", b"{\"runwrit\":{\"version\":2,\"runbook.toml\":\"\"}}", "version 2"),
        (
            "with more",
            b"{\"runwrit\":{\"version\":1,\"runbook.toml\":\"\",\"x\":1}}",
            "unknown field",
        ),
        ("without text", b"{\"runwrit\":{\"version\":1,\"runbook.toml\":7}}", "invalid type"),
    ];
    for (row, config, fragment) in rows {
        let other = Artifact { config: config.to_vec(), ..artifact.clone() };
        let why = other.unpack().unwrap_err();
        assert!(why.contains(fragment), "{row}: {why}");
    }
    let long = "x".repeat(300 << 10);
    let config = format!("{{\"runwrit\":{{\"version\":1,\"runbook.toml\":\"{long}\"}}}}");
    let why = Artifact { config: config.into_bytes(), ..artifact }.unpack().unwrap_err();
    assert!(why.contains("at most 262144"), "{why}");
}
