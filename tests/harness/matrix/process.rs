//! One installation of the host under test: its binary, its state directory, its processes.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::case::{Case, End, Scenario};
use super::secrets::TOKEN;
use crate::hook::Hook;

/// A process that takes longer has lost its way: a whole run lasts less than a second where there
/// is a processor for it.
const PROCESS_MAX: Duration = Duration::from_secs(300);

/// Where things are, the same for all cases.
#[derive(Debug, Clone)]
pub struct Places {
    /// The build with crash points.
    pub binary: PathBuf,
    /// How to provision the tenant `acme`.
    pub provision: Job,
    /// How to remove it.
    pub deprovision: Job,
    /// What takes the requests of the long haul.
    pub hook: Hook,
    /// A state directory with a warm code cache, copied for every case.
    pub template: PathBuf,
    /// Where state directories go: memory, because no case outlives the test.
    pub scratch: PathBuf,
}

/// A runbook with all that it needs.
#[derive(Debug, Clone)]
pub struct Job {
    package: PathBuf,
    grant: PathBuf,
    inputs: Vec<String>,
}

impl Job {
    /// Finds a shipped runbook with the grant beside it.
    fn shipped(name: &str, inputs: &[&str]) -> Self {
        Self::of(name, root().join("runbooks").join(name).join("grants.example.toml"), inputs)
    }

    fn of(name: &str, grant: PathBuf, inputs: &[&str]) -> Self {
        let package = root().join("target/packages").join(name);
        assert!(package.is_dir(), "`{}` is missing: run `cargo xtask guests`", package.display());
        Self { package, grant, inputs: inputs.iter().copied().map(str::to_owned).collect() }
    }

    fn arguments(&self) -> Vec<String> {
        let (package, grant) = (self.package.display(), self.grant.display());
        let mut arguments = ["run", "--yes"].map(str::to_owned).to_vec();
        arguments.extend([package.to_string(), "--grant".to_owned(), grant.to_string()]);
        let inputs = self.inputs.iter().cloned();
        arguments.extend(inputs.flat_map(|input| ["--input".to_owned(), input]));
        arguments
    }

    /// Makes the long haul of the installation in `folder`, which sends to `url`.
    fn long_haul(folder: &Path, url: &str, end: End) -> Self {
        let grant = folder.join("long-haul.toml");
        let text = LONG_HAUL_GRANT.replace("URL", url);
        std::fs::write(&grant, text).expect("the scratch folder is writable");
        let end = match end {
            End::Well => "end=well",
            End::Badly => "end=badly",
        };
        Self::of("long-haul", grant, &["tenant=acme", &format!("url={url}"), end])
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root")
}

impl Places {
    /// Finds the packages that `cargo xtask guests` made, and puts all else into `scratch`.
    pub fn of(scratch: &Path, binary: &Path) -> Self {
        let template = scratch.join("template");
        let provision = Job::shipped("provision-tenant", &PROVISION);
        let deprovision = Job::shipped("deprovision-tenant", &DEPROVISION);
        let (binary, scratch) = (binary.to_owned(), scratch.to_owned());
        Self { binary, provision, deprovision, hook: Hook::start(0), template, scratch }
    }
}

/// An installation with a state directory of its own.
#[derive(Debug)]
pub struct Installation<'a> {
    places: &'a Places,
    endpoint: String,
    folder: tempfile::TempDir,
    job: Job,
    broken: Option<&'static str>,
    failing: Option<String>,
    /// What an undisturbed process tells, it tells in full: secrets are searched for in that, too.
    is_talkative: bool,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; nothing when it was killed.
    pub code: Option<i32>,
    /// Whether SIGKILL ended it.
    pub is_killed: bool,
    /// What it wrote.
    pub stdout: String,
    /// What it wrote for people.
    pub stderr: String,
}

