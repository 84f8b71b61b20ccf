//! What the API told a moment ago.
//!
//! A look that only prepares a permit need not be repeated within seconds: prices, what stands in
//! the scope, whether a name is free. What decides about undo and what a guest reads is asked anew,
//! but for record sets and checks, whose effects look again. Whatever this process changes is
//! forgotten before it is sent, so that nothing older is ever taken for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Method;
use runwrit_model::limits::ANSWERS_REMEMBERED_MAX;
use serde_json::Value;

use super::transport::Request;

/// What a client remembers.
#[derive(Default)]
pub struct Memory {
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    answers: BTreeMap<String, Answer>,
    /// Collections that do not fit on one page.
    large: BTreeSet<&'static str>,
    turns: BTreeMap<&'static str, Turn>,
    /// The latest time that it was told.
    latest: u64,
    /// Counts what was changed: an answer that was on its way meanwhile may be older than that.
    changes: u64,
}

/// Held by whoever looks at a whole collection; holds when such a look failed.
pub type Turn = Arc<tokio::sync::Mutex<Option<u64>>>;

struct Answer {
    collection: String,
    asked_at: u64,
    body: Value,
}

/// When a request was sent, as far as the memory is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    at: u64,
    changes: u64,
}

impl Memory {
    /// Begins a request; times are in milliseconds since 1970-01-01 UTC.
    pub fn asked(&self, at: u64) -> Asked {
        Asked { at, changes: self.told().changes }
    }

    /// Returns the answer to the same request that was asked at `since` or later.
    pub fn recall(&self, request: &Request, since: u64, now: u64) -> Option<Value> {
        let mut told = self.told();
        if now < told.latest {
            // A clock that was set back tells nothing about ages any more.
            told.answers.clear();
        }
        told.latest = now;
        let answer = told.answers.get(&key(request))?;
        (answer.asked_at >= since).then(|| answer.body.clone())
    }

    /// Keeps an answer, unless something was changed while it was on its way.
    pub fn keep(&self, request: &Request, asked: Asked, body: &Value) {
        let mut told = self.told();
        if told.changes != asked.changes {
            return;
        }
        let key = key(request);
        if told.answers.len() >= ANSWERS_REMEMBERED_MAX && !told.answers.contains_key(&key) {
            told.forget_oldest();
        }
        let collection = collection(&request.path).to_owned();
        told.answers.insert(key, Answer { collection, asked_at: asked.at, body: body.clone() });
    }

    /// Forgets what a request changes, or may change as soon as its actions end.
    pub fn forget(&self, changing: &Request) {
        let mut told = self.told();
        told.changes += 1;
        told.answers.retain(|_, answer| !is_touched(changing, &answer.collection));
    }

    /// Returns what whoever looks at a whole collection holds meanwhile.
    pub fn turn(&self, collection: &'static str) -> Turn {
        Arc::clone(self.told().turns.entry(collection).or_default())
    }

    /// Notes that a collection does not fit on one page.
    pub fn note_large(&self, collection: &'static str) {
        self.told().large.insert(collection);
    }

    /// Returns whether a collection is known not to fit on one page.
    pub fn is_large(&self, collection: &str) -> bool {
        self.told().large.contains(collection)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn forget_oldest(&mut self) {
        let oldest = self.answers.iter().min_by_key(|(_, answer)| answer.asked_at);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.answers.remove(&key);
        }
    }
}

