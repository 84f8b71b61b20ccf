//! `cargo xtask demo trust`: every way in which a package is refused, and the one in which it runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::operator::type_in;
use crate::failure::Failure;
use crate::place::Place;

/// Untrusted, by the contract with scripts.
const UNTRUSTED: i32 = 4;
/// The package, as it is named in every command.
const PACKAGE: &str = "./hello";

/// Two people who publish, one who may not, and the host that decides.
struct Desk {
    folder: PathBuf,
    binary: PathBuf,
    source: PathBuf,
}

/// Shows it. `binary` is a `runwrit` that was built already.
pub fn run(place: &Place, binary: &Path) -> Result<(), Failure> {
    let folder = place.root().join("target/demo-trust");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::file(&folder, "removed"))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::file(&folder, "made"))?;
    // A keyring counts only where nobody else could write it, whatever this user's umask is.
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&folder, mode).map_err(Failure::file(&folder, "changed"))?;
    let source = place.packages().join("hello");
    let desk = Desk { folder, binary: binary.to_owned(), source };
    desk.write(
        "grant.toml",
        "version = 1\nexpires = 2099-01-01T00:00:00Z\nrunbook.name = \"acme:hello\"\n",
    )?;
    desk.keys()?;
    desk.signed_by_two()?;
    desk.changed()?;
    desk.older()?;
    desk.out_of_date()?;
    desk.withdrawn()?;
    println!("\nnine ways to be refused, each by its own name; what was signed and granted, runs");
    Ok(())
}

impl Desk {
    /// Three keys, and a keyring that takes two of those that may speak for `acme`.
    fn keys(&self) -> Result<(), Failure> {
        chapter("1. Say whose word counts on this host: two of those who speak for `acme`");
        for id in ["ops-1", "ops-2", "guest", "desk"] {
            self.write(&format!("{id}.pass"), &format!("the passphrase of {id}\n"))?;
            let pass = format!("{id}.pass");
            let key = format!("{id}.pem");
            self.quiet(&["key", "generate", "--out", &key, "--passphrase-file", &pass])?;
        }
        self.command(&["trust", "init"], 0)?;
        for (id, name) in [("ops-1", "acme:*"), ("ops-2", "acme:*"), ("guest", "guest:*")] {
            let file = format!("{id}.pem.pub");
            let role = ["--role", "runbook", "--name", name];
            self.command(&[&["trust", "add-key", &file, "--id", id], &role[..]].concat(), 0)?;
        }
        let desk = ["trust", "add-key", "desk.pem.pub", "--id", "desk", "--role", "grant"];
        self.command(&desk, 0)?;
        self.edit("trust.toml", "runbook = 1", "runbook = 2")?;
        self.command(&["trust", "check"], 0)
    }

    fn signed_by_two(&self) -> Result<(), Failure> {
        chapter("2. Nobody signed it: unsigned");
        self.command(&["build", &self.source.display().to_string(), "--out", PACKAGE], 0)?;
        self.run(UNTRUSTED)?;
        chapter("3. One of two signed it: one signature short");
        self.sign("ops-1", &["--namespace", "acme", "--sequence", "7"])?;
        self.run(UNTRUSTED)?;
        chapter("4. Both signed it, and nobody signed what it may do: unattended without a grant");
        self.sign("ops-2", &[])?;
        self.command(&["verify", PACKAGE], 0)?;
        self.run(UNTRUSTED)?;
        chapter("5. Whoever may say so did: it runs");
        let by = ["--key", "desk.pem", "--passphrase-file", "desk.pass"];
        self.command(&[&["sign", "--grant", "grant.toml"], &by[..]].concat(), 0)?;
        self.run(0)
    }

