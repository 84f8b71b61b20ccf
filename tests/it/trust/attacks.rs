//! One row for each attacker of the threat model: what they try, and what becomes of it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use runwrit_trust::bundle;
use runwrit_trust::envelope::Envelope;
use runwrit_trust::private_key::PrivateKey;
use runwrit_trust::roots::Root;
use runwrit_trust::statement::{Release, Statement};

use super::roots::{SUCCESSION, house, release, rotate, sign_root};
use super::*;

/// What an attacker has, what they do with it, how the next run ends, and what it says.
struct Row {
    has: &'static str,
    tries: &'static str,
    act: fn(&Shell),
    code: i32,
    says: &'static str,
}

/// A host that follows roots, on which release 3 of `acme:hello` has run.
const ROWS: [Row; 30] = [
    row("a stick and no key", "replays the newest release", |_| {}, 0, "succeeded"),
    row("a stick and no key", "strips the signatures", strip, 4, "the package is not signed"),
    row("a stick and no key", "changes a bit of the code", flip, 4, "`component.wasm` is not the"),
    row("a stick and no key", "goes back to release 2", older, 4, "has sequence 2 in `stable`"),
    row("a stick and no key", "mixes two releases", mix, 4, "`runbook.toml` is not the one that"),
    row(
        "a stick and no key",
        "hands over an endless signature",
        endless,
        4,
        "has more than 65536 bytes",
    ),
    row("a stick and no key", "hands over a heap of signatures", heap, 4, "holds 65 files"),
    row(
        "a stick and no key",
        "holds newer releases back",
        freeze,
        0,
        "look whether somebody holds newer ones back",
    ),
    row("a stick and no key", "links to a file of the host", link, 4, "no regular file"),
    row("a stick and no key", "takes the roots away", cut, 4, "this host had come to root 2"),
    row("a stick and no key", "lays a pipe among the roots", pipe, 4, "it is no regular file"),
    row("a runbook key", "speaks for another namespace", foreign, 4, "may not speak for `other:h"),
    row(
        "a runbook key",
        "brings its own package under a grant for another's",
        namesake,
        5,
        "hello.toml: [runbook] name = \"acme:hello\", or name = \"guest:hello\"",
    ),
    row(
        "a runbook key",
        "does so under a grant that says whose it is for",
        other_namesake,
        5,
        "`guest:hello@0.1.0` is not what the grant is for, `acme:hello`",
    ),
    row(
        "a runbook key",
        "ships code that was compiled elsewhere",
        compiled,
        4,
        "it is compiled code, not a component",
    ),
    row("a runbook key", "takes a number that locks others out", leap, 4, "more than"),
    row("a runbook key", "says two things under one number", twice, 4, "two things under one num"),
    row("a runbook key", "signs a grant as well", self_granted, 4, "may not sign grants"),
    row(
        "one of two keys",
        "signs alone",
        alone,
        4,
        "2 signatures needed and 1 key may sign, 1 valid: `ops-1`",
    ),
    row("m signing keys", "makes a root of their own", own_root, 4, "and 0 count: nobody"),
    row("one root key of two", "makes the next root", half_root, 4, "and 1 counts: `alice`"),
    row("two root keys", "hands everything to somebody else", coup, 0, "by `ops-2`"),
    row("the build alone", "proposes code that nobody signed", strip, 4, "is not signed"),
    row("a grant key", "brings code", granted_code, 4, "its key `desk` may not sign runbooks"),
    row(
        "a runbook that is trusted",
        "wants more than its grant",
        greedy,
        5,
        "the run was not started",
    ),
    row("a local user", "can write the keyring", writable, 4, "others may write to"),
    row("root on the host", "forgets the floors", forget, 0, "succeeded"),
    row("the clock", "turns it back to revive a key", turned_back, 4, "has expired on TIME"),
    row("a parser", "lays out what nobody signed", rubbish, 4, "the package is not signed"),
    row("a parser", "nests without end", nested, 4, "no signature counts"),
];

const fn row(
    has: &'static str,
    tries: &'static str,
    act: fn(&Shell),
    code: i32,
    says: &'static str,
) -> Row {
    Row { has, tries, act, code, says }
}

