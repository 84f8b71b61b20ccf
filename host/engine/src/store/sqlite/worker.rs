//! The thread that owns the connection that writes, in groups.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use futures_util::FutureExt as _;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::database::Database;
use super::schema;
use crate::store::{Reply, StoreError};

/// Operations that share one flush to the disk. More would only make the first ones wait.
const GROUP_MAX: usize = 64;

/// What became of a group.
enum Fate {
    Committed,
    Full,
    Lost(String),
}

/// Answers an operation once the fate of its group is known.
type Answer = Box<dyn FnOnce(&Fate) + Send>;
/// One operation, or why it cannot be tried. Tells whether it succeeded; else it leaves no trace.
type Job = Box<dyn FnOnce(Result<&Database<'_>, StoreError>) -> (bool, Answer) + Send>;

/// What must still be there after the power has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// All of it: whoever asked goes on only when it is on the disk.
    Durable,
    /// Nothing: a kill loses none of it, and what a power failure loses corrects itself. It reaches
    /// the disk with the next durable operation.
    Passing,
}

/// An operation in the queue.
struct Queued {
    job: Job,
    weight: Weight,
}

/// What the thread found when it read the store whole, before anything else: nothing, or damage.
#[derive(Clone)]
pub(super) struct Verdict {
    damage: Arc<OnceLock<Option<String>>>,
    path: PathBuf,
}

impl Verdict {
    /// Waits for it, and refuses a damaged store.
    pub(super) fn wait(&self) -> Result<(), StoreError> {
        match self.damage.wait() {
            None => Ok(()),
            Some(detail) => {
                Err(StoreError::Damaged { path: self.path.clone(), detail: detail.clone() })
            }
        }
    }

    fn find(&self, database: &Database<'_>) {
        let damage = match schema::check_small(database) {
            Ok(()) => None,
            Err(StoreError::Damaged { detail, .. }) => Some(detail),
            // A page that the disk does not give, for example.
            Err(StoreError::Sqlite { source, .. }) => Some(source.to_string()),
            // A full disk or somebody's lock stands in the way of the first operation too, which
            // tells it as what it is.
            Err(_) => None,
        };
        self.damage.get_or_init(|| damage);
    }
}

/// A thread that runs each group of operations in one transaction.
pub(super) struct Worker {
    jobs: Mutex<Option<Sender<Queued>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    verdict: Verdict,
    path: PathBuf,
}

impl Worker {
    /// Starts it.
    pub(super) fn start(connection: Connection, path: &Path) -> Self {
        let (sender, receiver) = channel();
        let owned = path.to_owned();
        let verdict = Verdict { damage: Arc::default(), path: path.to_owned() };
        let found = verdict.clone();
        let body = move || {
            let database = Database::new(&connection, &owned);
            found.find(&database);
            write_all(&database, &found, &receiver);
        };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(body);
        let thread = thread.expect("the system has room for one more thread");
        Self {
            jobs: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            verdict,
            path: path.to_owned(),
        }
    }

    /// Returns what the thread finds, or found.
    pub(super) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Queues an operation. Dropping the reply does not stop it.
    pub(super) fn run<'a, T: Send + 'static>(
        &'a self,
        operation: impl FnOnce(&Database<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Reply<'a, T> {
        self.queue(Weight::Durable, operation)
    }

    /// Queues an operation that need not outlive a power failure.
    pub(super) fn run_passing<'a, T: Send + 'static>(
        &'a self,
        operation: impl FnOnce(&Database<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Reply<'a, T> {
        self.queue(Weight::Passing, operation)
    }

    fn queue<'a, T: Send + 'static>(
        &'a self,
        weight: Weight,
        operation: impl FnOnce(&Database<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Reply<'a, T> {
        let (sender, receiver) = oneshot::channel();
        let path = self.path.clone();
        let job: Job = Box::new(move |database| {
            let outcome = database.and_then(operation);
            let is_done = outcome.is_ok();
            let answer: Answer = Box::new(move |fate| {
                let outcome = match (outcome, fate) {
                    (Ok(_), Fate::Full) => Err(StoreError::Full { path }),
                    (Ok(_), Fate::Lost(detail)) => {
                        Err(StoreError::Uncertain { path, detail: detail.clone() })
                    }
                    (outcome, _) => outcome,
                };
                // Whoever asked may be gone; what was written stays.
                drop(sender.send(outcome));
            });
            (is_done, answer)
        });
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let is_queued = jobs.as_ref().is_some_and(|jobs| jobs.send(Queued { job, weight }).is_ok());
        async move {
            match is_queued {
                true => receiver.await.unwrap_or(Err(StoreError::Closed)),
                false => Err(StoreError::Closed),
            }
        }
        .boxed()
    }
}

impl Drop for Worker {
    /// Ends the thread after what is queued, so that the file is closed when the store is gone.
    fn drop(&mut self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the thread was reported by itself.
        drop(thread.map(JoinHandle::join));
    }
}

fn write_all(database: &Database<'_>, verdict: &Verdict, jobs: &Receiver<Queued>) {
    let mut queue = VecDeque::new();
    loop {
        if queue.is_empty() {
            let Ok(job) = jobs.recv() else { return };
            queue.push_back(job);
        }
        queue.extend(jobs.try_iter().take(GROUP_MAX - queue.len().min(GROUP_MAX)));
        match verdict.wait() {
            Ok(()) => write_group(database, &mut queue),
            Err(damaged) => refuse(&mut queue, damaged),
        }
    }
}

/// Runs what is queued in one transaction, each in a savepoint of its own, and answers after the
/// commit.
fn write_group(database: &Database<'_>, queue: &mut VecDeque<Queued>) {
    let is_durable = queue.iter().any(|queued| queued.weight == Weight::Durable);
    // Without the flush nothing can break either: the log is written in order, and the next flush
    // is for all of it.
    let begin = match is_durable {
        true => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
        false => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
    };
    if let Err(error) = database.batch("begin", begin) {
        return refuse(queue, error);
    }
    let mut answers = Vec::new();
    // SQLite gives a transaction up when the disk is full; what is still queued has its own then.
    while let Some(Queued { job, .. }) = queue.pop_front_if(|_| !database.is_idle()) {
        answers.push(in_savepoint(database, job));
    }
    let fate = commit(database);
    answers.into_iter().for_each(|answer| answer(&fate));
}

/// Tells the first in the queue why nothing is tried; the others get their own try, and their own
/// error.
fn refuse(queue: &mut VecDeque<Queued>, error: StoreError) {
    if let Some(Queued { job, .. }) = queue.pop_front() {
        job(Err(error)).1(&Fate::Committed);
    }
}

fn in_savepoint(database: &Database<'_>, job: Job) -> Answer {
    let begun = database.batch("begin", "SAVEPOINT operation");
    let (is_done, answer) = job(begun.map(|()| database));
    let end = match is_done {
        true => "RELEASE operation",
        false => "ROLLBACK TO operation; RELEASE operation",
    };
    // Where the savepoint is gone, the transaction is too, and the commit will say so.
    drop(database.batch("end", end));
    answer
}

fn commit(database: &Database<'_>) -> Fate {
    if database.is_idle() {
        return Fate::Lost("SQLite gave the transaction up".to_owned());
    }
    let fate = match database.batch("commit", "COMMIT") {
        Ok(()) => Fate::Committed,
        Err(StoreError::Full { .. }) => Fate::Full,
        Err(error) => Fate::Lost(error.to_string()),
    };
    if !database.is_idle() {
        drop(database.batch("roll back", "ROLLBACK"));
    }
    fate
}
