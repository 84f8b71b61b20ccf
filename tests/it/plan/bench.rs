//! A simulated cloud that plays the real one, an installation, and an operator who plans.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use runwrit_openapi::Watch;
use runwrit_simulator::hetzner::auth::Presented;
use runwrit_simulator::hetzner::request::Request;
use runwrit_simulator::hetzner::{Handle, Options, Settings, Simulator};
use runwrit_tests::openapi::{ANSWERS, show_written, witness};
use serde_json::{Value, json};
use tokio::process::Command;

/// A token that opens only simulators.
pub const TOKEN: &str = "simulatedPlanPlanPlanPlanPlanPlanPlanPlanPlanPlanPlanPlanPlanPla";
/// Another one, which opens another project.
pub const OTHER_TOKEN: &str = "simulatedOtherOtherOtherOtherOtherOtherOtherOtherOtherOtherOther";

/// The build with crash points.
const BREAKABLE: &str = env!("CARGO_BIN_EXE_runwrit-breakable");

/// A well-formed key that nobody has the other half of.
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
pub const ACME: [&str; 7] = [
    "tenant=acme",
    "octet=7",
    "location=nbg1",
    "workers=1",
    "bastion=203.0.113.7/32",
    "domain=example.org",
    "ssh-keys=ops",
];
/// What `grants.example.toml` of `deprovision-tenant` is for.
pub const GONE: [&str; 2] = ["tenant=acme", "delete-data=true"];

/// Everything a test needs.
pub struct Bench {
    pub cloud: Handle,
    folder: tempfile::TempDir,
    /// Judges what was answered, last of all.
    watch: Watch,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A runbook with what it is given.
#[derive(Debug, Clone)]
pub struct Order {
    pub package: PathBuf,
    pub grant: PathBuf,
    pub inputs: Vec<String>,
    pub token: &'static str,
}

impl Order {
    /// Takes the example grant of a runbook.
    pub fn of(runbook: &str, inputs: &[&str]) -> Self {
        Self {
            package: package(runbook),
            grant: root().join("runbooks").join(runbook).join("grants.example.toml"),
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
            token: TOKEN,
        }
    }

    /// Returns a command of a program with the arguments that this order means.
    fn typed(&self, program: impl AsRef<OsStr>, command: &str) -> Command {
        let mut typed = Command::new(program);
        typed.arg(command).arg(&self.package).arg("--grant").arg(&self.grant);
        typed.args(self.inputs.iter().flat_map(|input| ["--input", input]));
        typed
    }

    /// Provisions `acme`.
    pub fn provision() -> Self {
        Self::of("provision-tenant", &ACME)
    }

    /// Removes `acme`.
    pub fn deprovision() -> Self {
        Self::of("deprovision-tenant", &GONE)
    }
}

impl Bench {
    /// Starts a cloud that knows the SSH key and the zone of the example grant, and a fresh
    /// installation.
    pub async fn start() -> Self {
        let settings = Settings { action_ms: Some(1_000), ..Settings::default() };
        let watch = Watch::new();
        let witness = watch.judge().map(witness);
        let options = Options { time_factor: 0.001, settings, witness, ..Options::default() };
        let cloud = Simulator::start(options).await.expect("a loopback port is free");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("runwrit.toml"), CONFIGURATION).expect("it is writable");
        runwrit_keyring::install(folder.path());
        let bench = Self { cloud, folder, watch };
        for token in [TOKEN, OTHER_TOKEN] {
            let key = json!({"name": "ops", "public_key": PUBLIC_KEY});
            bench.by_hand(token, "POST", "/ssh_keys", key);
            let zone = json!({"name": "example.org", "mode": "primary"});
            bench.by_hand(token, "POST", "/zones", zone);
        }
        bench
    }

    /// Starts one where `acme` stands.
    pub async fn provisioned() -> Self {
        let bench = Self::start().await;
        let made = bench.run(&Order::provision(), &[]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        bench
    }

    /// Returns a path in the folder of the operator.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Does something in the cloud that no run does.
    pub fn by_hand(&self, token: &str, method: &str, path: &str, body: Value) {
        drop(self.cloud.desk().receive(Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            origin: self.cloud.endpoint(),
            token: Presented::from_header(Some(&format!("Bearer {token}"))),
            body: Some(body.to_string().into_bytes()),
        }));
    }