#[test]
fn every_attacker_of_the_threat_model_gets_as_far_as_it_says() {
    let mut wrong = Vec::new();
    for Row { has, tries, act, code, says } in ROWS {
        let shell = house();
        succeeds(&run(&shell, "./package", &[]));
        act(&shell);
        let printed = run(&shell, "./package", &[]);
        if printed.code != Some(code) || !printed.stderr.contains(says) {
            let told = printed.told();
            wrong.push(format!("{has}, who {tries}: expected {code} `{says}`, and got {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Floors and revocations belong to the keyring: another state directory has the same ones.
#[test]
fn another_state_directory_forgets_neither_floors_nor_revocations() {
    let shell = house();
    let elsewhere = |state: &str| {
        let run = ["--state", state, "run", "./package", "--grant", "hello.toml"];
        shell.run(&[&run[..], &["--input", "name=you"]].concat())
    };
    succeeds(&run(&shell, "./package", &[]));
    release(&shell, "ops-1", 2);
    refused(&elsewhere("one"), "has sequence 2 in `stable`, and this host has come to 3");
    release(&shell, "ops-1", 4);
    succeeds(&elsewhere("two"));
    release(&shell, "ops-1", 3);
    refused(&run(&shell, "./package", &[]), "and this host has come to 4");
    release(&shell, "ops-1", 5);
    let path = shell.path("host/trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let entry = "[[revoked]]\npackage = \"acme:hello\"\nreason = \"it was bad\"\n";
    fs::write(path, format!("{text}\n{entry}")).expect("writable");
    for state in ["state", "one", "three"] {
        refused(&elsewhere(state), "acme:hello@0.1.0 was revoked: it was bad");
    }
}

fn strip(shell: &Shell) {
    fs::remove_dir_all(shell.path("package/signatures")).expect("it stands there");
}

fn flip(shell: &Shell) {
    let path = shell.path("package/component.wasm");
    let mut bytes = fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("writable");
}

fn older(shell: &Shell) {
    release(shell, "ops-1", 2);
}

fn mix(shell: &Shell) {
    let path = shell.path("package/runbook.toml");
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(path, text.replace("Greets", "Meets")).expect("writable");
}

fn signature_file(shell: &Shell) -> std::path::PathBuf {
    let mut names = fs::read_dir(shell.path("package/signatures")).expect("a folder");
    names.next().expect("a signature").expect("readable").path()
}

fn endless(shell: &Shell) {
    fs::write(signature_file(shell), vec![b' '; 1 << 20]).expect("writable");
}

fn heap(shell: &Shell) {
    for number in 0..64 {
        shell.write(&format!("package/signatures/{number}.sigstore.json"), "{}");
    }
}

fn link(shell: &Shell) {
    let path = shell.path("package/component.wasm");
    fs::remove_file(&path).expect("it stands there");
    std::os::unix::fs::symlink("/etc/passwd", path).expect("links exist here");
}

fn cut(shell: &Shell) {
    rotate(shell, "2.root.json", &SUCCESSION);
    sign_root(shell, "2.root.json", &["alice", "bob"]);
    succeeds(&shell.run(&["trust", "advance", "2.root.json"]));
    fs::remove_dir_all(shell.path("host/roots")).expect("it stands there");
}

fn pipe(shell: &Shell) {
    shell.write("package/trust/readme", "roots");
    let made = Command::new("mkfifo").arg(shell.path("package/trust/2.root.json")).status();
    assert!(made.expect("coreutils").success());
}

fn sign(shell: &Shell, more: &[&str]) {
    succeeds(&shell.run(&[&["sign", "package"], more].concat()));
}

fn foreign(shell: &Shell) {
    sign(shell, &["--key", "ops-1", "--namespace", "other", "--sequence", "4"]);
}

/// The house takes in a guest, who publishes a package of the same name.
fn namesake(shell: &Shell) {
    take_in_a_guest(shell);
    succeeds(&shell.run(&GUEST_SIGNS));
}

fn other_namesake(shell: &Shell) {
    take_in_a_guest(shell);
    shell.write("hello.toml", crate::cli::shell::grant("acme:hello", ""));
    succeeds(&shell.run(&["sign", "--grant", "hello.toml", "--key", "desk"]));
    succeeds(&run(shell, "./package", &[]));
    succeeds(&shell.run(&GUEST_SIGNS));
}

const GUEST_SIGNS: [&str; 9] =
    ["sign", "package", "--key", "ops-2", "--namespace", "guest", "--sequence", "1", "--replace"];

fn take_in_a_guest(shell: &Shell) {
    let guest = ["--key", "guest=ops-2.pub", "--role", "runbook=guest", "--name", "guest=guest:*"];
    rotate(shell, "2.root.json", &guest);
    sign_root(shell, "2.root.json", &["alice", "bob"]);
    carry(shell, "2.root.json");
}

/// What ran on this host lies compiled in its cache: the one file that Wasmtime would take.
fn compiled(shell: &Shell) {
    let names = fs::read_dir(shell.path("state/code")).expect("something ran").flatten();
    let mut paths = names.map(|it| it.path());
    let code = paths.find(|path| path.extension().is_some_and(|it| it == "cwasm"));
    fs::copy(code.expect("compiled code"), shell.path("package/component.wasm")).expect("ours");
    sign_by_hand(shell, "2026-11-20T00:00:00Z");
}

/// A host that hears of nothing newer, and would rather know.
fn freeze(shell: &Shell) {
    let path = shell.path("host/trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let alarmed = text.replacen("[policy]\n", "[policy]\nmax-age-days = 30\n", 1);
    fs::write(path, alarmed).expect("writable");
    sign_by_hand(shell, "2026-01-02T00:00:00Z");
}

/// Signs release 4 with a program that is not ours, which signs whatever lies there.
fn sign_by_hand(shell: &Shell, created_at: &str) {
    let read = |name: &str| fs::read(shell.path(name)).expect("readable");
    let release = Release {
        package: "acme:hello".to_owned(),
        version: "0.1.0".to_owned(),
        channel: "stable".to_owned(),
        sequence: 4,
        created_at: created_at.parse().expect("a time"),
        expires_at: None,
        world: "runwrit:host/everything@0.1.0".to_owned(),
        asks: Vec::new(),
        critical: Vec::new(),
    };
    let (manifest, code) = (read("package/runbook.toml"), read("package/component.wasm"));
    let key = PrivateKey::from_pem(&String::from_utf8_lossy(&read("ops-1")), None).expect("a key");
    let payload = Statement::new(&manifest, &code, release).encode();
    let envelope = Envelope::sign(payload, &key).expect("randomness");
    fs::write(signature_file(shell), bundle::encode(&envelope)).expect("writable");
}

fn leap(shell: &Shell) {
    sign(shell, &["--key", "ops-1", "--namespace", "acme", "--sequence", "9000000000000000000"]);
}

fn twice(shell: &Shell) {
    let far = ["--expires", "2099-01-01T00:00:00Z"];
    let who = ["--key", "ops-1", "--namespace", "acme", "--sequence", "3"];
    sign(shell, &[&who[..], &far].concat());
}

fn self_granted(shell: &Shell) {
    let text = fs::read_to_string(shell.path("hello.toml")).expect("readable");
    shell.write("hello.toml", format!("{text}# wider\n"));
    succeeds(&shell.run(&["sign", "--grant", "hello.toml", "--key", "ops-1"]));
}

fn alone(shell: &Shell) {
    let path = shell.path("host/trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(path, text.replace("runbook = 1", "runbook = 2")).expect("writable");
}

fn own_root(shell: &Shell) {
    rotate(shell, "2.root.json", &SUCCESSION);
    // The command refuses to sign with such keys; another tool does not.
    let bytes = fs::read(shell.path("2.root.json")).expect("readable");
    let root = Root::decode(&bytes).expect("it was just made");
    let signed = ["ops-1", "ops-2", "desk"].into_iter().fold(root, |root, id| {
        let text = fs::read_to_string(shell.path(id)).expect("readable");
        let key = PrivateKey::from_pem(&text, None).expect("a key");
        let signature = key.sign(&root.to_be_signed()).expect("randomness");
        root.signed_by(&key.public(), &signature)
    });
    shell.write("package/trust/2.root.json", signed.encode());
}

fn half_root(shell: &Shell) {
    rotate(shell, "2.root.json", &SUCCESSION);
    sign_root(shell, "2.root.json", &["alice"]);
    carry(shell, "2.root.json");
}

fn coup(shell: &Shell) {
    rotate(shell, "2.root.json", &SUCCESSION);
    sign_root(shell, "2.root.json", &["alice", "carol"]);
    carry(shell, "2.root.json");
    release(shell, "ops-2", 1);
}

fn carry(shell: &Shell, root: &str) {
    let text = fs::read(shell.path(root)).expect("readable");
    shell.write(&format!("package/trust/{root}"), text);
}

fn granted_code(shell: &Shell) {
    release(shell, "desk", 4);
}

fn greedy(shell: &Shell) {
    let path = packages().join("provision-tenant");
    fs::remove_dir_all(shell.path("package")).expect("it stands there");
    for file in ["runbook.toml", "component.wasm"] {
        shell.write(&format!("package/{file}"), fs::read(path.join(file)).expect("readable"));
    }
    release(shell, "ops-1", 4);
    shell.write("hello.toml", crate::cli::shell::grant("provision-tenant", ""));
    succeeds(&shell.run(&["sign", "--grant", "hello.toml", "--key", "desk"]));
}

fn writable(shell: &Shell) {
    let mode = fs::Permissions::from_mode(0o666);
    fs::set_permissions(shell.path("host/trust.toml"), mode).expect("it is ours");
}

fn forget(shell: &Shell) {
    fs::remove_file(shell.path("host/trust-state.json")).expect("something ran");
    release(shell, "ops-1", 2);
}

fn turned_back(shell: &Shell) {
    let until = format!("ops-1={}", in_an_hour());
    let other = ["--key", "ops-2=ops-2.pub", "--role", "runbook=ops-2", "--name", "ops-2=acme:*"];
    rotate(shell, "2.root.json", &[&["--not-after", until.as_str()], &other[..]].concat());
    sign_root(shell, "2.root.json", &["alice", "bob"]);
    carry(shell, "2.root.json");
    release(shell, "ops-2", 4);
    // Two hours later something else runs; then the clock is turned back to now.
    let arguments = ["run", "./package", "--grant", "hello.toml", "--input", "name=you"];
    succeeds(&two_hours_later(shell, &arguments));
    release(shell, "ops-1", 5);
}

/// Neither file could be parsed; nobody tries before somebody vouches for them.
fn rubbish(shell: &Shell) {
    strip(shell);
    for file in ["runbook.toml", "component.wasm"] {
        fs::write(shell.path("package").join(file), [0xff; 64]).expect("writable");
    }
}

fn nested(shell: &Shell) {
    let deep = format!("{{\"mediaType\":{}", "[".repeat(60_000));
    fs::write(signature_file(shell), deep).expect("writable");
}
