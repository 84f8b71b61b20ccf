//! What a new version newly wants is told, and where the keyring says so, somebody has to agree.

use super::*;

const RUN: [&str; 6] = ["run", "./hello", "--grant", "hello.toml", "--input", "name=you"];

const PLAN: [&str; 6] = ["plan", "./hello", "--grant", "hello.toml", "--input", "name=you"];

/// Makes a version of `hello` that asks for names in the DNS.
fn widen(shell: &Shell) {
    let path = shell.path("hello/runbook.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let more = "\n[[ask]]\ninterface = \"dns/records\"\nwhy = \"publishes a name\"\n";
    fs::write(&path, format!("{text}{more}")).expect("writable");
    keyring::sign(&shell.path("hello"));
}

#[test]
fn what_one_version_wants_and_another_does_not_is_told() {
    let shell = Shell::new();
    let wider = shell.run(&["inspect", "deprovision-tenant", "--against", "check-tenant"]);
    assert_eq!(wider.code, Some(0), "{}", wider.stderr);
    let line = "against    check-tenant@0.1.0: now wants";
    assert!(wider.stdout.contains(line), "{}", wider.stdout);
    assert!(wider.stdout.contains("`servers.delete`"), "{}", wider.stdout);
    let found = object(&shell, &["inspect", "check-tenant", "--against", "deprovision-tenant"]);
    assert_eq!(found["against"]["runbook"], "deprovision-tenant@0.1.0");
    let changes = found["against"]["changes"].as_array().expect("a list");
    assert!(changes.iter().any(|change| change["change"] == "drops"), "{found}");
    let same = object(&shell, &["inspect", "hello", "--against", "hello"]);
    assert_eq!(same["against"]["is-wider"], false);
    assert_eq!(same["against"]["changes"].as_array().map(Vec::len), Some(0), "{same}");
}

#[test]
fn what_a_version_is_compared_with_is_judged_as_well() {
    let shell = shell();
    for (name, bytes) in files(&shell.path("hello")) {
        shell.write(&format!("old/{name}"), bytes);
    }
    let path = shell.path("old/runbook.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let more = "\n[[ask]]\ninterface = \"dns/records\"\nwhy = \"publishes a name\"\n";
    fs::write(&path, format!("{text}{more}")).expect("writable");
    let found = object(&shell, &["inspect", "./hello", "--against", "./old"]);
    assert_eq!(
        (&found["is-verified"], &found["against"]["is-verified"]),
        (&true.into(), &false.into())
    );
    let told = shell.run(&["inspect", "./hello", "--against", "./old"]).stdout;
    let against: Vec<&str> = told.lines().filter(|line| line.contains("against  ")).collect();
    assert!(against.len() > 1, "{told}");
    assert!(against.iter().all(|line| line.starts_with("UNVERIFIED against")), "{told}");
    let found = object(&shell, &["inspect", "./hello", "--against", "./hello"]);
    assert_eq!(found["against"]["is-verified"], true, "{found}");
}

#[test]
fn a_version_that_wants_more_is_told_where_nobody_has_to_agree() {
    let shell = shell();
    assert_eq!(shell.run(&RUN).code, Some(0));
    let before = object(&shell, &["verify", "./hello"]);
    assert_eq!(before["newly"].as_array().map(Vec::len), Some(0), "{before}");
    widen(&shell);
    let verified = shell.run(&["verify", "./hello"]);
    let line =
        "newly      now asks for `dns/records`, and calls nothing of it yet: publishes a name";
    assert!(verified.code == Some(0) && verified.stdout.contains(line), "{verified:?}");
    let run = shell.run(&RUN);
    assert!(
        run.stderr.contains("runwrit:hello@0.1.0 now asks for `dns/records`"),
        "{}",
        run.stderr
    );
    assert_eq!(run.code, Some(5), "the grant decides: {}", run.stderr);
}

#[test]
fn a_version_that_wants_more_waits_for_somebody_who_agrees() {
    let shell = shell();
    let path = shell.path("trust.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let strict = "[policy]\nreapprove-wider = true\n";
    fs::write(&path, text.replacen("[policy]\n", strict, 1)).expect("writable");
    assert_eq!(shell.run(&RUN).code, Some(0), "the first one is known from then on");
    widen(&shell);
    let told = "`run` will refuse it until `runwrit trust approve ./hello`";
    let planned = shell.run(&PLAN);
    assert!(planned.stderr.contains(told), "{}", planned.stderr);
    assert!(planned.stderr.contains("now asks for `dns/records`"), "{}", planned.stderr);
    let waits = shell.run(&RUN);
    refused(&waits, 4, "wants more than was approved here");
    assert!(waits.stderr.contains("now asks for `dns/records`"), "{}", waits.stderr);
    refused(&shell.run(&RUN), 4, "trust approve");
    let approved = shell.run(&["trust", "approve", "./hello"]);
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    assert!(approved.stdout.contains("approved runwrit:hello@0.1.0"), "{}", approved.stdout);
    assert!(approved.stdout.contains("now asks for `dns/records`"), "{}", approved.stdout);
    assert!(!shell.run(&PLAN).stderr.contains(told), "somebody agreed");
    assert_eq!(shell.run(&RUN).code, Some(5), "from here on the grant decides");
    // Nobody agrees to what nobody vouches for.
    fs::write(shell.path("hello/component.wasm"), b"\0asm").expect("writable");
    refused(&shell.run(&["trust", "approve", "./hello"]), 4, "is refused");
}