impl<'a> Installation<'a> {
    /// Makes a fresh installation for a case, which talks to `endpoint`.
    pub fn new(places: &'a Places, endpoint: String, case: &Case) -> Self {
        let folder = tempfile::tempdir_in(&places.scratch).expect("the scratch folder is writable");
        copy(&places.template, folder.path());
        let job = match case.scenario {
            Scenario::Deprovision => places.deprovision.clone(),
            Scenario::LongHaul(end) => {
                let url = places.hook.url_of(&own_path(folder.path()));
                Job::long_haul(folder.path(), &url, end)
            }
            _ => places.provision.clone(),
        };
        let failing = match &case.scenario {
            Scenario::FailsInside(call) => Some(call.to_string()),
            _ => None,
        };
        let (broken, is_talkative) = (case.broken, case.kills.is_empty());
        Self { places, endpoint, folder, job, broken, failing, is_talkative }
    }

    /// Returns the state directory.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Returns the folder that holds everything this installation writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns how many requests of the long haul were taken.
    pub fn sent(&self) -> usize {
        self.places.hook.taken_at(&own_path(self.folder.path()))
    }

    /// Starts the runbook, killed at boundary `kill`.
    pub async fn run(&self, kill: Option<u64>) -> Ended {
        self.start(&self.job, kill).await
    }

