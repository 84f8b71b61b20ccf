//! Runs that came from elsewhere: nothing is believed that their file says of signers.

use data_encoding::BASE64;
use runwrit_model::id::Digest;
use serde_json::{Value, json};

use super::grants::strict;
use super::keyrings::until;
use super::*;
use crate::cli::shell::Cloud;
use crate::operate::losing::{backup, program, recipient, restore};

/// Provisions `acme` until it is killed in the middle, and returns the run.
fn half_a_tenant(shell: &Shell) -> String {
    let arguments = shell.provision();
    let breakable = Path::new(env!("CARGO_BIN_EXE_runwrit-breakable"));
    let mut command = shell.command_of(breakable, &arguments);
    command.env("RUNWRIT_CRASH_AT", "accepted-noted/hetzner.networks.create:1");
    let killed = shell.wait(command.spawn().expect("the product starts"));
    assert_eq!(killed.code, None, "it was killed: {}", killed.stderr);
    shell.last_run()
}

/// A shell whose keyring takes only signed grants, with half a tenant under one.
fn signed_half(cloud: &Cloud) -> (Shell, String) {
    let shell = Shell::new().with_cloud(cloud);
    strict(&shell);
    shell.provision();
    succeeds(&shell.run(&["sign", "--grant", "acme.toml", "--key", "desk"]));
    let grant = fs::read(shell.path("acme.toml")).expect("readable");
    let run = half_a_tenant(&shell);
    assert_eq!(fs::read(shell.path("acme.toml")).expect("readable"), grant, "it is as signed");
    (shell, run)
}

fn export(shell: &Shell, run: &str) -> String {
    let to = recipient(shell);
    succeeds(&shell.run(&["runs", "export", run, "run.age", "--recipient", &to]));
    to
}

fn import(shell: &Shell, file: &str, state: &str) {
    let arguments = ["--state", state, "runs", "import", file, "--identity", "key.txt"];
    succeeds(&shell.run(&arguments));
}

#[test]
fn what_was_signed_moves_along_and_the_run_goes_on() {
    let cloud = Cloud::start();
    let (shell, run) = signed_half(&cloud);
    let record = shell.run(&["show", &run, "--json"]).objects()[0]["created"].clone();
    let text = record["endorsement"]["signed"]["proof"]["text"].as_str().expect("a grant");
    assert!(text.starts_with("# The smallest grant for:"), "as it was signed: {text}");
    let files = &record["provenance"]["signed"]["proof"]["signatures"];
    assert_eq!(files.as_object().map(serde_json::Map::len), Some(1), "{files}");
    export(&shell, &run);
    import(&shell, "run.age", "there");
    let shown = shell.run(&["--state", "there", "show", &run]).stdout;
    assert!(shown.contains("came from elsewhere"), "{shown}");
    let resumed = shell.run(&["--state", "there", "resume", &run]);
    succeeds(&resumed);
    assert!(resumed.stderr.contains("signed: runwrit:provision-tenant@0.1.0"), "{resumed:?}");
    assert!(!exists(&shell.path(&format!("there/arrived/{run}"))), "it is one of this host now");
    let shown = shell.run(&["--state", "there", "show", &run]).stdout;
    assert!(!shown.contains("came from elsewhere"), "{shown}");
}

#[test]
fn a_restored_run_is_admitted_like_a_new_one() {
    let cloud = Cloud::start();
    let (shell, run) = signed_half(&cloud);
    succeeds(&backup(&shell, "backup.age"));
    fs::rename(shell.path("state"), shell.path("lost")).expect("it stood there");
    succeeds(&restore(&shell, "backup.age", "state"));
    let before = fs::read(shell.path("trust.toml")).expect("readable");
    add(&shell, "[[floor]]\npackage = \"runwrit:provision-tenant\"\nchannel = \"development\"");
    add(&shell, "sequence = 9223372036854775807");
    refused(&shell.run(&["resume", &run]), "it came from elsewhere, and `provision-tenant@0.1.0`");
    fs::write(shell.path("trust.toml"), before).expect("writable");
    succeeds(&shell.run(&["resume", &run]));
}

