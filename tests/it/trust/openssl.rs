//! A signature holds without runwrit: the script of the README, run as it stands there.

use std::process::Command;

use super::*;

/// Runs the script of the README of `hello` over a package.
fn script(shell: &Shell, key: &str, bundle: &str) -> std::process::Output {
    let readme = packages().join("../../examples/hello/README.md");
    let text = fs::read_to_string(readme).expect("it stands there");
    let (_, rest) = text.split_once("```sh\n").expect("the README holds the script");
    let (script, _) = rest.split_once("```").expect("it ends");
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", key, bundle]).current_dir(shell.path("package"));
    command.output().expect("a shell")
}

#[test]
fn openssl_and_jq_verify_what_runwrit_signed() {
    let has_jq = Command::new("jq").arg("--version").output().is_ok_and(|it| it.status.success());
    assert!(has_jq, "`cargo xtask setup` installs `jq`, or `apt-get install jq openssl`");
    let shell = Shell::new();
    unsigned(&shell, "package");
    key(&shell, "ops-1");
    key(&shell, "ops-2");
    succeeds(&shell.run(&["sign", "package", "--key", "ops-1", "--namespace", "acme"]));
    let name = fs::read_dir(shell.path("package/signatures")).expect("a folder").next();
    let name = name.expect("a signature").expect("readable").file_name();
    let bundle = format!("signatures/{}", name.to_string_lossy());
    let good = script(&shell, "../ops-1.pub", &bundle);
    let told = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success(), "{told}{}", String::from_utf8_lossy(&good.stderr));
    assert!(told.contains("\"package\": \"acme:hello\""), "{told}");
    assert!(!script(&shell, "../ops-2.pub", &bundle).status.success(), "another key");
    let component = shell.path("package/component.wasm");
    let mut bytes = fs::read(&component).expect("readable");
    bytes.push(0);
    fs::write(&component, bytes).expect("writable");
    assert!(!script(&shell, "../ops-1.pub", &bundle).status.success(), "another component");
}
