//! The world: every project, and how one request passes through rules, faults and ledger.
//!
//! It is pure: the same requests at the same times with the same seed give the same answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use runwrit_model::plan::snapshot::Snapshot;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::actions::{Failure, Job};
use super::auth::{Access, Guard};
use super::catalogue::Catalogue;
use super::clock::{later, written};
use super::dice::Dice;
use super::faults::{Fault, Faults};
use super::ledger::{Change, Entry, Landing, ResourceEvent, Touched};
use super::limiter::{Bucket, Rate};
use super::options::Options;
use super::project::{Project, ids_before};
use super::refusal::Refusal;
use super::request::{Input, Reply, Request};
use super::router::{self, Found, Route};
use super::seed::{self, SeedError};
use super::validation;

/// Everything a simulator knows.
pub struct World {
    options: Options,
    pub guard: Guard,
    pub faults: Faults,
    pub projects: BTreeMap<String, Project>,
    pub ledger: Vec<Entry>,
    catalogue: Catalogue,
    buckets: BTreeMap<String, Bucket>,
    late: Vec<Late>,
    dice: Dice,
    /// Simulated milliseconds that pass in a real one.
    pace: f64,
}

/// A request whose effect is still to come.
struct Late {
    due: Timestamp,
    seq: u64,
    project: String,
    request: Request,
}

/// An answer and how it travels.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub content: Content,
    pub delivery: Delivery,
    pub rate: Rate,
    pub correlation_id: String,
    /// The `Allow` header of a 405.
    pub allowed: Vec<&'static str>,
}

/// What an answer holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Reply(Reply),
    /// A page of a gateway, with its status.
    Html(u16),
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    Dropped,
    /// Waits this many real milliseconds in all.
    Slow(u64),
}

impl Content {
    fn status(&self) -> u16 {
        match self {
            Self::Reply(reply) => reply.status,
            Self::Html(status) => *status,
        }
    }
}

impl From<Refusal> for Content {
    fn from(refusal: Refusal) -> Self {
        Self::Reply(refusal.into())
    }
}

/// What became of a request besides its answer.
#[derive(Default)]
struct Notes {
    project: Option<String>,
    fault: Option<&'static str>,
    allowed: Vec<&'static str>,
    rate: Option<Rate>,
    events: Vec<ResourceEvent>,
}

impl World {
    /// Makes an empty world.
    pub fn new(options: &Options) -> Self {
        let pace = if options.is_clock_frozen { 1.0 } else { 1.0 / options.time_factor };
        Self {
            guard: Guard::new(&options.tokens),
            faults: Faults::default(),
            projects: BTreeMap::new(),
            ledger: Vec::new(),
            catalogue: Catalogue::default(),
            buckets: BTreeMap::new(),
            late: Vec::new(),
            dice: Dice::new(options.seed),
            pace: if pace.is_finite() && pace > 0.0 { pace } else { 1.0 },
            options: options.clone(),
        }
    }

    /// Forgets everything but the options.
    pub fn reset(&mut self) {
        *self = Self::new(&self.options.clone());
    }

    /// Lets everything happen that is due by `now`: actions end, late commits land.
    pub fn settle(&mut self, now: Timestamp) {
        self.late.sort_by_key(|late| (late.due, late.seq));
        while self.late.first().is_some_and(|late| late.due <= now) {
            let late = self.late.remove(0);
            self.land(&late);
        }
        for project in self.projects.values_mut() {
            project.settle(now);
        }
    }

    fn land(&mut self, late: &Late) {
        let Some(project) = self.projects.get_mut(&late.project) else {
            return;
        };
        project.settle(late.due);
        project.cause = late.seq;
        let before = project.events.len();
        let reply = match router::find(&late.request.method, &late.request.path) {
            Found::Route(route, parameters) => handle(project, route, parameters, &late.request),
            _ => return,
        };
        let events = project.events[before..].to_vec();
        let actions_ms = project.actions_ms(late.seq);
        if let Some(entry) = self.ledger.iter_mut().find(|entry| entry.seq == late.seq) {
            entry.actions_ms = actions_ms;
            entry.landed = Some(Landing { at: written(late.due), status: reply.status });
            note_events(entry, &events);
        }
    }

