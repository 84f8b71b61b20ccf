//! A hostile runbook through the whole product: every way out of its grant is refused for its own
//! reason, and nobody outside hears of it.

use regex::Regex;

use crate::cli::shell::{Cloud, Shell, grant};
use crate::operate::hook::Hook;

/// What the operator grants: one tenant, one kind of event, one URL, one network.
fn granted(url: &str) -> String {
    let rest = format!(
        "[scope]\ntenant = \"acme\"\n\
         [registry]\noperations = [\"tenants.activate\", \"tenants.reserve\", \"tenants.retire\"]\n\
         [[registry.tenants]]\nid = \"acme\"\noctet = 7\n\
         [audit]\noperations = [\"events.append\"]\nkinds = [\"TENANT_PROVISIONED\"]\n\
         subjects = [\"acme\"]\n\
         [http]\nrequests = [{{ method = \"POST\", url = \"{url}\" }}]\n\
         [hetzner]\noperations = [\"networks.create\", \"networks.delete\"]\n\
         max-monthly-eur = \"0.00\"\ncounts.networks = 1\n\
         [[hetzner.networks]]\nname = \"acme-net\"\nip-range = \"10.7.0.0/16\"\n\
         subnets = [\"10.7.1.0/24\"]\nnetwork-zone = \"eu-central\"\n"
    );
    grant("burglar", &rest)
}

/// Runs it, sees that nothing of what it tried came through, and returns what it was told where it
/// called one of these functions.
fn refusals(functions: &[&str]) -> String {
    let (cloud, elsewhere) = (Cloud::start(), Hook::start(0));
    let hook = Hook::redirecting(&elsewhere.url());
    let shell = Shell::new().with_cloud(&cloud);
    let foreign = cloud.plant_network("others-net");
    shell.write("burglar.toml", granted(&hook.url()));
    let (url, network) = (format!("url={}", hook.url()), format!("foreign-network={foreign}"));
    let inputs = ["--input", "tenant=acme", "--input", &url, "--input", &network];
    let run = ["run", "burglar", "--grant", "burglar.toml", "--json"];
    let printed = shell.run(&[&run[..], &inputs[..]].concat());
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!((hook.taken(), elsewhere.taken()), (1, 0), "what was granted, and nothing else");
    assert_eq!(cloud.alive(), ["others-net"]);
    let changes = cloud.handle.desk().ledger().into_iter().filter(|it| it.method != "GET");
    let networks = changes.filter(|it| it.path.contains("/networks"));
    assert_eq!(networks.count(), 1, "the one that was planted");
    let events = printed.objects();
    let logs = events.iter().filter(|event| event["event"] == "log");
    let told: Vec<_> = logs.filter_map(|event| event["message"].as_str()).collect();
    assert!(told.len() > 50 && !told.iter().any(|it| it.contains("PASSED")), "{told:?}");
    let is_of = |text: &&&str| functions.iter().any(|it| text.split(' ').next() == Some(it));
    let told = told.iter().filter(is_of).copied().collect::<Vec<_>>().join("\n");
    let port = Regex::new(r":\d{4,5}/").expect("a pattern");
    let told = told.replace(&foreign, "FOREIGN").replace('\u{200b}', "\\u{200b}");
    port.replace_all(&told, ":PORT/").into_owned()
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

#[test]
fn one_network_of_one_range_is_its_own() {
    insta::assert_snapshot!(refusals(&["create", "delete"]), @r#"
    create "bolt-net": denied: `networks` does not name "bolt-net"
    create "ACME-net": denied: `networks` does not name "ACME-net"
    create "аcme-net": denied: `networks` does not name "\U00000430cme-net"
    create "acme-net ": denied: `networks` does not name "acme-net "
    create "10.0.0.0/8": denied: another range than "10.0.0.0/8" is granted
    create "10.8.0.0/16": denied: another range than "10.8.0.0/16" is granted
    create "10.7.0.0/15": denied: another range than "10.7.0.0/15" is granted
    create "0.0.0.0/0": denied: another range than "0.0.0.0/0" is granted
    delete "a foreign id": denied: the scope of this run has no network `FOREIGN`
    delete "a trick with an id": not found: network 0FOREIGN was not found: it is no id
    delete "a trick with an id": not found: network FOREIGN  was not found: it is no id
    delete "a trick with an id": not found: network ../servers/1 was not found: it is no id
    delete "a trick with an id": not found: network  was not found: it is no id
    "#);
}
