//! A keyring counts only where nobody else can write it, and without one nobody is trusted.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::cli::shell::{Cloud, grant};

#[test]
fn without_a_keyring_nothing_runs() {
    let mut shell = Shell::new();
    shell.set("RUNWRIT_TRUST", "nothing.toml");
    refused(&run(&shell, "hello", &[]), "there is no keyring");
    refused(&run(&shell, "hello", &["--allow-unsigned"]), "there is no keyring");
    refused(&shell.run(&["verify", "hello"]), "there is no keyring");
    let seen = shell.run(&["inspect", "hello"]);
    succeeds(&seen);
    let unmarked = seen.stdout.lines().find(|line| !line.starts_with("UNVERIFIED "));
    assert_eq!(unmarked, None, "every line says that nobody vouches for it");
    let object = &shell.run(&["inspect", "hello", "--json"]).objects()[0];
    assert_eq!(object["is-verified"], false, "{object}");
}

#[test]
fn a_keyring_that_others_can_write_is_refused() {
    let shell = Shell::new();
    let set = |name: &str, mode: u32| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(shell.path(name), mode).expect("it is ours");
    };
    succeeds(&run(&shell, "hello", &[]));
    set("trust.toml", 0o666);
    refused(&run(&shell, "hello", &[]), "others may write to `FOLDER/trust.toml`");
    set("trust.toml", 0o644);
    set(".", 0o777);
    refused(&run(&shell, "hello", &[]), "others may write to `FOLDER` (mode 0777)");
    set(".", 0o700);
    set("trust-state.json", 0o644);
    refused(&run(&shell, "hello", &[]), "has mode 0644");
    set("trust-state.json", 0o600);
    succeeds(&run(&shell, "hello", &[]));
}

#[test]
fn a_keyring_or_memory_that_is_damaged_lets_nothing_run() {
    let shell = Shell::new();
    succeeds(&run(&shell, "hello", &[]));
    let state = fs::read(shell.path("trust-state.json")).expect("a run is remembered");
    for bytes in [&b""[..], b"{}", b"{\"version\":9}", &state[..state.len() / 2]] {
        fs::write(shell.path("trust-state.json"), bytes).expect("writable");
        refused(&run(&shell, "hello", &[]), "the memory of the keyring");
    }
    fs::write(shell.path("trust-state.json"), state).expect("writable");
    add(&shell, "[[key]]\nid = \"half\"");
    let printed = run(&shell, "hello", &[]);
    assert_eq!(printed.code, Some(4), "{}", printed.stderr);
    assert!(printed.stderr.contains("`key[2].public` is missing"), "{}", printed.stderr);
}

#[test]
fn unsigned_packages_need_the_flag_and_the_keyring_and_stand_in_the_record() {
    let shell = Shell::new();
    unsigned(&shell, "package");
    refused(&run(&shell, "./package", &[]), "the package is not signed");
    refused(&run(&shell, "./package", &["--allow-unsigned"]), "allows no such");
    let path = shell.path("trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let flag = text.replacen("[policy]", "[policy]\nunsigned = \"flag\"", 1);
    fs::write(&path, flag).expect("writable");
    refused(&run(&shell, "./package", &[]), "the package is not signed");
    let printed = run(&shell, "./package", &["--allow-unsigned"]);
    succeeds(&printed);
    assert!(printed.stderr.contains("UNSIGNED: nobody vouches"), "{}", printed.stderr);
    let shown = shell.run(&["show", &shell.last_run()]);
    assert!(shown.stdout.contains("UNSIGNED: nobody vouched for it"), "{}", shown.stdout);
    // A signature that is bad is not the same as none.
    shell.write("package/signatures/x.sigstore.json", "{}");
    refused(&run(&shell, "./package", &["--allow-unsigned"]), "no signature counts");
}

#[test]
fn the_record_of_a_run_says_who_vouched_for_it() {
    let shell = Shell::new();
    succeeds(&run(&shell, "hello", &[]));
    let shown = shell.run(&["show", &shell.last_run(), "--json"]);
    let signed = &shown.objects()[0]["created"]["provenance"]["signed"];
    assert_eq!(signed["package"], "runwrit:hello", "{signed}");
    assert!(signed["signers"]["development"].is_string(), "{signed}");
    assert!(signed["keyring"].is_string() && signed["statement"].is_string(), "{signed}");
    let text = shell.run(&["show", &shell.last_run()]).stdout;
    assert!(
        text.contains("signed    runwrit:hello@0.1.0, development SEQUENCE, by `dev"),
        "{text}"
    );
}

