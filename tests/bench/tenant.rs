//! `provision-tenant` against a cloud whose actions take 100 ms, beside the same in Ansible.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use runwrit_capabilities::hetzner::{MARKER_LABEL, MARKER_NAME};
use runwrit_engine::store::{SqliteStore, Store as _};
use runwrit_model::journal::Record;
use runwrit_simulator::hetzner::auth::Presented;
use runwrit_simulator::hetzner::request::Request;
use runwrit_simulator::hetzner::world::Content;
use runwrit_simulator::hetzner::{Handle, Options, Settings, Simulator};
use serde_json::{Value, json};

use crate::place::{Place, ansible, product, root, run, told};
use crate::row::Row;
use crate::stopwatch::{median, ms, time};
use crate::whole::flushes;

/// What every action of the cloud takes.
const ACTION_MS: u64 = 100;
/// Times that each rival provisions, each in a cloud of its own.
const ROUNDS: usize = 5;
/// Requests that furnish a cloud.
const FURNISHED: usize = 3;
/// A token that simulators take.
const TOKEN: &str = "simulated0000000000000000000000000000000000000000000000000000000";
/// The public half of a key that nobody has.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkK9LlnEKbDwG4YGtNQTR7Thxm8LT1zP4H3Cf7HFEqN ops";
/// What `provision-tenant` is told.
const INPUTS: &str = "tenant = \"acme\"\noctet = 7\nlocation = \"nbg1\"\nworkers = 1\n\
     bastion = \"203.0.113.7/32\"\ndomain = \"example.org\"\nssh-keys = \"ops\"\n";

/// Measures the main job.
pub fn measure() -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(told("a runtime"))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut path, mut requests) = (Duration::ZERO, 0);
    // What is compiled once is no part of a run.
    let (warm, cloud) = (installation()?, Cloud::start(&runtime)?);
    run(&mut provision(&warm, &cloud)?)?;
    // Nor is it what an installation writes once: this one makes its tenant for the second time.
    run(&mut deprovision(&warm, &cloud)?)?;
    let waits = flushes(&warm, &mut provision(&warm, &cloud)?)?;
    let effects = runtime.block_on(promised(&warm))?;
    for _ in 0..ROUNDS {
        let (cloud, place) = (Cloud::start(&runtime)?, beside_warm(&warm)?);
        let mut command = provision(&place, &cloud)?;
        let (took, done) = time(|| run(&mut command));
        done?;
        requests = cloud.requests().max(requests);
        path = cloud.critical_path();
        ours.push(took);
        let cloud = Cloud::start(&runtime)?;
        let mut command = playbook(&place, &cloud)?;
        let (took, done) = time(|| run(&mut command));
        done?;
        theirs.push(took);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let both = format!("{:.0} ms, {:.0} ms", ms(ours), ms(path));
    let beside = format!("{:.0} ms, {:.0} ms", ms(ours), ms(theirs));
    let each = waits as f64 / effects as f64;
    Ok(vec![
        Row::at_most(
            "`provision-tenant` beside the critical path of its actions",
            ms(ours) / ms(path),
            " ×",
            1.3,
        )
        .of(&both),
        Row::at_most("requests of `provision-tenant`", requests as f64, "", 45.0)
            .of("the most of all rounds; not the first run in its project"),
        Row::at_least(
            "`provision-tenant` faster than the same playbook of Ansible",
            ms(theirs) / ms(ours),
            " ×",
            10.0,
        )
        .of(&beside),
        Row::at_most("waits for the disk for each mutating call", each, "", 3.0)
            .of(&format!("{waits} for {effects} calls, run and all")),
    ])
}

struct Cloud {
    handle: Handle,
}

impl Cloud {
    fn start(runtime: &tokio::runtime::Runtime) -> Result<Self, String> {
        let settings = Settings { action_ms: Some(ACTION_MS), ..Settings::default() };
        let options = Options { settings, ..Options::default() };
        let handle = runtime.block_on(Simulator::start(options)).map_err(told("a simulator"))?;
        let cloud = Self { handle };
        cloud.post("/ssh_keys", &json!({"name": "ops", "public_key": PUBLIC_KEY}))?;
        cloud.post("/zones", &json!({"name": "example.org", "mode": "primary"}))?;
        // The first run of all in a project marks it; this one is not the first.
        let labels = json!({MARKER_LABEL: "bench"});
        let marker = json!({"name": MARKER_NAME, "type": "spread", "labels": labels});
        cloud.post("/placement_groups", &marker)?;
        Ok(cloud)
    }

