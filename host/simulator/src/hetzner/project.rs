//! A project: everything one token owns, and the rules that span kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actions::{Action, Failure, Job, Status};
use super::catalogue::Catalogue;
use super::clock::{later, written};
use super::dice::Dice;
use super::firewalls::Firewall;
use super::images::Image;
use super::labels::Labels;
use super::ledger::{Change, ResourceEvent, Touched};
use super::networks::Network;
use super::options::Settings;
use super::placement_groups::PlacementGroup;
use super::primary_ips::PrimaryIp;
use super::refusal::Refusal;
use super::servers::Server;
use super::ssh_keys::SshKey;
use super::volumes::Volume;
use super::zones::Zone;

/// A century: nobody who waits for an action lives to see it end.
const NEVER_MS: u64 = 100 * 365 * 24 * 3_600 * 1_000;

/// The kinds of things a project holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Action,
    Firewall,
    Image,
    Network,
    PlacementGroup,
    PrimaryIp,
    Rrset,
    Server,
    SshKey,
    Volume,
    Zone,
}

/// Everything one token owns.
#[derive(Clone)]
pub struct Project {
    pub name: String,
    /// The simulated time of the request or effect at work.
    pub now: Timestamp,
    /// Sequence number of the request that causes what happens now.
    pub cause: u64,
    pub settings: Arc<Settings>,
    pub quotas: BTreeMap<String, usize>,
    pub catalogue: Catalogue,
    pub dice: Dice,
    pub firewalls: BTreeMap<u64, Firewall>,
    pub images: BTreeMap<u64, Image>,
    pub networks: BTreeMap<u64, Network>,
    pub placement_groups: BTreeMap<u64, PlacementGroup>,
    pub primary_ips: BTreeMap<u64, PrimaryIp>,
    pub servers: BTreeMap<u64, Server>,
    pub ssh_keys: BTreeMap<u64, SshKey>,
    pub volumes: BTreeMap<u64, Volume>,
    pub zones: BTreeMap<u64, Zone>,
    pub actions: BTreeMap<u64, Action>,
    pub events: Vec<ResourceEvent>,
    /// An injected failure for the next action of a command, or of any.
    pub doom: Option<(Option<String>, Failure)>,
    /// How many simulated milliseconds the next action of a command, or of any, takes; without a
    /// number it never ends.
    pub drag: Option<(Option<String>, Option<u64>)>,
    /// For how many simulated milliseconds what is created now is missing in lists.
    pub lag_ms: u64,
    running: BTreeSet<(Timestamp, u64)>,
    hidden: BTreeMap<(Kind, String), Timestamp>,
    id_last: u64,
    addresses: u64,
}

impl Kind {
    /// Returns the word for this kind in actions, quotas and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Firewall => "firewall",
            Self::Image => "image",
            Self::Network => "network",
            Self::PlacementGroup => "placement_group",
            Self::PrimaryIp => "primary_ip",
            Self::Rrset => "rrset",
            Self::Server => "server",
            Self::SshKey => "ssh_key",
            Self::Volume => "volume",
            Self::Zone => "zone",
        }
    }

    /// Returns the words for this kind in messages.
    pub fn label(self) -> &'static str {
        match self {
            Self::PlacementGroup => "placement group",
            Self::PrimaryIp => "primary IP",
            Self::Rrset => "RRSet",
            Self::SshKey => "SSH key",
            other => other.name(),
        }
    }
}

/// Returns behind which id those of the n-th project begin: above every id of the catalogue's small
/// tables, so a mixed-up id is noticed, and far enough apart that two projects never meet.
pub fn ids_before(projects: usize) -> u64 {
    1_000_000 * (projects as u64 + 1)
}

impl Project {
    /// Opens an empty project.
    pub fn new(name: &str, seed: u64, settings: Arc<Settings>, catalogue: Catalogue) -> Self {
        Self {
            name: name.to_owned(),
            now: Timestamp::UNIX_EPOCH,
            cause: 0,
            quotas: settings.quotas.clone(),
            settings,
            catalogue,
            dice: Dice::new(seed),
            firewalls: BTreeMap::new(),
            images: BTreeMap::new(),
            networks: BTreeMap::new(),
            placement_groups: BTreeMap::new(),
            primary_ips: BTreeMap::new(),
            servers: BTreeMap::new(),
            ssh_keys: BTreeMap::new(),
            volumes: BTreeMap::new(),
            zones: BTreeMap::new(),
            actions: BTreeMap::new(),
            events: Vec::new(),
            doom: None,
            drag: None,
            lag_ms: 0,
            running: BTreeSet::new(),
            hidden: BTreeMap::new(),
            id_last: ids_before(0),
            addresses: 0,
        }
    }

    /// Lets ids begin behind `id` and addresses behind the `addresses`-th.
    pub fn begin_behind(&mut self, id: u64, addresses: u64) {
        (self.id_last, self.addresses) = (self.id_last.max(id), self.addresses.max(addresses));
    }

    /// Returns a fresh id, never used before for any kind.
    pub fn next_id(&mut self) -> u64 {
        self.id_last += 1;
        self.id_last
    }

    /// Returns a number for the next public address.
    pub fn next_address(&mut self) -> u64 {
        self.addresses += 1;
        self.addresses
    }