#[test]
fn a_development_key_reaches_loopback_alone() {
    let cloud = Cloud::start();
    let mut shell = Shell::new().with_cloud(&cloud);
    let path = shell.path("trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let near = text.replacen("names =", "endpoints = \"loopback\"\nnames =", 1);
    fs::write(&path, near).expect("writable");
    let arguments = shell.provision();
    succeeds(&shell.run(&arguments));
    let before = cloud.requests();
    shell.set("HCLOUD_ENDPOINT", "https://api.hetzner.cloud/v1");
    shell.set("HCLOUD_TOKEN", &"x".repeat(64));
    let printed = shell.run(&arguments);
    refused(&printed, "is signed for loopback endpoints only");
    assert!(printed.stderr.contains("https://api.hetzner.cloud/v1"), "{}", printed.stderr);
    assert_eq!(cloud.requests(), before);
    let far = "[http]\nrequests = [{ method = \"GET\", url = \"https://example.org/\" }]\n";
    shell.write("far.toml", grant("hello", far));
    let run = ["run", "hello", "--grant", "far.toml", "--input", "name=you"];
    refused(&shell.run(&run), "not for `https://example.org/`");
}

#[test]
fn a_keyring_is_made_filled_shown_and_checked() {
    let mut shell = Shell::new();
    shell.set("RUNWRIT_TRUST", "own/trust.toml");
    key(&shell, "ops.pem");
    succeeds(&shell.run(&["trust", "init"]));
    let again = shell.run(&["trust", "init"]);
    assert_eq!(again.code, Some(2), "a keyring is never replaced: {}", again.stderr);
    let checked = shell.run(&["trust", "check"]);
    assert_eq!(checked.code, Some(4), "{}", checked.stdout);
    assert!(checked.stdout.contains("0 keys may sign runbooks, and it takes 1"));
    let add = ["trust", "add-key", "ops.pem.pub", "--id", "ops-1", "--role"];
    let both = [&add[..], &["runbook", "--role", "grant", "--name", "acme:*"]].concat();
    let printed = shell.run(&both);
    assert_eq!(printed.code, Some(2), "{}", printed.stderr);
    assert!(printed.stderr.contains("who writes code must not also say"), "{}", printed.stderr);
    let times = ["--not-after", "2099-01-01T00:00:00Z"];
    let good = [&add[..], &["runbook", "--name", "acme:*"], &times].concat();
    succeeds(&shell.run(&good));
    let twice = shell.run(&good);
    assert_eq!(twice.code, Some(2), "{}", twice.stderr);
    assert!(twice.stderr.contains("is listed twice"), "{}", twice.stderr);
    succeeds(&shell.run(&["trust", "check"]));
    let text = fs::read_to_string(shell.path("own/trust.toml")).expect("readable");
    assert!(text.starts_with("# Who may say what runs on this host."), "comments stay: {text}");
    let shown = shell.run(&["trust", "show"]).stdout;
    assert!(shown.contains("key        ops-1: runbook for acme:*, until TIME"), "{shown}");
}

/// Lets the keys of the tests count until `until`.
pub fn until(shell: &Shell, until: &str) {
    let path = shell.path("trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let names = "names = [\"runwrit:*\"]";
    fs::write(&path, text.replace(names, &format!("{names}\nnot-after = {until}")))
        .expect("writable");
}

#[test]
fn a_clock_that_had_jumped_ahead_is_told_with_its_way_out() {
    let shell = Shell::new();
    until(&shell, "2098-01-01T00:00:00Z");
    succeeds(&run(&shell, "hello", &[]));
    let memory = "{\"version\":1,\"max-time-seen\":\"2099-01-01T00:00:00Z\",\"floors\":[]}";
    fs::write(shell.path("trust-state.json"), memory).expect("writable");
    let late = run(&shell, "hello", &[]);
    refused(&late, "has expired on TIME");
    assert!(late.stderr.contains("`runwrit trust reset-clock` forgets"), "{}", late.stderr);
    let checked = shell.run(&["trust", "check"]).stdout;
    let named = checked.matches("fix: `runwrit trust reset-clock`").count();
    assert_eq!(named, 3, "two keys and the clock: {checked}");
    succeeds(&shell.run(&["trust", "reset-clock"]));
    succeeds(&run(&shell, "hello", &[]));
}

#[test]
fn a_look_at_a_package_remembers_the_time_as_well() {
    let shell = Shell::new();
    until(&shell, &in_an_hour());
    let plan = ["plan", "hello", "--grant", "hello.toml", "--input", "name=you"];
    refused(&two_hours_later(&shell, &plan), "has expired on TIME");
    refused(&run(&shell, "hello", &[]), "has expired on TIME");
}