/// Returns since when something may have been asked that is to be younger than `age`.
pub fn since(age: Duration, now: u64) -> u64 {
    now.saturating_add(1).saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

fn key(request: &Request) -> String {
    format!("{} {:?}", request.path, request.query)
}

/// Returns what a path leads to. The record sets of a zone are not the zone.
fn collection(path: &str) -> &str {
    match path.contains("/rrsets") {
        true => "rrsets",
        false => path.split('/').next().unwrap_or(path),
    }
}

/// Returns whether answers about `remembered` may be outdated after a request.
fn is_touched(changing: &Request, remembered: &str) -> bool {
    let changed = collection(&changing.path);
    let is_creation = changing.method == Method::POST && changing.path == changed;
    match (changed, remembered) {
        (_, "pricing" | "images") => false,
        // What is in stock.
        (_, "server_types") => is_creation && changed == "servers",
        (changed, remembered) if changed == remembered => true,
        // Nothing of these shows in anything else.
        ("rrsets" | "zones" | "ssh_keys" | "placement_groups", _) => false,
        (_, "rrsets" | "zones" | "ssh_keys" | "placement_groups") => false,
        // New and in use by nobody.
        ("networks" | "firewalls", _) if is_creation => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AGE: Duration = Duration::from_secs(10);

    fn remembering(request: &Request) -> Memory {
        let memory = Memory::default();
        memory.keep(request, memory.asked(1_000), &json!({"seen": 1}));
        memory
    }

    #[test]
    fn an_answer_serves_the_same_request_until_it_is_too_old() {
        let request = Request::get("servers").with("name", "a");
        let memory = remembering(&request);
        let rows = [
            (&request, 1_000, true),
            (&request, 10_999, true),
            (&request, 11_000, false),
            // The clock was set back.
            (&request, 999, false),
            (&Request::get("servers").with("name", "b"), 1_000, false),
            (&Request::get("servers"), 1_000, false),
        ];
        for (asked, now, is_known) in rows {
            let memory = remembering(&request);
            memory.recall(&Request::get("pricing"), 0, 1_000);
            let told = memory.recall(asked, since(AGE, now), now);
            assert_eq!(told.is_some(), is_known, "{asked:?} at {now}");
        }
        assert_eq!(memory.recall(&request, since(Duration::ZERO, 1_000), 1_000), None);
        assert!(memory.recall(&request, 1_000, 60_000).is_some(), "asked since then");
        assert_eq!(memory.recall(&request, 0, 59_999), None, "the clock was set back");
        assert_eq!(memory.recall(&request, 0, 60_000), None, "it has forgotten");
    }

    #[test]
    fn what_is_changed_is_forgotten_and_the_rest_is_kept() {
        let post = |path: &str| Request::post(path, json!({}));
        let rows = [
            ("servers", post("servers"), true),
            ("servers", post("servers/7/actions/poweron"), true),
            ("servers/7", Request::delete("servers/7"), true),
            ("primary_ips", post("servers"), true),
            ("firewalls/3", post("servers"), true),
            ("volumes", post("servers"), true),
            ("volumes", Request::delete("servers/7"), true),
            ("servers", post("networks"), false),
            ("servers", Request::delete("networks/3"), true),
            ("servers", post("volumes/3/actions/attach"), true),
            ("servers", post("firewalls/3/actions/apply_to_resources"), true),
            ("placement_groups", post("placement_groups"), true),
            ("placement_groups", post("servers"), false),
            ("zones/example.org", post("zones/example.org/rrsets"), false),
            ("zones/example.org/rrsets", post("zones/example.org/rrsets"), true),
            ("zones/example.org/rrsets", Request::delete("zones/example.org/rrsets/a/A"), true),
            ("pricing", post("servers"), false),
            ("server_types", post("servers"), true),
            ("server_types", post("networks"), false),
            ("images", Request::delete("servers/7"), false),
        ];
        for (path, changing, is_forgotten) in rows {
            let request = Request::get(path);
            let memory = remembering(&request);
            memory.forget(&changing);
            let is_known = memory.recall(&request, 0, 1_000).is_some();
            assert_ne!(
                is_known, is_forgotten,
                "{path} after {} {}",
                changing.method, changing.path
            );
        }
    }

    #[test]
    fn what_was_on_its_way_during_a_change_is_not_kept() {
        let (memory, request) = (Memory::default(), Request::get("servers"));
        let asked = memory.asked(1_000);
        memory.forget(&Request::delete("servers/7"));
        memory.keep(&request, asked, &json!({}));
        assert_eq!(memory.recall(&request, 0, 1_000), None);
    }

    #[test]
    fn of_too_many_answers_the_oldest_goes() {
        let memory = Memory::default();
        let request = |number: usize| Request::get(format!("servers/{number}"));
        for number in 0..=ANSWERS_REMEMBERED_MAX {
            memory.keep(&request(number), memory.asked(number as u64), &json!({}));
        }
        let now = ANSWERS_REMEMBERED_MAX as u64;
        assert_eq!(memory.recall(&request(0), 0, now), None);
        assert!(memory.recall(&request(1), 0, now).is_some());
    }
}
