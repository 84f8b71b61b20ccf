//! Waiting for actions: whoever waits first asks for everybody, in one request.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::limits::{ACTION_WAIT_MAX, ACTIONS_PER_LOOK_MAX};

use super::Client;
use super::error::ApiError;
use crate::gate::{SendError, UndoError};
use crate::hetzner_api::wire::Action;

/// What all waiting callers share.
#[derive(Default)]
pub struct Poller {
    /// Who holds it asks; the others wait for the news.
    turn: tokio::sync::Mutex<()>,
    news: tokio::sync::Notify,
    watched: Mutex<BTreeMap<u64, Watched>>,
}

#[derive(Default)]
struct Watched {
    waiters: usize,
    looks: usize,
    ending: Option<Result<(), ActionError>>,
}

/// An action that ended in an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("action `{command}` failed: {message} (`{code}`)")]
pub struct FailedAction {
    /// For example `attach_volume`.
    pub command: String,
    /// The API's code.
    pub code: String,
    /// For people.
    pub message: String,
}

/// Why actions did not all end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// One failed.
    #[error(transparent)]
    Failed(FailedAction),
    /// The API does not know one that it named before.
    #[error("the API no longer knows action {0}")]
    Missing(u64),
    /// It took too long.
    #[error("action {0} did not end within {1:?}")]
    Late(u64, Duration),
    /// The API could not be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl FailedAction {
    /// Returns whether another action held the thing: the same request may succeed later.
    pub fn is_locked(&self) -> bool {
        self.code == "locked" || self.message.contains("locked")
    }
}

impl ActionError {
    /// Returns whether another action held the thing.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Failed(failed) if failed.is_locked())
    }

    /// Says what it means to a call that was accepted already.
    pub fn into_send_error(self, subject: &str) -> SendError {
        match self {
            Self::Api(ApiError::Unclear(cause) | ApiError::Unreachable(cause)) => {
                SendError::Unknown(format!("{subject}: {cause}"))
            }
            other => SendError::FailedAfterEffect(other.failure(subject)),
        }
    }

    /// Says what it means to an undo.
    pub fn into_undo_error(self, subject: &str) -> UndoError {
        match self {
            Self::Api(error) => error.into_undo_error(subject),
            other => UndoError::Later(format!("{subject}: {other}")),
        }
    }

    fn failure(&self, subject: &str) -> Failure {
        let message = format!("{subject}: {self}");
        match self {
            Self::Failed(failed) if failed.code.contains("unavailable") => {
                Failure::Unavailable(Problem::new(&failed.code, message))
            }
            Self::Failed(failed) => Failure::Failed(Problem::new(&failed.code, message)),
            Self::Late(..) => Failure::TimedOut(Problem::new("action-late", message)),
            Self::Missing(_) => Failure::Failed(Problem::new("action-missing", message)),
            Self::Api(error) => error.failure(subject),
        }
    }
}

impl Poller {
    /// Waits until all of `ids` ended, and returns the first error in their order.
    pub async fn wait(&self, client: &Client, ids: &[u64]) -> Result<(), ActionError> {
        let watch = Watch::begin(self, ids);
        let mut waited = Duration::ZERO;
        loop {
            // Registered before the check, so that news in between are not lost.
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            if let Some(ending) = watch.ending() {
                return ending;
            }
            let turn = tokio::select! {
                biased;
                () = news => continue,
                turn = self.turn.lock() => turn,
            };
            if let Some(ending) = watch.ending() {
                return ending;
            }
            let pause = client.pace().poll_pause(self.looks_least());
            client.clock().sleep(pause).await;
            waited += pause;
            self.look(client).await;
            if let Some(id) = watch.first_running().filter(|_| waited >= ACTION_WAIT_MAX) {
                return Err(ActionError::Late(id, ACTION_WAIT_MAX));
            }
            drop(turn);
            self.news.notify_waiters();
        }
    }

    /// Asks for everything that is watched and still runs.
    async fn look(&self, client: &Client) {
        let running = self.running();
        for chunk in running.chunks(ACTIONS_PER_LOOK_MAX) {
            match client.look(chunk).await {
                Ok(actions) => actions.into_iter().for_each(|action| self.note(action)),
                Err(ActionError::Missing(id)) => self.end(id, Err(ActionError::Missing(id))),
                Err(error) => chunk.iter().for_each(|id| self.end(*id, Err(error.clone()))),
            }
        }
    }

    fn note(&self, action: Action) {
        match action.status.as_str() {
            "success" => self.end(action.id, Ok(())),
            "error" => {
                let (code, message) = action.error.map_or_else(
                    || ("unknown_error".to_owned(), "without a reason".to_owned()),
                    |fault| (fault.code, fault.message),
                );
                let failed = FailedAction { command: action.command, code, message };
                self.end(action.id, Err(ActionError::Failed(failed)));
            }
            _ => {
                if let Some(watched) = self.lock().get_mut(&action.id) {
                    watched.looks += 1;
                }
            }
        }
    }

    fn end(&self, id: u64, ending: Result<(), ActionError>) {
        if let Some(watched) = self.lock().get_mut(&id) {
            watched.ending = Some(ending);
        }
    }

    fn running(&self) -> Vec<u64> {
        let watched = self.lock();
        let running = watched.iter().filter(|(_, watched)| watched.ending.is_none());
        running.map(|(id, _)| *id).collect()
    }

    /// The youngest action sets the pace, so that a quick one is not kept waiting by a slow one.
    fn looks_least(&self) -> usize {
        let watched = self.lock();
        let running = watched.values().filter(|watched| watched.ending.is_none());
        running.map(|watched| watched.looks).min().unwrap_or(0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Watched>> {
        self.watched.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The interest of one caller; it ends with the caller, even when that is dropped.
struct Watch<'a> {
    poller: &'a Poller,
    ids: &'a [u64],
}

impl<'a> Watch<'a> {
    fn begin(poller: &'a Poller, ids: &'a [u64]) -> Self {
        let mut watched = poller.lock();
        for id in ids {
            watched.entry(*id).or_default().waiters += 1;
        }
        Self { poller, ids }
    }

    /// Returns the first error, or success once all ended.
    fn ending(&self) -> Option<Result<(), ActionError>> {
        let watched = self.poller.lock();
        let endings: Option<Vec<_>> =
            self.ids.iter().map(|id| watched.get(id)?.ending.clone()).collect();
        Some(endings?.into_iter().collect())
    }

    fn first_running(&self) -> Option<u64> {
        let watched = self.poller.lock();
        let is_running = |id: &u64| watched.get(id).is_some_and(|it| it.ending.is_none());
        self.ids.iter().copied().find(is_running)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut watched = self.poller.lock();
        for id in self.ids {
            if let Some(entry) = watched.get_mut(id) {
                entry.waiters -= 1;
                if entry.waiters == 0 {
                    watched.remove(id);
                }
            }
        }
    }
}
