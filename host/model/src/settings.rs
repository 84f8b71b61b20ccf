//! `runwrit.toml`: the configuration of a host. Everything in it has a default but its version.

mod schema;

#[cfg(test)]
mod tests;

pub use schema::SCHEMA;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::document::{Fault, Faults, Lines, read, settle};
use crate::limits;
use crate::timing::Timing;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The version of the format.
    pub version: u32,
    /// The state directory.
    pub state: Option<String>,
    /// Where runbooks are looked for by name, in this order.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Credentials by name.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// Who one is to registries, by host.
    #[serde(default)]
    pub registries: BTreeMap<String, Registry>,
    /// Choices for Hetzner Cloud.
    #[serde(default)]
    pub hetzner: Hetzner,
    /// Waits.
    #[serde(default)]
    pub timing: Waits,
}

/// One of `[credentials.NAME]`: where the secret is, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Credential {
    /// The environment variable that holds it.
    pub env: Option<String>,
    /// The file, of mode 0600, that holds it.
    pub file: Option<String>,
    /// The one endpoint that it is sent to.
    pub endpoint: Option<String>,
}

/// One of `[registries."HOST"]`: where the secret is, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registry {
    /// The user; without one the secret is a token.
    pub user: Option<String>,
    /// The environment variable that holds the secret.
    pub env: Option<String>,
    /// The file, of mode 0600, that holds the secret.
    pub file: Option<String>,
    /// Who else may be told user and password, for a token in return.
    pub token_service: Option<String>,
}

/// `[hetzner]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Hetzner {
    /// Requests that all runs of this host may send in an hour.
    pub requests_per_hour: Option<u32>,
    /// Server types by role, the first one preferred.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Locations to try when one has no stock, by that location.
    pub fallback_locations: BTreeMap<String, Vec<String>>,
}

/// `[timing]`, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Waits {
    /// After this an unanswered creation can no longer take effect.
    pub settle_ms: Option<u64>,
    /// First pause before an undo is tried again.
    pub undo_backoff_ms: Option<u64>,
    /// Longest pause before an undo is tried again.
    pub undo_backoff_max_ms: Option<u64>,
    /// How long an undo is tried.
    pub undo_budget_ms: Option<u64>,
    /// When, after a rollback, late arrivals are looked for.
    pub sweep_ms: Option<Vec<u64>>,
    /// Pauses between looks at a running action; the last one repeats.
    pub poll_ms: Option<Vec<u64>>,
    /// One exchange with an outside API.
    pub request_timeout_ms: Option<u64>,
}

impl Settings {
    /// Reads a `runwrit.toml`. `file` is its name for errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let (settings, lines): (Self, Lines) = read(file, text, SCHEMA)?;
        settle(file, &lines, settings.faults())?;
        Ok(settings)
    }

    /// Returns the waits that decisions depend on.
    pub fn timing(&self) -> Timing {
        let (waits, base) = (&self.timing, Timing::default());
        let or = |ms: Option<u64>, base| ms.map_or(base, Duration::from_millis);
        let sweeps = waits.sweep_ms.as_ref();
        Timing {
            settle: or(waits.settle_ms, base.settle),
            undo_backoff_min: or(waits.undo_backoff_ms, base.undo_backoff_min),
            undo_backoff_max: or(waits.undo_backoff_max_ms, base.undo_backoff_max),
            undo_budget: or(waits.undo_budget_ms, base.undo_budget),
            sweeps: sweeps.map_or(base.sweeps, |it| millis(it)),
        }
    }

    /// Returns the pauses between looks at a running action; the last one repeats.
    pub fn polls(&self) -> Vec<Duration> {
        self.timing.poll_ms.as_ref().map_or_else(|| limits::POLLS.to_vec(), |it| millis(it))
    }

    /// Returns how long one exchange with an outside API may take.
    pub fn request_timeout(&self) -> Duration {
        let timeout = self.timing.request_timeout_ms;
        timeout.map_or(limits::REQUEST_TIMEOUT, Duration::from_millis)
    }

    /// Returns how many requests an hour all runs of this host may send.
    pub fn requests_per_hour(&self) -> u32 {
        self.hetzner.requests_per_hour.unwrap_or(limits::REQUESTS_PER_HOUR)
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (role, types) in &self.hetzner.roles {
            faults.extend(empty(&format!("hetzner.roles.{role}"), types.is_empty()));
        }
        for (location, others) in &self.hetzner.fallback_locations {
            let path = format!("hetzner.fallback-locations.{location}");
            if others.contains(location) {
                let problem = format!("names `{location}` itself");
                faults.push(Fault::new(&path, problem, "name only other locations".into()));
            }
        }
        let polls = self.timing.poll_ms.as_ref();
        faults.extend(empty("timing.poll-ms", polls.is_some_and(Vec::is_empty)));
        faults.extend(self.backoff_fault());
        faults
    }

    fn backoff_fault(&self) -> Option<Fault> {
        let timing = self.timing();
        let (min, max) = (timing.undo_backoff_min, timing.undo_backoff_max);
        (min > max).then(|| {
            let problem = format!("is `{}`", min.as_millis());
            let fix = format!("expected at most `undo-backoff-max-ms`, {}", max.as_millis());
            Fault::new("timing.undo-backoff-ms", problem, fix)
        })
    }
}

fn millis(list: &[u64]) -> Vec<Duration> {
    list.iter().copied().map(Duration::from_millis).collect()
}

fn empty(path: &str, is_empty: bool) -> Option<Fault> {
    let fix = "name at least one; an empty list means nothing".to_owned();
    is_empty.then(|| Fault::new(path, "is an empty list".into(), fix))
}