#[test]
fn a_grant_that_nobody_signed_needs_somebody_at_a_terminal() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let run = half_a_tenant(&shell);
    export(&shell, &run);
    import(&shell, "run.age", "there");
    strict(&shell);
    let resume = ["--state", "there", "resume", &run];
    let why = "it came from elsewhere, and nobody signed its grant, and nobody answers for it here";
    for more in [&[][..], &["--yes"]] {
        let printed = shell.run(&[&resume[..], more].concat());
        refused(&printed, why);
        assert!(printed.stderr.contains("`runwrit rollback RUN` undoes it"), "{printed:?}");
        assert!(printed.stderr.contains("`runwrit resume RUN` at a terminal"), "{printed:?}");
    }
    let (is_done, told) = at_terminal(&shell, &[&resume[..], &["--yes"]].concat());
    assert!(is_done, "{told}");
}

/// What somebody writes who knows the public key of the recipient, and what becomes of it.
type Forgery = (&'static str, fn(&mut Value), &'static str);

const FORGERIES: [Forgery; 10] = [
    (
        "signers without their signatures",
        |it| drop(it["provenance"]["signed"].as_object_mut().map(|it| it.remove("proof"))),
        "its record does not hold the runbook with its signatures",
    ),
    (
        "signers of a grant without their signatures",
        |it| drop(it["endorsement"]["signed"].as_object_mut().map(|it| it.remove("proof"))),
        "its record does not hold the grant with its signatures",
    ),
    (
        "a signature that nobody made",
        |it| forge(&mut it["provenance"]["signed"]["proof"]["signatures"]),
        "it is not by the key `development` that it names",
    ),
    (
        "a signature of a grant that nobody made",
        |it| forge(&mut it["endorsement"]["signed"]["proof"]["signatures"]),
        "it is not by the key `desk` that it names",
    ),
    (
        "a wider grant than was signed",
        |it| replace(&mut it["grant"], LIMIT, HIGHER),
        "its record says another grant than was signed",
    ),
    (
        "a wider grant in both places",
        |it| {
            replace(&mut it["grant"], LIMIT, HIGHER);
            replace(&mut it["endorsement"]["signed"]["proof"]["text"], LIMIT, HIGHER);
        },
        "`the grant` is not the one that `desk` signed",
    ),
    (
        "another runbook.toml than was signed",
        |it| replace(&mut it["manifest"], "description = \"", "description = \"Not "),
        "its record says another `runbook.toml` than was signed",
    ),
    ("a runbook that nobody signed", |it| it["provenance"] = Value::Null, "is not signed"),
    (
        "somebody who answered for the grant",
        |it| {
            let keyring = Digest::of(b"").to_string();
            it["endorsement"] = json!({"person": {"name": "root@here", "keyring": keyring}});
        },
        "nobody signed its grant, and nobody answers for it here",
    ),
    (
        "more time than was granted",
        |it| it["deadline"] = 4_000_000_000_000_u64.into(),
        "its record says another scope or deadline than it has",
    ),
];

/// Written in the file as `95.00`, and in the record as `95`.
const LIMIT: &str = "max-monthly-eur = \"95";
const HIGHER: &str = "max-monthly-eur = \"9995";

fn forge(files: &mut Value) {
    let files = files.as_object_mut().expect("files by name");
    files.values_mut().for_each(|file| replace(file, "\"sig\":\"ME", "\"sig\":\"MF"));
}

fn replace(text: &mut Value, from: &str, to: &str) {
    let before = text.as_str().expect("a text").to_owned();
    let after = before.replace(from, to);
    assert_ne!(before, after, "`{from}` stands there");
    *text = after.into();
}

