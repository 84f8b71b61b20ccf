//! The control side: faults, clock, ledger and leaks, for tests in the same process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use runwrit_model::plan::snapshot::Snapshot;
use serde_json::{Map, Value, json};

use super::auth::{Access, Digest, Presented};
use super::clock::Clock;
use super::faults::{Armed, Rule, is_path_match};
use super::leaks::{self, LeakReport};
use super::ledger::{Entry, ResourceEvent};
use super::options::{Options, Witness};
use super::progress;
use super::project::Project;
use super::refusal::Refusal;
use super::request::{Input, Request};
use super::router;
use super::seed::SeedError;
use super::selector::Selector;
use super::world::{Answer, World};

/// A handle on a running simulator that sees and changes what the API cannot.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Mutex<Shared>>,
    witness: Option<Witness>,
}

struct Shared {
    world: World,
    clock: Clock,
}

impl Control {
    /// Starts a world and its clock.
    pub fn new(options: &Options) -> Self {
        let clock = Clock::start(options.starts_at, options.time_factor, options.is_clock_frozen);
        let shared = Shared { world: World::new(options), clock };
        Self { shared: Arc::new(Mutex::new(shared)), witness: options.witness.clone() }
    }

    /// Returns who looks at every answer.
    pub fn witness(&self) -> Option<&Witness> {
        self.witness.as_ref()
    }

    // A panic elsewhere leaves a world that is still worth looking at.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self) -> MutexGuard<'_, Shared> {
        let mut shared = self.lock();
        let now = shared.clock.now();
        shared.world.settle(now);
        shared
    }

    /// Answers a request of the API now.
    pub fn receive(&self, request: Request) -> (Answer, Timestamp) {
        let mut shared = self.lock();
        let now = shared.clock.now();
        (shared.world.receive(request, now), now)
    }

    /// Returns the simulated time.
    pub fn now(&self) -> Timestamp {
        self.lock().clock.now()
    }

    /// Returns the time of day that answers bear.
    pub fn date(&self) -> Timestamp {
        self.lock().clock.date()
    }

    /// Returns how many real seconds a simulated second lasts.
    pub fn time_factor(&self) -> f64 {
        self.lock().clock.factor()
    }

    /// Pushes the clock forward; what became due happens at once.
    pub fn advance(&self, span: Duration) -> Timestamp {
        self.lock().clock.advance(span);
        self.settled().clock.now()
    }

    /// Arms a fault and returns its id.
    pub fn add_fault(&self, rule: Rule) -> u64 {
        self.lock().world.faults.add(rule)
    }

    /// Disarms a fault; tells whether there was one.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.lock().world.faults.remove(id)
    }

    /// Disarms every fault.
    pub fn clear_faults(&self) {
        self.lock().world.faults.clear();
    }

    /// Returns every fault with how often it was seen and struck.
    pub fn faults(&self) -> Vec<Armed> {
        self.lock().world.faults.list().to_vec()
    }

    /// Returns every request so far, oldest first.
    pub fn ledger(&self) -> Vec<Entry> {
        self.settled().world.ledger.clone()
    }

    /// Counts the requests of a method (any when empty) on a path pattern.
    pub fn request_count(&self, method: &str, pattern: &str) -> usize {
        let shared = self.lock();
        let is_counted = |entry: &&Entry| {
            (method.is_empty() || entry.method.eq_ignore_ascii_case(method))
                && is_path_match(pattern, &entry.path)
        };
        shared.world.ledger.iter().filter(is_counted).count()
    }

    /// Returns every birth and death so far whose labels match.
    pub fn resource_events(&self, selector: &str) -> Result<Vec<ResourceEvent>, Refusal> {
        let selector = Selector::parse(selector)?;
        let shared = self.settled();
        let mut events: Vec<ResourceEvent> = shared
            .world
            .projects
            .values()
            .flat_map(|project| project.events.iter())
            .filter(|event| selector.matches(&event.touched.labels))
            .cloned()
            .collect();
        events.sort_by(|one, other| (&one.at, one.seq).cmp(&(&other.at, other.seq)));
        Ok(events)
    }

    /// Reports what is alive and matches, with its price a month; an empty selector matches all.
    pub fn leaks(&self, selector: &str) -> Result<LeakReport, Refusal> {
        let selector = Selector::parse(selector)?;
        Ok(leaks::report(self.settled().world.projects.values(), &selector))
    }

    /// Puts a server type in or out of stock.
    pub fn set_stock(&self, server_type: &str, location: &str, is_available: bool) {
        self.lock().world.set_stock(server_type, location, is_available);
    }

    /// Returns the price list that a token sees.
    pub fn pricing(&self, token: &str) -> Value {
        let shared = self.settled();
        let name = Digest::of(token).project_name();
        shared.world.projects.get(&name).map_or(Value::Null, |it| it.catalogue.pricing())
    }

    /// Shows another price list from now on, to everybody.
    pub fn set_pricing(&self, document: &Value) {
        self.lock().world.set_pricing(document);
    }

    /// Changes how many of a kind a project may hold.
    pub fn set_quota(&self, name: &str, most: usize) {
        self.lock().world.set_quota(name, most);
    }

    /// Changes what a token opens from now on.
    pub fn set_token(&self, token: &str, project: Option<&str>, is_read_only: bool) {
        let digest = Digest::of(token);
        let project = project.map_or_else(|| digest.project_name(), str::to_owned);
        let access = Access { project, is_read_only, is_revoked: false };
        self.lock().world.guard.set(digest, access);
    }

    /// Lets the project of a token hold what another cloud showed, ids and prices included, and
    /// nothing else. New ids begin far behind the known ones.
    pub fn seed(&self, token: &str, snapshot: &Snapshot) -> Result<(), SeedError> {
        let mut shared = self.lock();
        let now = shared.clock.now();
        let access = shared.world.guard.admit(&Presented::Token(Digest::of(token)));
        let name = access.map_or_else(|_| Digest::of(token).project_name(), |it| it.project);
        shared.world.seed(&name, snapshot, now)
    }

    /// Makes a token worthless from now on.
    pub fn revoke_token(&self, token: &str) {
        let digest = Digest::of(token);
        let project = digest.project_name();
        let access = Access { project, is_read_only: false, is_revoked: true };
        self.lock().world.guard.set(digest, access);
    }

    /// Returns the documents of everything in every project, and what is still to come.
    pub fn dump(&self) -> Value {
        let mut shared = self.settled();
        let late = shared.world.late_count();
        let mut projects = Map::new();
        for (name, project) in &mut shared.world.projects {
            projects.insert(name.clone(), dump_project(project));
        }
        json!({"projects": projects, "late_commits": late})
    }

    /// Forgets everything; the clock goes on.
    pub fn reset(&self) {
        self.lock().world.reset();
    }
}

