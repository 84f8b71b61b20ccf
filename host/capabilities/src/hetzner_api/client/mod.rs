//! The outside: typed requests to the API, repeated where that is safe.

mod error;
mod memory;
mod poller;
mod probe;
mod retry;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use runwrit_model::limits::API_PAGES_MAX;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::budget::Budget;
use super::clock::{Clock, Pace, Patience};
use super::wire::{Action, Resource};

pub use error::{ApiError, Refusal};
pub use poller::{ActionError, FailedAction};
pub use probe::Probe;
pub use transport::{ClientError, Credential, Request};

/// Items of a page; the API allows no more.
const PAGE_ITEMS: u32 = 50;

/// A client of one project.
pub struct Client {
    transport: transport::Transport,
    budget: Arc<dyn Budget>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    poller: poller::Poller,
    memory: memory::Memory,
}

/// What a client is made of.
pub struct Connection {
    /// The token, and where it is sent.
    pub credential: Credential,
    /// The rate limit, shared by all runs of the credential.
    pub budget: Arc<dyn Budget>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How fast to ask again.
    pub pace: Pace,
}

/// What the API says about something new.
#[derive(Debug, Clone)]
pub struct Made<R> {
    /// The thing.
    pub thing: R,
    /// All actions that have to end before it is ready.
    pub actions: Vec<u64>,
    /// Whether the answer held a root password, which must never be kept.
    pub has_password: bool,
}

impl Client {
    /// Builds a client. A TLS provider must be installed where the endpoint is `https`.
    pub fn new(connection: Connection) -> Result<Self, ClientError> {
        let Connection { credential, budget, clock, pace } = connection;
        let transport = transport::Transport::new(credential, pace.request_timeout)?;
        let (poller, memory) = Default::default();
        Ok(Self { transport, budget, clock, pace, poller, memory })
    }

    /// Returns where requests go.
    pub fn endpoint(&self) -> &str {
        self.transport.endpoint().as_str()
    }

    /// Returns the clock.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Returns how fast to ask again.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Waits a little within what is left of `patience`; tells whether anything was left.
    pub async fn linger(&self, patience: &mut Patience) -> bool {
        match patience.pause() {
            Some(pause) => self.clock.sleep(pause).await,
            None => return false,
        }
        true
    }

    /// Begins a wait of at most `max`.
    pub fn patience(&self, max: Duration) -> Patience {
        Patience::new(&self.pace, max)
    }

    /// Sends a request, again where [`retry::Miss`] allows it, and returns the body of the answer.
    pub async fn ask(&self, request: &Request) -> Result<Value, ApiError> {
        if request.is_read() {
            return self.send(request).await;
        }
        self.memory.forget(request);
        let answer = self.send(request).await;
        // What was read meanwhile may show the time before as well as that after.
        self.memory.forget(request);
        answer
    }

    /// Reads, unless the same was answered within `age`. What decides about undo and what a guest
    /// reads is asked anew, but for record sets and checks, whose effects look again.
    pub async fn read(&self, request: &Request, age: Duration) -> Result<Value, ApiError> {
        self.read_since(request, memory::since(age, self.clock.now_unix_ms())).await
    }

    async fn read_since(&self, request: &Request, since: u64) -> Result<Value, ApiError> {
        let now = self.clock.now_unix_ms();
        if let Some(answer) = self.memory.recall(request, since, now) {
            return Ok(answer);
        }
        let asked = self.memory.asked(now);
        let answer = self.ask(request).await?;
        self.memory.keep(request, asked, &answer);
        Ok(answer)
    }

    async fn send(&self, request: &Request) -> Result<Value, ApiError> {
        let mut waited = Duration::ZERO;
        for attempt in 1.. {
            let wait = self.budget.take(1).await;
            if !wait.is_zero() {
                self.clock.sleep(wait).await;
            }
            let reply = self.transport.exchange(request).await;
            if let Some(levels) = reply.levels {
                self.budget.correct(levels).await;
            }
            let error = match reply.answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tracing::debug!(method = %request.method, path = request.path, %error, attempt);
            let refilled_after = reply.levels.map(|levels| levels.refilled_after);
            let is_read = request.is_read();
            let miss = retry::Miss { is_read, attempt, waited, error, refilled_after };
            let Some(pause) = miss.retry_after(self.pace.unit(), &request.seed()) else {
                return Err(miss.error);
            };
            self.clock.sleep(pause).await;
            waited += pause;
        }
        unreachable!("the policy ends every series of attempts")
    }

    /// Returns a thing by its id; nothing where there is none.
    pub async fn get<R: Resource>(&self, id: u64) -> Result<Option<R>, ApiError> {
        self.get_within(id, Duration::ZERO).await
    }

