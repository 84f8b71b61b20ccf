//! Every operation that exists, planned and then done as planned, by a guest that calls them all.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;
use runwrit_model::operations::INTERFACES;
use runwrit_model::plan::{End, Plan};
use runwrit_tests::hook::Hook;
use serde_json::Value;

use super::bench::{Bench, Order, TOKEN, package};
use super::grants::suggest;

/// What the guest needs to name, beside every operation.
const NAMES: &str = r#"locations = ["nbg1"]
server-types = ["cx33"]
images = ["debian-12"]
ssh-keys = ["ops"]
servers = ["acme-one", "acme-two", "acme-three"]
primary-ips = ["acme-ip"]
max-monthly-eur = "30.00"
counts = { networks = 1, firewalls = 1, servers = 3, volumes = 1, ssh-keys = 1, primary-ips = 1 }
volumes = [{ name = "acme-data", max-gb = 20 }]
[[hetzner.networks]]
name = "acme-net"
ip-range = "10.7.0.0/16"
subnets = ["10.7.1.0/24"]
network-zone = "eu-central"
[[hetzner.firewalls]]
name = "acme-fw"
[[hetzner.firewalls.rules]]
direction = "in"
protocol = "tcp"
port = "443"
addresses = ["0.0.0.0/0", "::/0"]
[[hetzner.firewalls.rules]]
direction = "in"
protocol = "tcp"
port = "80"
addresses = ["0.0.0.0/0", "::/0"]
[[hetzner.new-ssh-keys]]
name = "acme-key"
public-key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/ acme"
"#;

/// Every operation outside of the run itself, by capability.
fn offered() -> Vec<(&'static str, String)> {
    let outside = INTERFACES.iter().filter(|it| it.capability != "run");
    let each = |it: &runwrit_model::operations::Interface| {
        let (capability, name) = (it.capability, it.name);
        let functions = it.functions.iter();
        functions.map(move |function| (capability, format!("{name}.{function}"))).collect()
    };
    outside.flat_map(|it| -> Vec<_> { each(it) }).collect()
}

/// Returns what gives the guest all that it calls, on one URL.
pub fn grant(url: &str) -> String {
    let operations = |wanted: &str| {
        let own = offered().into_iter().filter(|(capability, _)| *capability == wanted);
        let quoted: Vec<String> = own.map(|(_, operation)| format!("\"{operation}\"")).collect();
        format!("[{wanted}]\noperations = [{}]\n", quoted.join(", "))
    };
    let sections = [
        "version = 1\nexpires = 2099-01-01T00:00:00Z\nrunbook.name = \"handyman\"\n".to_owned(),
        "[scope]\ntenant = \"acme\"\n".to_owned(),
        operations("hetzner"),
        NAMES.to_owned(),
        operations("dns"),
        "[[dns.records]]\nzone = \"example.org\"\nname = \"acme\"\ntypes = [\"A\"]\n\
         max-ttl = 300\n"
            .to_owned(),
        operations("registry"),
        "[[registry.tenants]]\nid = \"acme\"\noctet = 7\n".to_owned(),
        operations("audit"),
        "kinds = [\"TENANT_PROVISIONED\"]\nsubjects = [\"acme\"]\n".to_owned(),
        "[http]\n".to_owned(),
    ];
    let requests = ["GET", "POST"]
        .map(|method| format!("[[http.requests]]\nmethod = \"{method}\"\nurl = \"{url}\"\n"));
    sections.concat() + &requests.concat()
}

/// Returns what orders the guest.
fn order(bench: &Bench, hook: &Hook, end: &str) -> Order {
    let path = bench.path("handyman.toml");
    fs::write(&path, grant(&hook.url())).expect("writable");
    let inputs = ["tenant=acme".to_owned(), format!("url={}", hook.url()), format!("end={end}")];
    Order { package: package("handyman"), grant: path, inputs: inputs.to_vec(), token: TOKEN }
}

fn read(bench: &Bench) -> Plan {
    let text = fs::read_to_string(bench.path("plan.json")).expect("it was written");
    Plan::parse("plan.json", &text).expect("it is sound")
}

/// Returns the only run, as `show` tells it.
async fn shown(bench: &Bench) -> Value {
    let runs = bench.type_in(&["runs", "--json"], TOKEN).await;
    let row: Value = serde_json::from_str(runs.stdout.trim()).expect("one run");
    let run = row["run"].as_str().expect("an id");
    let shown = bench.type_in(&["show", run, "--json"], TOKEN).await;
    serde_json::from_str(&shown.stdout).expect("an object")
}

