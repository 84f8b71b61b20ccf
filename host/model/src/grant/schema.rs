//! The fields of a grant file.

use crate::document::Presence::{Optional, Required};
use crate::document::rules::{DIGEST, EUR, NAME, SEMVER, TENANT, WORD};
use crate::document::{Field, Kind, Presence, TextRule};
use crate::operations::{is_full_operation, is_operation};

const fn field(name: &'static str, presence: Presence, kind: Kind, about: &'static str) -> Field {
    Field { name, about, presence, kind }
}

/// The whole file.
pub const SCHEMA: &[Field] = &[
    field("version", Required, Kind::Integer(1, 1), "the version of the format"),
    field("expires", Required, Kind::Instant, "when it mints no new permit any more"),
    field("on-failure", Optional, Kind::Text(&ON_FAILURE), "what a failure leads to"),
    field("max-minutes", Optional, MINUTES, "how long the run may go forward, waits included"),
    field("runbook", Required, Kind::Table(RUNBOOK), "the one runbook that it is for"),
    field("scope", Optional, Kind::Table(SCOPE), "what the run holds alone"),
    field("hetzner", Optional, Kind::Table(HETZNER), "what of Hetzner Cloud"),
    field("dns", Optional, Kind::Table(DNS), "what of the DNS"),
    field("registry", Optional, Kind::Table(REGISTRY), "what of the registry of tenants"),
    field("audit", Optional, Kind::Table(AUDIT), "what of the audit log"),
    field("http", Optional, Kind::Table(HTTP), "which requests"),
    field("recovery", Optional, Kind::Table(RECOVERY), "what the runbook may say about undo"),
];

/// A run that waits may wait for weeks; a year is a slip of the finger.
const MINUTES: Kind = Kind::Integer(1, 525_600);

const RUNBOOK: &[Field] = &[
    field("name", Required, Kind::Text(&RUNBOOK_NAME), "its name, with the namespace or without"),
    field("version", Optional, Kind::Text(&SEMVER), "its exact version; any where absent"),
];

const RUNBOOK_NAME: TextRule = TextRule {
    expects: "`name`, or `namespace:name` as its signers call it",
    good: "acme:provision-tenant",
    bad: &["", "acme:", ":name", "acme:*", "acme:a:b", "Acme:x"],
    holds: |text| match text.split_once(':') {
        Some((space, name)) => (WORD.holds)(space) && (WORD.holds)(name),
        None => (WORD.holds)(text),
    },
};

const SCOPE: &[Field] = &[field("tenant", Required, Kind::Text(&TENANT), "the tenant")];

const HETZNER: &[Field] = &[
    field("credential", Optional, Kind::Text(&WORD), "a credential of `runwrit.toml`"),
    field("operations", Optional, Kind::Texts(&HETZNER_OPERATION), "what may be called"),
    field("locations", Optional, Kind::Texts(&NAME), "where things may stand"),
    field("server-types", Optional, Kind::Texts(&NAME), "what may be ordered"),
    field("images", Optional, Kind::Texts(&NAME), "what servers may run"),
    field("ssh-keys", Optional, Kind::Texts(&NAME), "existing keys that servers may get"),
    field("servers", Optional, Kind::Texts(&NAME), "names of servers"),
    field("primary-ips", Optional, Kind::Texts(&NAME), "names of public addresses"),
    field("user-data-sha256", Optional, Kind::Texts(&DIGEST), "digests of user data"),
    field(
        "allow-public-without-firewall",
        Optional,
        Kind::Boolean,
        "whether public servers may come without a firewall",
    ),
    field(
        "max-monthly-eur",
        Optional,
        Kind::Text(&EUR),
        "net EUR per month of everything alive in the scope",
    ),
    field("counts", Optional, Kind::Table(COUNTS), "how many may be alive in the scope"),
    field("networks", Optional, Kind::Tables(NETWORK), "networks"),
    field("firewalls", Optional, Kind::Tables(FIREWALL), "firewalls"),
    field("volumes", Optional, Kind::Tables(VOLUME), "volumes"),
    field("new-ssh-keys", Optional, Kind::Tables(NEW_SSH_KEY), "keys that may be created"),
];

