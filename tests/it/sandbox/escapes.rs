//! A hostile runbook through the whole product: every way out of its grant is refused for its own
//! reason, and nobody outside hears of it.

use regex::Regex;
use runwrit_tests::hook::Hook;

use crate::cli::shell::{Cloud, Printed, Shell, grant};
use serde_json::{Value, json};

/// What the operator grants the burglar: one tenant, one kind of event, one URL.
fn granted(url: &str) -> String {
    let rest = format!(
        "[scope]\ntenant = \"acme\"\n\
         [registry]\noperations = [\"tenants.activate\", \"tenants.reserve\", \"tenants.retire\"]\n\
         [[registry.tenants]]\nid = \"acme\"\noctet = 7\n\
         [audit]\noperations = [\"events.append\"]\nkinds = [\"TENANT_PROVISIONED\"]\n\
         subjects = [\"acme\"]\n\
         [http]\nrequests = [{{ method = \"POST\", url = \"{url}\" }}]\n"
    );
    grant("burglar", &rest)
}

/// Runs the burglar, sees that nothing of what it tried came through, and returns what it was told
/// where it called one of these functions.
fn refusals(functions: &[&str]) -> String {
    let (cloud, elsewhere) = (Cloud::start(), Hook::start(0));
    let hook = Hook::redirecting(&elsewhere.url());
    let shell = Shell::new().with_cloud(&cloud);
    shell.write("burglar.toml", granted(&hook.url()));
    let url = format!("url={}", hook.url());
    let inputs = ["--input", "tenant=acme", "--input", &url];
    let run = ["run", "burglar", "--grant", "burglar.toml", "--json"];
    let told = told(&shell.run(&[&run[..], &inputs[..]].concat()));
    assert_eq!((hook.taken(), elsewhere.taken()), (1, 0), "what was granted, and nothing else");
    let is_of = |text: &&String| functions.iter().any(|it| text.split(' ').next() == Some(it));
    let told: Vec<String> = told.iter().filter(is_of).cloned().collect();
    let port = Regex::new(r":\d{4,5}/").expect("a pattern");
    let told = told.join("\n").replace('\u{200b}', "\\u{200b}");
    port.replace_all(&told, ":PORT/").into_owned()
}

/// Returns what a guest was told that got out nowhere.
fn told(printed: &Printed) -> Vec<String> {
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let events = printed.objects();
    let logs = events.iter().filter(|event| event["event"] == "log");
    let told: Vec<String> =
        logs.filter_map(|event| Some(event["message"].as_str()?.to_owned())).collect();
    let passed: Vec<&String> = told.iter().filter(|text| text.contains("PASSED")).collect();
    assert!(told.len() > 35 && passed.is_empty(), "{} lines: {passed:?}", told.len());
    told
}

