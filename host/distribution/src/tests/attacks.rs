//! Whoever holds the registry, or the way to it, gets nothing believed that a digest did not pin.

use runwrit_model::exit::Exit;
use runwrit_model::limits;

use super::fake::{Asked, Fake, Reply};
use super::*;
use crate::manifest::{Index, ROOT_TYPE, SIGNATURE_TYPE};

/// A registry with a package, and the two references to it.
async fn stocked(signers: usize) -> (Fake, Artifact, String, String) {
    let fake = Fake::start().await;
    let artifact = packed(&parcel(signers));
    let tag = format!("{}/acme/hello:0.1.0", fake.host);
    put(&tag, &artifact).await.unwrap();
    let digest = format!("{}/acme/hello@{}", fake.host, artifact.digest());
    (fake, artifact, tag, digest)
}

#[track_caller]
fn refused(row: &str, result: Result<Artifact, TransferError>, fragment: &str) {
    let error = result.expect_err(row);
    let text = error.to_string();
    assert!(text.contains(fragment), "{row}: `{fragment}` is not told: {text}");
    assert_eq!(error.exit(), Exit::Untrusted, "{row}: {text}");
    assert!(!error.hint().is_empty(), "{row}");
}

/// What happens to bytes on their way.
type Change = fn(Vec<u8>) -> Vec<u8>;

/// Changes what is served below a path.
fn changed(
    part: &'static str,
    change: fn(Vec<u8>) -> Vec<u8>,
    bytes: Vec<u8>,
) -> super::fake::Trick {
    Box::new(move |asked: &Asked| {
        let is_it = asked.method == "GET" && asked.path.contains(part);
        is_it.then(|| Reply::of(200, change(bytes.clone())))
    })
}

#[tokio::test]
async fn a_package_comes_back_as_it_went() {
    let (fake, artifact, tag, digest) = stocked(2).await;
    assert_eq!(take(&tag).await.unwrap(), artifact);
    assert_eq!(take(&digest).await.unwrap(), artifact);
    let before = fake.asked().len();
    put(&tag, &artifact).await.unwrap();
    let again = &fake.asked()[before..];
    assert!(again.iter().all(|it| it.method != "POST"), "what is there is not sent again");
}

#[tokio::test]
async fn one_flipped_bit_is_found() {
    fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    }
    fn longer(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.push(0);
        bytes
    }
    fn shorter(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.pop();
        bytes
    }
    let (fake, artifact, tag, digest) = stocked(1).await;
    let (config, component) = (artifact.config.clone(), artifact.component.clone());
    let config_path: &'static str = format!("blobs/{}", digest_of(&config)).leak();
    let component_path: &'static str = format!("blobs/{}", digest_of(&component)).leak();
    let manifest_path: &'static str = format!("manifests/{}", artifact.digest()).leak();
    let bundle = artifact.signatures[0].file.clone();
    let bundle_path: &'static str = format!("blobs/{}", digest_of(&bundle)).leak();
    let rows: [(&str, &'static str, Change, Vec<u8>, &str, &str); 7] = [
        ("component", component_path, flip, component.clone(), &tag, "its bytes are"),
        ("component, longer", component_path, longer, component.clone(), &tag, "more than"),
        ("component, shorter", component_path, shorter, component, &tag, "its manifest says"),
        ("configuration", config_path, flip, config, &tag, "its bytes are"),
        ("signature", bundle_path, flip, bundle, &tag, "its bytes are"),
        ("manifest", manifest_path, flip, artifact.manifest.clone(), &digest, "its bytes are"),
        ("manifest, longer", manifest_path, longer, artifact.manifest, &digest, "its bytes are"),
    ];
    for (row, part, change, bytes, from, fragment) in rows {
        let trick = changed(part, change, bytes);
        fake.play(trick);
        refused(row, take(from).await, fragment);
    }
}

fn digest_of(bytes: &[u8]) -> runwrit_model::id::Digest {
    runwrit_model::id::Digest::of(bytes)
}

#[tokio::test]
async fn a_tag_means_what_the_registry_says_that_it_means() {
    let (fake, artifact, tag, _) = stocked(0).await;
    let other = packed(&Parcel { manifest: b"version = 9".to_vec(), ..parcel(0) });
    let (told, sent) = (artifact.digest().to_string(), other.manifest);
    fake.play(move |asked| {
        let reply = || Reply::of(200, sent.clone()).with("docker-content-digest", told.clone());
        (asked.path.contains("manifests/0.1.0")).then(reply)
    });
    refused("another manifest", take(&tag).await, "its bytes are");
}

#[tokio::test]
async fn what_has_no_end_is_cut_off() {
    let (fake, _, tag, digest) = stocked(1).await;
    let manifest_max = usize::try_from(limits::OCI_MANIFEST_BYTES_MAX).unwrap();
    let huge = vec![b' '; manifest_max + 1];
    let body = huge.clone();
    fake.play(move |asked| asked.path.contains("manifests/0.1").then(|| Reply::of(200, &body[..])));
    refused("manifest", take(&tag).await, "more than 1048576 bytes");
    // A length that is told is refused before a byte of the body is read.
    fake.play(move |asked| {
        let told = Reply::of(200, "").with("content-length", "9999999999");
        asked.path.contains("manifests/sha256:").then_some(told)
    });
    refused("told length", take(&digest).await, "more than 1048576 bytes");
    let list = vec![b' '; usize::try_from(limits::OCI_INDEX_BYTES_MAX).unwrap() + 1];
    fake.play(move |asked| asked.path.contains("/referrers/").then(|| Reply::of(200, &list[..])));
    refused("list", take(&tag).await, "more than 4194304 bytes");
    let again = Index::default().encode();
    fake.play(move |asked| {
        let next = format!("<{}>; rel=\"next\"", asked.path);
        let reply = || Reply::of(200, &again[..]).with("link", next);
        asked.path.contains("/referrers/").then(reply)
    });
    refused("pages", take(&tag).await, "more than 16 pages");
    let sized = |layer: u64| {
        let text = String::from_utf8(packed(&parcel(0)).manifest).unwrap();
        let size = packed(&parcel(0)).component.len();
        text.replace(&format!("\"size\":{size}"), &format!("\"size\":{layer}"))
    };
    let text = sized(limits::COMPONENT_BYTES_MAX + 1);
    fake.play(move |asked| asked.path.contains("manifests/0.1").then(|| Reply::of(200, &text[..])));
    refused("component", take(&tag).await, "more than 67108864 bytes");
}

