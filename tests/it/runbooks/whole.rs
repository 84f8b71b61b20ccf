//! A tenant comes and goes: with the real program, over the real protocol, against the simulator.

use runwrit_simulator::hetzner::{Fault, Rule, Settings};
use serde_json::{Value, json};

use super::bench::Bench;

/// Requests that one provisioning may send, in a project that an earlier run marked.
const REQUESTS_MAX: usize = 45;
/// What stands after `provision-tenant`.
const ACME: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_made_stands_and_goes() {
    let bench = Bench::start().await;
    let made = bench.provision().await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let alive = bench.alive();
    let named = |name: &str| alive.iter().any(|thing| thing.ends_with(name));
    for name in
        ["acme-net", "acme-fw", "acme-gateway", "acme-worker-1", "acme-db", "acme-data", "acme/A"]
    {
        assert!(named(name), "`{name}` is missing from {alive:?}");
    }

    let kept = bench.deprovision("delete-data=false").await;
    assert_eq!(kept.code, Some(1), "data is never deleted unasked: {kept:?}");
    assert!(kept.tells("delete-data=true"), "{kept:?}");
    assert_eq!(bench.alive(), alive, "nothing was deleted");

    let gone = bench.deprovision("delete-data=true").await;
    assert_eq!(gone.code, Some(0), "{gone:?}");
    assert_eq!(bench.alive(), Vec::<String>::new(), "nothing is left");

    let again = bench.deprovision("delete-data=true").await;
    assert_eq!(again.code, Some(0), "there is nothing left to delete: {again:?}");
    let before = bench.cloud.desk().ledger().len();
    let anew = bench.provision().await;
    assert_eq!(anew.code, Some(0), "a retired tenant can be made anew: {anew:?}");
    let sent = bench.cloud.desk().ledger().len() - before;
    assert!(sent <= REQUESTS_MAX, "{sent} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_stands_is_compared_and_not_touched() {
    let bench = Bench::start().await;
    assert_eq!(bench.provision().await.code, Some(0));
    let changes = || {
        let count = |method| bench.cloud.desk().request_count(method, "/**");
        let methods = ["POST", "PUT", "DELETE"];
        methods.map(count)
    };
    let before = changes();
    let again = bench.provision().await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.tells("nothing was changed"), "{again:?}");
    assert_eq!(changes(), before, "a second run sends nothing that changes anything");
    assert!(before[0] >= ACME, "the first run sent {before:?}");
}

/// What somebody does by hand to a tenant that stands, the input of the next run, and all that this
/// run says of it.
type Difference = (fn(&Bench) -> Vec<(String, Value)>, &'static str, &'static str);

/// Returns the path of an action on something.
fn act(bench: &Bench, name: &str, collection: &str, action: &str) -> String {
    format!("/{collection}/{}/actions/{action}", bench.id_of(name))
}

fn network(bench: &Bench) -> Value {
    json!(bench.id_of("acme-net").parse::<u64>().expect("a number"))
}

