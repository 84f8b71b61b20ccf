//! Bad input from end to end: one clear error each, its exit code, and nothing touched.

use std::fs;

use runwrit_keyring as keyring;

use super::shell::{Cloud, Printed, READ_ONLY, Shell, TOKEN, grant, nowhere, packages};

/// Runs `hello` with a change, and returns what it says.
fn hello(change: impl FnOnce(&mut Shell)) -> Printed {
    let mut shell = Shell::new();
    change(&mut shell);
    shell.run(&["run", "hello", "--grant", "hello.toml", "--input", "name=you"])
}

#[test]
fn a_runbook_that_is_none() {
    let shell = Shell::new();
    let name = shell.run(&["run", "helo", "--grant", "hello.toml"]);
    let told = name.told().replace(&packages().display().to_string(), "PACKAGES");
    insta::assert_snapshot!(told, @"
    exit 2
    error: there is no runbook `helo`
    hint: looked in `PACKAGES`; or give the path of a package
    ");
    let path = shell.run(&["run", "./nothing", "--grant", "hello.toml"]);
    insta::assert_snapshot!(path.told(), @"
    exit 2
    error: `./nothing` is no package: a package is a folder with `runbook.toml` and `component.wasm`
    ");
    let version = shell.run(&["run", "hello@9.9.9", "--grant", "hello.toml"]);
    insta::assert_snapshot!(version.told(), @r"
    exit 2
    error: there is no runbook `hello@9.9.9`
    hint: there is `hello@0.1.0`
    ");
}

/// Copies the package `hello` into the folder, with a changed component.
fn package(shell: &Shell, component: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let source = packages().join("hello");
    let manifest = fs::read(source.join("runbook.toml")).expect("readable");
    let wasm = fs::read(source.join("component.wasm")).expect("readable");
    shell.write("package/runbook.toml", manifest);
    shell.write("package/component.wasm", component(wasm));
    keyring::sign(&shell.path("package"));
}

#[test]
fn a_component_that_is_truncated_or_none() {
    let shell = Shell::new();
    package(&shell, |wasm| wasm[..wasm.len() / 2].to_vec());
    let arguments = ["run", "./package", "--grant", "hello.toml", "--input", "name=you"];
    let half = shell.run(&arguments);
    assert_eq!(half.code, Some(4), "{}", half.stderr);
    assert!(half.stderr.contains("component.wasm"), "{}", half.stderr);
    for bytes in [b"".to_vec(), b"#!/bin/sh\n".to_vec(), vec![0; 100]] {
        package(&shell, |_| bytes.clone());
        let printed = shell.run(&arguments);
        assert_eq!(printed.code, Some(4), "{bytes:?}: {}", printed.stderr);
    }
    assert!(shell.run(&["runs", "--json"]).stdout.is_empty(), "no run began");
}

#[test]
fn a_component_of_another_world() {
    let shell = Shell::new();
    shell.write("other.toml", grant("other-world", ""));
    let printed = shell.run(&["run", "other-world", "--grant", "other.toml"]);
    insta::assert_snapshot!(printed.told(), @r#"
    exit 4
    error: the run was not started
      `runwrit:run/random@0.9.0` is imported, but this host does not offer it: this host offers version 0.1.0
      `registry/tenants` is asked for, but nothing of it is granted: add to `[registry]` in other.toml what is needed of: operations = ["tenants.get", "tenants.list", "tenants.reserve", "tenants.activate", "tenants.retire"]
    "#);
}

#[test]
fn a_grant_that_is_missing_or_wrong() {
    let missing = hello(|shell| fs::remove_file(shell.path("hello.toml")).expect("it is there"));
    insta::assert_snapshot!(missing.told(), @"
    exit 2
    error: the grant `hello.toml` cannot be read: No such file or directory (os error 2)
    ");
    let unknown = hello(|shell| shell.write("hello.toml", grant("hello", "allow = \"all\"\n")));
    insta::assert_snapshot!(unknown.told(), @"
    exit 2
    error: `hello.toml` is refused
      line 4: `allow` is no known field: remove it; known here are `version`, `expires`, `on-failure`, `max-minutes`, `runbook`, `scope`, `hetzner`, `dns`, `registry`, `audit`, `http`, `recovery`
    ");
    let other = hello(|shell| shell.write("hello.toml", grant("other", "")));
    insta::assert_snapshot!(other.told(), @r#"
    exit 5
    error: the run was not started
      `hello@0.1.0` is not what the grant is for, `other`: write in hello.toml: [runbook] name = "hello", version = "0.1.0"
    "#);
    let binary = hello(|shell| shell.write("hello.toml", [0xff, 0xfe]));
    insta::assert_snapshot!(binary.told(), @"
    exit 2
    error: the grant `hello.toml` is not UTF-8 at byte 0
    ");
}

#[test]
fn an_expired_grant() {
    let text = grant("hello", "").replace("2099", "2020");
    let printed = hello(|shell| shell.write("hello.toml", text));
    insta::assert_snapshot!(printed.told(), @"
    exit 5
    error: the run was not started
      `hello.toml` expired at TIME: set a later `expires`
    ");
}

#[test]
fn inputs_that_are_missing_or_unknown() {
    let shell = Shell::new();
    let printed = shell.run(&["run", "hello", "--grant", "hello.toml", "--input", "nmae=you"]);
    insta::assert_snapshot!(printed.told(), @"
    exit 2
    error: `inputs` is refused
      `nmae` is no input of the runbook: did you mean `name`?
      `name` is missing: add `--input name=VALUE`: a text that matches `.{1,64}` (whom to greet)
    ");
}

#[test]
fn a_tenant_id_and_an_octet_that_are_none() {
    let cloud = Cloud::start();
    let before = cloud.requests();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    let inputs = fs::read_to_string(shell.path("inputs.toml")).expect("readable");
    for (from, to, part) in [
        ("\"acme\"", "\"ACME\"", "`tenant`"),
        ("\"acme\"", "\"a-b\"", "`tenant`"),
        ("\"acme\"", "\"\"", "`tenant`"),
        ("octet = 7", "octet = 256", "`octet`"),
        ("octet = 7", "octet = -1", "`octet`"),
        ("octet = 7", "octet = \"7\"", "`octet`"),
    ] {
        shell.write("inputs.toml", inputs.replace(from, to));
        let printed = shell.run(&arguments);
        assert_eq!(printed.code, Some(2), "{to}: {}", printed.stderr);
        assert!(printed.stderr.contains(part), "{to}: {}", printed.stderr);
    }
    assert_eq!(cloud.requests(), before, "nothing was sent");
}

/// Runs `provision-tenant` with a change, and returns what it says.
fn provision(change: impl FnOnce(&mut Shell)) -> Printed {
    let mut shell = Shell::new();
    let arguments = shell.provision();
    change(&mut shell);
    shell.run(&arguments)
}

#[test]
fn a_token_that_is_absent_empty_or_malformed() {
    let absent = provision(|_| {});
    insta::assert_snapshot!(absent.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the credential `hetzner` needs `HCLOUD_TOKEN`, which is not set
    hint: `export HCLOUD_TOKEN=…`, or name a file of mode 0600 under `[credentials.hetzner]` in runwrit.toml
    ");
    let empty = provision(|shell| shell.set("HCLOUD_TOKEN", ""));
    insta::assert_snapshot!(empty.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the token of the credential `hetzner` is empty: set the variable or file that it names
    ");
    let short = provision(|shell| shell.set("HCLOUD_TOKEN", "canary"));
    insta::assert_snapshot!(short.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the token of the credential `hetzner` is malformed: expected 64 letters and digits, without spaces, quotes or line feeds
    ");
    assert!(!short.stderr.contains("canary"), "a token is never shown");
}

#[test]
fn a_real_token_never_reaches_a_simulator_nor_a_made_up_one_the_api() {
    let cloud = Cloud::start();
    let before = cloud.requests();
    let real = provision(|shell| {
        shell.set("HCLOUD_TOKEN", &"r".repeat(64));
        shell.set("HCLOUD_ENDPOINT", &cloud.handle.endpoint());
    });
    insta::assert_snapshot!(real.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the credential `hetzner` holds a real token, which is never sent to `http://ADDRESS/v1`: use an `https://` endpoint, or a made-up token that begins with `simulated`
    ");
    let simulated = provision(|shell| shell.set("HCLOUD_TOKEN", TOKEN));
    insta::assert_snapshot!(simulated.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the credential `hetzner` holds a made-up token, which is never sent to `https://api.hetzner.cloud/v1`: use the `http://` endpoint of a simulator, or a real token
    ");
    assert_eq!(cloud.requests(), before, "nothing was sent");
}

#[test]
fn a_token_that_is_wrong_or_reads_only() {
    let cloud = Cloud::start();
    let wrong = provision(|shell| {
        shell.set("HCLOUD_ENDPOINT", &cloud.handle.endpoint());
        shell.set("HCLOUD_TOKEN", &format!("simulatedwrong{}", "0".repeat(50)));
    });
    insta::assert_snapshot!(wrong.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the zone `example.org` cannot be read at `http://ADDRESS/v1` with credential `hetzner`: the token you have provided is invalid (HTTP 401, `unauthorized`)
    hint: nothing was touched; check the token and the endpoint
    ");
    let read_only = provision(|shell| {
        shell.set("HCLOUD_ENDPOINT", &cloud.handle.endpoint());
        shell.set("HCLOUD_TOKEN", READ_ONLY);
    });
    insta::assert_snapshot!(read_only.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the project behind credential `hetzner` cannot be told: the token is only allowed to perform GET requests (HTTP 401, `token_readonly`)
    hint: nothing was touched; check the token and the endpoint
    ");
    assert!(cloud.alive().is_empty());
}

#[test]
fn an_endpoint_that_is_none_or_does_not_answer() {
    let none = provision(|shell| {
        shell.set("HCLOUD_TOKEN", TOKEN);
        shell.set("HCLOUD_ENDPOINT", "cloud.example");
    });
    insta::assert_snapshot!(none.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: `HCLOUD_ENDPOINT`: `cloud.example` is no endpoint: expected `https://HOST/PATH`, or `http://HOST/PATH` for a simulator
    ");
    let silent = provision(|shell| {
        shell.set("HCLOUD_TOKEN", TOKEN);
        shell.set("HCLOUD_ENDPOINT", &format!("http://{}/v1", nowhere()));
    });
    insta::assert_snapshot!(silent.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the zone `example.org` cannot be read at `http://ADDRESS/v1` with credential `hetzner`: no connection to the API: no connection: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: nothing was touched; check the token and the endpoint
    ");
}

#[test]
fn an_octet_in_use_fails_before_anything_is_ordered() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    let first = shell.run(&arguments);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let alive = cloud.alive();
    for name in ["acme.toml", "inputs.toml"] {
        let text = fs::read_to_string(shell.path(name)).expect("readable");
        shell.write(name, text.replace("acme", "beta"));
    }
    let second = shell.run(&arguments);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.contains("octet 7 belongs to tenant `acme`"), "{}", second.stderr);
    assert_eq!(cloud.alive(), alive);
}

#[test]
fn a_credential_file_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let printed = provision(|shell| {
        let path = shell.path("runwrit.toml");
        let text = fs::read_to_string(&path).expect("readable");
        let own = "\n[credentials.hetzner]\nfile = \"token\"\n";
        shell.write("runwrit.toml", format!("{text}{own}"));
        shell.write("token", format!("{TOKEN}\n"));
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(shell.path("token"), mode).expect("ours");
    });
    insta::assert_snapshot!(printed.told(), @"
    exit 2
    signed: runwrit:provision-tenant@0.1.0, development SEQUENCE, by `development`
    error: the token file `FOLDER/token` has mode 0644
    hint: `chmod 600 FOLDER/token`: a secret is readable by its owner alone
    ");
}

#[test]
fn user_data_that_is_not_granted_names_the_digest_to_add() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    for name in ["acme.toml", "inputs.toml"] {
        let text = fs::read_to_string(shell.path(name)).expect("readable");
        shell.write(name, text.replace("203.0.113.7", "203.0.113.9"));
    }
    let printed = shell.run(&arguments);
    assert_eq!(printed.code, Some(1), "{}", printed.stderr);
    // One for each server, so that the grant is corrected once.
    let hint = "hint: add `user-data-sha256 = [\"DIGEST\", \"DIGEST\", \"DIGEST\"]` under \
                `[hetzner]` in acme.toml and start a new run";
    assert!(printed.stderr.lines().any(|line| line == hint), "{}", printed.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}
