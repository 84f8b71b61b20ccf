//! What a simulator is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::dice::Dice;

/// How a simulator behaves; the default is a faithful one on a free loopback port.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the API listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the control port listens, if anywhere.
    pub control: Option<SocketAddr>,
    /// Real seconds that a simulated second lasts: 0.001 makes a 20 s action take 20 ms.
    pub time_factor: f64,
    /// Whether only the control port moves the clock.
    pub is_clock_frozen: bool,
    /// Where the simulated clock starts.
    pub starts_at: Timestamp,
    /// What all chance depends on.
    pub seed: u64,
    /// Which tokens open a project.
    pub tokens: Tokens,
    /// What every project obeys.
    pub settings: Settings,
    /// Who looks at every answer before it is sent, e.g. to judge it.
    pub witness: Option<Witness>,
}

/// One answer of the API as it leaves.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub method: &'a str,
    /// Path after `/v1`.
    pub path: &'a str,
    pub status: u16,
    /// Absent for 204 and for the pages of a gateway that faults send.
    pub body: Option<&'a Value>,
}

/// Somebody who looks at answers.
#[derive(Clone)]
pub struct Witness(Arc<dyn Fn(&Seen) + Send + Sync>);

impl Witness {
    /// Calls `look` for every answer.
    pub fn new(look: impl Fn(&Seen) + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// Shows an answer.
    pub fn see(&self, seen: &Seen) {
        (self.0)(seen);
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Witness")
    }
}

/// Which tokens open a project. A token is 64 letters and digits in any case.
#[derive(Clone)]
pub enum Tokens {
    /// Every well-formed token opens a project of its own, named by its digest.
    Any,
    /// Only these do.
    Only(Vec<TokenRule>),
}

/// What one token opens.
#[derive(Clone)]
pub struct TokenRule {
    pub token: String,
    /// Several tokens may open one project.
    pub project: String,
    pub is_read_only: bool,
}

// Tokens have no textual form anywhere, not even in a debug print.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => formatter.write_str("Any"),
            Self::Only(rules) => write!(formatter, "Only({} tokens)", rules.len()),
        }
    }
}

/// The rules of a project that differ between accounts, or that the provider leaves unsaid.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Lets every action take exactly this many simulated milliseconds.
    pub action_ms: Option<u64>,
    /// Requests an hour and burst size; the bucket refills evenly in simulated time.
    pub rate_limit: u32,
    /// Whether two networks of a project may not share a name.
    pub network_names_unique: bool,
    /// For how long a firewall counts as in use after its last server was deleted.
    pub firewall_lag_ms: u64,
    /// Whether a rescaled server starts again, as the reference says.
    pub starts_after_rescale: bool,
    /// How many of each kind a project may hold; a kind without a row is unlimited.
    pub quotas: BTreeMap<String, usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: None,
            time_factor: 1.0,
            is_clock_frozen: false,
            // Noon of an ordinary Monday: a fixed start makes two runs of one seed alike.
            starts_at: Timestamp::constant(1_795_435_200, 0),
            seed: 0,
            tokens: Tokens::Any,
            settings: Settings::default(),
            witness: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let quotas = [
            ("server", 100),
            ("primary_ip", 200),
            ("network", 50),
            ("firewall", 50),
            ("volume", 100),
            ("ssh_key", 100),
            ("snapshot", 50),
            ("placement_group", 50),
            ("zone", 25),
        ];
        Self {
            action_ms: None,
            rate_limit: 3600,
            network_names_unique: true,
            firewall_lag_ms: 20_000,
            starts_after_rescale: true,
            quotas: quotas.map(|(name, most)| (name.to_owned(), most)).into(),
        }
    }
}

impl Settings {
    /// Returns how many simulated milliseconds an action takes.
    pub fn duration_ms(&self, command: &str, dice: &mut Dice) -> u64 {
        let (least, most) = typical_ms(command);
        let spread = dice.below(most - least + 1);
        self.action_ms.unwrap_or(least + spread)
    }
}

/// Returns the span that operators report for an action, in milliseconds.
fn typical_ms(command: &str) -> (u64, u64) {
    match command {
        "create_server" => (8_000, 30_000),
        "start_server" | "stop_server" | "reset_server" => (2_000, 5_000),
        "shutdown_server" | "reboot_server" => (1_000, 3_000),
        "delete_server" => (1_500, 2_500),
        "rebuild_server" => (20_000, 60_000),
        "change_server_type" => (30_000, 120_000),
        "create_image" => (60_000, 240_000),
        "create_volume" => (5_000, 7_000),
        "attach_volume" | "detach_volume" | "resize_volume" => (2_000, 5_000),
        "attach_to_network" | "detach_from_network" | "change_alias_ips" => (4_000, 8_000),
        "apply_firewall" | "remove_firewall" | "set_firewall_rules" => (1_000, 10_000),
        "assign_primary_ip" | "unassign_primary_ip" => (2_000, 5_000),
        _ => (800, 2_000),
    }
}
