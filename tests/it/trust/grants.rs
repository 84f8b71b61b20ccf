//! What nobody watches needs a grant that somebody signed.

use runwrit_keyring as keyring;

use super::*;
use crate::cli::shell::Cloud;

/// Takes away what the keyring of tests allows, and trusts `desk` for grants.
pub fn strict(shell: &Shell) {
    key(shell, "desk");
    let path = shell.path("trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(&path, text.replace("allow-unsigned-grants = true\n", "")).expect("writable");
    let add = ["trust", "add-key", "desk.pub", "--id", "desk", "--role", "grant"];
    succeeds(&shell.run(&add));
}

fn signature(shell: &Shell) -> std::path::PathBuf {
    let names = fs::read_dir(shell.path(".")).expect("a folder").flatten();
    let mut found = names.filter(|it| it.file_name().to_string_lossy().starts_with("hello.toml."));
    found.next().expect("a signature lies beside the grant").path()
}

#[test]
fn an_unattended_run_needs_a_signed_grant() {
    let shell = Shell::new();
    strict(&shell);
    let told = "the grant `hello.toml` is refused: it is not signed, and nobody watches this run";
    refused(&run(&shell, "hello", &[]), told);
    refused(&run(&shell, "hello", &["--yes"]), told);
    refused(&shell.run(&["verify", "--grant", "hello.toml"]), "the grant is not signed");
    // A simulation touches nothing, and a plan starts nothing.
    succeeds(&run(&shell, "hello", &["--simulate"]));
    succeeds(&shell.run(&["plan", "hello", "--grant", "hello.toml", "--input", "name=you"]));
    let signed = shell.run(&["sign", "--grant", "hello.toml", "--key", "desk"]);
    succeeds(&signed);
    assert!(signed.stderr.contains("granting to `hello`, until TIME:"), "{}", signed.stderr);
    let verified = &shell.run(&["verify", "--grant", "hello.toml", "--json"]).objects()[0];
    assert_eq!(verified["signers"][0]["id"], "desk", "{verified}");
    let printed = run(&shell, "hello", &["--yes"]);
    succeeds(&printed);
    assert!(printed.stderr.contains("granted: by `desk`"), "{}", printed.stderr);
    let shown = shell.run(&["show", &shell.last_run(), "--json"]);
    let record = &shown.objects()[0]["created"]["endorsement"]["signed"];
    assert!(record["signers"]["desk"].is_string() && record["grant"].is_string(), "{record}");
}

#[test]
fn a_signed_grant_counts_for_its_own_text_and_by_its_own_role_alone() {
    let shell = Shell::new();
    strict(&shell);
    succeeds(&shell.run(&["sign", "--grant", "hello.toml", "--key", "desk"]));
    let good = fs::read_to_string(shell.path("hello.toml")).expect("readable");
    shell.write("hello.toml", format!("{good}# wider\n"));
    refused(&run(&shell, "hello", &[]), "`the grant` is not the one that `desk` signed");
    shell.write("hello.toml", &good);
    succeeds(&run(&shell, "hello", &[]));
    let file = signature(&shell);
    let bundle = fs::read_to_string(&file).expect("readable");
    fs::write(&file, bundle.replace("\"sig\":\"", "\"sig\":\"AAAA")).expect("writable");
    refused(&run(&shell, "hello", &[]), "it is not by the key `desk` that it names");
    fs::write(&file, "{}").expect("writable");
    refused(&run(&shell, "hello", &[]), "no signature counts");
    fs::remove_file(&file).expect("it stands there");
    // Somebody who may sign code may not sign what it may do.
    key(&shell, "ops");
    let add = ["trust", "add-key", "ops.pub", "--id", "ops", "--role", "runbook", "--name", "a:*"];
    succeeds(&shell.run(&add));
    succeeds(&shell.run(&["sign", "--grant", "hello.toml", "--key", "ops"]));
    refused(&run(&shell, "hello", &[]), "its key `ops` may not sign grants");
}

#[test]
fn a_signature_of_a_grant_goes_only_where_somebody_says_so() {
    let shell = Shell::new();
    strict(&shell);
    key(&shell, "clerk");
    let add = ["trust", "add-key", "clerk.pub", "--id", "clerk", "--role", "grant"];
    succeeds(&shell.run(&add));
    let sign = |by: &str, more: &[&str]| {
        shell.run(&[&["sign", "--grant", "hello.toml", "--key", by], more].concat())
    };
    let signers = || {
        let verified = shell.run(&["verify", "--grant", "hello.toml", "--json"]);
        verified.objects()[0]["signers"].as_array().map(Vec::len)
    };
    succeeds(&sign("desk", &[]));
    succeeds(&sign("clerk", &[]));
    assert_eq!(signers(), Some(2), "the second one joins the first");
    let text = fs::read_to_string(shell.path("hello.toml")).expect("readable");
    shell.write("hello.toml", format!("{text}# another text\n"));
    let left = sign("clerk", &[]);
    succeeds(&left);
    assert!(left.stderr.contains("`--replace` takes it away"), "{}", left.stderr);
    let files = || {
        let names = fs::read_dir(shell.path(".")).expect("a folder").flatten();
        names.filter(|it| it.file_name().to_string_lossy().starts_with("hello.toml.")).count()
    };
    assert_eq!((files(), signers()), (2, Some(1)));
    succeeds(&sign("clerk", &["--replace"]));
    assert_eq!((files(), signers()), (1, Some(1)));
}

#[test]
fn a_run_does_not_go_on_under_a_grant_whose_signer_was_revoked() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    strict(&shell);
    let hint = key_hint(&shell, "desk.pub");
    let arguments = shell.provision();
    succeeds(&shell.run(&["sign", "--grant", "acme.toml", "--key", "desk"]));
    let mut command =
        shell.command_of(Path::new(env!("CARGO_BIN_EXE_runwrit-breakable")), &arguments);
    command.env("RUNWRIT_CRASH_AT", "accepted-noted/hetzner.networks.create:1");
    let killed = shell.wait(command.spawn().expect("the product starts"));
    assert_eq!(killed.code, None, "it was killed: {}", killed.stderr);
    let run = shell.last_run();
    add(&shell, &format!("[[revoked]]\nkey = \"{hint}\"\nreason = \"the desk was robbed\""));
    refused(&shell.run(&["resume", &run]), "of the keys that signed its grant, `desk` no longer");
    assert_eq!(shell.run(&["rollback", &run]).code, Some(1));
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn tick_goes_on_only_with_what_somebody_answers_for() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let arguments = shell.provision();
    let mut command =
        shell.command_of(Path::new(env!("CARGO_BIN_EXE_runwrit-breakable")), &arguments);
    command.env("RUNWRIT_CRASH_AT", "accepted-noted/hetzner.networks.create:1");
    let killed = shell.wait(command.spawn().expect("the product starts"));
    assert_eq!(killed.code, None, "it was killed: {}", killed.stderr);
    let run = shell.last_run();
    // The keyring had put up with it when it began, and does not any more.
    keyring::install(&shell.path("."));
    strict(&shell);
    refused(&shell.run(&["resume", &run]), "nobody signed its grant, and nobody watches");
    assert_eq!(shell.run(&["rollback", &run]).code, Some(1));
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_person_at_the_terminal_answers_for_a_grant_that_nobody_signed() {
    let shell = Shell::new();
    strict(&shell);
    let arguments = ["run", "hello", "--grant", "hello.toml", "--input", "name=you", "--yes"];
    let (is_done, told) = at_terminal(&shell, &arguments);
    assert!(is_done, "{told}");
    let shown = shell.run(&["show", &shell.last_run(), "--json"]);
    let record = &shown.objects()[0]["created"]["endorsement"]["person"];
    assert!(record["name"].as_str().is_some_and(|name| name.starts_with("tester")), "{record}");
}

fn key_hint(shell: &Shell, file: &str) -> String {
    let shown = shell.run(&["key", "show", file, "--json"]);
    shown.objects()[0]["hint"].as_str().expect("a hint").to_owned()
}
