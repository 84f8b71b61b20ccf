//! What happens elsewhere between the verdict over a package and the start of its run.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::roots::{house, release};
use super::*;

/// Copies the package to another folder.
fn copy(shell: &Shell, to: &str) {
    let mut copy = Command::new("cp");
    copy.arg("-r").args([shell.path("package"), shell.path(to)]);
    assert!(copy.status().expect("coreutils").success());
}

/// Starts the package `waiting` at a terminal, does something else once the person is asked, and
/// then says `yes`. Returns the exit code with what was told.
fn while_asked(shell: &Shell, meanwhile: impl FnOnce()) -> (Option<i32>, String) {
    let arguments = ["run", "./waiting", "--grant", "hello.toml", "--input", "name=you"];
    let template = shell.command(&arguments);
    let line = format!("{} {}", template.get_program().display(), arguments.join(" "));
    // `script` gives the command a terminal of its own.
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(shell.path(".")).env_clear();
    command.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", "/usr/bin:/bin").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("`script` is part of util-linux");
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut told, mut part) = (Vec::new(), [0; 4_096]);
    while !String::from_utf8_lossy(&told).contains("start it?") {
        let count = output.read(&mut part).expect("readable");
        assert!(count > 0, "nobody was asked: {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&part[..count]);
    }
    meanwhile();
    input.write_all(b"yes\n").expect("it reads");
    output.read_to_end(&mut told).expect("readable");
    let status = child.wait().expect("it ends");
    (status.code(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn a_release_that_waits_for_its_yes_does_not_run_after_what_ran_meanwhile() {
    let far = ["--expires", "2099-01-01T00:00:00Z"];
    let rows = [
        ("41", &[][..], Some("has sequence 40 in `stable`, and this host has come to 41")),
        ("40", &far[..], Some("under which another release ran here")),
        ("39", &[][..], None),
    ];
    for (sequence, more, refusal) in rows {
        let shell = house();
        release(&shell, "ops-1", 40);
        copy(&shell, "waiting");
        let sign = ["sign", "package", "--key", "ops-1", "--namespace", "acme", "--sequence"];
        succeeds(&shell.run(&[&sign[..], &[sequence], more].concat()));
        let (code, told) = while_asked(&shell, || succeeds(&run(&shell, "./package", &[])));
        match refusal {
            Some(says) => assert!(code == Some(4) && told.contains(says), "{sequence}: {told}"),
            None => assert_eq!(code, Some(0), "{sequence}: {told}"),
        }
    }
}
