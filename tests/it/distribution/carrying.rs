//! A package keeps its bytes, its digest and its signatures wherever it goes.

use runwrit_model::id::Digest;

use super::*;

const VERIFY_NO_TLS: &str = "--tls-verify=false";

#[test]
fn a_package_travels_through_a_registry_and_runs() {
    let (registry, shell) = (Registry::open(), shell());
    let tag = registry.at("acme/hello:0.1.0");
    let pushed = object(&shell, &["push", "./hello", &tag]);
    let digest = pushed["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(pushed["signatures"], 1);
    assert_eq!(object(&shell, &["push", "./hello", &tag])["digest"], digest, "the same once more");
    let by_tag = object(&shell, &["pull", &tag]);
    assert_eq!((&by_tag["digest"], &by_tag["is-verified"]), (&digest.clone().into(), &true.into()));
    let pulled = shell.path("kept/hello@0.1.0");
    assert_eq!(files(&pulled), files(&shell.path("hello")));
    let by_digest = registry.at(&format!("acme/hello@{digest}"));
    object(&shell, &["pull", &by_digest, "--to", "by-digest"]);
    assert_eq!(files(&shell.path("by-digest")), files(&pulled));
    object(&shell, &["pull", &tag]);
    let run = shell.run(&["run", "hello", "--grant", "hello.toml", "--input", "name=you"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn others_read_what_was_pushed() {
    let (registry, shell) = (Registry::open(), shell());
    let tag = registry.at("acme/hello:0.1.0");
    let digest = object(&shell, &["push", "./hello", &tag])["digest"].as_str().unwrap().to_owned();
    let raw = skopeo(&["inspect", "--raw", VERIFY_NO_TLS, &format!("docker://{tag}")]);
    assert_eq!(Digest::of(&raw).to_string(), digest);
    let manifest: serde_json::Value = serde_json::from_slice(&raw).expect("JSON");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    let tags =
        skopeo(&["list-tags", VERIFY_NO_TLS, &format!("docker://{}", registry.at("acme/hello"))]);
    let list = digest.replace(':', "-");
    assert!(String::from_utf8_lossy(&tags).contains(&list), "the list of signatures has a tag");
    // Somebody else's tool carries the package, and its digest with it.
    let other = registry.at("other/hello:1");
    let (from, to) = (format!("docker://{tag}"), format!("docker://{other}"));
    skopeo(&["copy", "--src-tls-verify=false", "--dest-tls-verify=false", &from, &to]);
    let layout = format!("oci:{}:x", shell.path("layout").display());
    skopeo(&["copy", "--src-tls-verify=false", &from, &layout]);
    let archive = format!("oci-archive:{}:x", shell.path("layout.tar").display());
    skopeo(&["copy", "--src-tls-verify=false", &from, &archive]);
    for carried in [&other, &layout, &archive] {
        // It knows nothing of signatures, and without them nothing is kept.
        refused(&shell.run(&["pull", carried, "--to", "bare"]), 4, "is not signed");
        let unverified = object(&shell, &["pull", carried, "--to", "bare", "--unverified"]);
        assert_eq!(
            (&unverified["digest"], &unverified["is-verified"]),
            (&digest.clone().into(), &false.into())
        );
    }
    // And it reads what we carried.
    let own = format!("oci:{}:0.1.0", shell.path("own").display());
    object(&shell, &["copy", &tag, &own]);
    let raw = skopeo(&["inspect", "--raw", &own]);
    assert_eq!(Digest::of(&raw).to_string(), digest);
    skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        &own,
        &format!("docker://{}", registry.at("back:1")),
    ]);
    let back = skopeo(&[
        "inspect",
        "--raw",
        VERIFY_NO_TLS,
        &format!("docker://{}", registry.at("back:1")),
    ]);
    assert_eq!(Digest::of(&back).to_string(), digest);
}

#[test]
fn a_package_reaches_a_host_without_a_network() {
    let (registry, shell) = (Registry::open(), shell());
    let tag = registry.at("acme/hello:0.1.0");
    let digest = object(&shell, &["push", "./hello", &tag])["digest"].clone();
    let hops = [
        (tag.clone(), registry.at("mirror/hello:0.1.0")),
        (registry.at("mirror/hello:0.1.0"), "oci:stick:0.1.0".to_owned()),
        ("oci:stick:0.1.0".to_owned(), "oci-archive:stick.tar:0.1.0".to_owned()),
        ("oci-archive:stick.tar".to_owned(), registry.at("inside/hello:0.1.0")),
    ];
    for (from, to) in &hops {
        let copied = object(&shell, &["copy", from, to]);
        assert_eq!((&copied["digest"], &copied["signatures"]), (&digest, &1.into()), "{from} {to}");
        object(&shell, &["pull", to, "--to", "there"]);
        assert_eq!(files(&shell.path("there")), files(&shell.path("hello")), "{to}");
        fs::remove_dir_all(shell.path("there")).expect("it was made");
    }
    let again = shell.run(&["copy", &tag, "oci-archive:stick.tar:0.2.0"]);
    refused(&again, 2, "stands there already");
    // An archive that plain `tar` made of a folder is one as well.
    let tar = Command::new("tar")
        .args(["-cf", "plain.tar", "-C", "stick", "."])
        .current_dir(shell.path(""))
        .status()
        .expect("tar");
    assert!(tar.success());
    object(&shell, &["pull", "oci-archive:plain.tar:0.1.0", "--to", "there"]);
    // Nothing is judged on the way, and everything at its end.
    shell.write("trust.toml", "version = 1\n");
    object(&shell, &["copy", &tag, "oci:other:0.1.0"]);
    refused(&shell.run(&["pull", "oci:other:0.1.0", "--to", "elsewhere"]), 4, "is refused");
    assert!(!shell.path("elsewhere").exists(), "nothing is kept that is not trusted");
}

#[test]
fn a_byte_that_changed_in_the_registry_is_found() {
    let (registry, shell) = (Registry::open(), shell());
    let tag = registry.at("acme/hello:0.1.0");
    let pushed = object(&shell, &["push", "./hello", &tag]);
    let digest = pushed["digest"].as_str().expect("a digest");
    let by_digest = registry.at(&format!("acme/hello@{digest}"));
    let component = fs::read(shell.path("hello/component.wasm")).expect("readable");
    for changed in [Digest::of(&component).to_string(), digest.to_owned()] {
        let path = registry.blob(&changed);
        let before = fs::read(&path).expect("the registry keeps it");
        let mut after = before.clone();
        let middle = after.len() / 2;
        after[middle] ^= 1;
        fs::write(&path, after).expect("writable");
        for from in [&tag, &by_digest] {
            refused(&shell.run(&["pull", from, "--to", "changed"]), 4, "its bytes are");
            assert!(!shell.path("changed").exists());
        }
        fs::write(&path, before).expect("writable");
    }
    object(&shell, &["pull", &tag, "--to", "changed"]);
}

#[test]
fn a_second_signature_follows_the_first() {
    let (registry, shell) = (Registry::open(), shell());
    let tag = registry.at("acme/hello:0.1.0");
    object(&shell, &["push", "./hello", &tag]);
    object(&shell, &["pull", &tag, "--to", "mine"]);
    let made = shell.run(&["key", "generate", "--out", "ops", "--no-passphrase"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let signed = shell.run(&["sign", "mine", "--key", "ops"]);
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
    assert_eq!(object(&shell, &["push", "./mine", &tag])["signatures"], 2);
    assert_eq!(object(&shell, &["pull", &tag, "--to", "hello"])["signatures"], 2);
    assert_eq!(files(&shell.path("hello")), files(&shell.path("mine")), "the lacking one came");
}

#[test]
fn a_registry_is_told_who_one_is_and_nobody_else() {
    let (registry, mut shell) = (Registry::guarded(), shell());
    let (tag, host) = (registry.at("acme/hello:0.1.0"), &registry.host);
    let nobody = shell.run(&["push", "./hello", &tag]);
    refused(&nobody, 2, "status 401");
    assert!(nobody.stderr.contains("[registries."), "{}", nobody.stderr);
    let section = format!("[registries.\"{host}\"]\nuser = \"acme\"\n");
    configure(&shell, &format!("{section}env = \"REGISTRY_SECRET\"\n"));
    refused(&shell.run(&["push", "./hello", &tag]), 2, "`REGISTRY_SECRET`, which is not set");
    shell.set("REGISTRY_SECRET", "hunter3");
    let wrong = shell.run(&["push", "./hello", &tag, "-vv"]);
    refused(&wrong, 2, "status 401");
    assert!(!wrong.stderr.contains("hunter3"), "{}", wrong.stderr);
    shell.set("REGISTRY_SECRET", "hunter2");
    let right = shell.run(&["push", "./hello", &tag, "-vv"]);
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    assert!(!right.stderr.contains("hunter2") && !right.stderr.contains("aHVudGVy"), "{right:?}");
    configure(&shell, &format!("{section}file = \"secret\"\n"));
    shell.write("secret", "hunter2\n");
    refused(&shell.run(&["pull", &tag]), 2, "has mode");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(shell.path("secret"), mode).expect("it is ours");
    object(&shell, &["pull", &tag]);
}

#[test]
fn a_reference_that_leads_nowhere_is_told() {
    let (registry, shell) = (Registry::open(), shell());
    let absent = registry.at("acme/absent:0.1.0");
    refused(&shell.run(&["pull", &absent]), 2, "is not there");
    refused(&shell.run(&["pull", "127.0.0.1:1/acme/hello:0.1.0"]), 2, "cannot be reached");
    refused(&shell.run(&["push", "./hello", &registry.at("acme/hello")]), 2, "neither tag nor");
    let other = format!("acme/hello@sha256:{}", "0".repeat(64));
    refused(&shell.run(&["push", "./hello", &registry.at(&other)]), 4, "was asked for");
    let typed = shell.run(&["pull", "hello"]);
    assert_eq!(typed.code, Some(2), "{}", typed.stderr);
    assert!(typed.stderr.contains("is no reference"), "{}", typed.stderr);
}
