//! What `--help` shows, and what the parser refuses.

use super::shell::Shell;

#[test]
fn the_help_names_every_command_and_exit_code() {
    let printed = Shell::new().run(&["--help"]);
    assert_eq!(printed.code, Some(0));
    insta::assert_snapshot!(printed.stdout, @"
    Runs signed runbooks with exactly the authority that you grant

    Usage: runwrit [OPTIONS] <COMMAND>

    Commands:
      run       Run a runbook with exactly the authority of a grant
      plan      Show what a run would do and cost, without doing it
      resume    Go on with a run that was killed, interrupted or parked
      rollback  Undo everything that a run did
      cancel    Ask a run to stop at its next call and to roll back
      runs      List the runs of this installation, or move one elsewhere
      show      Show one run: what it did, what exists now, what it costs
      resolve   Answer for a call whose outcome nobody but a person can know
      sweep     Look for what runs left behind, and what it costs
      adopt     Take servers, networks and volumes that stand already into a tenant
      tick      Do what waits for time: late sweeps, timers, interrupted rollbacks
      doctor    Look whether this host is fit for runs, with a fix for each finding
      state     Save the state directory, and restore it
      inspect   Show what a runbook is and asks for, without running any of it
      build     Pack a runbook: the same bytes from the same source
      key       Make and show keys
      sign      Vouch for a package
      verify    Tell who vouches for a package, and whether that is enough here
      trust     Say whom this host trusts
      push      Put a package with its signatures into a registry, a folder or an archive
      pull      Get a package that this host trusts, and pin it
      copy      Carry a package with its signatures from one place to another, byte by byte
      lock      Pin packages of this host by name, version and digest
      grants    Work with grants
      simulate  Serve a stand-in for an outside system
      help      Print this message or the help of the given subcommand(s)

    Options:
          --state <DIR>    Keep runs, tenants and keys in this directory
          --config <FILE>  Read the configuration from this file
          --trust <FILE>   Trust whom this keyring names, where the host has none of its own
          --json           Print one JSON object per line on standard output
      -v, --verbose...     Say more on standard error; twice says everything
      -h, --help           Print help
      -V, --version        Print version

    Exit codes:
        0  done
        1  failed and rolled back fully
        2  arguments, inputs or configuration are wrong
        3  stuck, or volumes with data are held: a person must look
        4  signature, keyring, floor, or imports outside the ask
        5  the grant is missing something
        6  a verification found differences, or the run left its plan
        7  another run holds the scope
        8  parked: an approval, a timer, an unknown outcome to resolve
        9  stopped because a replay did not match the journal
       70  a bug in runwrit
      130  interrupted; `runwrit resume` goes on
    ");
}

#[test]
fn the_help_of_run_names_its_options() {
    let printed = Shell::new().run(&["run", "--help"]);
    assert_eq!(printed.code, Some(0));
    insta::assert_snapshot!(printed.stdout, @"
    Run a runbook with exactly the authority of a grant

    Usage: runwrit run [OPTIONS] --grant <FILE> <RUNBOOK>

    Arguments:
      <RUNBOOK>  A package: its path, or its name with an optional @version

    Options:
          --grant <FILE>        What the run may do: a grant file
          --state <DIR>         Keep runs, tenants and keys in this directory
          --config <FILE>       Read the configuration from this file
          --input <NAME=VALUE>  An input of the runbook; repeat for more
          --inputs <FILE>       Inputs of the runbook as a TOML file
          --trust <FILE>        Trust whom this keyring names, where the host has none of its own
          --json                Print one JSON object per line on standard output
          --plan <FILE>         Follow a plan, and stop before anything else would happen
          --simulate            Run against a simulator in this process, with a made-up token and a
                                throw-away store
      -v, --verbose...          Say more on standard error; twice says everything
          --yes                 Start without asking
          --allow-unsigned      Run a package that nobody signed, where the keyring lets this flag
                                through
          --lock <FILE>         The lock; runwrit.lock of the current directory where none is named
          --locked              Take only what the lock lists, as it lists it
      -h, --help                Print help
    ");
}

#[test]
fn every_command_has_help_and_the_hidden_one_is_hidden() {
    let shell = Shell::new();
    let commands = [
        "run", "plan", "resume", "rollback", "cancel", "runs", "show", "resolve", "sweep", "tick",
        "doctor", "state", "inspect", "grants", "simulate", "build", "key", "sign", "verify",
        "trust",
    ];
    for command in commands {
        let printed = shell.run(&[command, "--help"]);
        assert_eq!(printed.code, Some(0), "`{command} --help`: {}", printed.stderr);
        assert!(printed.stdout.contains("Usage: runwrit"), "`{command} --help`");
    }
    assert!(!shell.run(&["--help"]).stdout.contains("__compile"));
}

#[test]
fn what_the_parser_refuses_is_a_usage_error() {
    let shell = Shell::new();
    let rows: [&[&str]; 9] = [
        &[],
        &["fly"],
        &["run"],
        &["run", "hello"],
        &["resume"],
        &["resume", "01J9"],
        &["resolve", "01M7YQ1DPXPQT2QRXR0J67KEK7", "x", "--as", "done", "--reason", "r"],
        &["resolve", "01M7YQ1DPXPQT2QRXR0J67KEK7", "1", "--as", "maybe", "--reason", "r"],
        &["simulate", "hetzner", "--time-factor", "0"],
    ];
    for arguments in rows {
        let printed = shell.run(arguments);
        assert_eq!(printed.code, Some(2), "{arguments:?}: {}", printed.stderr);
        assert!(printed.stdout.is_empty(), "{arguments:?}: {}", printed.stdout);
    }
}