    /// Returns how many requests that may change something arrived so far.
    pub fn changes(&self) -> usize {
        self.cloud.desk().ledger().iter().filter(|entry| entry.method != "GET").count()
    }

    /// Returns kind and name of all that carries labels of this host and is alive.
    pub fn alive(&self) -> Vec<String> {
        let report = self.cloud.desk().leaks("runwrit/run").expect("a sound selector");
        report.alive.into_iter().map(|thing| format!("{} {}", thing.kind, thing.name)).collect()
    }

    /// Returns the id of something alive.
    pub fn id_of(&self, name: &str) -> u64 {
        let report = self.cloud.desk().leaks("").expect("a sound selector");
        let found = report.alive.into_iter().find(|thing| thing.name == name);
        found.expect("it stands").id
    }

    /// Plans into `plan.json`.
    pub async fn plan(&self, order: &Order) -> Ended {
        let out = self.path("plan.json").display().to_string();
        self.order("plan", order, &["--out", &out]).await
    }

    /// Runs, with more arguments.
    pub async fn run(&self, order: &Order, more: &[&str]) -> Ended {
        let more: Vec<&str> = more.iter().copied().chain(["--yes", "--json"]).collect();
        self.order("run", order, &more).await
    }

    /// Runs by `plan.json`.
    pub async fn apply(&self, order: &Order) -> Ended {
        let plan = self.path("plan.json").display().to_string();
        self.run(order, &["--plan", &plan]).await
    }

    async fn order(&self, command: &str, order: &Order, more: &[&str]) -> Ended {
        let mut command = order.typed(crate::cli::shell::binary(), command);
        command.args(more);
        self.finish(command, order.token, &[]).await
    }

    /// Runs by `plan.json` in the build with crash points, and is killed at one of them.
    pub async fn apply_until(&self, order: &Order, place: &str) -> Ended {
        let mut command = order.typed(BREAKABLE, "run");
        command.arg("--json").arg("--plan").arg(self.path("plan.json"));
        self.finish(command, order.token, &[("RUNWRIT_CRASH_AT", Path::new(place))]).await
    }

    /// Plans into `plan.json`, and judges what the stand-ins of the rehearsal answered. Returns how
    /// many answers were judged, if any are.
    pub async fn plan_before_a_judge(&self, order: &Order) -> (Ended, Option<usize>) {
        let answers = self.path("answers");
        let mut command = order.typed(BREAKABLE, "plan");
        command.arg("--out").arg(self.path("plan.json"));
        let ended = self.finish(command, order.token, &[(ANSWERS, &answers)]).await;
        let judged = self.watch.judge().map(|judge| {
            let before = judge.verdict().judged;
            show_written(&answers, &judge);
            judge.verdict().judged - before
        });
        (ended, judged)
    }

    /// Types any command.
    pub async fn type_in(&self, arguments: &[&str], token: &str) -> Ended {
        let mut command = Command::new(crate::cli::shell::binary());
        command.args(arguments);
        self.finish(command, token, &[]).await
    }

    async fn finish(&self, mut command: Command, token: &str, switches: &[(&str, &Path)]) -> Ended {
        command.arg("--state").arg(self.path("state"));
        command.arg("--config").arg(self.path("runwrit.toml"));
        command.env_clear().env("HOME", self.folder.path()).env("HCLOUD_TOKEN", token);
        command.env("HCLOUD_ENDPOINT", self.cloud.endpoint());
        command.env("RUNWRIT_TRUST", self.path("trust.toml"));
        command.envs(switches.iter().copied());
        let output = command.output().await.expect("the program is there");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Ended { code: output.status.code(), stdout, stderr }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the root")
}

/// Returns the package of a runbook or a guest.
pub fn package(name: &str) -> PathBuf {
    let folder = root().join("target/packages").join(name);
    assert!(folder.is_dir(), "`{}` is missing: run `cargo xtask guests`", folder.display());
    folder
}
