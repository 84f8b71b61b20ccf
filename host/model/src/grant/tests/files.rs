//! The file: what it must not say, and what an empty one allows.

use super::*;
use crate::journal::OnFailure;

#[test]
fn the_example_is_accepted_and_explained() {
    let grant = Grant::parse("grants/acme.toml", ACME).unwrap();
    assert_eq!(grant.tenant(), Some("acme"));
    assert_eq!(grant.credentials()["hetzner"], "hetzner");
    assert_eq!(grant.credentials()["dns"], "hetzner");
    assert_eq!(grant.on_failure(), None);
    let lines: Vec<String> = grant.explain().into_iter().map(|line| line.text).collect();
    for part in [
        "`provision-tenant`, version 0.1.0",
        "network `acme`, 10.7.0.0/16 with 10.7.1.0/24",
        "  in from 203.0.113.7/32 by tcp port 22",
        "volume `acme-data`, at most 20 GB",
        "at most 25.00 EUR a month, net",
        "`acme` in `example.org`: A, AAAA, for at most 300 s",
        "tenant `acme`, octet 7",
    ] {
        assert!(lines.iter().any(|line| line == part), "`{part}` is not among {lines:#?}");
    }
}

#[test]
fn the_canonical_text_reads_as_the_same_grant() {
    let once = grant();
    let twice = Grant::parse("grants/acme.toml", &once.canonical()).unwrap();
    assert_eq!(once, twice);
    assert_eq!(once.canonical(), twice.canonical());
}

#[test]
fn an_expired_grant_can_still_be_read_since_undo_needs_no_permit() {
    let grant = Grant::parse("grants/acme.toml", ACME).unwrap();
    assert!(grant.expires() < LATER);
    assert_eq!(grant.read("hetzner.locations.get", "x", LATER).unwrap_err().rule, "grant-expired");
    let edge = grant.expires();
    assert!(grant.read("hetzner.locations.get", "x", edge - 1).is_ok());
    assert!(grant.read("hetzner.locations.get", "x", edge).is_err());
}

#[test]
fn fields_fit_together() {
    let rows = [
        (
            "subnets = [\"10.7.1.0/24\"]",
            "subnets = [\"10.8.1.0/24\"]",
            "hetzner.networks[0].subnets[0]",
        ),
        ("port = \"22\"\n", "", "hetzner.firewalls[0].rules[1].port"),
        (
            "protocol = \"tcp\"\nport = \"22\"",
            "protocol = \"icmp\"\nport = \"22\"",
            "hetzner.firewalls[0].rules[1].port",
        ),
        (
            "addresses = [\"203.0.113.7/32\"]",
            "addresses = []",
            "hetzner.firewalls[0].rules[1].addresses",
        ),
        (
            "[[hetzner.volumes]]",
            "[[hetzner.volumes]]\nname = \"acme-data\"\nmax-gb = 10\n[[hetzner.volumes]]",
            "hetzner.volumes[1].name",
        ),
        (
            "[[registry.tenants]]",
            "[[registry.tenants]]\nid = \"acme\"\noctet = 9\n[[registry.tenants]]",
            "registry.tenants[1].id",
        ),
        (
            "servers = [\"acme-gateway\"",
            "servers = [\"acme-db\", \"acme-gateway\"",
            "hetzner.servers[3]",
        ),
        ("servers = [\"acme-gateway\"", "servers = [\"*\", \"acme-gateway\"", "hetzner.servers[0]"),
        ("servers = [\"acme-gateway\"", "servers = [\"аcme-gateway\"", "hetzner.servers[0]"),
        ("\"25.00\"", "25.00", "hetzner.max-monthly-eur"),
        ("name = \"acme\"\ntypes", "name = \"acme.example.org\"\ntypes", "dns.records[0].name"),
        ("name = \"acme\"\ntypes", "name = \"*\"\ntypes", "dns.records[0].name"),
        (
            "[[dns.records]]",
            "[[dns.records]]\nzone = \"example.org\"\nname = \"acme\"\ntypes = []\nmax-ttl = 60\n\
             [[dns.records]]",
            "dns.records[1].name",
        ),
    ];
    for (from, to, field) in rows {
        assert!(ACME.contains(from), "{from}");
        let faults = Grant::parse("g.toml", &ACME.replacen(from, to, 1)).expect_err(to);
        assert_eq!(faults.faults.len(), 1, "{to}: {faults}");
        assert_eq!(faults.faults[0].field, field, "{faults}");
        assert!(faults.faults[0].line.is_some() || to.is_empty(), "{faults}");
    }
}

#[test]
fn an_empty_grant_allows_nothing() {
    let text = "version = 1\nexpires = 2027-01-31T00:00:00Z\non-failure = \"hold\"\n\
                [runbook]\nname = \"provision-tenant\"\n";
    let sections = ["", "[hetzner]\n", "[dns]\n", "[registry]\n[audit]\n[http]\n[recovery]\n"];
    for section in sections {
        let grant = Grant::parse("g.toml", &format!("{text}{section}")).unwrap();
        assert_eq!(grant.on_failure(), Some(OnFailure::Hold));
        for row in attempts::rows() {
            if row.name != "passes it where there is none" {
                assert!((row.attempt)(&grant).is_err(), "`{}` with {section}", row.name);
            }
        }
    }
}

#[test]
fn a_limit_of_time_counts_from_the_start_of_the_run() {
    let limited = ACME.replacen("[runbook]", "max-minutes = 30\n\n[runbook]", 1);
    let grant = Grant::parse("g.toml", &limited).unwrap();
    let run = crate::id::RunId::new(1_800_000_000_123, [7; 10]);
    assert_eq!(run.unix_ms(), 1_800_000_000_123);
    assert_eq!(grant.deadline(run.unix_ms()), Some(1_800_001_800_123));
    assert_eq!(Grant::parse("g.toml", ACME).unwrap().deadline(0), None);
}

#[test]
fn an_empty_list_means_nothing() {
    let lists = [
        ("locations = [\"nbg1\", \"fsn1\"]", "locations = []", "location-not-granted"),
        ("images = [\"debian-12\"]", "images = []", "image-not-granted"),
        ("server-types = [\"cx23\", \"cpx22\"]", "server-types = []", "server-type-not-granted"),
        ("ssh-keys = [\"ops\"]", "ssh-keys = []", "ssh-key-not-granted"),
        ("servers = 3", "servers = 0", "count-exceeded"),
        ("max-monthly-eur = \"25.00\"", "", "cost-exceeded"),
    ];
    for (from, to, code) in lists {
        assert!(ACME.contains(from), "{from}");
        let text = ACME.replace(from, to).replace("subnets = []", "");
        let grant = Grant::parse("g.toml", &text).unwrap();
        let spec = attempts::server_named("acme-db");
        let candidate = attempts::candidate("cx23", "nbg1", "5.99");
        let denial = attempts::create_server(&grant, &spec, candidate, &[]).expect_err(to);
        assert_eq!(denial.rule, code, "{to}");
    }
}

#[test]
fn candidates_outside_the_grant_are_left_out() {
    let candidates = [
        attempts::candidate("cx53", "nbg1", "29.99"),
        attempts::candidate("cx23", "hel1", "5.99"),
        attempts::candidate("cx23", "fsn1", "5.99"),
        attempts::candidate("CX23", "nbg1", "5.99"),
        attempts::candidate("cpx22", "nbg1", "19.99"),
    ];
    let left = grant().permitted_candidates(&candidates);
    assert_eq!(left, [candidates[2].clone(), candidates[4].clone()]);
}
