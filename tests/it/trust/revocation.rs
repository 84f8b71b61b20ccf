//! After a revocation a run goes back and not on.

use runwrit_keyring as keyring;

use super::keyrings::until;
use super::*;
use crate::cli::shell::Cloud;

/// Provisions `acme` until it is killed in the middle, and returns the run.
fn half_a_tenant(shell: &Shell) -> String {
    let arguments = shell.provision();
    let mut command =
        shell.command_of(Path::new(env!("CARGO_BIN_EXE_runwrit-breakable")), &arguments);
    command.env("RUNWRIT_CRASH_AT", "accepted-noted/hetzner.firewalls.create:1");
    let printed = shell.wait(command.spawn().expect("the product starts"));
    assert_eq!(printed.code, None, "it was killed: {}", printed.stderr);
    shell.last_run()
}

#[test]
fn after_a_revocation_a_run_is_rolled_back_and_not_resumed() {
    let digest = {
        let bytes = fs::read(packages().join("provision-tenant/component.wasm"));
        runwrit_model::id::Digest::of(&bytes.expect("readable"))
    };
    let rows = [
        ("component", format!("[[revoked]]\ndigest = \"{digest}\""), "was revoked: it was bad"),
        (
            "version",
            "[[revoked]]\npackage = \"runwrit:provision-tenant\"\nversions = [\"0.1.0\"]"
                .to_owned(),
            "provision-tenant@0.1.0 was revoked: it was bad",
        ),
        (
            "key",
            format!("[[revoked]]\nkey = \"{}\"", keyring::development().hint()),
            "of the keys that signed runwrit:provision-tenant@0.1.0, `development` no longer",
        ),
    ];
    for (row, entry, says) in rows {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        let run = half_a_tenant(&shell);
        assert!(!cloud.alive().is_empty(), "{row}: something stands");
        add(&shell, &format!("{entry}\nreason = \"it was bad\""));
        let resumed = shell.run(&["resume", &run]);
        refused(&resumed, says);
        assert!(resumed.stderr.contains("runwrit rollback RUN"), "{row}: {}", resumed.stderr);
        let again = shell.run(&shell.provision());
        assert_eq!(again.code, Some(4), "{row}: {}", again.stderr);
        let rolled_back = shell.run(&["rollback", &run]);
        assert_eq!(rolled_back.code, Some(1), "{row}: {}", rolled_back.stderr);
        assert!(cloud.alive().is_empty(), "{row}: {:?}", cloud.alive());
    }
}

#[test]
fn a_rollback_needs_no_keyring_at_all() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let run = half_a_tenant(&shell);
    fs::remove_file(shell.path("trust.toml")).expect("it stands");
    refused(&shell.run(&["resume", &run]), "there is no keyring");
    assert_eq!(shell.run(&["rollback", &run]).code, Some(1));
    assert!(cloud.alive().is_empty(), "{:?}", cloud.alive());
}

/// That a key has expired meanwhile stops no run; what its clock said is remembered all the same.
#[test]
fn a_run_that_goes_on_remembers_the_time() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    let run = half_a_tenant(&shell);
    until(&shell, &in_an_hour());
    succeeds(&super::run(&shell, "hello", &[]));
    succeeds(&two_hours_later(&shell, &["resume", &run]));
    refused(&super::run(&shell, "hello", &[]), "has expired on TIME");
}