const DIFFERENCES: [Difference; 9] = [
    (
        |bench| vec![(act(bench, "acme-fw", "firewalls", "set_rules"), json!({"rules": []}))],
        "workers=1",
        "not so: acme-fw admits 443 from all and 22 from 203.0.113.7/32 only",
    ),
    (
        |bench| vec![(act(bench, "acme-data", "volumes", "detach"), json!({}))],
        "workers=1",
        "not so: volume acme-data is attached to acme-db",
    ),
    (
        |bench| vec![(act(bench, "acme-gateway", "servers", "poweroff"), json!({}))],
        "workers=1",
        "not so: acme-gateway is running as cx23 in nbg1",
    ),
    (|_| Vec::new(), "workers=2", "`, but the inputs mean `"),
    (
        |bench| vec![(act(bench, "acme-data", "volumes", "resize"), json!({"size": 20}))],
        "workers=1",
        "not so: volume acme-data has 10 GB",
    ),
    (
        |bench| {
            let server = bench.id_of("acme-worker-1").parse::<u64>().expect("a number");
            let from = json!([{"type": "server", "server": {"id": server}}]);
            let path = act(bench, "acme-fw", "firewalls", "remove_from_resources");
            vec![(path, json!({"remove_from": from}))]
        },
        "workers=1",
        "not so: the firewall is in force on acme-worker-1",
    ),
    (
        |bench| {
            let path = |action: &str| act(bench, "acme-worker-1", "servers", action);
            let network = network(bench);
            let detached = (path("detach_from_network"), json!({"network": network}));
            let elsewhere = json!({"network": network, "ip": "10.7.1.200"});
            vec![detached, (path("attach_to_network"), elsewhere)]
        },
        "workers=1",
        "not so: the registry names the addresses as they are",
    ),
    (
        |bench| {
            let subnet = json!({"type": "cloud", "ip_range": "10.7.9.0/24",
                "network_zone": "eu-central"});
            vec![(act(bench, "acme-net", "networks", "add_subnet"), subnet)]
        },
        "workers=1",
        "not so: network acme-net has the subnets `10.7.1.0/24 in eu-central` and no others",
    ),
    (
        |bench| {
            let path = |action: &str| act(bench, "acme-gateway", "servers", action);
            let kind = json!({"server_type": "cpx22", "upgrade_disk": false});
            let off = (path("poweroff"), json!({}));
            vec![off, (path("change_type"), kind), (path("poweron"), json!({}))]
        },
        "workers=1",
        "acme-gateway is of the type cpx22, not cx23, as ordered",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_stands_otherwise_is_told_alone_and_not_touched() {
    for (by_hand, input, says) in DIFFERENCES {
        let bench = Bench::start().await;
        assert_eq!(bench.provision().await.code, Some(0), "{says}");
        for (path, body) in by_hand(&bench) {
            bench.by_hand(&path, body).await;
        }
        let changes = || {
            let count = |method| bench.cloud.desk().request_count(method, "/**");
            ["POST", "PUT", "DELETE"].map(count)
        };
        let before = (changes(), bench.alive());
        let again = bench.provision_with(input).await;
        assert_eq!(again.code, Some(6), "{says}: {again:?}");
        assert!(again.tells("\"outcome\":\"differs\""), "{says}: {again:?}");
        assert!(again.tells(says), "{says}: {again:?}");
        assert!(!again.tells("more differences"), "{says} is not alone: {again:?}");
        assert!(!again.tells("nothing was changed"), "{says}: {again:?}");
        assert_eq!((changes(), bench.alive()), before, "{says}: it was touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_is_no_difference_and_another_location_is_one() {
    let bench = Bench::start().await;
    bench.configure("[hetzner.fallback-locations]\nnbg1 = [\"fsn1\"]\n");
    let grant = Bench::example_grant();
    let grant = grant.replace("locations = [\"nbg1\"]", "locations = [\"nbg1\", \"fsn1\"]");
    for kind in ["cx23", "cpx22"] {
        bench.cloud.desk().set_stock(kind, "nbg1", false);
    }
    let made = bench.provision_under(&grant).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let again = bench.provision().await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.tells("acme-gateway stands in fsn1, the fallback for nbg1"), "{again:?}");
    let elsewhere = bench.provision_with("location=fsn1").await;
    assert_eq!(elsewhere.code, Some(6), "{elsewhere:?}");
    let told = "acme-db stands in nbg1 and was asked for nbg1, but the inputs mean fsn1";
    assert!(elsewhere.tells(told), "{elsewhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_differs_is_told_at_once() {
    let bench = Bench::start().await;
    assert_eq!(bench.provision().await.code, Some(0));
    bench.by_hand(&act(&bench, "acme-fw", "firewalls", "set_rules"), json!({"rules": []})).await;
    bench.by_hand(&act(&bench, "acme-data", "volumes", "detach"), json!({})).await;
    bench.by_hand(&act(&bench, "acme-gateway", "servers", "poweroff"), json!({})).await;
    for (kind, value) in [("A", "203.0.113.9"), ("AAAA", "2001:db8::9")] {
        let set = format!("/zones/example.org/rrsets/acme/{kind}/actions/set_records");
        bench.by_hand(&set, json!({"records": [{"value": value}]})).await;
    }
    bench.relabel("acme-db", ("role", "bastion")).await;
    let changes = || {
        let count = |method| bench.cloud.desk().request_count(method, "/**");
        ["POST", "PUT", "DELETE"].map(count)
    };
    let before = (changes(), bench.alive());
    let again = bench.provision_with("octet=8").await;
    assert_eq!(again.code, Some(6), "{again:?}");
    for told in ["not so: acme is active with octet 8", "not so: network acme-net is 10.8.0.0/16"] {
        assert!(again.tells(told), "`{told}` is missing: {again:?}");
    }
    let again = bench.provision().await;
    assert_eq!(again.code, Some(6), "{again:?}");
    for told in [
        "not so: acme-fw admits 443 from all and 22 from 203.0.113.7/32 only",
        "not so: volume acme-data is attached to acme-db",
        "not so: acme-gateway is running as cx23 in nbg1",
        "`203.0.113.9`",
        "`2001:db8::9`",
        "not so: acme-db is labelled role=db",
        "and 5 more differences",
    ] {
        assert!(again.tells(told), "`{told}` is missing: {again:?}");
    }
    assert_eq!((changes(), bench.alive()), before, "a comparison only reads");
}

/// The first request lands when one sent again at once would have made a second network.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_made_once_where_names_are_not_unique() {
    let shared = || Settings { network_names_unique: false, ..Settings::default() };
    for is_refused_later in [false, true] {
        let bench = Bench::start_with(shared()).await;
        let late = Fault::LateCommit { delay_ms: 60 };
        bench.cloud.desk().add_fault(Rule::once("POST", "/networks", late));
        if is_refused_later {
            let (code, message) = ("invalid_input".to_owned(), String::new());
            let fault = Fault::Refuse { status: 422, code, message };
            bench.cloud.desk().add_fault(Rule::once("POST", "/volumes", fault));
        }
        let ended = bench.provision().await;
        assert_eq!(ended.code, Some(i32::from(is_refused_later)), "{ended:?}");
        let networks = bench.alive().into_iter().filter(|it| it.starts_with("network ")).count();
        assert_eq!(networks, usize::from(!is_refused_later), "{ended:?}");
        assert_eq!(bench.cloud.desk().request_count("POST", "/networks"), 1, "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_without_room_for_the_volume_orders_nothing() {
    let bench = Bench::start().await;
    // The servers alone cost 22.97 a month, with the volume it is 23.542.
    let grant = Bench::example_grant().replace("\"95.00\"", "\"23.00\"");
    let refused = bench.provision_under(&grant).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.tells("23.542 EUR a month net, 23 are granted"), "{refused:?}");
    for path in ["/networks", "/firewalls", "/servers", "/volumes"] {
        assert_eq!(bench.cloud.desk().request_count("POST", path), 0, "{path}: {refused:?}");
    }
    let made = bench.provision_under(&grant.replace("\"23.00\"", "\"23.542\"")).await;
    assert_eq!(made.code, Some(0), "{made:?}");
}

/// Each call of the way forward is refused once it is reached, and from then on. The first look at
/// what was just made belongs to the creation, where the host tries again; the second is the
/// runbook's own.
const REFUSED: [(&str, &str, u64); 15] = [
    ("GET", "/locations", 1),
    ("GET", "/networks", 1),
    ("GET", "/servers", 1),
    ("POST", "/networks", 1),
    ("POST", "/firewalls", 1),
    ("GET", "/firewalls/*", 2),
    ("POST", "/servers", 1),
    ("POST", "/servers", 2),
    ("POST", "/servers", 3),
    ("POST", "/volumes", 1),
    ("POST", "/volumes/*/actions/attach", 1),
    ("GET", "/zones/*", 2),
    ("GET", "/zones/*/rrsets", 1),
    ("POST", "/zones/*/rrsets", 1),
    ("POST", "/zones/*/rrsets", 2),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_any_call_leaves_nothing_behind() {
    let bench = Bench::start().await;
    for (method, path, nth) in REFUSED {
        let row = format!("{method} {path} ({nth})");
        let fault = Fault::Refuse {
            status: 422,
            code: "invalid_input".to_owned(),
            message: "refused by the test".to_owned(),
        };
        // A read is refused once: the rollback that follows must be able to look.
        let times = if method == "GET" { 1 } else { 0 };
        bench.cloud.desk().add_fault(Rule { nth, times, ..Rule::once(method, path, fault) });
        let failed = bench.provision().await;
        assert_eq!(failed.code, Some(1), "{row}: {failed:?}");
        assert!(failed.tells("refused by the test"), "{row} did not strike: {failed:?}");
        assert_eq!(bench.alive(), Vec::<String>::new(), "{row} left something");
        bench.cloud.desk().clear_faults();
    }
    let made = bench.provision().await;
    assert_eq!(made.code, Some(0), "a failed tenant can be made again: {made:?}");
}