// A project holds 50 firewalls and some 100 servers; more is a slip of the finger.
const COUNT: Kind = Kind::Integer(0, 100);

const COUNTS: &[Field] = &[
    field("networks", Optional, COUNT, "networks"),
    field("firewalls", Optional, COUNT, "firewalls"),
    field("servers", Optional, COUNT, "servers"),
    field("volumes", Optional, COUNT, "volumes"),
    field("ssh-keys", Optional, COUNT, "SSH keys"),
    field("primary-ips", Optional, COUNT, "public addresses made on their own"),
];

const NETWORK: &[Field] = &[
    field("name", Required, Kind::Text(&NAME), "its name"),
    field("ip-range", Required, Kind::Text(&RANGE), "its whole range"),
    field("subnets", Optional, Kind::Texts(&RANGE), "its subnets"),
    field("network-zone", Required, Kind::Text(&NAME), "the zone of its subnets"),
];

const FIREWALL: &[Field] = &[
    field("name", Required, Kind::Text(&NAME), "its name"),
    field("rules", Optional, Kind::Tables(RULE), "the rules that it may hold"),
];

const RULE: &[Field] = &[
    field("direction", Required, Kind::Text(&DIRECTION), "which way"),
    field("protocol", Required, Kind::Text(&PROTOCOL), "what it speaks"),
    field("port", Optional, Kind::Text(&PORT), "the port or range, for `tcp` and `udp`"),
    field("addresses", Required, Kind::Texts(&ADDRESS), "all addresses of the other side"),
];

const VOLUME: &[Field] = &[
    field("name", Required, Kind::Text(&NAME), "its name"),
    field("max-gb", Required, Kind::Integer(10, 10_240), "its largest size"),
];

const NEW_SSH_KEY: &[Field] = &[
    field("name", Required, Kind::Text(&NAME), "its name"),
    field("public-key", Required, Kind::Text(&PUBLIC_KEY), "the whole key"),
];

const DNS: &[Field] = &[
    field("credential", Optional, Kind::Text(&WORD), "a credential of `runwrit.toml`"),
    field("operations", Optional, Kind::Texts(&DNS_OPERATION), "what may be called"),
    field("records", Optional, Kind::Tables(DNS_RECORDS), "what may stand under which name"),
];

const DNS_RECORDS: &[Field] = &[
    field("zone", Required, Kind::Text(&ZONE), "the zone"),
    field("name", Required, Kind::Text(&RECORD), "the name below it, `@` for the zone itself"),
    field("types", Required, Kind::Texts(&RECORD_TYPE), "the types of its sets"),
    field("max-ttl", Required, Kind::Integer(60, 2_147_483_647), "the longest time to live, in s"),
    field(
        "replace-foreign",
        Optional,
        Kind::Boolean,
        "whether sets may be changed that no run of the scope made",
    ),
];

const REGISTRY: &[Field] = &[
    field("operations", Optional, Kind::Texts(&REGISTRY_OPERATION), "what may be called"),
    field("tenants", Optional, Kind::Tables(REGISTRY_TENANT), "the tenants"),
];

const REGISTRY_TENANT: &[Field] = &[
    field("id", Required, Kind::Text(&TENANT), "its id"),
    field("octet", Required, Kind::Integer(0, 255), "its octet"),
];

const AUDIT: &[Field] = &[
    field("operations", Optional, Kind::Texts(&AUDIT_OPERATION), "what may be called"),
    field("kinds", Optional, Kind::Texts(&EVENT_KIND), "kinds of events"),
    field("subjects", Optional, Kind::Texts(&NAME), "subjects of events"),
];

const HTTP: &[Field] = &[field("requests", Optional, Kind::Tables(REQUEST), "the requests")];

const REQUEST: &[Field] = &[
    field("method", Required, Kind::Text(&METHOD), "the method"),
    field("url", Required, Kind::Text(&URL), "the whole URL"),
];

