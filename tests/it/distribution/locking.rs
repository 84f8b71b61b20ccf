//! What `runwrit.lock` pins is what is pulled and what runs.

use super::*;

const RUN: [&str; 6] = ["run", "hello", "--grant", "hello.toml", "--input", "name=you"];

/// Changes the text of the package, and signs it again.
fn change(shell: &Shell, folder: &str, from: &str, to: &str) {
    let path = shell.path(&format!("{folder}/runbook.toml"));
    let text = fs::read_to_string(&path).expect("readable");
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).expect("writable");
    keyring::sign(&shell.path(folder));
}

#[test]
fn a_version_that_was_pinned_never_changes() {
    let (registry, shell) = (Registry::open(), shell());
    let tag = registry.at("acme/hello:0.1.0");
    let digest = object(&shell, &["push", "./hello", &tag])["digest"].clone();
    object(&shell, &["pull", &tag]);
    let lock = fs::read_to_string(shell.path("runwrit.lock")).expect("it was written");
    for part in ["name = \"runwrit:hello\"", "version = \"0.1.0\"", &tag, digest.as_str().unwrap()]
    {
        assert!(lock.contains(part), "{part}: {lock}");
    }
    object(&shell, &["pull", &tag, "--locked"]);
    assert_eq!(fs::read_to_string(shell.path("runwrit.lock")).unwrap(), lock);
    // A publisher, or somebody with their key, moves the tag to other content of the same version.
    change(&shell, "hello", "Greets somebody", "Greets nobody");
    object(&shell, &["push", "./hello", &tag]);
    for arguments in [&["pull", &tag, "--to", "new"][..], &["pull", &tag, "--locked"]] {
        refused(&shell.run(arguments), 4, "is not the one in `runwrit.lock`");
    }
    assert!(!shell.path("new").exists());
    // What was pinned is still there by its digest, and comes back to an empty host.
    fs::remove_dir_all(shell.path("kept")).expect("it was made");
    let back = object(&shell, &["pull", "--locked"]);
    assert_eq!(back["digest"], digest);
    let run = shell.run(&[&RUN[..], &["--locked"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn only_what_is_pinned_runs_where_that_is_asked_for() {
    let shell = shell();
    fs::create_dir_all(shell.path("kept")).expect("writable");
    fs::rename(shell.path("hello"), shell.path("kept/hello@0.1.0")).expect("the same disk");
    let locked = [&RUN[..], &["--locked"]].concat();
    refused(&shell.run(&locked), 4, "`--locked` needs");
    assert_eq!(shell.run(&RUN).code, Some(0), "without a lock nothing is asked");
    let pinned = shell.run(&["lock", "hello"]);
    assert_eq!(pinned.code, Some(0), "{}", pinned.stderr);
    assert!(pinned.stdout.contains("pinned runwrit:hello@0.1.0"), "{}", pinned.stdout);
    assert_eq!(shell.run(&locked).code, Some(0));
    // A newer one that nobody pinned is left alone: a name means the version that is listed.
    fs::create_dir_all(shell.path("kept/hello@0.10.0")).expect("writable");
    for (name, bytes) in files(&shell.path("kept/hello@0.1.0")) {
        shell.write(&format!("kept/hello@0.10.0/{name}"), bytes);
    }
    change(
        &shell,
        "kept/hello@0.10.0",
        "runbook-version = \"0.1.0\"",
        "runbook-version = \"0.10.0\"",
    );
    let run = shell.run(&RUN);
    assert!(run.code == Some(0) && run.stderr.contains("hello@0.1.0"), "{}", run.stderr);
    let mut newer = locked.clone();
    newer[1] = "hello@0.10.0";
    refused(&shell.run(&newer), 4, "does not list runwrit:hello@0.10.0");
    // A changed file is refused with and without the flag, however well it is signed.
    change(&shell, "kept/hello@0.1.0", "Greets somebody", "Greets nobody");
    for arguments in [&RUN[..], &locked] {
        refused(&shell.run(arguments), 4, "its `runbook.toml` is");
    }
    let elsewhere = [&RUN[..], &["--lock", "absent/runwrit.lock", "--locked"]].concat();
    refused(&shell.run(&elsewhere), 4, "`--locked` needs");
    shell.write("runwrit.lock", "version = 1\n[[package]]\nname = \"hello\"\n");
    let broken = shell.run(&RUN);
    assert!(broken.code == Some(2) && broken.stderr.contains("package[0].version"), "{broken:?}");
}

#[test]
fn whoever_pinned_a_name_meant_the_package_of_one_publisher() {
    let shell = shell();
    fs::create_dir_all(shell.path("kept")).expect("writable");
    fs::rename(shell.path("hello"), shell.path("kept/hello@0.1.0")).expect("the same disk");
    assert_eq!(shell.run(&["lock", "hello"]).code, Some(0));
    let lock = fs::read_to_string(shell.path("runwrit.lock")).expect("it was written");
    shell.write("runwrit.lock", lock.replace("runwrit:hello", "acme:hello"));
    refused(&shell.run(&RUN), 4, "does not list runwrit:hello@0.1.0");
    refused(&shell.run(&RUN), 4, "it lists acme:hello@0.1.0; `runwrit lock RUNBOOK` adds it");
    // Other names are as free as they were, and whoever means both says so.
    shell.write("runwrit.lock", lock.replace("runwrit:hello", "acme:other"));
    assert_eq!(shell.run(&RUN).code, Some(0));
    shell.write("runwrit.lock", lock.replace("runwrit:hello", "acme:hello"));
    assert_eq!(shell.run(&["lock", "hello"]).code, Some(0));
    assert_eq!(shell.run(&RUN).code, Some(0));
}
