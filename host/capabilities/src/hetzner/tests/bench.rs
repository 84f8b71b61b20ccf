//! A simulator on a frozen clock, and a run that works on it. Whoever sleeps pushes the clock, so
//! nothing waits in real time.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runwrit_model::call::CallId;
use runwrit_model::endpoint::Endpoint;
use runwrit_model::grant::Grant;
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::labels::{HostKey, Thing};
use runwrit_model::secret::Secret;
use runwrit_model::settings;
use runwrit_openapi::{Answer, Watch};
use runwrit_simulator::hetzner::{Control, Fault, Handle, Options, Rule, Seen, Simulator, Witness};
use serde_json::{Value, json};

use super::gate::TestGate;
use crate::Capabilities;
use crate::bindings::runwrit::hetzner::{firewalls, networks, servers, volumes};
use crate::dns::{Dns, Zones};
use crate::gate::{CallError, Undo, UndoError, Undone};
use crate::hetzner::budget::LocalBudget;
use crate::hetzner::client::{Client, Connection, Credential};
use crate::hetzner::clock::{Clock, Pace};
use crate::hetzner::wire::{Resource, SshKey};
use crate::hetzner::{Hetzner, Project};
use crate::run::Run;

pub const USER_DATA: &str = "#cloud-config\n";
pub const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRlc3RrZXl0ZXN0a2V5dGVzdGtleXRlc3RrZXk0 ops";

/// A run of tenant `acme` on a project of its own.
pub struct Bench {
    pub simulator: Handle,
    pub project: Project,
    pub guest: Capabilities<TestGate>,
    pub run: RunId,
    /// Requests that changed something when the test last made something by itself.
    pub planted: Cell<usize>,
    /// Compares every answer with the official document until it is dropped.
    _watch: Watch,
}

struct Pushed(Control);

impl Clock for Pushed {
    fn now_unix_ms(&self) -> u64 {
        u64::try_from(self.0.now().as_millisecond()).unwrap_or(0)
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'_, ()> {
        self.0.advance(pause);
        Box::pin(tokio::task::yield_now())
    }
}

/// Runs a test on a thread of its own, so that a rule broken there is broken nowhere else.
pub fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(test)
}

pub fn token(letter: char) -> Secret {
    Secret::new(format!("simulated{}", letter.to_string().repeat(55)))
}

