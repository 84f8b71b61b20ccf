//! The operator of the demo: a folder with grants and a configuration, and the commands typed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::simulator::Simulator;
use super::tenant::{ACME, BOLT, CRAB, Tenant};
use crate::development::Development;
use crate::failure::Failure;
use crate::place::Place;

/// Waits that suit a simulator whose seconds are short.
const TIMING: &str = "\n[timing]\nsettle-ms = 2000\nundo-backoff-ms = 100\npoll-ms = [50, 100]\n";

/// Somebody at a shell.
pub struct Operator {
    folder: PathBuf,
    binary: PathBuf,
    endpoint: String,
    token: String,
    keyring: PathBuf,
}

impl Operator {
    /// Makes the folder anew.
    pub fn prepare(
        folder: &Path,
        binary: &Path,
        place: &Place,
        simulator: &Simulator,
    ) -> Result<Self, Failure> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Failure::file(folder, "removed"))?;
        }
        let operator = Self {
            folder: folder.to_owned(),
            binary: binary.to_owned(),
            endpoint: simulator.endpoint.clone(),
            token: simulator.token.clone(),
            keyring: Development::open(place)?.install(folder)?,
        };
        let roles = place.root().join("runbooks/provision-tenant/runwrit.example.toml");
        let roles = fs::read_to_string(&roles).map_err(Failure::file(&roles, "read"))?;
        let own = format!("state = \"state\"\npackages = [\"{}\"]\n", place.packages().display());
        // The file is a version, the choices of the roles, and what is the operator's own.
        let configuration = roles.replacen("version = 1\n", &format!("version = 1\n{own}"), 1);
        operator.write("runwrit.toml", &format!("{configuration}{TIMING}"))?;
        for tenant in [&ACME, &BOLT, &CRAB] {
            for runbook in ["provision-tenant", "deprovision-tenant"] {
                let grant = tenant.grant(runbook, place)?;
                operator.write(&name("grants", runbook, tenant), &grant)?;
                operator.write(&name("inputs", runbook, tenant), &tenant.inputs(runbook))?;
            }
        }
        Ok(operator)
    }

    /// Types `runwrit run`, and expects an exit code.
    pub fn run(&self, runbook: &str, tenant: &Tenant, expected: i32) -> Result<(), Failure> {
        let arguments = run_arguments(runbook, tenant);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.command(&arguments, expected)
    }

    /// Types a command, and expects an exit code.
    pub fn command(&self, arguments: &[&str], expected: i32) -> Result<(), Failure> {
        type_in(self.runwrit(arguments), arguments, expected)
    }

    /// Types `runwrit run --json`, shows its steps, and kills it `life` after a step whose title
    /// begins with `step`. Returns the run.
    pub fn run_until_step(
        &self,
        runbook: &str,
        tenant: &Tenant,
        step: &str,
        life: Duration,
    ) -> Result<String, Failure> {
        let mut arguments = run_arguments(runbook, tenant);
        arguments.push("--json".to_owned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        println!("\n$ runwrit {}", arguments.join(" "));
        let mut child = self
            .runwrit(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::file(&self.binary, "started"))?;
        let lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let mut run = String::new();
        for line in lines.map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(found) = event["run"].as_str() {
                found.clone_into(&mut run);
            }
            if event["event"] != "step" {
                continue;
            }
            println!("{line}");
            if event["title"].as_str().is_some_and(|title| title.starts_with(step)) {
                std::thread::sleep(life);
                child.kill().map_err(Failure::file(&self.binary, "killed"))?;
                break;
            }
        }
        let status = child.wait().map_err(Failure::file(&self.binary, "waited for"))?;
        if status.signal() != Some(9) {
            let line = format!("runwrit {}", arguments.join(" "));
            return Err(Failure::Ended { line, status: format!("{status} before it was killed") });
        }
        println!("(killed with signal 9)");
        Ok(run)
    }

    /// Only what a run needs is in its environment.
    fn runwrit(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.env("RUNWRIT_CONFIG", self.folder.join("runwrit.toml"));
        command.env("RUNWRIT_TRUST", &self.keyring);
        command.env("HCLOUD_ENDPOINT", &self.endpoint).env("HCLOUD_TOKEN", &self.token);
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(Failure::file(folder, "made"))?;
        let file = fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        file.map_err(Failure::file(&path, "written"))
    }
}

/// Shows a command, runs it, and expects an exit code.
pub fn type_in(mut command: Command, arguments: &[&str], expected: i32) -> Result<(), Failure> {
    println!("\n$ runwrit {}", arguments.join(" "));
    let program = PathBuf::from(command.get_program());
    let status = command.status().map_err(Failure::file(&program, "started"))?;
    println!("(exit code {})", status.code().unwrap_or(-1));
    match status.code() == Some(expected) {
        true => Ok(()),
        false => Err(Failure::Ended {
            line: format!("runwrit {}", arguments.join(" ")),
            status: format!("{status}, where exit code {expected} was expected"),
        }),
    }
}

fn run_arguments(runbook: &str, tenant: &Tenant) -> Vec<String> {
    let (grant, inputs) = (name("grants", runbook, tenant), name("inputs", runbook, tenant));
    ["run", runbook, "--grant", &grant, "--inputs", &inputs].map(str::to_owned).to_vec()
}

fn name(folder: &str, runbook: &str, tenant: &Tenant) -> String {
    let verb = runbook.split('-').next().unwrap_or(runbook);
    format!("{folder}/{verb}-{}.toml", tenant.id)
}
