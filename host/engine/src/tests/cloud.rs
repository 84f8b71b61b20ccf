//! A stand-in for an outside system: names are unique, replies get lost, creations land late.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use runwrit_capabilities::gate::{Acceptance, SendError, Ticket, UndoError, Undone};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::journal::UnixMs;
use serde_json::Value;

use super::fuse::Fuse;
use crate::clock::Clock;

/// What goes wrong with the first send of every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Calm,
    /// It takes effect, and the reply is lost.
    LostReply,
    /// It is lost.
    LostRequest,
    /// It takes effect after this many milliseconds, and the reply is lost.
    Late(u64),
    /// It takes effect, and then fails.
    FailsAfterEffect,
    /// It takes effect, and the reply is lost; whoever sends again is refused.
    RefusesAgain,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    pub kind: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub parent: Option<String>,
}

/// A creation on its way.
#[derive(Debug, Clone)]
struct Landing {
    at: UnixMs,
    thing: Thing,
}

#[derive(Default)]
struct State {
    things: BTreeMap<String, Thing>,
    links: BTreeMap<String, String>,
    landing: Vec<Landing>,
    protected: Vec<String>,
    sent: BTreeMap<String, u32>,
    doubled: Vec<String>,
    undone: Vec<String>,
    next_id: u32,
}

/// The cloud outlives every process.
pub struct Cloud {
    clock: Arc<dyn Clock>,
    weather: Weather,
    state: Mutex<State>,
}