    /// Starts the runbook in a process that stops at boundary `stop`, and does not wait for it.
    pub fn spawn_stopping(&self, stop: u64) -> Child {
        let mut command = self.command(&self.job.arguments());
        command.env("RUNWRIT_STOP_AT", stop.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary under test is there")
    }

    /// Runs the long haul to its first wait, so that its code is compiled.
    pub async fn warm_up(&self) -> Ended {
        let url = self.places.hook.url_of("/warm-up");
        self.start(&Job::long_haul(self.folder.path(), &url, End::Well), None).await
    }

    /// Provisions the tenant and forgets the boundaries that this passed.
    pub async fn prepare(&self) -> Ended {
        let ended = self.start(&self.places.provision, None).await;
        std::fs::remove_file(self.crash_log()).expect("the process passed boundaries");
        ended
    }

    async fn start(&self, job: &Job, kill: Option<u64>) -> Ended {
        let arguments = job.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.process(&arguments, kill).await
    }

    /// Runs one command, killed at boundary `kill`.
    pub async fn process(&self, arguments: &[&str], kill: Option<u64>) -> Ended {
        self.process_at(arguments, kill, Duration::ZERO).await
    }

    /// Runs one command, killed at boundary `kill`, in a process that believes to live so much
    /// later.
    pub async fn process_at(
        &self,
        arguments: &[&str],
        kill: Option<u64>,
        later: Duration,
    ) -> Ended {
        let mut command = self.command(arguments);
        if let Some(kill) = kill {
            command.env("RUNWRIT_CRASH_AT", kill.to_string());
        }
        if !later.is_zero() {
            command.env("RUNWRIT_CLOCK_SHIFT_MS", later.as_millis().to_string());
        }
        match timeout(PROCESS_MAX, command.output()).await {
            Ok(output) => Ended::from(output.expect("the binary under test is there")),
            Err(_) => Ended::lost(format!("`{arguments:?}` took over {PROCESS_MAX:?}")),
        }
    }

    fn command<T: AsRef<OsStr>>(&self, arguments: &[T]) -> Command {
        let mut command = Command::new(&self.places.binary);
        command.args(arguments).args(["--json", "--state"]).arg(self.state());
        command.arg("--config").arg(self.folder.path().join("runwrit.toml"));
        command.env_clear().env("HOME", self.folder.path()).env("HCLOUD_TOKEN", TOKEN);
        command.env("HCLOUD_ENDPOINT", &self.endpoint);
        command.env("RUNWRIT_TRUST", self.folder.path().join("trust.toml"));
        command.env("RUNWRIT_CRASH_LOG", self.crash_log());
        if let Some(rule) = self.broken {
            command.env("RUNWRIT_BREAK", rule);
        }
        if let Some(call) = &self.failing {
            command.env("RUNWRIT_FAIL_CALL", call);
        }
        if self.is_talkative {
            command.env("RUNWRIT_LOG", "trace");
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Returns the boundaries passed so far, by all processes, as lines of the crash log.
    pub fn boundaries(&self) -> Vec<Boundary> {
        let text = std::fs::read_to_string(self.crash_log()).unwrap_or_default();
        text.lines().map(Boundary::parse).collect()
    }

    fn crash_log(&self) -> PathBuf {
        self.folder.path().join("boundaries")
    }
}

/// What `provision-tenant` is told in every case.
const PROVISION: [&str; 7] = [
    "tenant=acme",
    "octet=7",
    "location=nbg1",
    "workers=1",
    "bastion=203.0.113.7/32",
    "domain=example.org",
    "ssh-keys=ops",
];

/// What `deprovision-tenant` is told.
const DEPROVISION: [&str; 2] = ["tenant=acme", "delete-data=true"];

/// What the long haul is granted.
const LONG_HAUL_GRANT: &str = r#"version = 1
expires = 2099-01-01T00:00:00Z
[runbook]
name = "long-haul"
[scope]
tenant = "acme"
[hetzner]
operations = ["networks.create", "networks.delete"]
[hetzner.counts]
networks = 2
[[hetzner.networks]]
name = "acme-net"
ip-range = "10.7.0.0/16"
subnets = ["10.7.1.0/24"]
network-zone = "eu-central"
[[hetzner.networks]]
name = "acme-kept"
ip-range = "10.8.0.0/16"
subnets = ["10.8.1.0/24"]
network-zone = "eu-central"
[recovery]
keep = ["hetzner.networks.create"]
undo-with = ["hetzner.networks.delete"]
pivot = true
[http]
requests = [{ method = "POST", url = "URL" }]
"#;

/// Waits until a process is stopped or over; tells whether it is stopped.
pub async fn is_stopped(process: u32) -> bool {
    loop {
        // A state that nobody has fetched yet, `Z`, is an end, too.
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        match state {
            Some('T') => return true,
            None | Some('Z') => return false,
            Some(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

/// Lets a stopped process go on.
pub fn go_on(process: u32) {
    let process = rustix::process::Pid::from_raw(process as i32).expect("an id is no zero");
    // It may have ended meanwhile.
    let _ = rustix::process::kill_process(process, rustix::process::Signal::CONT);
}

/// Returns the path by which the hook knows the installation in `folder`.
fn own_path(folder: &Path) -> String {
    format!("/{}", folder.file_name().unwrap_or_default().to_string_lossy())
}

/// A boundary that a process passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// Its name.
    pub name: String,
    /// The operation.
    pub operation: String,
    /// Whether the process was killed there.
    pub is_crash: bool,
    /// Whether it was stopped there.
    pub is_stop: bool,
}

impl Boundary {
    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let word = |place: usize| words.get(place).copied().unwrap_or_default().to_owned();
        let end = word(3);
        let (is_crash, is_stop) = (end == "crash", end == "stop");
        Self { name: word(1), operation: word(2), is_crash, is_stop }
    }
}

impl Ended {
    /// Tells of a process that found no end: no kill of the matrix, and no exit code either.
    pub fn lost(stderr: String) -> Self {
        Self { code: None, is_killed: false, stdout: String::new(), stderr }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            is_killed: output.status.signal() == Some(9),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Copies a folder of files and folders.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the template is readable") {
        let entry = entry.expect("the template is readable");
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            std::fs::create_dir_all(&target).expect("the scratch folder is writable");
            let mode = entry.metadata().expect("the template is readable").permissions();
            copy(&entry.path(), &target);
            std::fs::set_permissions(&target, mode).expect("the folder was just made");
        } else {
            std::fs::copy(entry.path(), &target).expect("the scratch folder is writable");
        }
    }
}