pub fn client(endpoint: &str, token: Secret, clock: Arc<dyn Clock>) -> Client {
    // The command line installs it for the product; here whichever test is first does.
    rustls::crypto::ring::default_provider().install_default().ok();
    let endpoint = Endpoint::parse(endpoint).unwrap();
    let credential = Credential { name: "hetzner".to_owned(), token, endpoint };
    let budget = Arc::new(LocalBudget::default());
    let pace = Pace { request_timeout: Duration::from_secs(5), ..Pace::default() };
    Client::new(Connection { credential, budget, clock, pace }).unwrap()
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(Options::default(), &grant("")).await
    }

    pub async fn granting(grant: &str) -> Self {
        Self::with(Options::default(), grant).await
    }

    pub async fn with(options: Options, grant: &str) -> Self {
        let watch = Watch::new();
        let witness = watch.judge().map(|judge| {
            Witness::new(move |&Seen { method, path, status, body }| {
                judge.see(Answer { method, path, status, body });
            })
        });
        let options = Options { is_clock_frozen: true, witness, ..options };
        let simulator = Simulator::start(options).await.unwrap();
        let clock = Arc::new(Pushed(simulator.desk().clone()));
        let client = Arc::new(client(&simulator.endpoint(), token('x'), clock));
        let (key, scope) = (HostKey::from_bytes([7; 32]), Scope::tenant("acme"));
        let run = RunId::new(1, [1; 10]);
        let project = Project { client, key: key.clone(), scope: scope.clone() };
        let grant = Arc::new(Grant::parse("grants/acme.toml", grant).unwrap());
        let Project { client, .. } = project.clone();
        let zones = Zones { client, key: key.clone(), scope: scope.clone() };
        let dns = grant.document().dns.is_some();
        let dns = dns.then(|| Arc::new(Dns::new(zones, Arc::clone(&grant))));
        let hetzner = Some(Arc::new(Hetzner::new(project.clone(), grant, roles())));
        let guest = Capabilities {
            gate: TestGate::new(key, scope, run.clone()),
            run: Run::new(BTreeMap::new(), BTreeSet::new()),
            registry: None,
            audit: None,
            http: None,
            dns,
            hetzner,
        };
        let planted = Cell::new(0);
        let bench = Self { simulator, project, guest, run, planted, _watch: watch };
        let body = json!({"name": "ops", "public_key": PUBLIC_KEY});
        bench.project.client.create::<SshKey>(body).await.unwrap();
        bench.planted.set(bench.mutations());
        bench
    }

    pub fn desk(&self) -> &Control {
        self.simulator.desk()
    }

    /// Arms faults that strike one after the other.
    pub fn fault(&self, method: &str, path: &str, times: u64, fault: Fault) {
        self.desk().add_fault(Rule { times, ..Rule::once(method, path, fault) });
    }

    /// Counts the requests that could change something.
    pub fn mutations(&self) -> usize {
        ["POST", "PUT", "DELETE"].iter().map(|verb| self.desk().request_count(verb, "**")).sum()
    }

    /// Counts the births of a kind.
    pub fn births(&self, kind: &str) -> usize {
        let events = self.desk().resource_events("").unwrap();
        let is_birth = |it: &&_| {
            let it: &runwrit_simulator::hetzner::ledger::ResourceEvent = it;
            it.event == runwrit_simulator::hetzner::ledger::Change::Created
                && it.touched.kind == kind
        };
        events.iter().filter(is_birth).count()
    }

    /// Names what is alive with labels of this run's scope.
    pub fn alive(&self) -> Vec<String> {
        let report = self.desk().leaks("runwrit/tenant").unwrap();
        report.alive.into_iter().map(|it| format!("{} {}", it.kind, it.name)).collect()
    }

    /// Makes something behind the back of the run, with labels as somebody may have set them.
    pub async fn plant<R: Resource>(&self, name: &str, owner: Planted, mut body: Value) -> String {
        body["name"] = json!(name);
        body["labels"] = json!(self.planted_labels::<R>(name, owner));
        let made = self.project.client.create::<R>(body).await.unwrap();
        self.project.client.wait(&made.actions).await.unwrap();
        self.planted.set(self.mutations());
        made.thing.id().to_string()
    }

    fn planted_labels<R: Resource>(&self, name: &str, owner: Planted) -> BTreeMap<String, String> {
        let kind = R::KIND.unwrap().as_str();
        let (key, scope, signed) = match owner {
            Planted::Unlabelled => return BTreeMap::new(),
            Planted::Ours => (self.project.key.clone(), "acme", name),
            Planted::OtherTenant => (self.project.key.clone(), "bolt", name),
            Planted::OtherInstallation => (HostKey::from_bytes([8; 32]), "acme", name),
            Planted::Forged => (self.project.key.clone(), "acme", "another-name"),
        };
        let thing = Thing { kind, name: signed };
        let ownership = key.ownership(&Scope::tenant(scope), &self.run, CallId::single(90), thing);
        key.labels_for(&ownership)
    }

    /// Undoes everything in reverse order, again while it may pass.
    pub async fn roll_back(&self) -> Vec<Result<Undone, UndoError>> {
        let mut outcomes = Vec::new();
        for undo in self.guest.gate.undos.iter().rev() {
            let mut outcome = self.project.undo(undo).await;
            for _ in 0..20 {
                if !matches!(outcome, Err(UndoError::Later(_))) {
                    break;
                }
                self.desk().advance(Duration::from_secs(5));
                outcome = self.project.undo(undo).await;
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    pub async fn network(&mut self) -> networks::Network {
        networks::Host::create(&mut self.guest, network_spec()).await.unwrap()
    }

    pub async fn firewall(&mut self) -> firewalls::Firewall {
        firewalls::Host::create(&mut self.guest, firewall_spec()).await.unwrap()
    }

    pub async fn server(&mut self, spec: servers::ServerSpec) -> servers::Server {
        servers::Host::create(&mut self.guest, spec).await.unwrap()
    }

    pub async fn volume(&mut self) -> Result<volumes::Volume, CallError> {
        volumes::Host::create(&mut self.guest, volume_spec()).await
    }

    /// Makes a network, a firewall, and describes a server in both.
    pub async fn ready_spec(&mut self, name: &str) -> servers::ServerSpec {
        let (network, firewall) = (self.network().await, self.firewall().await);
        server_spec(name, vec![network.id], vec![firewall.id])
    }
}

/// Whose labels something carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    Ours,
    OtherTenant,
    OtherInstallation,
    Unlabelled,
    /// Labels of ours that were made for something else.
    Forged,
}

impl Planted {
    /// Every owner.
    pub const ALL: [Self; 5] =
        [Self::Ours, Self::OtherTenant, Self::OtherInstallation, Self::Unlabelled, Self::Forged];
}

fn roles() -> settings::Hetzner {
    let role = |name: &str, kinds: &[&str]| {
        (name.to_owned(), kinds.iter().map(|kind| (*kind).to_owned()).collect())
    };
    settings::Hetzner {
        requests_per_hour: None,
        roles: [
            role("small", &["cx23", "cpx22"]),
            role("large", &["ccx33"]),
            role("arm", &["cax11"]),
        ]
        .into(),
        fallback_locations: [("nbg1".to_owned(), vec!["fsn1".to_owned()])].into(),
    }
}

/// A grant for everything that these tests do; `more` stands at the top of `[hetzner]`.
pub fn grant(more: &str) -> String {
    let digest = Digest::of(USER_DATA.as_bytes());
    let operations = ["networks", "firewalls", "servers", "volumes", "ssh-keys", "primary-ips"];
    let operations: Vec<String> = operations
        .iter()
        .flat_map(|it| ["get", "list", "create", "delete"].map(|verb| format!("\"{it}.{verb}\"")))
        .collect();
    let cap = if more.contains("max-monthly-eur") { "" } else { "max-monthly-eur = \"100\"" };
    format!(
        r#"
version = 1
expires = 2030-01-01T00:00:00Z
[runbook]
name = "provision-tenant"
[scope]
tenant = "acme"
[hetzner]
{more}
{cap}
operations = [{}, "firewalls.set-rules", "firewalls.apply", "firewalls.remove", "servers.check",
  "servers.power-on", "servers.power-off", "volumes.attach", "volumes.detach",
  "volumes.declare-data", "pricing.scope", "locations.list", "server-types.candidates"]
locations = ["nbg1", "fsn1"]
server-types = ["cx23", "cpx22"]
images = ["debian-12"]
ssh-keys = ["ops"]
servers = ["acme-gateway", "acme-db", "acme-worker"]
primary-ips = ["acme-ip"]
user-data-sha256 = ["{digest}"]
counts = {{ networks = 1, firewalls = 1, servers = 3, volumes = 1, ssh-keys = 1, primary-ips = 1 }}
[[hetzner.networks]]
name = "acme-net"
ip-range = "10.7.0.0/16"
subnets = ["10.7.1.0/24"]
network-zone = "eu-central"
[[hetzner.firewalls]]
name = "acme-fw"
rules = [
  {{ direction = "in", protocol = "tcp", port = "443", addresses = ["0.0.0.0/0"] }},
  {{ direction = "in", protocol = "tcp", port = "22", addresses = ["203.0.113.7/32"] }},
]
[[hetzner.volumes]]
name = "acme-data"
max-gb = 20
[[hetzner.new-ssh-keys]]
name = "acme-key"
public-key = "{PUBLIC_KEY}"
"#,
        operations.join(", ")
    )
}

pub fn network_spec() -> networks::NetworkSpec {
    let zone = "eu-central".to_owned();
    networks::NetworkSpec {
        name: "acme-net".to_owned(),
        ip_range: "10.7.0.0/16".to_owned(),
        subnets: vec![networks::Subnet { ip_range: "10.7.1.0/24".to_owned(), network_zone: zone }],
        labels: Vec::new(),
    }
}

pub fn rule(port: &str, address: &str) -> firewalls::Rule {
    firewalls::Rule {
        direction: firewalls::Direction::In,
        protocol: firewalls::Protocol::Tcp,
        port: Some(port.to_owned()),
        addresses: vec![address.to_owned()],
        description: String::new(),
    }
}

pub fn firewall_spec() -> firewalls::FirewallSpec {
    firewalls::FirewallSpec {
        name: "acme-fw".to_owned(),
        rules: vec![rule("443", "0.0.0.0/0")],
        labels: Vec::new(),
    }
}

pub fn server_spec(
    name: &str,
    networks: Vec<String>,
    firewalls: Vec<String>,
) -> servers::ServerSpec {
    servers::ServerSpec {
        name: name.to_owned(),
        role: "small".to_owned(),
        image: "debian-12".to_owned(),
        location: "nbg1".to_owned(),
        ssh_keys: vec!["ops".to_owned()],
        networks,
        firewalls,
        user_data: USER_DATA.to_owned(),
        has_public_ipv4: true,
        has_public_ipv6: true,
        labels: Vec::new(),
    }
}

pub fn volume_spec() -> volumes::VolumeSpec {
    volumes::VolumeSpec {
        name: "acme-data".to_owned(),
        size_gb: 20,
        location: "nbg1".to_owned(),
        format: "ext4".to_owned(),
        labels: Vec::new(),
    }
}
