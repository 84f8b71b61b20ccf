//! The one hand that writes the journal of a run: fenced, in order, and dead after a failed write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runwrit_capabilities::gate::Stop;
use runwrit_model::breakable::crash_point;
use runwrit_model::history::History;
use runwrit_model::id::RunId;
use runwrit_model::journal::{Ending, Entry, Finished, Record, UnixMs, VERSION};
use runwrit_model::limits;
use runwrit_model::timing::Timing;
use runwrit_model::undo::{self, LateSweep};

use crate::clock::Clock;
use crate::store::{Claim, Fence, Store, StoreError};

/// Appends to one journal and keeps its folded view.
pub struct Recorder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    claim: Claim,
    /// Held over a write, so that entries reach the store in the order of their numbers.
    order: tokio::sync::Mutex<()>,
    book: Mutex<Book>,
    /// In which millisecond the store was last asked for a wish to cancel, and had none.
    asked_in: AtomicU64,
}

/// What is known in memory.
struct Book {
    history: History,
    /// Entries that have a number and wait for the next flush.
    pending: Vec<Entry>,
    bytes: u64,
    /// Why nothing may be written any more.
    death: Option<Stop>,
}

/// What the run does after a write.
enum After {
    GoOn,
    Wait(Option<UnixMs>),
    Rest(Vec<LateSweep>),
}

