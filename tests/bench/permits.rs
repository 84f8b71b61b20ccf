//! What it takes to ask a grant: time, and memory that is taken.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use runwrit_model::dns::SetId;
use runwrit_model::grant::{Addressed, Grant, Holder, RecordChange, ServerRequest, Situation};
use runwrit_model::hetzner::{Candidate, Kind, NetworkSpec, ServerSpec, Subnet};
use runwrit_model::id::Digest;

use crate::place::{root, told};
use crate::row::Row;
use crate::stopwatch::{ms, time};

/// Permits of each kind asked for in a row.
const PERMITS: u32 = 300_000;
/// User data of a server of `provision-tenant` is about as long.
const USER_DATA_BYTES: usize = 1_024;

/// Counts what is allocated.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every request is handed on to the allocator of the system as it came.
#[expect(unsafe_code, reason = "an allocator that counts is the only way to see an allocation")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of the system.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Measures the permits that the example grant of `provision-tenant` gives.
pub fn measure() -> Result<Vec<Row>, String> {
    let path = root().join("runbooks/provision-tenant/grants.example.toml");
    let text = std::fs::read_to_string(&path).map_err(told("a grant"))?;
    let (before, rest) = text.split_once("user-data-sha256 = [").ok_or("no user data")?;
    let (_, after) = rest.split_once("]\n").ok_or("no end of the user data")?;
    let grant = |digests: &str| {
        let text = format!("{before}user-data-sha256 = [{digests}]\n{after}");
        Grant::parse("grant.toml", &text).map_err(|faults| format!("{faults:?}"))
    };
    let (bare, user_data) = (grant("")?, "#".repeat(USER_DATA_BYTES));
    let full = grant(&format!("\"{}\"", Digest::of(user_data.as_bytes())))?;
    let (order, filled) = (server(String::new()), server(user_data));
    let (network, records) = (network(), records()?);
    let all = [
        ask(|| bare.append_event("TENANT_PROVISIONED", "acme", 1).is_ok()),
        ask(|| bare.create_network(black_box(&network), &NOTHING).is_ok()),
        ask(|| bare.create_server(&request(black_box(&order)), &NOTHING).is_ok()),
        ask(|| {
            let change = RecordChange { id: &records, holder: Holder::Nobody, ttl: Some(300) };
            bare.change_record("dns.records.set", black_box(change), 1).is_ok()
        }),
    ];
    let hashed = ask(|| full.create_server(&request(black_box(&filled)), &NOTHING).is_ok());
    let slowest = all.iter().map(|(took, _)| *took).max().unwrap_or_default();
    let most = all.iter().map(|(_, allocated)| *allocated).fold(hashed.1, f64::max);
    let with_data = format!(
        "the slowest of event, network, server, record; the digest of {USER_DATA_BYTES} bytes of \
         user data included {:.2} µs",
        micros(hashed.0)
    );
    Ok(vec![
        Row::at_most("the permit of one call", micros(slowest), " µs", 1.0).of(&with_data),
        Row::at_most("allocations of one permit", most, "", 0.0).of("the most of any of these"),
    ])
}

fn micros(took: Duration) -> f64 {
    ms(took) * 1_000.0
}

/// Returns the time and the allocations of one permit.
fn ask(is_granted: impl Fn() -> bool) -> (Duration, f64) {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let (took, granted) = time(|| (0..PERMITS).filter(|_| black_box(is_granted())).count());
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(granted, PERMITS as usize, "every one was granted");
    (took / PERMITS, allocated as f64 / f64::from(PERMITS))
}

/// A scope in which nothing is alive.
const NOTHING: Situation<'static> = Situation { now: 1, alive: &[] };

fn network() -> NetworkSpec {
    let subnet = Subnet { ip_range: "10.7.1.0/24".into(), network_zone: "eu-central".into() };
    NetworkSpec {
        name: "acme-net".into(),
        ip_range: "10.7.0.0/16".into(),
        subnets: vec![subnet],
        labels: BTreeMap::new(),
    }
}

fn records() -> Result<SetId, String> {
    SetId::parse("example.org", "acme", "A").map_err(told("a set of records"))
}

/// A server with the things that it names, as the host looked at them.
struct Server {
    spec: ServerSpec,
    candidate: Candidate,
    networks: Vec<Addressed>,
    firewalls: Vec<Addressed>,
}

fn server(user_data: String) -> Server {
    let by = runwrit_model::call::CallId::single(1);
    let spec = ServerSpec {
        name: "acme-db".into(),
        role: "db".into(),
        image: "debian-12".into(),
        location: "nbg1".into(),
        ssh_keys: vec!["ops".into()],
        networks: vec!["7".into()],
        firewalls: vec!["8".into()],
        user_data,
        has_public_ipv4: true,
        has_public_ipv6: true,
        labels: BTreeMap::new(),
    };
    let candidate = Candidate {
        server_type: "cx33".into(),
        location: "nbg1".into(),
        eur_per_month: "5.99".parse().expect("a price"),
    };
    let networks = vec![Addressed::made(Kind::Network, "7", by)];
    let firewalls = vec![Addressed::made(Kind::Firewall, "8", by)];
    Server { spec, candidate, networks, firewalls }
}

fn request(server: &Server) -> ServerRequest<'_> {
    let Server { spec, candidate, networks, firewalls } = server;
    ServerRequest { spec, candidate, networks, firewalls }
}