    /// Answers a request that arrives at `now`.
    pub fn receive(&mut self, request: Request, now: Timestamp) -> Answer {
        self.settle(now);
        let seq = self.ledger.len() as u64 + 1;
        let correlation_id = format!("{:016x}", self.dice.roll());
        let mut notes = Notes::default();
        let (content, delivery) = match self.admit(&request, now, &mut notes) {
            Ok((route, parameters)) => {
                let fault = self.strike(&request, &notes);
                notes.fault = fault.as_ref().map(Fault::name);
                self.act(Call { request: &request, route, parameters, seq, now }, fault, &mut notes)
            }
            Err(refusal) => (refusal.into(), Delivery::Whole),
        };
        let project = notes.project.as_ref().and_then(|name| self.projects.get(name));
        let mut entry = Entry {
            seq,
            at: written(now),
            project: notes.project,
            method: request.method.clone(),
            path: request.path.clone(),
            status: content.status(),
            correlation_id: correlation_id.clone(),
            request_digest: digest(&request),
            fault: notes.fault.map(str::to_owned),
            landed: None,
            actions_ms: project.map_or(0, |project| project.actions_ms(seq)),
            created: Vec::new(),
            deleted: Vec::new(),
        };
        note_events(&mut entry, &notes.events);
        self.ledger.push(entry);
        let full = Bucket::full(self.options.settings.rate_limit, now).rate();
        let rate = notes.rate.unwrap_or(full);
        Answer { content, delivery, rate, correlation_id, allowed: notes.allowed }
    }

    // The order is the API's: unknown route, credential, rate limit, method, permission.
    fn admit(
        &mut self,
        request: &Request,
        now: Timestamp,
        notes: &mut Notes,
    ) -> Result<(&'static Route, Vec<String>), Refusal> {
        let found = router::find(&request.method, &request.path);
        if matches!(found, Found::Nothing) {
            return Err(Refusal::new(404, "not_found", "api route not found"));
        }
        let access = self.guard.admit(&request.token)?;
        notes.project = Some(access.project.clone());
        self.open(&access, now);
        notes.rate = Some(self.count(&access, now)?);
        let Found::Route(route, parameters) = found else {
            if let Found::OtherMethods(methods) = found {
                notes.allowed = methods;
            }
            let message = "the request method is not allowed";
            return Err(Refusal::new(405, "method_not_allowed", message));
        };
        if access.is_read_only && route.method != "GET" {
            let message = "the token is only allowed to perform GET requests";
            return Err(Refusal::new(401, "token_readonly", message));
        }
        if request.body.is_none() {
            let message = "the request body is too large";
            return Err(Refusal::new(413, "invalid_input", message));
        }
        Ok((route, parameters))
    }

    fn open(&mut self, access: &Access, now: Timestamp) {
        if self.projects.contains_key(&access.project) {
            return;
        }
        let settings = Arc::new(self.options.settings.clone());
        let catalogue = self.catalogue.clone();
        let mut project = Project::new(&access.project, self.options.seed, settings, catalogue);
        project.now = now;
        // Like at Hetzner, what stands in one project has an id that no other project has.
        project.begin_behind(ids_before(self.projects.len()), 0);
        self.projects.insert(access.project.clone(), project);
    }