const RECOVERY: &[Field] = &[
    field("keep", Optional, Kind::Texts(&FULL_OPERATION), "operations whose effect may stay"),
    field("undo-with", Optional, Kind::Texts(&FULL_OPERATION), "operations of an own undo"),
    field("pivot", Optional, Kind::Boolean, "whether there may be a point of no return"),
];

/// What a failure leads to.
pub const ON_FAILURE: TextRule = TextRule {
    expects: "`rollback` or `hold`",
    good: "rollback",
    bad: &["", "Rollback", "keep"],
    holds: |text| matches!(text, "rollback" | "hold"),
};

const HETZNER_OPERATION: TextRule = TextRule {
    expects: "an operation `<interface>.<function>` of `runwrit:hetzner`",
    good: "servers.create",
    bad: &[
        "",
        "servers.*",
        "*",
        "servers",
        "Servers.create",
        "servers.create-many",
        "events.append",
    ],
    holds: |text| is_operation("hetzner", text),
};

const DNS_OPERATION: TextRule = TextRule {
    expects: "an operation `<interface>.<function>` of `runwrit:dns`",
    good: "records.set",
    bad: &["", "records.*", "records", "zones.delete", "servers.create"],
    holds: |text| is_operation("dns", text),
};

const ZONE: TextRule = TextRule {
    expects: "a domain in small ASCII letters without a dot at the end",
    good: "example.org",
    bad: &["", "org", "Example.org", "example.org.", "*.org", "exаmple.org", "example..org"],
    holds: |text| crate::dns::ZoneName::parse(text).is_ok_and(|zone| zone.as_str() == text),
};

const RECORD: TextRule = TextRule {
    expects: "a name below its zone in small ASCII letters, or `@`, without a wildcard",
    good: "acme",
    bad: &["", "*", "*.acme", "Acme", "acme.", "аcme", "a..b", "a b", "-a", "a@b"],
    holds: is_record_name,
};

/// Whether it repeats its zone is for the rules that span several fields.
fn is_record_name(text: &str) -> bool {
    let any = crate::dns::ZoneName::parse("x.invalid").expect("our own domain");
    let name = crate::dns::RecordName::parse(&any, text);
    name.is_ok_and(|name| name.as_str() == text)
}

const RECORD_TYPE: TextRule = TextRule {
    expects: "`A`, `AAAA`, `CAA`, `CNAME`, `MX`, `NS`, `PTR`, `SRV` or `TXT`",
    good: "A",
    bad: &["", "a", "SOA", "ANY", "*"],
    holds: |text| text.parse::<crate::dns::RecordType>().is_ok(),
};

const REGISTRY_OPERATION: TextRule = TextRule {
    expects: "an operation `<interface>.<function>` of `runwrit:registry`",
    good: "tenants.reserve",
    bad: &["", "tenants.*", "tenants.drop", "servers.create"],
    holds: |text| is_operation("registry", text),
};

const AUDIT_OPERATION: TextRule = TextRule {
    expects: "an operation `<interface>.<function>` of `runwrit:audit`",
    good: "events.append",
    bad: &["", "events.*", "events.delete"],
    holds: |text| is_operation("audit", text),
};

const FULL_OPERATION: TextRule = TextRule {
    expects: "an operation `<capability>.<interface>.<function>`",
    good: "hetzner.volumes.delete",
    bad: &["", "volumes.delete", "hetzner.volumes.*", "hetzner"],
    holds: is_full_operation,
};

const RANGE: TextRule = TextRule {
    expects: "a private IPv4 range of /24 or larger with no host bits set",
    good: "10.7.0.0/16",
    bad: &["", "10.7.0.0", "10.7.0.1/16", "10.7.0.0/33", "8.8.8.0/24", "10.7.0.0/25", "fd00::/8"],
    holds: |text| {
        let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
        let range = text.parse::<ipnet::Ipv4Net>().ok().filter(|range| range.to_string() == text);
        range.is_some_and(|range| {
            let is_inside = |outer: &str| {
                outer.parse::<ipnet::Ipv4Net>().is_ok_and(|outer| outer.contains(&range))
            };
            range.prefix_len() <= 24 && range == range.trunc() && private.into_iter().any(is_inside)
        })
    },
};

