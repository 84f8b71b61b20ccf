//! Somebody at a shell: a folder of their own, the product, and a simulated cloud.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use runwrit_keyring as keyring;
use runwrit_openapi::Watch;
use runwrit_simulator::hetzner::auth::Presented;
use runwrit_simulator::hetzner::request::Request;
use runwrit_simulator::hetzner::world::{Answer, Content};
use runwrit_simulator::hetzner::{Handle, Options, Simulator, TokenRule, Tokens};
use runwrit_tests::openapi::witness;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A token that simulators take.
pub const TOKEN: &str = "simulated0000000000000000000000000000000000000000000000000000000";
/// A token that reads only.
pub const READ_ONLY: &str = "simulatedreadonly00000000000000000000000000000000000000000000000";
/// A token of another project.
pub const OTHER: &str = "simulatedother00000000000000000000000000000000000000000000000000";
/// The zone of the operator.
const ZONE: &str = "example.org";
/// The public half of a key that nobody has.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkK9LlnEKbDwG4YGtNQTR7Thxm8LT1zP4H3Cf7HFEqN ops";
/// Real seconds that a simulated one lasts.
const TIME_FACTOR: f64 = 0.02;

/// Returns the product: `RUNWRIT_BIN`, else what lies beside the tests.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RUNWRIT_BIN") {
        return path.into();
    }
    let tests = std::env::current_exe().expect("a program knows where it stands");
    let beside = tests.ancestors().nth(2).map(|folder| folder.join("runwrit"));
    let found = beside.filter(|path| path.is_file());
    found.expect("build it: `cargo build --package runwrit`, or set RUNWRIT_BIN")
}

/// Returns the folder of the packages.
pub fn packages() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let packages = root.join("target/packages");
    assert!(packages.is_dir(), "build the guests: `cargo xtask guests`");
    packages
}

/// A shell in a folder of its own.
pub struct Shell {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// What a command left.
#[derive(Debug)]
pub struct Printed {
    /// Its exit code; nothing where a signal ended it.
    pub code: Option<i32>,
    /// Its data.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Shell {
    /// Opens one, with the configuration of the runbooks and without any credential.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let packages = packages();
        let example = packages.join("../../runbooks/provision-tenant/runwrit.example.toml");
        let roles = fs::read_to_string(example).expect("the runbook comes with an example");
        let shell = Self { folder, variables: BTreeMap::new() };
        let own = format!("state = \"state\"\npackages = [\"{}\"]\n", packages.display());
        let timing = "\n[timing]\nsettle-ms = 300\nundo-backoff-ms = 50\npoll-ms = [20]\n\
                      request-timeout-ms = 5000\n";
        let text = roles.replacen("version = 1\n", &format!("version = 1\n{own}"), 1);
        shell.write("runwrit.toml", format!("{text}{timing}"));
        shell.write("hello.toml", grant("hello", ""));
        keyring::install(shell.folder.path());
        shell
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Names a cloud.
    pub fn with_cloud(mut self, cloud: &Cloud) -> Self {
        self.set("HCLOUD_ENDPOINT", &cloud.handle.endpoint());
        self.set("HCLOUD_TOKEN", TOKEN);
        self
    }

    /// Returns a path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside of the folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    /// Writes grant and inputs of `provision-tenant` for `acme`, and returns the arguments.
    pub fn provision(&self) -> [&'static str; 6] {
        let example = packages().join("../../runbooks/provision-tenant/grants.example.toml");
        self.write("acme.toml", fs::read(example).expect("the runbook comes with an example"));
        self.write(
            "inputs.toml",
            "tenant = \"acme\"\noctet = 7\nlocation = \"nbg1\"\nworkers = 1\n\
             bastion = \"203.0.113.7/32\"\ndomain = \"example.org\"\nssh-keys = \"ops\"\n",
        );
        ["run", "provision-tenant", "--grant", "acme.toml", "--inputs", "inputs.toml"]
    }

    /// Writes the grant of `deprovision-tenant` for `acme`, and returns the arguments.
    pub fn deprovision(&self) -> [&'static str; 8] {
        let example = packages().join("../../runbooks/deprovision-tenant/grants.example.toml");
        self.write("down.toml", fs::read(example).expect("the runbook comes with an example"));
        let inputs = ["--input", "tenant=acme", "--input", "delete-data=true"];
        let [one, two, three, four] = inputs;
        ["run", "deprovision-tenant", "--grant", "down.toml", one, two, three, four]
    }