fn dump_project(project: &mut Project) -> Value {
    let mut dump = Map::new();
    let collections = [
        "/networks",
        "/firewalls",
        "/servers",
        "/volumes",
        "/primary_ips",
        "/ssh_keys",
        "/images",
        "/placement_groups",
        "/zones",
    ];
    for path in collections {
        let mut items = Vec::new();
        for page in 1_u32.. {
            let found = page_of(project, path, page);
            let is_last = found.len() < PER_PAGE;
            items.extend(found);
            if is_last {
                break;
            }
        }
        items.retain(|item| item["type"] != "system" && item["type"] != "app");
        dump.insert(path.trim_start_matches('/').to_owned(), items.into());
    }
    dump.insert("actions".into(), progress::everything(project));
    Value::Object(dump)
}

const PER_PAGE: usize = 50;

fn page_of(project: &mut Project, path: &str, page: u32) -> Vec<Value> {
    let router::Found::Route(route, parameters) = router::find("GET", path) else {
        return Vec::new();
    };
    let query = [("page".to_owned(), page.to_string()), ("per_page".to_owned(), "50".to_owned())];
    let input = Input { parameters, query: &query, body: Value::Null };
    let reply = (route.handler)(project, &input);
    let body = reply.ok().and_then(|reply| reply.body).unwrap_or_default();
    body[path.trim_start_matches('/')].as_array().cloned().unwrap_or_default()
}
