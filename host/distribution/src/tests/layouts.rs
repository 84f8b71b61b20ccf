//! Packages without a network: in folders and archives.
#![expect(clippy::disallowed_methods, reason = "tests have a folder of their own")]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use runwrit_model::exit::Exit;
use tar::{Builder, EntryType, Header};

use super::*;

fn at(folder: &Path, kind: &str, name: &str) -> String {
    format!("{kind}:{}", folder.join(name).display())
}

#[tokio::test]
async fn packages_lie_side_by_side_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let layout = at(folder.path(), "oci", "layout");
    let one = packed(&parcel(2));
    let two = packed(&Parcel { manifest: b"version = 2".to_vec(), ..parcel(1) });
    put(&format!("{layout}:1"), &one).await.unwrap();
    assert_eq!(take(&layout).await.unwrap(), one, "the only one needs no tag");
    put(&format!("{layout}:2"), &two).await.unwrap();
    put(&format!("{layout}:2"), &two).await.unwrap();
    assert_eq!(take(&format!("{layout}:1")).await.unwrap(), one);
    assert_eq!(take(&format!("{layout}@{}", two.digest())).await.unwrap().digest(), two.digest());
    let error = take(&layout).await.unwrap_err();
    assert!(matches!(error, TransferError::Ambiguous { count: 2, .. }), "{error}");
    // A tag moves as in a registry, and what it meant stays.
    put(&format!("{layout}:1"), &two).await.unwrap();
    assert_eq!(take(&format!("{layout}:1")).await.unwrap().digest(), two.digest());
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("layout/index.json")).unwrap())
            .unwrap();
    let tags = index["manifests"].as_array().unwrap().iter();
    let tags = tags.filter(|it| it["annotations"]["org.opencontainers.image.ref.name"] == "1");
    assert_eq!(tags.count(), 1, "{index}");
}

#[tokio::test]
async fn an_archive_has_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = packed(&parcel(2));
    for name in ["one.tar", "two.tar"] {
        put(&format!("{}:0.1.0", at(folder.path(), "oci-archive", name)), &artifact).await.unwrap();
    }
    let [one, two] = ["one.tar", "two.tar"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(one == two, "the archives differ");
    let archive = at(folder.path(), "oci-archive", "one.tar");
    assert_eq!(take(&format!("{archive}:0.1.0")).await.unwrap(), artifact);
    assert_eq!(take(&archive).await.unwrap(), artifact);
    let error = put(&format!("{archive}:0.2.0"), &artifact).await.unwrap_err();
    assert!(matches!(error, TransferError::Exists(_)), "{error}");
    assert!(one == fs::read(folder.path().join("one.tar")).unwrap());
}

#[tokio::test]
async fn what_is_no_layout_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("text"), "hello").unwrap();
    let rows = [
        (at(folder.path(), "oci", "absent"), Exit::Usage, "is not there"),
        (at(folder.path(), "oci", "empty"), Exit::Untrusted, "no OCI layout"),
        (at(folder.path(), "oci-archive", "absent"), Exit::Usage, "is not there"),
        (at(folder.path(), "oci-archive", "text"), Exit::Untrusted, "as an archive"),
        (at(folder.path(), "oci-archive", "empty"), Exit::Usage, "cannot be read"),
    ];
    for (text, exit, fragment) in rows {
        let error = take(&text).await.expect_err(&text);
        assert!(error.to_string().contains(fragment), "{text}: {error}");
        assert_eq!(error.exit(), exit, "{text}");
    }
}

#[tokio::test]
async fn a_changed_file_of_a_layout_is_found() {
    let artifact = packed(&parcel(1));
    let files = [&artifact.component, &artifact.config, &artifact.manifest];
    for (row, bytes) in ["component", "config", "manifest"].into_iter().zip(files) {
        let folder = tempfile::tempdir().unwrap();
        let layout = at(folder.path(), "oci", "layout");
        put(&format!("{layout}:1"), &artifact).await.unwrap();
        let hex = runwrit_model::id::Digest::of(bytes).hex();
        let path = folder.path().join("layout/blobs/sha256").join(hex);
        let mut changed = bytes.clone();
        changed[0] ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = take(&format!("{layout}:1")).await.expect_err(row);
        assert!(matches!(error, TransferError::OtherDigest { .. }), "{row}: {error}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        let error = take(&format!("{layout}:1")).await.expect_err(row);
        assert!(matches!(error, TransferError::File { .. }), "{row}: {error}");
        // Whoever puts it there again mends it.
        fs::remove_file(&path).unwrap();
        put(&format!("{layout}:1"), &artifact).await.unwrap();
        assert_eq!(take(&format!("{layout}:1")).await.unwrap(), artifact, "{row}");
    }
}

/// Packs one entry, whatever its name and kind.
fn archive(name: &str, kind: EntryType, times: usize) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for _ in 0..times {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn an_archive_holds_plain_files_below_itself_once() {
    let rows = [
        ("../evil", EntryType::Regular, 1, "leads out of it"),
        ("/etc/evil", EntryType::Regular, 1, "leads out of it"),
        ("oci-layout", EntryType::Symlink, 1, "not a file"),
        ("oci-layout", EntryType::Link, 1, "not a file"),
        ("oci-layout", EntryType::Fifo, 1, "not a file"),
        ("oci-layout", EntryType::Regular, 2, "stands in it twice"),
        ("./oci-layout", EntryType::Regular, 2, "stands in it twice"),
    ];
    for (name, kind, times, fragment) in rows {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.tar"), archive(name, kind, times)).unwrap();
        let error = take(&at(folder.path(), "oci-archive", "x.tar")).await.expect_err(name);
        assert!(error.to_string().contains(fragment), "{name} {kind:?}: {error}");
        assert_eq!(error.exit(), Exit::Untrusted, "{name} {kind:?}");
    }
}

/// Packs one header that says how many bytes come after it, and so many: a hole in the file.
fn heavy(path: &Path, kind: EntryType, size: u64, rest: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.as_gnu_mut().unwrap().name[..6].copy_from_slice(b"header");
    header.set_cksum();
    let mut file = fs::File::create(path).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.seek(SeekFrom::Current(size as i64)).unwrap();
    file.write_all(rest).unwrap();
}

/// What a reader took into memory would be a terabyte.
#[tokio::test]
async fn an_archive_with_a_header_of_a_terabyte_costs_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = packed(&parcel(1));
    let good = at(folder.path(), "oci-archive", "good.tar");
    put(&format!("{good}:0.1.0"), &artifact).await.unwrap();
    let rest = fs::read(folder.path().join("good.tar")).unwrap();
    let rows = [
        (EntryType::GNULongName, Some("not a file")),
        (EntryType::GNULongLink, Some("not a file")),
        (EntryType::GNUSparse, Some("not a file")),
        (EntryType::XHeader, None),
        (EntryType::XGlobalHeader, None),
    ];
    for (kind, refused) in rows {
        heavy(&folder.path().join("x.tar"), kind, 1 << 40, &rest);
        let found = take(&at(folder.path(), "oci-archive", "x.tar")).await;
        match refused {
            Some(fragment) => {
                let error = found.unwrap_err();
                assert!(error.to_string().contains(fragment), "{kind:?}: {error}");
                assert_eq!(error.exit(), Exit::Untrusted, "{kind:?}");
            }
            None => assert_eq!(found.unwrap(), artifact, "{kind:?}"),
        }
    }
}