/// Changes how a run began, in a file that is encrypted to the public key alone.
fn written_anew(shell: &Shell, to: &str, document: &Value, change: fn(&mut Value)) -> Vec<u8> {
    let mut document = document.clone();
    let first = &mut document["parcel"]["entries"][0];
    let bytes = BASE64.decode(first.as_str().expect("Base64").as_bytes()).expect("Base64");
    let mut entry: Value = serde_json::from_slice(&bytes).expect("an entry");
    change(&mut entry["record"]["created"]);
    *first = BASE64.encode(entry.to_string().as_bytes()).into();
    shell.write("forged.json", document.to_string());
    let sealed = program(shell, "age", &["-r", to, "-o", "forged.age", "forged.json"]);
    assert!(sealed.status.success(), "{sealed:?}");
    let bytes = fs::read(shell.path("forged.age")).expect("readable");
    fs::remove_file(shell.path("forged.age")).expect("it stands there");
    bytes
}

#[test]
fn whoever_knows_a_public_key_of_age_speaks_for_no_signer() {
    let cloud = Cloud::start();
    let (shell, run) = signed_half(&cloud);
    let to = export(&shell, &run);
    let opened = program(&shell, "age", &["-d", "-i", "key.txt", "run.age"]);
    let document: Value = serde_json::from_slice(&opened.stdout).expect("a document");
    let before = cloud.changes();
    for (place, (what, change, says)) in FORGERIES.into_iter().enumerate() {
        let (file, state) = (format!("run-{place}.age"), format!("there-{place}"));
        shell.write(&file, written_anew(&shell, &to, &document, change));
        import(&shell, &file, &state);
        let resumed = shell.run(&["--state", &state, "resume", &run]);
        assert_eq!(resumed.code, Some(4), "{what}: {}", resumed.stderr);
        assert!(resumed.stderr.contains(says), "{what}: {}", resumed.stderr);
        assert!(resumed.stderr.contains("`runwrit rollback RUN` undoes it"), "{what}");
    }
    assert_eq!(cloud.changes(), before, "nothing was touched");
    // The way back asks nobody.
    let rolled_back = shell.run(&["--state", "there-0", "rollback", &run]);
    assert_eq!(rolled_back.code, Some(1), "{}", rolled_back.stderr);
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

#[test]
fn a_run_that_stands_here_does_not_become_one_from_elsewhere() {
    let cloud = Cloud::start();
    let (shell, run) = signed_half(&cloud);
    export(&shell, &run);
    import(&shell, "run.age", "there");
    succeeds(&shell.run(&["--state", "there", "resume", &run]));
    let again = ["--state", "there", "runs", "import", "run.age", "--identity", "key.txt"];
    let printed = shell.run(&again);
    assert_eq!(printed.code, Some(2), "{}", printed.stderr);
    assert!(printed.stderr.contains("exists already"), "{}", printed.stderr);
    assert!(!exists(&shell.path(&format!("there/arrived/{run}"))), "it was not touched");
}

/// Nobody can tell what a key signed in time from what whoever stole it signs afterwards.
#[test]
fn a_run_that_comes_after_a_key_has_expired_does_not_go_on_and_the_time_is_remembered() {
    let cloud = Cloud::start();
    let (shell, run) = signed_half(&cloud);
    export(&shell, &run);
    import(&shell, "run.age", "there");
    until(&shell, &in_an_hour());
    let resume = ["--state", "there", "resume", &run];
    refused(&two_hours_later(&shell, &resume), "its key `development` has expired on TIME");
    let remembered = shell.run(&resume);
    refused(&remembered, "its key `development` has expired on TIME");
    assert!(remembered.stderr.contains("`runwrit trust reset-clock` forgets"), "{remembered:?}");
    succeeds(&shell.run(&["trust", "reset-clock"]));
    succeeds(&shell.run(&resume));
}