impl Recorder {
    /// Takes a claimed run over. `bytes` is the size of its journal so far.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        claim: Claim,
        history: History,
        bytes: u64,
    ) -> Self {
        let book = Book { history, pending: Vec::new(), bytes, death: None };
        let (order, book) = (tokio::sync::Mutex::new(()), Mutex::new(book));
        Self { store, clock, claim, order, book, asked_in: AtomicU64::new(u64::MAX) }
    }

    /// Returns the run.
    pub fn run(&self) -> &RunId {
        &self.claim.fence.run
    }

    /// Returns what every write must show.
    pub fn fence(&self) -> &Fence {
        &self.claim.fence
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns the time that the next entry would bear.
    pub fn now(&self) -> UnixMs {
        self.clock.now().max(self.book().history.last_at)
    }

    /// Looks at the history. `look` must not block.
    pub fn with<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.book().history)
    }

    /// Writes records durably, after those that were noted before; returns the time they bear.
    ///
    /// After a failure nothing is written any more: what is on disk is unknown then, and only a
    /// new attempt that reads it again may go on.
    pub async fn append(&self, records: Vec<Record>) -> Result<UnixMs, Stop> {
        let boundaries: Vec<_> = records.iter().filter_map(boundary).collect();
        let at = self.write(records, After::GoOn).await?;
        for name in boundaries {
            crash_point(name, "run");
        }
        Ok(at)
    }

    /// Writes what was noted and marks the run as waiting: until a time, or for a person.
    pub async fn park(&self, until: Option<UnixMs>) -> Result<(), Stop> {
        self.write(Vec::new(), After::Wait(until)).await?;
        crash_point("parked", "run");
        Ok(())
    }

    /// Writes the end, and what is to be looked for after it.
    pub async fn finish(&self, end: Finished, timing: &Timing) -> Result<(), Stop> {
        let sweeps = match end.ending {
            Ending::Succeeded | Ending::Held | Ending::Nondeterministic => Vec::new(),
            _ => self.with(|history| undo::late_sweeps(history, self.clock.now(), timing)),
        };
        let by_machine =
            |sweep: LateSweep| LateSweep { at: self.clock.by_machine(sweep.at), ..sweep };
        let sweeps = sweeps.into_iter().map(by_machine).collect();
        self.write(vec![Record::Finished(end)], After::Rest(sweeps)).await.map(drop)
    }

    async fn write(&self, records: Vec<Record>, after: After) -> Result<UnixMs, Stop> {
        let _order = self.order.lock().await;
        let at = self.note_all(records)?;
        let entries = std::mem::take(&mut self.book().pending);
        let (store, fence) = (&self.store, &self.claim.fence);
        let written = match after {
            After::GoOn if entries.is_empty() => return Ok(at),
            After::GoOn => store.append(fence, entries).await,
            After::Wait(until) => store.park(fence, until, entries).await,
            After::Rest(sweeps) => store.finish(fence, entries, sweeps).await,
        };
        written.map_err(|error| self.die(error))?;
        Ok(at)
    }

    /// Gives a record its place; it rides with the next durable write, which comes at once where
    /// many wait for it. Only for what a later process finds out again by itself, or for what the
    /// caller follows up with a durable write.
    pub async fn defer(&self, record: Record) -> Result<UnixMs, Stop> {
        let at = self.note_all(vec![record])?;
        if self.book().pending.len() >= limits::JOURNAL_DEFERRED_MAX {
            self.flush().await?;
        }
        Ok(at)
    }

    /// Writes what was noted.
    pub async fn flush(&self) -> Result<(), Stop> {
        self.append(Vec::new()).await.map(drop)
    }

    /// Writes what was noted where a result waits in it, before a read, which may take its time: a
    /// process that is killed then would complete a call again that was over long ago.
    pub async fn settle(&self) -> Result<(), Stop> {
        let is_result = |entry: &Entry| matches!(entry.record, Record::Result(_));
        let has_result = self.book().pending.iter().any(is_result);
        if has_result { self.flush().await } else { Ok(()) }
    }

    /// Refuses when another process took the run over, or when this one cannot write any more.
    pub async fn check_fence(&self) -> Result<(), Stop> {
        self.check_life()?;
        let checked = self.store.append(&self.claim.fence, Vec::new()).await;
        checked.map(drop).map_err(|error| self.die(error))
    }

    /// Returns who asked to cancel, if anybody did. The store is asked once in a millisecond: a
    /// guest that makes a hundred calls meanwhile need not wait for a hundred answers.
    pub async fn cancel_requested(&self) -> Result<Option<String>, Stop> {
        if let Some(by) = self.with(|history| history.cancel.clone()) {
            return Ok(Some(by));
        }
        let now = self.clock.ticks();
        if self.asked_in.load(Ordering::Relaxed) == now {
            return Ok(None);
        }
        let by = self.store.cancel_requested(self.run()).await.map_err(|error| self.die(error))?;
        if by.is_none() {
            self.asked_in.store(now, Ordering::Relaxed);
        }
        Ok(by)
    }

    /// Refuses to grow a journal without end.
    pub fn check_size(&self) -> Result<(), Stop> {
        let book = self.book();
        let parked = |what: &str, max: u64| {
            Err(Stop::Parked(format!("its journal holds {what}; the limit is {max}")))
        };
        if book.history.next_seq >= limits::JOURNAL_ENTRIES_MAX {
            let what = format!("{} entries", book.history.next_seq);
            return parked(&what, limits::JOURNAL_ENTRIES_MAX);
        }
        if book.bytes >= limits::JOURNAL_BYTES_MAX {
            return parked(&format!("{} bytes", book.bytes), limits::JOURNAL_BYTES_MAX);
        }
        Ok(())
    }

    fn note_all(&self, records: Vec<Record>) -> Result<UnixMs, Stop> {
        let mut book = self.book();
        if let Some(death) = &book.death {
            return Err(death.clone());
        }
        // The clock of a host may be set back; the time that a runbook sees may not.
        let at = self.clock.now().max(book.history.last_at);
        for record in records {
            book.note(record, at)?;
        }
        Ok(at)
    }

    fn check_life(&self) -> Result<(), Stop> {
        self.book().death.clone().map_or(Ok(()), Err)
    }

    fn die(&self, error: StoreError) -> Stop {
        let stop = match error {
            StoreError::Fenced { .. } => Stop::Fenced,
            other => Stop::Store(other.to_string()),
        };
        self.book().death.get_or_insert(stop).clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names the boundary behind a record that has none of its own where it is written.
fn boundary(record: &Record) -> Option<&'static str> {
    match record {
        Record::Refined(_) => Some("refined-committed"),
        Record::Wait(_) => Some("wait-committed"),
        Record::Woken(_) => Some("woken-committed"),
        Record::CancelRequested(_) => Some("cancel-committed"),
        Record::PlanLeft(_) => Some("plan-left-committed"),
        Record::Differed(_) => Some("differed-committed"),
        Record::UndoQuarantined(_) => Some("quarantine-committed"),
        _ => None,
    }
}

impl Book {
    fn note(&mut self, record: Record, at: UnixMs) -> Result<(), Stop> {
        let entry = Entry { version: VERSION, seq: self.history.next_seq, at, record };
        let bytes = entry.size();
        if bytes > limits::JOURNAL_ENTRY_BYTES_MAX {
            return Err(Stop::Limit {
                what: "bytes of one journal entry".to_owned(),
                max: limits::JOURNAL_ENTRY_BYTES_MAX as u64,
                asked: bytes as u64,
            });
        }
        // A record that does not fit its journal is a bug of the host; it must not reach the disk.
        self.history.push(&entry).map_err(|error| Stop::Store(error.to_string()))?;
        self.bytes += bytes as u64;
        self.pending.push(entry);
        Ok(())
    }
}