    /// The same, as it was within `age`.
    pub async fn get_within<R: Resource>(
        &self,
        id: u64,
        age: Duration,
    ) -> Result<Option<R>, ApiError> {
        match self.read(&by_id::<R>(id), age).await {
            Ok(answer) => Ok(Some(member(&answer, R::MEMBER)?)),
            Err(error) if error.is_one_of(&["not_found"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the thing with exactly this name; nothing where there is none.
    pub async fn find<R: Resource>(&self, name: &str) -> Result<Option<R>, ApiError> {
        Ok(self.find_all(name).await?.into_iter().next())
    }

    /// Returns everything with exactly this name, whatever the API takes for equal.
    pub async fn find_all<R: Resource>(&self, name: &str) -> Result<Vec<R>, ApiError> {
        self.find_all_within(name, Duration::ZERO).await
    }

    /// The same, as it was within `age`.
    pub async fn find_all_within<R: Resource>(
        &self,
        name: &str,
        age: Duration,
    ) -> Result<Vec<R>, ApiError> {
        self.find_all_since(name, memory::since(age, self.clock.now_unix_ms())).await
    }

    async fn find_all_since<R: Resource>(
        &self,
        name: &str,
        since: u64,
    ) -> Result<Vec<R>, ApiError> {
        let request = Request::get(R::COLLECTION).with("name", name);
        let answer = self.read_since(&request, since).await?;
        let mut found: Vec<R> = member(&answer, R::COLLECTION)?;
        found.retain(|thing| thing.name() == name);
        Ok(found)
    }

    /// Returns everything with exactly this name, as it was within `age`: one look serves all names
    /// of a small project.
    pub async fn named<R: Resource>(&self, name: &str, age: Duration) -> Result<Vec<R>, ApiError> {
        self.named_since(name, memory::since(age, self.clock.now_unix_ms())).await
    }

    /// The same, as it was at `since` or later, in milliseconds since 1970-01-01 UTC.
    pub async fn named_since<R: Resource>(
        &self,
        name: &str,
        since: u64,
    ) -> Result<Vec<R>, ApiError> {
        match self.whole::<R>(since).await? {
            Some(all) => Ok(all.into_iter().filter(|thing| thing.name() == name).collect()),
            None => self.find_all_since(name, since).await,
        }
    }

    /// Returns everything that carries this label, as it was within `age`.
    pub async fn labelled_with<R: Resource>(
        &self,
        (key, value): (&str, &str),
        age: Duration,
    ) -> Result<Vec<R>, ApiError> {
        match self.whole::<R>(memory::since(age, self.clock.now_unix_ms())).await? {
            Some(mut all) => {
                all.retain(|thing| thing.labels().get(key).is_some_and(|found| found == value));
                Ok(all)
            }
            None => self.select(&format!("{key}={value}")).await,
        }
    }

    /// Returns a thing by its id as it was at `since` or later, in milliseconds since 1970-01-01
    /// UTC: things of a batch that are ready together are read together.
    pub async fn get_since<R: Resource>(&self, id: u64, since: u64) -> Result<Option<R>, ApiError> {
        let all = self.whole::<R>(since).await?.unwrap_or_default();
        match all.into_iter().find(|thing| thing.id() == id) {
            Some(thing) => Ok(Some(thing)),
            // Lists may lag.
            None => self.get(id).await,
        }
    }

    /// Returns a whole collection where it fits on one page, as in most projects; nothing where it
    /// does not, or holds something that this client cannot read. Whoever asks first asks for all.
    async fn whole<R: Resource>(&self, since: u64) -> Result<Option<Vec<R>>, ApiError> {
        let turn = self.memory.turn(R::COLLECTION);
        let mut failed_at = turn.lock().await;
        // Whoever waited for a look that failed does not repeat it, one after the other.
        if self.memory.is_large(R::COLLECTION) || failed_at.is_some_and(|at| at >= since) {
            return Ok(None);
        }
        let looked = self.read_since(&page(R::COLLECTION, &[], 1), since).await;
        *failed_at = looked.is_err().then(|| self.clock.now_unix_ms());
        let answer = looked?;
        let all = member(&answer, R::COLLECTION).ok().filter(|_| next_page(&answer).is_none());
        if all.is_none() {
            self.memory.note_large(R::COLLECTION);
        }
        Ok(all)
    }

    /// Returns what a label selector selects.
    pub async fn select<R: Resource>(&self, selector: &str) -> Result<Vec<R>, ApiError> {
        self.pages(R::COLLECTION, &[("label_selector", selector)]).await
    }

    /// Returns all pages of a list.
    pub async fn pages<T: DeserializeOwned>(
        &self,
        collection: &str,
        filter: &[(&str, &str)],
    ) -> Result<Vec<T>, ApiError> {
        self.pages_at(collection, collection, filter).await
    }

    /// Returns all pages of a list that stands below `path` under the name `collection`.
    pub async fn pages_at<T: DeserializeOwned>(
        &self,
        path: &str,
        collection: &str,
        filter: &[(&str, &str)],
    ) -> Result<Vec<T>, ApiError> {
        self.collect((path, collection), filter, None).await
    }

    /// Returns all pages of a list as they were within `age`.
    pub async fn pages_within<T: DeserializeOwned>(
        &self,
        collection: &str,
        filter: &[(&str, &str)],
        age: Duration,
    ) -> Result<Vec<T>, ApiError> {
        self.collect((collection, collection), filter, Some(age)).await
    }

    async fn collect<T: DeserializeOwned>(
        &self,
        (path, collection): (&str, &str),
        filter: &[(&str, &str)],
        age: Option<Duration>,
    ) -> Result<Vec<T>, ApiError> {
        let mut items = Vec::new();
        let mut number = 1;
        for _ in 0..API_PAGES_MAX {
            let request = page(path, filter, number);
            let answer = match age {
                Some(age) => self.read(&request, age).await?,
                // A long list is not worth to be kept.
                None => self.ask(&request).await?,
            };
            items.append(&mut member(&answer, collection)?);
            match next_page(&answer) {
                Some(next) => number = next,
                None => return Ok(items),
            }
        }
        let text = format!("the list `{collection}` does not end after {API_PAGES_MAX} pages");
        Err(ApiError::Unclear(text))
    }

    /// Creates a thing. Where nothing is left to wait for, the answer is how it stands.
    pub async fn create<R: Resource>(&self, body: Value) -> Result<Made<R>, ApiError> {
        let asked_at = self.clock.now_unix_ms();
        let answer = self.ask(&Request::post(R::COLLECTION, body)).await?;
        let has_password = answer.get("root_password").is_some_and(|value| !value.is_null());
        let made = Made {
            thing: member::<R>(&answer, R::MEMBER)?,
            actions: actions(&answer),
            has_password,
        };
        // A password must not outlive its answer.
        if made.actions.is_empty() && !made.has_password {
            let request = by_id::<R>(made.thing.id());
            self.memory.keep(&request, self.memory.asked(asked_at), &answer);
        }
        Ok(made)
    }

    /// Starts an action and returns the actions to wait for.
    pub async fn act(&self, path: String, body: Value) -> Result<Vec<u64>, ApiError> {
        Ok(actions(&self.ask(&Request::post(path, body)).await?))
    }

    /// Deletes a thing and returns the actions to wait for; nothing where it was gone already.
    pub async fn delete<R: Resource>(&self, id: u64) -> Result<Option<Vec<u64>>, ApiError> {
        match self.ask(&Request::delete(format!("{}/{id}", R::COLLECTION))).await {
            Ok(answer) => Ok(Some(actions(&answer))),
            Err(error) if error.is_one_of(&["not_found"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until all these actions ended well, together with everybody else who waits.
    pub async fn wait(&self, ids: &[u64]) -> Result<(), ActionError> {
        self.poller.wait(self, ids).await
    }

    /// Asks once how these actions stand. Every one of them is in the answer.
    async fn look(&self, ids: &[u64]) -> Result<Vec<Action>, ActionError> {
        let mut request = Request::get("actions");
        for id in ids {
            request = request.with("id", id.to_string());
        }
        debug_assert_eq!(request.method, Method::GET);
        let answer = self.ask(&request).await?;
        let actions: Vec<Action> = member(&answer, "actions")?;
        match ids.iter().find(|id| !actions.iter().any(|action| action.id == **id)) {
            Some(missing) => Err(ActionError::Missing(*missing)),
            None => Ok(actions),
        }
    }
}

fn by_id<R: Resource>(id: u64) -> Request {
    Request::get(format!("{}/{id}", R::COLLECTION))
}

fn page(path: &str, filter: &[(&str, &str)], number: u64) -> Request {
    let filtered =
        filter.iter().fold(Request::get(path), |request, (name, value)| request.with(name, *value));
    filtered.with("page", number.to_string()).with("per_page", PAGE_ITEMS.to_string())
}

fn next_page(answer: &Value) -> Option<u64> {
    answer.pointer("/meta/pagination/next_page").and_then(Value::as_u64)
}

/// Reads one member of an answer. An answer that lacks it proves nothing about what happened.
pub fn member<T: DeserializeOwned>(answer: &Value, name: &str) -> Result<T, ApiError> {
    let value = answer.get(name).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value)
        .map_err(|error| ApiError::Unclear(format!("the answer has no usable `{name}`: {error}")))
}

/// Collects `action`, `actions` and `next_actions`: a thing is ready when all of them ended.
pub fn actions(answer: &Value) -> Vec<u64> {
    let single = answer.get("action").into_iter();
    let several = ["actions", "next_actions"].into_iter().filter_map(|name| answer.get(name));
    let several = several.filter_map(Value::as_array).flatten();
    let ids = single.chain(several).filter_map(|action| action.get("id")?.as_u64());
    ids.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_actions_of_an_answer_are_waited_for() {
        let rows = [
            (json!({"action": {"id": 1}, "next_actions": [{"id": 2}, {"id": 3}]}), vec![1, 2, 3]),
            (json!({"actions": [{"id": 4}]}), vec![4]),
            (json!({"action": null}), vec![]),
            (json!(null), vec![]),
        ];
        for (answer, expected) in rows {
            assert_eq!(actions(&answer), expected, "{answer}");
        }
    }

    #[test]
    fn an_answer_without_what_was_asked_for_proves_nothing() {
        for answer in [json!(null), json!({"server": {}}), json!({"server": {"id": "7"}})] {
            let read = member::<super::super::wire::Server>(&answer, "server");
            assert!(matches!(read, Err(ApiError::Unclear(_))), "{answer}");
        }
    }
}