const ADDRESS: TextRule = TextRule {
    expects: "a range in its shortest form, such as `0.0.0.0/0`, `::/0` or `203.0.113.7/32`",
    good: "203.0.113.7/32",
    bad: &["", "any", "203.0.113.7", "203.0.113.7/24", "0::/0", "203.0.113.007/32"],
    holds: |text| {
        let range = text.parse::<ipnet::IpNet>().ok();
        range.is_some_and(|range| range.to_string() == text && range == range.trunc())
    },
};

const DIRECTION: TextRule = TextRule {
    expects: "`in` or `out`",
    good: "in",
    bad: &["", "In", "both"],
    holds: |text| matches!(text, "in" | "out"),
};

const PROTOCOL: TextRule = TextRule {
    expects: "`tcp`, `udp`, `icmp`, `gre` or `esp`",
    good: "tcp",
    bad: &["", "TCP", "any"],
    holds: |text| matches!(text, "tcp" | "udp" | "icmp" | "gre" | "esp"),
};

const PORT: TextRule = TextRule {
    expects: "a port from 1 to 65535, or a range `8000-8999`, in quotes",
    good: "443",
    bad: &["", "0", "65536", "any", "0443", "90-80", "80-", "1-2-3", "+80"],
    holds: is_port,
};

fn is_port(text: &str) -> bool {
    let port = |text: &str| {
        let number = text.parse::<u16>().ok().filter(|number| *number > 0);
        number.filter(|number| number.to_string() == text)
    };
    match text.split_once('-') {
        None => port(text).is_some(),
        Some((low, high)) => matches!((port(low), port(high)), (Some(l), Some(h)) if l < h),
    }
}

const PUBLIC_KEY: TextRule = TextRule {
    expects: "an OpenSSH public key in one line",
    good: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEexampleEXAMPLEexampleEXAMPLEexample ops",
    bad: &["", "ssh-ed25519", "AAAA", "ssh-ed25519 AAAA\nssh-rsa BBBB"],
    holds: |text| {
        let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        is_plain && text.split(' ').count() >= 2 && text.split(' ').nth(1).is_some_and(is_base64)
    },
};

fn is_base64(text: &str) -> bool {
    text.len() > 3
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

const EVENT_KIND: TextRule = TextRule {
    expects: "capitals, digits and `_`, starting with a capital",
    good: "TENANT_PROVISIONED",
    bad: &["", "tenant", "TENANT-X", "_X", "*"],
    holds: |text| {
        let is_letter =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=63).contains(&text.len())
            && text.bytes().all(is_letter)
            && text.starts_with(|letter: char| letter.is_ascii_uppercase())
    },
};

const METHOD: TextRule = TextRule {
    expects: "`GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`",
    good: "GET",
    bad: &["", "get", "*", "CONNECT", "TRACE"],
    holds: |text| matches!(text, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"),
};

const URL: TextRule = TextRule {
    expects: "a whole `http://` or `https://` URL in ASCII without user, fragment or wildcard",
    good: "https://acme.example.org/health",
    bad: &[
        "",
        "acme.example.org",
        "ftp://acme.example.org/",
        "https://",
        "https:///x",
        "https://user@acme.example.org/",
        "https://acme.example.org/#x",
        "https://*.example.org/",
        "https://ACME.example.org/",
        "https://аcme.example.org/",
        "https://acme.example.org/a b",
        "https://acme.example.org",
    ],
    holds: is_url,
};

/// A path is demanded so that a URL has one spelling only.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some((authority, _)) = rest.and_then(|rest| rest.split_once('/')) else { return false };
    let is_host =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    text.len() <= 2_000
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#*\\\"<>".contains(&byte))
        && !authority.is_empty()
        && authority.bytes().all(is_host)
}
