//! The simulator of the demo: a child process, asked over its two ports.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::http::{Request, send};
use crate::failure::Failure;

/// Real seconds that a simulated one lasts: a server that takes twenty seconds takes one.
const TIME_FACTOR: &str = "0.05";
/// What all chance in the simulator depends on.
const SEED: &str = "7";
/// The zone of the operator.
pub const ZONE: &str = "example.org";
/// The public half of a key that nobody has.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkK9LlnEKbDwG4YGtNQTR7Thxm8LT1zP4H3Cf7HFEqN ops";

/// A running simulator; it ends with this value.
pub struct Simulator {
    child: Child,
    /// Where its API is.
    pub endpoint: String,
    /// A token that opens it.
    pub token: String,
    control: String,
}

/// What the simulator holds.
pub struct Alive {
    /// One line each.
    pub things: Vec<String>,
    /// Net EUR a month of all of it.
    pub eur_per_month: String,
}

impl Simulator {
    /// Starts one on free loopback ports.
    pub fn start(binary: &Path) -> Result<Self, Failure> {
        let free = "127.0.0.1:0";
        let mut command = Command::new(binary);
        command.args(["simulate", "hetzner", "--listen", free, "--control", free, "--json"]);
        command.args(["--time-factor", TIME_FACTOR, "--seed", SEED]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::file(binary, "started"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(Failure::file(binary, "read"))?;
        }
        let serving: Value = serde_json::from_str(&line).unwrap_or_default();
        let text = |name: &str| serving[name].as_str().map(str::to_owned);
        let (Some(endpoint), Some(token), Some(control)) =
            (text("endpoint"), text("token"), text("control"))
        else {
            let what = "the simulator did not say where it serves".to_owned();
            return Err(Failure::Missing(what, "its own messages above may say why".to_owned()));
        };
        println!("a simulated Hetzner Cloud serves at {endpoint}");
        Ok(Self { child, endpoint, token, control })
    }

    /// Does what an operator of a new project does first.
    pub fn add_ssh_key(&self) -> Result<(), Failure> {
        let body = json!({"name": "ops", "public_key": PUBLIC_KEY});
        self.api("POST", "ssh_keys", Some(&body)).map(|_| ())
    }

    /// Adds the zone that the tenants get their names in; it stays the operator's.
    pub fn add_zone(&self) -> Result<(), Failure> {
        let body = json!({"name": ZONE, "mode": "primary"});
        self.api("POST", "zones", Some(&body)).map(|_| ())
    }

    /// Takes the operator's key away again.
    pub fn remove_ssh_key(&self) -> Result<(), Failure> {
        let found = self.api("GET", "ssh_keys?name=ops", None)?;
        let id = &found["ssh_keys"][0]["id"];
        self.api("DELETE", &format!("ssh_keys/{id}"), None).map(|_| ())
    }

    /// Lets requests fail.
    pub fn fault(&self, rule: &Value) -> Result<(), Failure> {
        self.control("POST", "faults", Some(rule)).map(|_| ())
    }

    /// Lets requests succeed again.
    pub fn clear_faults(&self) -> Result<(), Failure> {
        self.control("DELETE", "faults", None).map(|_| ())
    }

    /// Returns how many things were ever created and deleted.
    pub fn counts(&self) -> Result<(usize, usize), Failure> {
        let resources = self.control("GET", "resources", None)?;
        let count = |change: &str| {
            let events = resources["events"].as_array().into_iter().flatten();
            events.filter(|event| event["event"] == change).count()
        };
        Ok((count("created"), count("deleted")))
    }

    /// Returns everything that is alive.
    pub fn alive(&self) -> Result<Alive, Failure> {
        let report = self.control("GET", "leaks", None)?;
        let things = report["alive"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let line = |thing: &Value| {
            let (kind, name) = (text(&thing["type"]), text(&thing["name"]));
            format!("{kind} `{name}`, EUR {} a month", short(&text(&thing["price_monthly"])))
        };
        let eur_per_month = short(&text(&report["price_monthly"]));
        Ok(Alive { things: things.map(line).collect(), eur_per_month })
    }

    fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let url = format!("{}/{path}", self.endpoint);
        send(&Request { method, url: &url, token: Some(&self.token), body })
    }

    fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let url = format!("{}/{path}", self.control);
        send(&Request { method, url: &url, token: None, body })
    }
}

/// Cuts the zeros behind the point.
fn short(amount: &str) -> String {
    match amount.contains('.') {
        true => amount.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => amount.to_owned(),
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