#[test]
fn the_registry_holds_one_tenant_for_it() {
    insta::assert_snapshot!(refusals(&["reserve", "activate", "retire"]), @r#"
    reserve "bolt": denied: the tenant "bolt" is not granted
    activate "bolt": denied: the tenant "bolt" is not granted
    retire "bolt": denied: the tenant "bolt" is not granted
    reserve "ACME": invalid: `ACME` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    activate "ACME": invalid: `ACME` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    retire "ACME": invalid: `ACME` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    reserve "аcme": invalid: `аcme` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    activate "аcme": invalid: `аcme` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    retire "аcme": invalid: `аcme` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    reserve "acme ": invalid: `acme ` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    activate "acme ": invalid: `acme ` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    retire "acme ": invalid: `acme ` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    reserve "ac\u{200b}me": invalid: `ac\u{200b}me` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    activate "ac\u{200b}me": invalid: `ac\u{200b}me` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    retire "ac\u{200b}me": invalid: `ac\u{200b}me` is no tenant id: 2 to 20 lower-case letters and digits, starting with a letter
    reserve "another octet": denied: the octet 8 is not granted
    "#);
}

#[test]
fn the_audit_log_takes_one_kind_about_one_subject() {
    insta::assert_snapshot!(refusals(&["append"]), @r#"
    append "bolt": denied: events about "bolt" are not granted
    append "ACME": denied: events about "ACME" are not granted
    append "аcme": denied: events about "\U00000430cme" are not granted
    append "acme ": denied: events about "acme " are not granted
    append "ac\u{200b}me": denied: events about "ac\U0000200Bme" are not granted
    append "TENANT_DELETED": denied: events of the kind "TENANT_DELETED" are not granted
    append "tenant_provisioned": invalid: `tenant_provisioned` is no kind: 1 to 64 of `A-Z`, `0-9` and `_`, first a letter
    append "TENANT_PROVISIONED_ROLLED_BACK": invalid: `TENANT_PROVISIONED_ROLLED_BACK` ends in `_ROLLED_BACK`, which only the host may write
    append "": invalid: `` is no kind: 1 to 64 of `A-Z`, `0-9` and `_`, first a letter
    "#);
}

#[test]
fn one_url_is_open_and_leads_nowhere_else() {
    insta::assert_snapshot!(refusals(&["send", "read"]), @r#"
    send "another path": denied: "POST" of this URL is not granted
    send "a query": denied: "POST" of this URL is not granted
    send "a fragment": invalid: `http://ADDRESS/hook#x` is no `http` or `https` URL without user and fragment
    send "dots in the path": invalid: `http://ADDRESS/x/../hook` would be sent as `http://ADDRESS/hook`; write it so
    send "a user": invalid: `http://acme@ADDRESS/hook` is no `http` or `https` URL without user and fragment
    send "a name for the address": denied: "POST" of this URL is not granted
    send "another spelling of the address": invalid: `http://0x7f.1:PORT/hook` would be sent as `http://ADDRESS/hook`; write it so
    send "the metadata of a cloud": denied: "POST" of this URL is not granted
    send "a file": invalid: `file:///etc/passwd` is no `http` or `https` URL without user and fragment
    send "another method": denied: "DELETE" of this URL is not granted
    send "a read": invalid: `GET` is none of `POST`, `PUT`, `PATCH`, `DELETE`
    read "a change": invalid: `POST` is none of `GET`, `HEAD`
    send "host": invalid: `host` belongs to the host
    send "authorization": invalid: `authorization` belongs to the host
    send "x-a": invalid: the value of `x-a` is not printable ASCII
    send "X-A": invalid: `X-A` is no header name of `a-z`, `0-9` and `-`
    send "what is granted": answered 307
    "#);
}

/// What stands in the project and is not the runbook's: path, member, and what makes it.
fn foreign() -> [(&'static str, &'static str, Value); 6] {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA8xEikoVBlNEbQMGNXV5hxgSNub/FVpVUV19MACpdr5";
    let server = json!({"server_type": "cx23", "image": "debian-12", "location": "nbg1"});
    let address = json!({"type": "ipv4", "assignee_type": "server", "location": "nbg1"});
    [
        ("/networks", "network", json!({"ip_range": "10.99.0.0/16"})),
        ("/firewalls", "firewall", json!({})),
        ("/servers", "server", server),
        ("/volumes", "volume", json!({"size": 10, "location": "nbg1"})),
        ("/ssh_keys", "ssh-key", json!({"public_key": key})),
        ("/primary_ips", "primary-ip", address),
    ]
}

/// Everything that a project has, each of it once and narrow.
pub const INTRUDER: &str = r#"[scope]
tenant = "acme"
[hetzner]
operations = [
    "networks.create", "networks.delete", "firewalls.create", "firewalls.set-rules",
    "firewalls.apply", "firewalls.remove", "firewalls.delete", "servers.create", "servers.delete",
    "servers.power-on", "servers.power-off", "volumes.create", "volumes.attach", "volumes.detach",
    "volumes.declare-data", "volumes.delete", "ssh-keys.create", "ssh-keys.delete",
    "primary-ips.create", "primary-ips.delete",
]
locations = ["nbg1"]
server-types = ["cx23"]
images = ["debian-12"]
ssh-keys = ["ops"]
servers = ["acme-x"]
primary-ips = ["acme-x"]
max-monthly-eur = "50.00"
[hetzner.counts]
networks = 9
firewalls = 9
servers = 9
volumes = 9
ssh-keys = 9
primary-ips = 9
[[hetzner.networks]]
name = "acme-x"
ip-range = "10.7.0.0/16"
subnets = ["10.7.1.0/24"]
network-zone = "eu-central"
[[hetzner.firewalls]]
name = "acme-x"
[[hetzner.firewalls.rules]]
direction = "in"
protocol = "tcp"
port = "22"
addresses = ["203.0.113.7/32"]
[[hetzner.volumes]]
name = "acme-x"
max-gb = 10
"#;

#[test]
fn what_others_own_in_a_project_is_out_of_reach_of_every_operation() {
    let cloud = Cloud::start();
    let shell = Shell::new().with_cloud(&cloud);
    shell.write("intruder.toml", grant("intruder", INTRUDER));
    let mut arguments = ["run", "intruder", "--grant", "intruder.toml", "--json", "--input"]
        .map(str::to_owned)
        .to_vec();
    arguments.push("tenant=acme".to_owned());
    let mut ids = Vec::new();
    for (path, member, mut body) in foreign() {
        let name = format!("others-{member}");
        body["name"] = json!(name);
        cloud.post(path, &body);
        let id = cloud.id_of(&name);
        arguments.extend(["--input".to_owned(), format!("foreign-{member}={id}")]);
        ids.push(id);
    }
    let (before, standing) = (cloud.handle.desk().ledger().len(), cloud.alive());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = told(&shell.run(&arguments));
    assert_eq!(cloud.alive(), standing);
    let ledger = cloud.handle.desk().ledger();
    let sent = ledger.iter().skip(before).filter(|entry| entry.method != "GET");
    // The host marks the project and claims the tenant in it before the guest starts.
    let sent: Vec<&str> = sent.map(|entry| entry.path.as_str()).collect();
    assert!(sent.iter().all(|path| path.starts_with("/placement_groups")), "{sent:?}");
    let mut text = told.join("\n").replace('\u{200b}', "\\u{200b}");
    for id in ids {
        let wide = |digit: char| char::from_u32(u32::from(digit) - 0x30 + 0xff10);
        let wide: String = id.chars().filter_map(wide).collect();
        text = text.replace(&id, "FOREIGN").replace(&wide, "WIDE");
    }
    let expected = include_str!("intruder.txt");
    for (told, expected) in text.lines().zip(expected.lines()) {
        assert_eq!(told, expected);
    }
    assert_eq!(text.lines().count(), expected.lines().count());
}
