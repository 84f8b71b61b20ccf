//! What `--help` shows, and what the parser refuses.

use super::shell::Shell;

#[test]
fn the_help_names_every_command_and_exit_code() {
    let printed = Shell::new().run(&["--help"]);
    assert_eq!(printed.code, Some(0));
    insta::assert_snapshot!(printed.stdout, @"");
}

#[test]
fn the_help_of_run_names_its_options() {
    let printed = Shell::new().run(&["run", "--help"]);
    assert_eq!(printed.code, Some(0));
    insta::assert_snapshot!(printed.stdout, @"");
}

#[test]
fn every_command_has_help_and_the_hidden_one_is_hidden() {
    let shell = Shell::new();
    let commands = [
        "run", "resume", "rollback", "cancel", "runs", "show", "resolve", "inspect", "grants",
        "simulate",
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