#[tokio::test]
async fn more_signatures_than_anybody_asks_for_are_refused() {
    let (fake, artifact, tag, _) = stocked(1).await;
    let mut index = Index::default();
    let mut signature = artifact.signatures[0].clone();
    for number in 0..=limits::SIGNATURES_MAX {
        signature.manifest.resize(signature.manifest.len() + number.min(1), b' ');
        index.add(&signature.descriptor());
    }
    let (list, manifest) = (index.encode(), signature.manifest);
    fake.play(move |asked| {
        if asked.path.contains("/referrers/") {
            return Some(Reply::of(200, &list[..]));
        }
        let length = asked.path.rsplit('/').next().map(str::to_owned)?;
        let is_padded = |end: &usize| digest_of(&manifest[..*end]).to_string() == length;
        let end = (0..=manifest.len()).rev().take(100).find(is_padded)?;
        Some(Reply::of(200, &manifest[..end]))
    });
    refused("signatures", take(&tag).await, "more than 64 signatures");
}

#[tokio::test]
async fn only_packages_are_taken() {
    let manifest = String::from_utf8(packed(&parcel(0)).manifest).unwrap();
    let (config, layer) = ("application/vnd.wasm.config.v0+json", "\"application/wasm\"");
    let image = "application/vnd.oci.image.manifest.v1+json";
    let rows = [
        (
            "an image",
            manifest.replace(config, "application/vnd.oci.image.config.v1+json"),
            "`config`",
        ),
        ("another layer", manifest.replace(layer, "\"application/x\""), "its layer"),
        ("an index", manifest.replace(image, "application/vnd.oci.image.index.v1+json"), "not `"),
        ("no JSON", "<html>".to_owned(), "no manifest"),
        ("another digest", manifest.replace("sha256:", "sha512:"), "no manifest"),
        (
            "two layers",
            manifest.replace(
                "\"layers\":[{",
                "\"layers\":[{\"mediaType\":\"a\",\
          \"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\
          \"size\":0},{",
            ),
            "2 layers",
        ),
    ];
    let fake = Fake::start().await;
    for (row, text, fragment) in rows {
        fake.play(move |_| Some(Reply::of(200, &text[..])));
        refused(row, take(&format!("{}/acme/hello:0.1.0", fake.host)).await, fragment);
    }
    fake.play(|_| None);
    let error = take(&format!("{}/acme/hello:9.9.9", fake.host)).await.unwrap_err();
    assert!(matches!(error, TransferError::NotFound(_)) && error.exit() == Exit::Usage, "{error}");
}

#[tokio::test]
async fn a_registry_with_lists_of_its_own_gets_no_tag_for_them() {
    let fake = Fake::start().await;
    let artifact = packed(&parcel(1));
    let mut index = Index::default();
    index.add(&artifact.signatures[0].descriptor());
    let mut other = artifact.signatures[0].descriptor();
    other.digest = digest_of(b"a bill of materials");
    other.artifact_type = Some("application/spdx+json".to_owned());
    index.add(&other);
    let list = index.encode();
    fake.keep_lists();
    fake.play(move |asked| asked.path.contains("/referrers/").then(|| Reply::of(200, &list[..])));
    let tag = format!("{}/acme/hello:0.1.0", fake.host);
    put(&tag, &artifact).await.unwrap();
    assert_eq!(take(&tag).await.unwrap(), artifact, "the bill of materials is none of ours");
    let is_list = |asked: &Asked| asked.path.contains("manifests/sha256-");
    assert!(!fake.asked().iter().any(is_list), "{:?}", fake.asked());
    for kind in [SIGNATURE_TYPE, ROOT_TYPE] {
        let question = format!("artifactType={}", kind.replace('+', "%2B"));
        assert!(fake.asked().iter().any(|asked| asked.path.ends_with(&question)), "{question}");
    }
}

#[tokio::test]
async fn the_list_of_signatures_is_kept_under_a_tag_where_a_registry_keeps_none() {
    let (fake, artifact, tag, _) = stocked(1).await;
    let list = format!("/v2/acme/hello/manifests/sha256-{}", artifact.digest().hex());
    let writes = |fake: &Fake| {
        fake.asked().iter().filter(|it| it.method == "PUT" && it.path == list).count()
    };
    assert_eq!(writes(&fake), 1);
    // A second signer adds to the list and takes nothing from it.
    let mut more = parcel(1);
    more.signatures.extend(artifact.clone().unpack().unwrap().parcel.signatures);
    let other = packed(&Parcel {
        signatures: more.signatures,
        ..artifact.clone().unpack().unwrap().parcel
    });
    let second = Artifact { signatures: vec![other.signatures[0].clone()], ..artifact.clone() };
    let third = Artifact { signatures: vec![other.signatures[1].clone()], ..artifact };
    put(&tag, &second).await.unwrap();
    put(&tag, &third).await.unwrap();
    assert_eq!(take(&tag).await.unwrap().signatures.len(), 2);
    assert_eq!(writes(&fake), 2, "what is listed is not listed again");
}
