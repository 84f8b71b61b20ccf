//! A simulated cloud, an installation beside it, and the commands of an operator.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use runwrit_openapi::Watch;
use runwrit_simulator::hetzner::{Handle, Options, Settings, Simulator};
use runwrit_tests::openapi::witness;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

/// A token that opens only simulators.
const TOKEN: &str = "simulatedRunbooksRunbooksRunbooksRunbooksRunbooksRunbooksRunbook";

/// A well-formed key that nobody has the other half of: 32 bytes, counted from zero.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops";

/// Short waits: a simulated action takes a millisecond.
const CONFIGURATION: &str = r#"version = 1

[hetzner.roles]
gateway = ["cx23", "cpx22"]
worker = ["cx33", "cpx32"]
db = ["cx33", "cpx32"]

[timing]
settle-ms = 150
undo-backoff-ms = 5
poll-ms = [2, 5]
request-timeout-ms = 5000
"#;

/// What `grants.example.toml` of `provision-tenant` is for.
const ACME: [&str; 7] = [
    "tenant=acme",
    "octet=7",
    "location=nbg1",
    "workers=1",
    "bastion=203.0.113.7/32",
    "domain=example.org",
    "ssh-keys=ops",
];

/// Everything a test needs.
pub struct Bench {
    pub cloud: Handle,
    folder: tempfile::TempDir,
    /// Judges what was answered, last of all.
    _watch: Watch,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Returns whether this text was told, as an event or for people.
    pub fn tells(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }
}

impl Bench {
    /// Starts a cloud that knows the SSH key and the zone of the example grant, and a fresh
    /// installation.
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// The same, where the cloud differs in its settings.
    pub async fn start_with(settings: Settings) -> Self {
        let settings = Settings { action_ms: Some(1_000), ..settings };
        let watch = Watch::new();
        let witness = watch.judge().map(witness);
        let options = Options { time_factor: 0.001, settings, witness, ..Options::default() };
        let cloud = Simulator::start(options).await.expect("a loopback port is free");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("runwrit.toml"), CONFIGURATION).expect("it is writable");
        runwrit_keyring::install(folder.path());
        let bench = Self { cloud, folder, _watch: watch };
        let key = json!({ "name": "ops", "public_key": PUBLIC_KEY }).to_string();
        let answer = send(bench.cloud.api, ("POST", "/v1/ssh_keys"), &key).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        let zone = json!({ "name": "example.org", "mode": "primary" }).to_string();
        let answer = send(bench.cloud.api, ("POST", "/v1/zones"), &zone).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        bench
    }

    /// Adds to the configuration.
    pub fn configure(&self, text: &str) {
        let whole = format!("{CONFIGURATION}\n{text}");
        fs::write(self.folder.path().join("runwrit.toml"), whole).expect("it is writable");
    }

    /// Provisions the tenant of the example grant.
    pub async fn provision(&self) -> Ended {
        self.run("provision-tenant", &ACME).await
    }

    /// Provisions it with another input in place of that of the same name.
    pub async fn provision_with(&self, input: &str) -> Ended {
        let name = input.split_inclusive('=').next().expect("`NAME=VALUE`");
        let others = ACME.iter().copied().filter(|it| !it.starts_with(name));
        let inputs: Vec<&str> = others.chain([input]).collect();
        self.run("provision-tenant", &inputs).await
    }

    /// Provisions it under another grant.
    pub async fn provision_under(&self, grant: &str) -> Ended {
        let path = self.folder.path().join("grant.toml");
        fs::write(&path, grant).expect("it is writable");
        self.run_under("provision-tenant", &ACME, &path).await
    }

    /// Returns the example grant of `provision-tenant`.
    pub fn example_grant() -> String {
        let path = root().join("runbooks/provision-tenant/grants.example.toml");
        fs::read_to_string(path).expect("the runbook comes with an example")
    }

    /// Changes something as the operator would, by hand.
    pub async fn by_hand(&self, path: &str, body: serde_json::Value) {
        let mut answer = String::new();
        // Two changes of one zone meet on a fast machine: the first action still locks it.
        for _ in 0..200 {
            let path = format!("/v1{path}");
            answer = send(self.cloud.api, ("POST", &path), &body.to_string()).await;
            if !answer.starts_with("HTTP/1.1 423") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(answer.starts_with("HTTP/1.1 201"), "{path}: {answer}");
    }

    /// Changes a label of a server by hand, and none of the others.
    pub async fn relabel(&self, name: &str, (key, value): (&str, &str)) {
        let report = self.cloud.desk().leaks("runwrit/run").expect("a sound selector");
        let found = report.alive.into_iter().find(|thing| thing.name == name);
        let found = found.unwrap_or_else(|| panic!("`{name}` does not stand"));
        let mut labels = json!(found.labels);
        labels[key] = json!(value);
        let (path, body) = (format!("/v1/servers/{}", found.id), json!({"labels": labels}));
        let answer = send(self.cloud.api, ("PUT", &path), &body.to_string()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
    }

    /// Deprovisions that tenant.
    pub async fn deprovision(&self, delete_data: &str) -> Ended {
        self.run("deprovision-tenant", &["tenant=acme", delete_data]).await
    }

    /// Returns the names of all that carries labels of this host and is alive.
    pub fn alive(&self) -> Vec<String> {
        let report = self.cloud.desk().leaks("runwrit/run").expect("a sound selector");
        report.alive.into_iter().map(|thing| format!("{} {}", thing.kind, thing.name)).collect()
    }

    /// Returns the id of what has this name.
    pub fn id_of(&self, name: &str) -> String {
        let report = self.cloud.desk().leaks("runwrit/run").expect("a sound selector");
        let found = report.alive.into_iter().find(|thing| thing.name == name);
        found.unwrap_or_else(|| panic!("`{name}` does not stand")).id.to_string()
    }

    async fn run(&self, runbook: &str, inputs: &[&str]) -> Ended {
        let grant = root().join("runbooks").join(runbook).join("grants.example.toml");
        self.run_under(runbook, inputs, &grant).await
    }

    async fn run_under(&self, runbook: &str, inputs: &[&str], grant: &Path) -> Ended {
        let mut command = Command::new(program());
        command.arg("run").arg(package(runbook)).args(["--yes", "--json", "--grant"]);
        command.arg(grant);
        command.args(inputs.iter().flat_map(|input| ["--input", input]));
        command.arg("--state").arg(self.folder.path().join("state"));
        command.arg("--config").arg(self.folder.path().join("runwrit.toml"));
        command.env_clear().env("HOME", self.folder.path()).env("HCLOUD_TOKEN", TOKEN);
        command.env("HCLOUD_ENDPOINT", self.cloud.endpoint());
        command.env("RUNWRIT_TRUST", self.folder.path().join("trust.toml"));
        let output = command.output().await.expect("the program is there");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Ended { code: output.status.code(), stdout, stderr }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the root")
}

fn package(name: &str) -> PathBuf {
    let folder = root().join("target/packages").join(name);
    assert!(folder.is_dir(), "`{}` is missing: run `cargo xtask guests`", folder.display());
    folder
}

/// The product where `cargo xtask test` names it, else the build with crash points.
fn program() -> PathBuf {
    let built = option_env!("CARGO_BIN_EXE_runwrit-breakable").map(PathBuf::from);
    let named = std::env::var_os("RUNWRIT_BIN").map(PathBuf::from);
    named.or(built).expect("`RUNWRIT_BIN` names the program")
}

/// Sends one request and returns the whole answer.
async fn send(address: SocketAddr, (method, path): (&str, &str), body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the simulator listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("the simulator reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the simulator answers");
    answer
}