impl Cloud {
    pub fn new(clock: Arc<dyn Clock>, weather: Weather) -> Self {
        Self { clock, weather, state: Mutex::default() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        let now = self.clock.now();
        let (due, later) = state.landing.drain(..).partition(|landing| landing.at <= now);
        state.landing = later;
        for Landing { thing, .. } in due {
            let _ = state.create(thing);
        }
        act(&mut state)
    }

    /// Names what stands, links as `a-b`.
    pub fn standing(&self) -> Vec<String> {
        self.with(|state| {
            let things = state.things.values().map(|thing| thing.name.clone());
            let name = |id: &String| state.things[id].name.clone();
            let links = state.links.iter().map(|(one, two)| format!("{}-{}", name(one), name(two)));
            let mut standing: Vec<_> = things.chain(links).collect();
            standing.sort();
            standing
        })
    }

    /// Names what one call had created a second time while the first still stood.
    pub fn doubled(&self) -> Vec<String> {
        self.with(|state| state.doubled.clone())
    }

    /// Returns the names in the order in which they were undone.
    pub fn undone(&self) -> Vec<String> {
        self.with(|state| state.undone.clone())
    }

    /// Puts a thing there that no run made.
    pub fn plant(&self, kind: &str, name: &str) {
        let thing = Thing {
            kind: kind.to_owned(),
            name: name.to_owned(),
            labels: BTreeMap::new(),
            parent: None,
        };
        self.with(|state| state.create(thing)).unwrap();
    }

    /// Puts a thing there as a run of the past made it; its parent is the first thing.
    pub fn restore(&self, kind: &str, name: &str, labels: BTreeMap<String, String>) {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let parent = (kind == "server").then(|| "1".to_owned());
        self.with(|state| state.create(Thing { kind, name, labels, parent })).unwrap();
    }

    /// Makes every deletion of that name fail for good.
    pub fn protect(&self, name: &str) {
        self.with(|state| state.protected.push(name.to_owned()));
    }

    /// Counts the requests to create that arrived.
    pub fn sends(&self) -> u32 {
        self.with(|state| state.sent.values().sum())
    }

    /// Deletes by name behind everybody's back.
    pub fn remove(&self, name: &str) {
        self.with(|state| state.things.retain(|_, thing| thing.name != name));
    }

    pub async fn create(
        &self,
        fuse: &Fuse,
        thing: Thing,
        ticket: &Ticket,
    ) -> Result<Acceptance, SendError> {
        fuse.pass("before create").await;
        let thing = Thing { labels: ticket.labels.clone(), ..thing };
        let answer = self.with(|state| self.take(state, thing, ticket));
        fuse.pass("after create").await;
        answer
    }

    fn take(
        &self,
        state: &mut State,
        thing: Thing,
        ticket: &Ticket,
    ) -> Result<Acceptance, SendError> {
        let count = state.sent.entry(ticket.call.to_string()).or_default();
        *count += 1;
        let is_first = *count == 1;
        let lost = || Err(SendError::Unknown("the reply was lost".to_owned()));
        match self.weather {
            Weather::LostRequest if is_first => return lost(),
            Weather::Late(wait) if is_first => {
                state.landing.push(Landing { at: self.clock.now() + wait, thing });
                return lost();
            }
            Weather::RefusesAgain if !is_first => {
                let problem = Problem::new("resource_limit_exceeded", "no more of them");
                return Err(SendError::Refused(Failure::Unavailable(problem)));
            }
            _ => {}
        }
        let (id, is_adopted) = match state.create(thing.clone()) {
            Ok(id) => (id, false),
            Err(id) if state.things[&id].labels == thing.labels => (id, true),
            Err(_) => {
                let problem = Problem::new("uniqueness_error", "the name is taken");
                return Err(SendError::Refused(Failure::Conflict(problem)));
            }
        };
        match self.weather {
            Weather::LostReply | Weather::RefusesAgain if is_first => lost(),
            Weather::FailsAfterEffect if is_first => {
                let problem = Problem::new("action_failed", "it did not start");
                Err(SendError::FailedAfterEffect(Failure::Failed(problem)))
            }
            _ => Ok(Acceptance { remote_id: Some(id), is_adopted, ..Acceptance::default() }),
        }
    }

    /// Finds what carries exactly these labels, as a call without a unique key must.
    pub fn find(&self, labels: &BTreeMap<String, String>) -> Vec<String> {
        self.with(|state| {
            let ours = state.things.iter().filter(|(_, thing)| thing.labels == *labels);
            ours.map(|(id, _)| id.clone()).collect()
        })
    }

    pub async fn read(&self, fuse: &Fuse, id: &str) -> Result<Thing, SendError> {
        fuse.pass("before read").await;
        let thing = self.with(|state| state.things.get(id).cloned());
        fuse.pass("after read").await;
        thing.ok_or_else(|| SendError::Unknown("it is not there yet".to_owned()))
    }

    pub async fn link(&self, fuse: &Fuse, one: &str, two: &str) -> Result<Acceptance, SendError> {
        fuse.pass("before link").await;
        self.with(|state| state.links.insert(one.to_owned(), two.to_owned()));
        fuse.pass("after link").await;
        Ok(Acceptance::default())
    }

    pub async fn unlink(&self, fuse: &Fuse, one: &str) -> Result<Undone, UndoError> {
        fuse.pass("before unlink").await;
        let removed = self.with(|state| {
            let removed = state.links.remove(one);
            state.undone.extend(removed.iter().map(|_| "link".to_owned()));
            removed
        });
        fuse.pass("after unlink").await;
        Ok(removed.map_or(Undone::Absent, |_| Undone::Done))
    }

    /// Deletes by id, or by name where no id was told; only with our labels, and not in use.
    pub async fn delete(
        &self,
        fuse: &Fuse,
        id: Option<&str>,
        (name, labels): (&str, &BTreeMap<String, String>),
    ) -> Result<Undone, UndoError> {
        fuse.pass("before delete").await;
        let answer = self.with(|state| state.delete(id, name, labels));
        fuse.pass("after delete").await;
        answer
    }
}

impl State {
    /// Returns the id, or the id of what has the name already; marks need no unique name.
    fn create(&mut self, thing: Thing) -> Result<String, String> {
        let is_unique = thing.kind != "mark";
        let same = |other: &Thing| other.kind == thing.kind && other.name == thing.name;
        if let Some((id, _)) = self.things.iter().find(|(_, other)| is_unique && same(other)) {
            return Err(id.clone());
        }
        self.next_id += 1;
        let id = self.next_id.to_string();
        if self.things.values().any(|other| other.labels == thing.labels) {
            self.doubled.push(thing.name.clone());
        }
        self.things.insert(id.clone(), thing);
        Ok(id)
    }

    fn delete(
        &mut self,
        id: Option<&str>,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Undone, UndoError> {
        // A creation that landed late has another id than the one that was told.
        let by_id = self.things.iter().find(|(known, _)| Some(known.as_str()) == id);
        let by_name = || self.things.iter().find(|(_, thing)| thing.name == name);
        let found = by_id.or_else(by_name);
        let Some((id, thing)) = found.map(|(id, thing)| (id.clone(), thing.clone())) else {
            return Ok(Undone::Absent);
        };
        if thing.labels != *labels {
            return Ok(Undone::NotOurs);
        }
        if self.protected.contains(&thing.name) {
            return Err(UndoError::Never("it is protected".to_owned()));
        }
        let is_parent = self.things.values().any(|other| other.parent.as_ref() == Some(&id));
        let is_linked = self.links.iter().any(|(one, two)| *one == id || *two == id);
        if is_parent || is_linked {
            return Err(UndoError::Later("it is in use".to_owned()));
        }
        self.things.remove(&id);
        self.undone.push(thing.name);
        Ok(Undone::Done)
    }
}

/// Reads an argument of an undo.
pub fn argument(arguments: &BTreeMap<String, Value>, name: &str) -> String {
    arguments[name].as_str().unwrap().to_owned()
}