    fn changed(&self) -> Result<(), Failure> {
        chapter("6. Somebody changed one bit of it: tampered");
        let component = self.folder.join("hello/component.wasm");
        let mut bytes = fs::read(&component).map_err(Failure::file(&component, "read"))?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&component, &bytes).map_err(Failure::file(&component, "written"))?;
        self.run(UNTRUSTED)?;
        bytes[middle] ^= 1;
        fs::write(&component, &bytes).map_err(Failure::file(&component, "written"))
    }

    fn older(&self) -> Result<(), Failure> {
        chapter("7. An older release, properly signed: downgraded");
        self.release(&["--namespace", "acme", "--sequence", "6", "--replace"])?;
        self.run(UNTRUSTED)?;
        chapter("8. Another release under a number that ran: equivocating");
        self.release(&["--namespace", "acme", "--sequence", "7", "--expires", FAR, "--replace"])?;
        self.run(UNTRUSTED)?;
        chapter("9. Signed by somebody who speaks for others: wrong namespace");
        self.sign("guest", &["--namespace", "acme", "--sequence", "8", "--replace"])?;
        self.run(UNTRUSTED)
    }

    fn out_of_date(&self) -> Result<(), Failure> {
        chapter("10. A release whose time is over: expired");
        self.release(&["--namespace", "acme", "--sequence", "8", "--expires", PAST, "--replace"])?;
        self.run(UNTRUSTED)
    }

    fn withdrawn(&self) -> Result<(), Failure> {
        chapter("11. A key was lost: revoked");
        self.release(&["--namespace", "acme", "--sequence", "9", "--replace"])?;
        let hint = self.hint("ops-2")?;
        let before = self.read("trust.toml")?;
        let entry = format!("\n[[revoked]]\nkey = \"{hint}\"\nreason = \"the laptop was lost\"\n");
        self.write("trust.toml", &format!("{before}{entry}"))?;
        self.run(UNTRUSTED)?;
        chapter("12. The laptop was found: the same package runs");
        self.write("trust.toml", &before)?;
        self.run(0)?;
        self.command(&["trust", "show"], 0)
    }

    /// Both sign a release of its own.
    fn release(&self, more: &[&str]) -> Result<(), Failure> {
        self.sign("ops-1", more)?;
        self.sign("ops-2", &[])
    }

    fn sign(&self, id: &str, more: &[&str]) -> Result<(), Failure> {
        let (key, pass) = (format!("{id}.pem"), format!("{id}.pass"));
        let who = ["sign", PACKAGE, "--key", &key, "--passphrase-file", &pass];
        self.command(&[&who[..], more].concat(), 0)
    }

    fn run(&self, expected: i32) -> Result<(), Failure> {
        self.command(&["run", PACKAGE, "--grant", "grant.toml", "--input", "name=you"], expected)
    }

    fn command(&self, arguments: &[&str], expected: i32) -> Result<(), Failure> {
        type_in(self.runwrit(arguments), arguments, expected)
    }

    fn quiet(&self, arguments: &[&str]) -> Result<(), Failure> {
        crate::command::read(&mut self.runwrit(arguments)).map(|_| ())
    }

    fn hint(&self, id: &str) -> Result<String, Failure> {
        let mut command = self.runwrit(&["key", "show", &format!("{id}.pem.pub"), "--json"]);
        let text = crate::command::read(&mut command)?;
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(shown["hint"].as_str().unwrap_or_default().to_owned())
    }

    /// Only what this host needs is in its environment.
    fn runwrit(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.env("RUNWRIT_TRUST", "trust.toml").env("HOME", &self.folder);
        command.env_remove("RUNWRIT_CONFIG").env_remove("XDG_CONFIG_HOME");
        command.env_remove("XDG_STATE_HOME");
        command
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).map_err(Failure::file(&path, "read"))
    }

    fn edit(&self, name: &str, from: &str, to: &str) -> Result<(), Failure> {
        let text = self.read(name)?;
        self.write(name, &text.replace(from, to))
    }

    /// What the operator writes is the operator's alone: a passphrase among others.
    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(Failure::file(&path, "written"))?;
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&path, mode).map_err(Failure::file(&path, "changed"))
    }
}

/// Later than any reader of this.
const FAR: &str = "2099-01-01T00:00:00Z";
/// Before there was a runwrit.
const PAST: &str = "2026-01-01T00:00:00Z";

fn chapter(title: &str) {
    println!("\n== {title}");
}
