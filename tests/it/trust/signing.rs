//! From a source folder to a package that two people vouch for.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::*;

/// A keyring that trusts these keys for `acme`.
fn trusting(shell: &Shell, ids: &[&str], threshold: usize) {
    let mut text = format!(
        "version = 1\n[policy]\nallow-unsigned-grants = true\n[threshold]\nrunbook = {threshold}\n"
    );
    for id in ids {
        let shown = shell.run(&["key", "show", &format!("{id}.pub"), "--json"]);
        let pem = shown.objects()[0]["pem"].as_str().expect("a key").to_owned();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        text.push_str(&format!(
            "[[key]]\nid = \"{id}\"\npublic = \"{base64}\"\nroles = [\"runbook\"]\n\
             names = [\"acme:*\"]\n"
        ));
    }
    shell.write("trust.toml", text);
}

#[test]
fn the_same_source_gives_the_same_package() {
    let shell = Shell::new();
    unsigned(&shell, "source");
    for out in ["one", "two"] {
        succeeds(&shell.run(&["build", "source", "--out", out]));
    }
    for file in ["runbook.toml", "component.wasm"] {
        let [source, one, two] = ["source", "one", "two"]
            .map(|folder| fs::read(shell.path(&format!("{folder}/{file}"))).expect("readable"));
        assert!(source == one && one == two, "{file}");
    }
    shell.write("source/component.wasm", b"\0asm");
    let broken = shell.run(&["build", "source", "--out", "three"]);
    assert_eq!(broken.code, Some(4), "{}", broken.stderr);
    assert!(!exists(&shell.path("three")), "nothing half-done stands there");
}

#[test]
fn a_source_folder_is_built_as_its_recipe_says() {
    let shell = Shell::new();
    unsigned(&shell, "source");
    fs::remove_file(shell.path("source/component.wasm")).expect("it stood there");
    let modules = packages().with_file_name("guests").join("wasm32-unknown-unknown/release");
    let recipe = |command: &str, output: &str| {
        let text = format!("version = 1\ncommand = \"{command}\"\noutput = \"{output}\"\n");
        shell.write("source/build.toml", text);
        shell.run(&["build", "source", "--out", "built"])
    };
    let copy = format!("echo copying; cp '{}/hello.wasm' made.wasm", modules.display());
    let built = recipe(&copy, "made.wasm");
    succeeds(&built);
    assert!(!built.stdout.contains("copying") && built.stderr.contains("copying"), "{built:?}");
    let [packed, built] = [packages().join("hello"), shell.path("built")]
        .map(|package| fs::read(package.join("component.wasm")).expect("readable"));
    assert!(packed == built, "the core module became the component that stands in the packages");
    // A core module that imports `a.b`, which no world has.
    let foreign = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01a\x01b\0\0";
    shell.write("source/foreign.wasm", foreign);
    let rows = [
        ("exit 3", "made.wasm", "`exit 3` in `source` failed: exit status: 3"),
        ("true", "other.wasm", "the command of `source/build.toml` made no `source/other.wasm`"),
        ("echo > text.wasm", "text.wasm", "`source/text.wasm` is no WebAssembly file"),
        ("true", "foreign.wasm", "`source/foreign.wasm` makes no component"),
        ("", "made.wasm", "`command` is"),
    ];
    for (command, output, expected) in rows {
        fs::remove_dir_all(shell.path("built")).ok();
        let refused = recipe(command, output);
        assert_eq!(refused.code, Some(2), "{command}: {}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{command}: {}", refused.stderr);
        assert!(!exists(&shell.path("built")), "{command}: nothing half-done stands there");
    }
}

#[test]
fn two_people_sign_one_after_the_other() {
    let shell = Shell::new();
    unsigned(&shell, "package");
    let ids = ["ops-1", "ops-2"];
    ids.iter().for_each(|id| drop(key(&shell, id)));
    trusting(&shell, &ids, 2);
    let bare = shell.run(&["sign", "package", "--key", "ops-1"]);
    assert_eq!(bare.code, Some(2), "{}", bare.stderr);
    assert!(bare.stderr.contains("it takes a namespace"), "{}", bare.stderr);
    let first = ["sign", "package", "--key", "ops-1", "--namespace", "acme", "--sequence", "3"];
    succeeds(&shell.run(&first));
    refused(&run(&shell, "./package", &[]), "missing `ops-2`");
    let second = shell.run(&["sign", "package", "--key", "ops-2"]);
    succeeds(&second);
    assert!(second.stderr.contains("countersigning acme:hello@0.1.0, stable 3"), "{second:?}");
    succeeds(&run(&shell, "./package", &[]));
    let verified = &shell.run(&["verify", "./package", "--json"]).objects()[0];
    assert_eq!(verified["signers"].as_array().map(Vec::len), Some(2), "{verified}");
    // What was signed is the text as well as the code.
    let manifest = shell.path("package/runbook.toml");
    let text = fs::read_to_string(&manifest).expect("readable");
    fs::write(&manifest, text.replace("Greets somebody", "Greets nobody")).expect("writable");
    refused(&run(&shell, "./package", &[]), "`runbook.toml` is not the one that");
}