    /// Returns a command that runs in the folder with nothing else in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&binary(), arguments)
    }

    /// Returns a command of another build of the product.
    pub fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("HOME", self.folder.path()).env("USER", "tester");
        command.env("RUNWRIT_CONFIG", self.path("runwrit.toml"));
        command.env("RUNWRIT_TRUST", self.path("trust.toml")).envs(&self.variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Types a command of the build with crash points and waits for its end.
    pub fn run_breakable(&self, arguments: &[&str]) -> Printed {
        let template = self.command(arguments);
        let mut command = Command::new(env!("CARGO_BIN_EXE_runwrit-breakable"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        let variables = template.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let output = command.envs(variables).stdin(Stdio::null()).output();
        let output = output.expect("the build with crash points starts");
        self.printed(output.status.code(), &output.stdout, &output.stderr)
    }

    /// Returns the id of the youngest run.
    pub fn last_run(&self) -> String {
        let output = self.command(&["runs", "--json"]).output().expect("the product starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let first = text.lines().next().expect("a run stands there");
        let run: serde_json::Value = serde_json::from_str(first).expect("an object");
        run["run"].as_str().expect("an id").to_owned()
    }

    /// Types a command and waits for its end.
    pub fn run(&self, arguments: &[&str]) -> Printed {
        let output = self.command(arguments).output().expect("the product starts");
        self.printed(output.status.code(), &output.stdout, &output.stderr)
    }

    /// Returns what a child printed, once it has ended.
    pub fn wait(&self, mut child: std::process::Child) -> Printed {
        let mut stderr = Vec::new();
        let mut stdout = Vec::new();
        if let Some(mut stream) = child.stdout.take() {
            stream.read_to_end(&mut stdout).expect("readable");
        }
        if let Some(mut stream) = child.stderr.take() {
            stream.read_to_end(&mut stderr).expect("readable");
        }
        let status = child.wait().expect("it ends");
        self.printed(status.code(), &stdout, &stderr)
    }

    fn printed(&self, code: Option<i32>, stdout: &[u8], stderr: &[u8]) -> Printed {
        let text = |bytes: &[u8]| self.redact(&String::from_utf8_lossy(bytes));
        Printed { code, stdout: text(stdout), stderr: text(stderr) }
    }

    fn redact(&self, text: &str) -> String {
        let folder = regex::escape(&self.folder.path().display().to_string());
        let rules = [
            (folder.as_str(), "FOLDER"),
            (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "RUN"),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
            (r"127\.0\.0\.1:\d+", "ADDRESS"),
            (r"sha256:[0-9a-f]{64}", "DIGEST"),
            (r"\bdevelopment \d{10}\b", "development SEQUENCE"),
            (r"\(\d+\.\d s\)", "(TIME)"),
        ];
        let mut text = text.to_owned();
        for (pattern, with) in rules {
            text = Regex::new(pattern).expect("a pattern").replace_all(&text, with).into_owned();
        }
        text
    }
}

impl Printed {
    /// Returns exit code and standard error, for a snapshot.
    pub fn told(&self) -> String {
        let code = self.code.map_or("a signal".to_owned(), |code| format!("exit {code}"));
        format!("{code}\n{}", self.stderr)
    }

    /// Returns the objects on standard output.
    pub fn objects(&self) -> Vec<serde_json::Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect("one object per line")).collect()
    }
}

/// Returns a grant for a runbook that reaches nothing, with `rest` after it.
pub fn grant(runbook: &str, rest: &str) -> String {
    format!("version = 1\nexpires = 2099-01-01T00:00:00Z\nrunbook.name = \"{runbook}\"\n{rest}")
}

/// A simulated cloud in this process, with the key `ops` in it.
pub struct Cloud {
    /// The simulator.
    pub handle: Handle,
    /// Serves until it is dropped.
    _runtime: tokio::runtime::Runtime,
    /// Judges what was answered, last of all.
    _watch: Watch,
}

impl Cloud {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts one that listens there.
    pub fn start_at(listen: SocketAddr) -> Self {
        let rule = |token: &str, project: &str, is_read_only| TokenRule {
            token: token.to_owned(),
            project: project.to_owned(),
            is_read_only,
        };
        let tokens = Tokens::Only(vec![
            rule(TOKEN, "project", false),
            rule(READ_ONLY, "project", true),
            rule(OTHER, "other", false),
        ]);
        let watch = Watch::new();
        let witness = watch.judge().map(witness);
        let options =
            Options { listen, time_factor: TIME_FACTOR, tokens, witness, ..Options::default() };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let handle = runtime.block_on(Simulator::start(options)).expect("a free port");
        let cloud = Self { handle, _runtime: runtime, _watch: watch };
        cloud.post("/ssh_keys", &json!({"name": "ops", "public_key": PUBLIC_KEY}));
        for token in [TOKEN, OTHER] {
            cloud.send_with(token, "POST", "/zones", &json!({"name": ZONE, "mode": "primary"}));
        }
        cloud
    }

    /// Returns how many requests any client sent.
    pub fn requests(&self) -> usize {
        self.handle.desk().ledger().len()
    }

    /// Returns how many requests could have changed something.
    pub fn changes(&self) -> u64 {
        let count = |method| self.handle.desk().request_count(method, "/**") as u64;
        ["POST", "PUT", "DELETE"].map(count).iter().sum()
    }

    /// Returns the names of everything alive but key and zone of the operator and the mark of the
    /// project and the claims in it.
    pub fn alive(&self) -> Vec<String> {
        let report = self.handle.desk().leaks("").expect("an empty selector");
        let names = report.alive.into_iter().map(|thing| thing.name);
        let is_ours = |name: &String| {
            !["ops", ZONE, "runwrit-project"].contains(&name.as_str())
                && !name.starts_with("runwrit-claim-")
        };
        names.filter(is_ours).collect()
    }

    /// Returns the tenants on which an installation works, by the claims.
    pub fn claims(&self) -> Vec<String> {
        let report = self.handle.desk().leaks("").expect("an empty selector");
        let names = report.alive.into_iter().map(|thing| thing.name);
        names.filter_map(|name| Some(name.strip_prefix("runwrit-claim-")?.to_owned())).collect()
    }

    /// Makes a network behind the back of the product, and returns its id.
    pub fn plant_network(&self, name: &str) -> String {
        self.post("/networks", &json!({"name": name, "ip_range": "10.99.0.0/16"}));
        self.id_of(name)
    }

    /// Returns the id of something alive.
    pub fn id_of(&self, name: &str) -> String {
        let report = self.handle.desk().leaks("").expect("an empty selector");
        let found = report.alive.into_iter().find(|thing| thing.name == name);
        found.expect("it stands").id.to_string()
    }

    /// Has somebody else create something by hand.
    pub fn post(&self, path: &str, body: &Value) {
        self.send("POST", path, body);
    }

    /// Has somebody else change something by hand.
    pub fn send(&self, method: &str, path: &str, body: &Value) {
        self.send_with(TOKEN, method, path, body);
    }

    /// Returns what stands at a path.
    pub fn get(&self, path: &str) -> Value {
        match self.send_with(TOKEN, "GET", path, &Value::Null).content {
            Content::Reply(reply) => reply.body.unwrap_or_default(),
            other => panic!("`{path}` is no document: {other:?}"),
        }
    }

    /// Returns all that stands in a collection, which calls its members so.
    pub fn all(&self, path: &str, name: &str) -> Vec<Value> {
        let mut found = Vec::new();
        for page in 1.. {
            let mut document = self.get(&format!("{path}?page={page}"));
            match document[name].take() {
                Value::Array(items) if !items.is_empty() => found.extend(items),
                _ => break,
            }
        }
        found
    }

    /// Has somebody change something in the project of another token.
    pub fn send_with(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query.split_terminator('&').filter_map(|pair| pair.split_once('='));
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (answer, _) = self.handle.desk().receive(Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            origin: self.handle.endpoint(),
            token: Presented::from_header(Some(&format!("Bearer {token}"))),
            body: Some(text.into_bytes()),
        });
        let is_taken =
            matches!(&answer.content, Content::Reply(reply) if (200..300).contains(&reply.status));
        assert!(is_taken, "the simulator takes `{method} {path}`: {answer:?}");
        answer
    }
}

/// Returns a loopback address on which nobody listens.
pub fn nowhere() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