    /// Notes a birth.
    pub fn created(&mut self, kind: Kind, id: impl ToString, name: &str, labels: &Labels) {
        let id = id.to_string();
        if self.lag_ms > 0 {
            self.hidden.insert((kind, id.clone()), later(self.now, self.lag_ms));
        }
        self.note(Change::Created, kind, id, (name, labels));
    }

    /// Notes a death.
    pub fn deleted(&mut self, kind: Kind, id: impl ToString, name: &str, labels: &Labels) {
        self.note(Change::Deleted, kind, id.to_string(), (name, labels));
    }

    fn note(&mut self, event: Change, kind: Kind, id: String, of: (&str, &Labels)) {
        let (name, labels) = (of.0.to_owned(), of.1.clone());
        self.events.push(ResourceEvent {
            event,
            at: written(self.now),
            seq: self.cause,
            project: self.name.clone(),
            touched: Touched { kind: kind.name(), id, name, labels },
        });
    }

    /// Tells whether a lag still keeps a thing out of lists.
    pub fn is_hidden(&self, kind: Kind, id: &str) -> bool {
        self.hidden.get(&(kind, id.to_owned())).is_some_and(|until| self.now < *until)
    }

    /// Refuses when one more of a kind would exceed its quota.
    pub fn check_quota(&self, name: &str, held: usize, more: usize) -> Result<(), Refusal> {
        match self.quotas.get(name) {
            Some(most) if held + more > *most => Err(Refusal::limit(name)),
            _ => Ok(()),
        }
    }

    /// Begins an action and returns its id.
    pub fn begin(&mut self, job: Job) -> u64 {
        let id = self.next_id();
        let usual = self.settings.duration_ms(job.command, &mut self.dice);
        let is_meant = |only: &Option<String>| only.as_deref().is_none_or(|it| it == job.command);
        let dragged = self.drag.take_if(|(only, _)| is_meant(only));
        let duration = dragged.map_or(usual, |(_, told)| told.unwrap_or(NEVER_MS));
        let ready = job.after.and_then(|other| self.actions.get(&other)).map(|other| other.due);
        let due = later(ready.unwrap_or(self.now).max(self.now), duration);
        let failure = self.doom.take_if(|(only, _)| is_meant(only)).map(|(_, failure)| failure);
        let action = Action {
            id,
            job,
            status: Status::Running,
            started: self.now,
            due,
            finished: None,
            failure,
            cause: self.cause,
        };
        self.actions.insert(id, action);
        self.running.insert((due, id));
        id
    }

    /// Returns for how long the actions run that a request has just begun, in milliseconds.
    pub fn actions_ms(&self, cause: u64) -> u64 {
        let begun = self.actions.values().rev().take_while(|action| action.cause == cause);
        let spans = begun.map(|action| action.due.duration_since(action.started).as_millis());
        spans.max().and_then(|longest| u64::try_from(longest).ok()).unwrap_or(0)
    }

    /// Ends every action due by `now`, in order, each at its own time.
    pub fn settle(&mut self, now: Timestamp) {
        while let Some((due, id)) = self.running.first().copied().filter(|(due, _)| *due <= now) {
            self.running.remove(&(due, id));
            self.now = due;
            self.finish(id);
        }
        self.now = now;
    }

    fn finish(&mut self, id: u64) {
        let Some(action) = self.actions.get(&id).cloned() else {
            return;
        };
        self.cause = action.cause;
        let inherited = action
            .job
            .after
            .and_then(|other| self.actions.get(&other))
            .filter(|other| other.status == Status::Error)
            .and_then(|other| other.failure.clone());
        let doom = action.failure.or(inherited);
        let outcome = match (doom, action.job.effect) {
            (Some(failure), _) => Err(failure),
            (None, Some(effect)) => effect(self),
            (None, None) => Ok(()),
        };
        if let (Err(_), Some(undo)) = (&outcome, action.job.undo) {
            // An undo is infallible by construction, see `Job::or_else`.
            let _: Result<(), Failure> = undo(self);
        }
        if let Some(action) = self.actions.get_mut(&id) {
            action.status = if outcome.is_ok() { Status::Success } else { Status::Error };
            action.failure = outcome.err();
            action.finished = Some(action.due);
        }
    }

    /// Tells whether a running action holds a thing.
    pub fn is_locked(&self, kind: Kind, id: u64) -> bool {
        self.running
            .iter()
            .filter_map(|(_, action)| self.actions.get(action))
            .any(|action| action.job.holds.contains(&(kind, id)))
    }

    /// Refuses with 423 while a running action holds a thing.
    pub fn check_unlocked(&self, kind: Kind, id: u64) -> Result<(), Refusal> {
        if self.is_locked(kind, id) { Err(Refusal::locked(kind.label())) } else { Ok(()) }
    }

    /// Refuses with 409 while a running action holds a thing that answers so.
    pub fn check_unchanging(&self, kind: Kind, id: u64) -> Result<(), Refusal> {
        if self.is_locked(kind, id) {
            let message = format!("{} has changed during the request, please retry", kind.label());
            return Err(Refusal::new(409, "conflict", message));
        }
        Ok(())
    }

    /// Returns the document of an action.
    pub fn action(&self, id: u64) -> Value {
        self.actions.get(&id).map_or(Value::Null, |action| action.document(self.now))
    }

    /// Returns the body `{"action": …}`.
    pub fn action_body(&self, id: u64) -> Value {
        json!({"action": self.action(id)})
    }

    /// Returns when the next action ends.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.running.first().map(|(due, _)| *due)
    }
}