#[test]
fn a_passphrase_opens_its_key_from_a_file_and_a_descriptor() {
    let shell = Shell::new();
    unsigned(&shell, "package");
    shell.write("pass", "correct horse battery\n");
    let open = shell.run(&["key", "generate", "--out", "ops", "--passphrase-file", "pass"]);
    assert_eq!(open.code, Some(2), "a passphrase that others can read: {}", open.stderr);
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(shell.path("pass"), mode).expect("it is ours");
    succeeds(&shell.run(&["key", "generate", "--out", "ops", "--passphrase-file", "pass"]));
    let private = fs::read_to_string(shell.path("ops")).expect("readable");
    assert!(private.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{private}");
    let mode = fs::metadata(shell.path("ops")).expect("it stands").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let again = shell.run(&["key", "generate", "--out", "ops", "--passphrase-file", "pass"]);
    assert!(again.code == Some(2) && again.stderr.contains("stands there already"), "{again:?}");
    let sign = ["sign", "package", "--key", "ops", "--namespace", "acme"];
    let mut command = shell.command(&[&sign[..], &["--passphrase-fd", "0"]].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the product starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"correct horse battery\n").expect("it reads");
    drop(input);
    succeeds(&shell.wait(child));
    shell.write("other", "wrong horse battery\n");
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(shell.path("other"), mode).expect("it is ours");
    let wrong = shell.run(&[&sign[..], &["--passphrase-file", "other"]].concat());
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("the passphrase does not open it"), "{}", wrong.stderr);
}

#[test]
fn a_program_can_hold_the_key() {
    let mut shell = Shell::new();
    shell.set("PATH", "/usr/bin:/bin");
    unsigned(&shell, "package");
    key(&shell, "ops-1");
    key(&shell, "ops-2");
    trusting(&shell, &["ops-1"], 1);
    let by = |line: &str| {
        let who = ["sign", "package", "--namespace", "acme", "--public", "ops-1.pub"];
        shell.run(&[&who[..], &["--signer-cmd", line]].concat())
    };
    let failing = by("exit 3");
    assert!(failing.code == Some(2) && failing.stderr.contains("gave no signature"), "{failing:?}");
    let other = by("openssl dgst -sha256 -sign ops-2");
    assert!(other.code == Some(2) && other.stderr.contains("with another key"), "{other:?}");
    assert!(!exists(&shell.path("package/signatures")), "nothing was written");
    succeeds(&by("openssl dgst -sha256 -sign ops-1"));
    succeeds(&run(&shell, "./package", &[]));
}

#[test]
fn nobody_countersigns_what_a_stranger_laid_there() {
    let shell = Shell::new();
    unsigned(&shell, "package");
    ["ops-1", "ops-2", "eve"].iter().for_each(|id| drop(key(&shell, id)));
    trusting(&shell, &["ops-1", "ops-2"], 1);
    let sign =
        |by: &str, more: &[&str]| shell.run(&[&["sign", "package", "--key", by], more].concat());
    let release = ["--namespace", "acme", "--sequence"];
    // A stranger's statement, and nobody else's.
    succeeds(&sign("eve", &[&release[..], &["21", "--channel", "beta"]].concat()));
    let joined = sign("ops-2", &[]);
    refused(&joined, "no signature of `package` counts here");
    assert!(joined.stderr.contains("which is not in the keyring"), "{}", joined.stderr);
    // Beside a good one it is no choice, although it is newer, and takes nothing away.
    succeeds(&sign("ops-1", &[&release[..], &["20"]].concat()));
    let joined = sign("ops-2", &[]);
    succeeds(&joined);
    assert!(joined.stderr.contains("countersigning acme:hello@0.1.0, stable 20"), "{joined:?}");
    assert!(
        joined.stderr.contains("does not count together with this one, and stays"),
        "{joined:?}"
    );
    let verified = &shell.run(&["verify", "./package", "--json"]).objects()[0];
    assert_eq!(verified["signers"].as_array().map(Vec::len), Some(2), "{verified}");
    let count = || fs::read_dir(shell.path("package/signatures")).expect("a folder").count();
    assert_eq!(count(), 3);
    // Another release of one signer leaves the word of the other one, until somebody says so.
    succeeds(&sign("ops-2", &[&release[..], &["22"]].concat()));
    assert_eq!(count(), 3);
    succeeds(&sign("ops-2", &[&release[..], &["22", "--replace"]].concat()));
    assert_eq!(count(), 1);
    // A desk without a keyring takes the key of the earlier signer by name.
    fs::remove_file(shell.path("trust.toml")).expect("it stands there");
    refused(&sign("ops-1", &[]), "there is no keyring");
    refused(&sign("ops-1", &["--known", "eve.pub"]), "there is no keyring");
    succeeds(&sign("ops-1", &["--known", "ops-2.pub"]));
    assert_eq!(count(), 2);
}