/// Returns call and operation of every effect of a run that was shown.
fn effects_of(shown: &Value) -> Vec<(String, String)> {
    let steps = shown["steps"].as_array().expect("a list").iter();
    let calls = steps.flat_map(|step| step["calls"].as_array().expect("a list"));
    let text = |call: &Value, key: &str| call[key].as_str().expect("a text").to_owned();
    let effects = calls.filter(|call| call["state"] != "read");
    effects.map(|call| (text(call, "call"), text(call, "operation"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_exists_is_planned_without_a_change_and_done_as_planned() {
    let (bench, hook) = (Bench::start().await, Hook::start(0));
    let order = order(&bench, &hook, "well");
    let before = bench.changes();
    let planned = bench.plan(&order).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let plan = read(&bench);
    assert_eq!(plan.end, End::Succeeds);
    let (again, judged) = bench.plan_before_a_judge(&order).await;
    assert_eq!((again.code, read(&bench)), (Some(0), plan.clone()), "{again:?}");
    assert!(judged.is_none_or(|count| count > 60), "only {judged:?} answers were judged");
    assert_eq!((bench.changes(), hook.changes()), (before, 0), "a plan changes nothing");

    let reads = plan.reads.iter().map(|read| read.operation.clone());
    let foreseen: BTreeSet<String> =
        reads.chain(plan.effects.iter().map(|effect| effect.operation.clone())).collect();
    let offered = offered().into_iter().map(|(capability, it)| format!("{capability}.{it}"));
    assert_eq!(foreseen, offered.collect(), "the guest calls every operation that exists");

    let done = bench.apply(&order).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(hook.changes(), 1, "what was predicted was sent once");
    let shown = shown(&bench).await;
    let planned: Vec<_> =
        plan.effects.iter().map(|it| (it.call.to_string(), it.operation.clone())).collect();
    assert_eq!(effects_of(&shown), planned, "every effect was a planned one");
    assert_eq!(bench.alive(), Vec::<String>::new(), "the guest takes down what it made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suggested_grant_is_enough_for_every_operation_and_none_of_them_can_be_spared() {
    let (bench, hook) = (Bench::start().await, Hook::start(0));
    let again = suggest(&bench, &order(&bench, &hook, "well")).await;
    let suggested = fs::read_to_string(&again.grant).expect("it was just written");
    let before = bench.changes();
    let operations = offered().into_iter().filter(|(capability, _)| *capability != "http");
    for (_, operation) in operations {
        let spelled = ["\"X\",", ", \"X\"", "\"X\""].map(|it| it.replace('X', &operation));
        let line = spelled.iter().find(|it| suggested.contains(it.as_str()));
        let line = line.unwrap_or_else(|| panic!("no `{operation}` in {suggested}"));
        let fewer = suggested.replacen(line, "", 1);
        fs::write(bench.path("fewer.toml"), fewer).expect("writable");
        let order = Order { grant: bench.path("fewer.toml"), ..again.clone() };
        let refused = bench.plan(&order).await;
        // The last operation of an interface is missed before the runbook is called at all.
        let (part, code) = match refused.stderr.contains("the run was not started") {
            true => ("nothing of it is granted", 5),
            false => ("no grant names this operation", 1),
        };
        assert_eq!(refused.code, Some(code), "without `{operation}`: {refused:?}");
        assert!(refused.stderr.contains(part), "without `{operation}`: {refused:?}");
    }
    for method in ["GET", "POST"] {
        let request =
            format!("[[http.requests]]\nmethod = \"{method}\"\nurl = \"{}\"\n", hook.url());
        assert!(suggested.contains(&request), "no {method} in {suggested}");
        fs::write(bench.path("fewer.toml"), suggested.replacen(&request, "", 1)).expect("writable");
        let order = Order { grant: bench.path("fewer.toml"), ..again.clone() };
        let refused = bench.plan(&order).await;
        assert_eq!(refused.code, Some(1), "without {method}: {refused:?}");
        let part = format!("\"{method}\" of this URL is not granted");
        assert!(refused.stderr.contains(&part), "without {method}: {refused:?}");
    }
    assert_eq!((bench.changes(), hook.changes()), (before, 0), "a plan changes nothing");
    let done = bench.run(&again, &[]).await;
    assert_eq!(done.code, Some(0), "{done:?}\n{suggested}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_fails_half_way_changes_nothing() {
    let (bench, hook) = (Bench::start().await, Hook::start(0));
    let before = bench.changes();
    let planned = bench.plan(&order(&bench, &hook, "badly")).await;
    assert_eq!(planned.code, Some(1), "{planned:?}");
    assert!(planned.stderr.contains("it was told to end badly"), "{planned:?}");
    let plan = read(&bench);
    assert!(matches!(plan.end, End::Fails(_)), "{:?}", plan.end);
    assert!(plan.effects.iter().any(|it| it.operation == "http.requests.send"));
    assert_eq!((bench.changes(), hook.changes()), (before, 0), "a plan changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_replays_its_plan_and_sends_nothing_twice() {
    let (bench, hook) = (Bench::start().await, Hook::start(0));
    let order = order(&bench, &hook, "well");
    assert_eq!(bench.plan(&order).await.code, Some(0));
    let plan = read(&bench);
    let killed = bench.apply_until(&order, "result-noted/http.requests.send:1").await;
    assert_eq!(killed.code, None, "{killed:?}");
    let before = bench.changes();
    let beside = bench.plan(&order).await;
    // It has read what stands, and has no room beside it.
    assert_eq!(beside.code, Some(1), "{beside:?}");
    let counted = "`hetzner.servers.check` on `acme-one` was refused: 4 servers would be alive";
    assert!(beside.stderr.contains(counted), "{beside:?}");
    assert_eq!(bench.changes(), before, "a plan beside a run that stands still changes nothing");
    let run = shown(&bench).await["run"].as_str().expect("an id").to_owned();
    let resumed = bench.type_in(&["resume", &run, "--json"], TOKEN).await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(hook.changes(), 1, "what was sent is not sent again");
    for (path, count) in [("/servers", 3), ("/volumes", 1), ("/networks", 1), ("/primary_ips", 1)] {
        assert_eq!(bench.cloud.desk().request_count("POST", path), count, "{path}");
    }
    let done: Vec<_> = effects_of(&shown(&bench).await).into_iter().map(|(_, it)| it).collect();
    let planned: Vec<_> = plan.effects.iter().map(|it| it.operation.clone()).collect();
    assert_eq!(done, planned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_a_table_of_steps_effects_names_and_prices_for_people() {
    let (bench, hook) = (Bench::start().await, Hook::start(0));
    let planned = bench.plan(&order(&bench, &hook, "well")).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let rules = [(r"127\.0\.0\.1:\d+", "ADDRESS"), (r"sha256:[0-9a-f]{64}", "DIGEST")];
    let told = rules.into_iter().fold(planned.stdout, |text, (pattern, by)| {
        Regex::new(pattern).expect("a pattern").replace_all(&text, by).into_owned()
    });
    insta::assert_snapshot!(told, @r"
    plan of handyman@0.1.0 on tenant:acme
    world dns: `hetzner` at http://ADDRESS/v1
    world hetzner: `hetzner` at http://ADDRESS/v1
    ▸ make
        23  registry.tenants.reserve     tenant acme                          free
        24  hetzner.ssh-keys.create      ssh key acme-key                     free
        25  hetzner.networks.create      network acme-net (10.7.0.0/16)       free
        27  hetzner.firewalls.create     firewall acme-fw                     free
        29  hetzner.primary-ips.create   primary ip acme-ip                   EUR 0.5
        30  hetzner.volumes.create       volume acme-data                     EUR 1.144
    ▸ order
        32  hetzner.servers.create       server acme-one (cx33 in nbg1)       EUR 8.99
      33.0  hetzner.servers.create       server acme-two (cx33 in nbg1)       EUR 8.49
      33.1  hetzner.servers.create       server acme-three (cx33 in nbg1)     EUR 8.49
    ▸ change
        38  hetzner.volumes.attach       volume {30.id} on server {32.id}     free
        40  hetzner.volumes.detach       volume {30.id}                       free
        41  hetzner.firewalls.set-rules  firewall {27.id} (acme-fw)           free
        42  hetzner.firewalls.remove     firewall {27.id} on server {32.id}   free
        43  hetzner.firewalls.apply      firewall {27.id} on server {32.id}   free
        44  hetzner.servers.power-off    server {32.id}                       free
        45  hetzner.servers.power-on     server {32.id}                       free
    ▸ publish
        48  dns.records.set              record acme.example.org A            free
        50  http.requests.send           POST http://ADDRESS/hook     free
        51  registry.tenants.activate    tenant acme                          free
        52  audit.events.append          event TENANT_PROVISIONED about acme  free
    ▸ take down
        55  dns.records.delete           record acme.example.org A            free
        56  hetzner.servers.delete       server {32.id} (acme-one)            EUR -8.99
        57  hetzner.servers.delete       server {33.0.id} (acme-two)          EUR -8.49
        58  hetzner.servers.delete       server {33.1.id} (acme-three)        EUR -8.49
        61  hetzner.volumes.delete       volume {30.id} (acme-data)           EUR -1.144
        62  hetzner.primary-ips.delete   primary ip {29.id} (acme-ip)         EUR -0.5
        63  hetzner.firewalls.delete     firewall {27.id} (acme-fw)           free
        64  hetzner.networks.delete      network {25.id} (acme-net)           free
        65  hetzner.ssh-keys.delete      ssh key {24.id} (acme-key)           free
        66  registry.tenants.retire      tenant acme                          free
    together EUR 27.614 a month more and EUR 27.614 less, net
    assumed of 29: stock and quota last until then
    assumed of 30: stock and quota last until then
    assumed of 32: stock and quota last until then
    assumed of 33.0: stock and quota last until then
    assumed of 33.1: stock and quota last until then
    assumed of 50: it is answered with 200 and nothing else
    assumed: `dns` has no mark of a project yet: the run leaves a free one first
    assumed: `hetzner` has no mark of a project yet: the run leaves a free one first
    assumed: ids, addresses and times are assigned later; they stand in braces
    digest DIGEST
    ");
}