    fn post(&self, path: &str, body: &Value) -> Result<(), String> {
        let (answer, _) = self.handle.desk().receive(Request {
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            origin: self.handle.endpoint(),
            token: Presented::from_header(Some(&format!("Bearer {TOKEN}"))),
            body: Some(body.to_string().into_bytes()),
        });
        match answer.content {
            Content::Reply(reply) if reply.status < 300 => Ok(()),
            other => Err(format!("POST {path}: {other:?}")),
        }
    }

    /// Returns how many requests came, but those of the furnishing.
    fn requests(&self) -> usize {
        self.handle.desk().ledger().len() - FURNISHED
    }

    /// Returns how long the actions take that follow one another in the procedure. What is posted
    /// to a collection may run side by side, so the longest of it counts; changes of one thing
    /// cannot, since the API locks it. No client that keeps the order can be faster.
    fn critical_path(&self) -> Duration {
        let (mut made, mut changes) = (BTreeMap::new(), 0);
        for entry in self.handle.desk().ledger().into_iter().skip(FURNISHED) {
            match entry.path.trim_start_matches('/').split_once('/') {
                Some(_) => changes += entry.actions_ms,
                None => {
                    let longest: &mut u64 = made.entry(entry.path).or_default();
                    *longest = entry.actions_ms.max(*longest);
                }
            }
        }
        Duration::from_millis(made.values().sum::<u64>() + changes)
    }
}

fn installation() -> Result<Place, String> {
    let place = Place::on_disk()?;
    let runbook = root().join("runbooks/provision-tenant");
    let read = |name: &str| {
        std::fs::read_to_string(runbook.join(name)).map_err(told("an example of a runbook"))
    };
    let packages = root().join("target/packages");
    let own = format!("version = 1\nstate = \"state\"\npackages = [\"{}\"]\n", packages.display());
    let roles = read("runwrit.example.toml")?.replacen("version = 1\n", &own, 1);
    place.write("runwrit.toml", &format!("{roles}\n[timing]\npoll-ms = [{ACTION_MS}]\n"))?;
    place.write("grant.toml", &read("grants.example.toml")?)?;
    place.write("inputs.toml", INPUTS)?;
    Ok(place)
}

/// Returns how many calls of the last run may have changed something.
async fn promised(place: &Place) -> Result<usize, String> {
    let store = SqliteStore::open(&place.path().join("state")).map_err(told("the store"))?;
    let runs = store.runs().await.map_err(told("the runs"))?;
    let run = &runs.first().ok_or("there is no run")?.run;
    let journal = store.journal(run).await.map_err(told("the journal"))?;
    Ok(journal.iter().filter(|entry| matches!(entry.record, Record::Intent(_))).count())
}

/// An installation that has run nothing yet, but knows the compiled code of another.
fn beside_warm(warm: &Place) -> Result<Place, String> {
    let place = installation()?;
    let mut copy = place.command("cp");
    let (from, to) = (warm.path().join("state"), place.path().join("state"));
    run(place.command("install").args(["-d", "-m", "700"]).arg(&to))?;
    run(copy.arg("--archive").arg(from.join("code")).arg(from.join("host.key")).arg(&to))?;
    Ok(place)
}

fn provision(place: &Place, cloud: &Cloud) -> Result<Command, String> {
    let mut command = place.command(product()?);
    command.args(["run", "provision-tenant", "--grant", "grant.toml"]);
    command.args(["--inputs", "inputs.toml", "--yes"]);
    command.env("HCLOUD_ENDPOINT", cloud.handle.endpoint()).env("HCLOUD_TOKEN", TOKEN);
    Ok(command)
}

fn deprovision(place: &Place, cloud: &Cloud) -> Result<Command, String> {
    let grant = root().join("runbooks/deprovision-tenant/grants.example.toml");
    let mut command = place.command(product()?);
    command.args(["run", "deprovision-tenant", "--grant"]).arg(grant);
    command.args(["--input", "tenant=acme", "--input", "delete-data=true", "--yes"]);
    command.env("HCLOUD_ENDPOINT", cloud.handle.endpoint()).env("HCLOUD_TOKEN", TOKEN);
    Ok(command)
}

fn playbook(place: &Place, cloud: &Cloud) -> Result<Command, String> {
    let folder = ansible()?;
    let mut command = place.command(folder.join("ansible-playbook"));
    command.arg(root().join("tests/bench/ansible/provision.yml"));
    command.args(["--inventory", "localhost,", "--connection", "local"]);
    command.env("ANSIBLE_COLLECTIONS_PATH", folder.with_file_name("collections"));
    command.env("ANSIBLE_PYTHON_INTERPRETER", folder.join("python3"));
    command.env("HCLOUD_ENDPOINT", cloud.handle.endpoint()).env("HCLOUD_TOKEN", TOKEN);
    Ok(command)
}