    /// Lets a project hold what another cloud showed, and nothing else.
    pub fn seed(
        &mut self,
        name: &str,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<(), SeedError> {
        let settings = Arc::new(self.options.settings.clone());
        let catalogue = seed::catalogue(snapshot)?;
        let mut project = Project::new(name, self.options.seed, settings, catalogue);
        project.now = now;
        // How much another cloud allows is not told by it.
        project.quotas.clear();
        seed::fill(&mut project, snapshot)?;
        self.projects.insert(name.to_owned(), project);
        Ok(())
    }

    fn count(&mut self, access: &Access, now: Timestamp) -> Result<Rate, Refusal> {
        let limit = self.options.settings.rate_limit;
        let bucket =
            self.buckets.entry(access.project.clone()).or_insert_with(|| Bucket::full(limit, now));
        if bucket.take(now) {
            return Ok(bucket.rate());
        }
        let message = format!("limit of {limit} requests per hour reached");
        Err(Refusal::new(429, "rate_limit_exceeded", message))
    }

    fn strike(&mut self, request: &Request, notes: &Notes) -> Option<Fault> {
        let project = notes.project.as_deref().unwrap_or_default();
        self.faults.strike(&mut self.dice, project, (&request.method, &request.path))
    }

    fn act(&mut self, call: Call, fault: Option<Fault>, notes: &mut Notes) -> (Content, Delivery) {
        match fault {
            Some(Fault::Refuse { status, code, message }) => {
                let message = if message.is_empty() { code.clone() } else { message };
                (Refusal::new(status, &code, message).into(), Delivery::Whole)
            }
            Some(Fault::Unauthorized) => {
                let message = "the token you have provided is invalid";
                (Refusal::new(401, "unauthorized", message).into(), Delivery::Whole)
            }
            Some(Fault::Html { status }) => (Content::Html(status), Delivery::Whole),
            Some(Fault::DropBefore) => (Content::Html(502), Delivery::Dropped),
            Some(Fault::LateCommit { delay_ms }) => {
                self.postpone(&call, delay_ms, notes);
                (Content::Html(504), Delivery::Dropped)
            }
            Some(Fault::Linger { delay_ms }) => {
                (Content::Reply(self.linger(&call, delay_ms, notes)), Delivery::Whole)
            }
            Some(fault) => self.commit(call, &fault, notes),
            None => (Content::Reply(self.run(call, notes)), Delivery::Whole),
        }
    }

    /// Answers a deletion as the API would, with an action where one belongs, and lets it happen
    /// later. What would be refused is refused.
    fn linger(&mut self, call: &Call, delay_ms: u64, notes: &Notes) -> Reply {
        let project = notes.project.as_ref().and_then(|name| self.projects.get_mut(name));
        let Some(project) = project else {
            return Refusal::new(500, "server_error", "the project is gone").into();
        };
        let mut rehearsed = project.clone();
        let mut reply = handle(&mut rehearsed, call.route, call.parameters.clone(), call.request);
        if reply.status >= 300 {
            return reply;
        }
        let begun = reply.body.as_ref().and_then(|body| body["action"]["id"].as_u64());
        if let Some(action) = begun.and_then(|id| rehearsed.actions.remove(&id)) {
            let job = Job { resources: action.job.resources, ..Job::new(action.job.command) };
            project.cause = call.seq;
            let id = project.begin(job);
            reply = Reply::new(reply.status, project.action_body(id));
        }
        self.postpone(call, delay_ms, notes);
        reply
    }

    fn postpone(&mut self, call: &Call, delay_ms: u64, notes: &Notes) {
        let delay = (delay_ms as f64 * self.pace) as u64;
        self.late.push(Late {
            due: later(call.now, delay),
            seq: call.seq,
            project: notes.project.clone().unwrap_or_default(),
            request: call.request.clone(),
        });
    }

    /// Handles the faults that let the request take effect.
    fn commit(&mut self, call: Call, fault: &Fault, notes: &mut Notes) -> (Content, Delivery) {
        self.prepare(fault, notes);
        let reply = self.run(call, notes);
        let project = notes.project.as_ref().and_then(|name| self.projects.get_mut(name));
        if let Some(project) = project {
            (project.doom, project.drag, project.lag_ms) = (None, None, 0);
        }
        match fault {
            Fault::CommitThenRefuse { status, html: true, .. } => {
                (Content::Html(*status), Delivery::Whole)
            }
            Fault::CommitThenRefuse { status, code, .. } => {
                (Refusal::new(*status, code, code.clone()).into(), Delivery::Whole)
            }
            Fault::DropAfter => (Content::Reply(reply), Delivery::Dropped),
            Fault::Slow { delay_ms } => (Content::Reply(reply), Delivery::Slow(*delay_ms)),
            _ => (Content::Reply(reply), Delivery::Whole),
        }
    }

    fn prepare(&mut self, fault: &Fault, notes: &Notes) {
        let pace = self.pace;
        let Some(project) = notes.project.as_ref().and_then(|name| self.projects.get_mut(name))
        else {
            return;
        };
        match fault {
            Fault::ActionError { code, message, command } => {
                project.doom = Some((command.clone(), Failure::new(code, message.clone())));
            }
            Fault::ActionTime { delay_ms, command } => {
                let scaled = delay_ms.map(|delay_ms| (delay_ms as f64 * pace) as u64);
                project.drag = Some((command.clone(), scaled));
            }
            Fault::ListLag { delay_ms } => project.lag_ms = (*delay_ms as f64 * pace) as u64,
            Fault::Stock { server_type, location, available } => {
                project.catalogue.set_stock(server_type, location, *available);
            }
            Fault::Quota { name, most } => {
                project.quotas.insert(name.clone(), *most);
            }
            _ => {}
        }
    }

    fn run(&mut self, call: Call, notes: &mut Notes) -> Reply {
        let Some(project) = notes.project.as_ref().and_then(|name| self.projects.get_mut(name))
        else {
            return Refusal::new(500, "server_error", "the project is gone").into();
        };
        project.cause = call.seq;
        let before = project.events.len();
        let reply = handle(project, call.route, call.parameters, call.request);
        notes.events = project.events[before..].to_vec();
        reply
    }

    /// Puts a server type in or out of stock, in every project, now and later.
    pub fn set_stock(&mut self, server_type: &str, location: &str, is_available: bool) {
        self.catalogue.set_stock(server_type, location, is_available);
        for project in self.projects.values_mut() {
            project.catalogue.set_stock(server_type, location, is_available);
        }
    }

    /// Shows another price list in every project, now and later.
    pub fn set_pricing(&mut self, document: &Value) {
        let document = Some(Arc::new(document.clone()));
        self.catalogue.pricing.clone_from(&document);
        for project in self.projects.values_mut() {
            project.catalogue.pricing.clone_from(&document);
        }
    }

    /// Changes a quota of every project, now and later.
    pub fn set_quota(&mut self, name: &str, most: usize) {
        self.options.settings.quotas.insert(name.to_owned(), most);
        for project in self.projects.values_mut() {
            project.quotas.insert(name.to_owned(), most);
        }
    }

    /// Returns how many late commits have not landed yet.
    pub fn late_count(&self) -> usize {
        self.late.len()
    }
}

/// An admitted request on its way to its handler.
struct Call<'a> {
    request: &'a Request,
    route: &'static Route,
    parameters: Vec<String>,
    seq: u64,
    now: Timestamp,
}

fn handle(
    project: &mut Project,
    route: &Route,
    parameters: Vec<String>,
    request: &Request,
) -> Reply {
    // A read carries no body; what comes with one is ignored, as everywhere.
    let body = if matches!(route.method, "GET" | "DELETE") {
        Ok(json!({}))
    } else {
        validation::check(route.body, request.body.as_deref().unwrap_or_default())
    };
    let answer = body.and_then(|body: Value| {
        let input = Input { parameters, query: &request.query, body };
        (route.handler)(project, &input)
    });
    answer.unwrap_or_else(Reply::from)
}

fn note_events(entry: &mut Entry, events: &[ResourceEvent]) {
    let touched = |change: Change| -> Vec<Touched> {
        let of_change = events.iter().filter(|event| event.event == change);
        of_change.map(|event| event.touched.clone()).collect()
    };
    entry.created.extend(touched(Change::Created));
    entry.deleted.extend(touched(Change::Deleted));
}

fn digest(request: &Request) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{}\n{}\n", request.method, request.path));
    for (key, value) in &request.query {
        hasher.update(format!("{key}={value}\n"));
    }
    hasher.update(request.body.as_deref().unwrap_or_default());
    HEXLOWER.encode(&hasher.finalize())
}
