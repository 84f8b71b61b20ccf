//! The embedded store: SQLite in the state directory.

mod database;
mod directory;
mod schema;
mod worker;
mod reader;
mod journal;
mod ledger;
mod runs;
mod books;
mod snapshot;
mod moving;

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::path::Path;

use futures_util::FutureExt as _;
use futures_util::future::ready;
use runwrit_capabilities::books::{AuditEvent, TenantRow, Writer};
use runwrit_model::id::{Digest, RunId};
use runwrit_model::journal::{Attempt, Entry, Record, Resolved, UnixMs};
use runwrit_model::undo::LateSweep;

use self::database::Database;
use self::directory::Directory;
use self::reader::Reader;
use self::worker::Worker;
use super::{
    Bucket, Claim, Correction, External, Fence, Head, NewRun, OrphanRow, Parcel, Reply, RunRow,
    Store, StoreError, StoredAudit, Sweep, SweepOutcome, TakeBack, Tokens,
};

/// A store in a directory of this machine.
pub struct SqliteStore {
    directory: Directory,
    // They are closed in this order: the last one has the log on disk already, and folds it in.
    reader: Reader,
    writer: Worker,
}

impl SqliteStore {
    /// Opens the store in `directory`, or makes one. Refuses a directory that others may write to,
    /// a store of a newer host, what is no store, and one that is gone though runs were worked on
    /// here. The pages of a store that is not large are read meanwhile: where one is damaged, every
    /// use of the store is refused.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let directory = Directory::open(directory)?;
        let path = directory.database()?;
        let is_used = directory.has_runs();
        let connection = schema::open_writer(&path, is_used)?;
        if !is_used && runs::are_there(&Database::new(&connection, &path))? {
            // It was restored.
            directory.mark()?;
        }
        let writer = Worker::start(connection, &path);
        let reader = Reader::new(&path, writer.verdict().clone());
        Ok(Self { directory, writer, reader })
    }

    /// Takes a run out for another store: from here on it can never go on in this one. `message`
    /// says where to; one that was taken out before is told again as it was.
    pub fn take_out<'a>(
        &'a self,
        run: &'a RunId,
        attempt: Attempt,
        message: &'a str,
        at: UnixMs,
    ) -> Reply<'a, Parcel> {
        let (directory, run) = (self.directory.clone(), run.clone());
        let message = message.to_owned();
        self.writer.run(move |database| {
            moving::take_out(database, &directory, &run, (&attempt, &message), at)
        })
    }

    /// Takes a run in that was taken out of another store, or of this one, whole or not at all.
    pub fn take_in(&self, parcel: Parcel, word: TakeBack) -> Reply<'_, ()> {
        let directory = self.directory.clone();
        self.writer.run(move |database| moving::take_in(database, &directory, &parcel, word))
    }

    /// Refuses what `take_in` would refuse, and changes nothing.
    pub fn would_take_in(&self, parcel: Parcel, word: TakeBack) -> Reply<'_, ()> {
        self.writer.run(move |database| moving::would_take_in(database, &parcel, word))
    }

    /// Copies the database as it stands at one instant into a new file of mode 0600. Runs go on
    /// meanwhile.
    pub fn snapshot(&self, into: &Path) -> Result<(), StoreError> {
        self.writer.verdict().wait()?;
        snapshot::take(&self.directory.database()?, into)
    }
}

impl Store for SqliteStore {
    fn create_run(&self, new: NewRun) -> Reply<'_, Claim> {
        let Some(Entry { record: Record::Created(created), .. }) = new.entries.first() else {
            panic!("the first entry of a run says how it was created");
        };
        let (directory, created) = (self.directory.clone(), created.clone());
        let made =
            self.writer.run(move |database| runs::create(database, &directory, &created, &new));
        // The writer waits for the disk meanwhile, and the run will look for wishes to cancel.
        self.reader.prepare();
        made
    }

    fn claim<'a>(&'a self, run: &'a RunId) -> Reply<'a, Claim> {
        let (directory, run) = (self.directory.clone(), run.clone());
        self.writer.run(move |database| runs::claim(database, &directory, &run))
    }

    fn release<'a>(&'a self, fence: &'a Fence) -> Reply<'a, ()> {
        let fence = fence.clone();
        self.writer.run(move |database| runs::release(database, &fence))
    }

    fn append<'a>(&'a self, fence: &'a Fence, entries: Vec<Entry>) -> Reply<'a, Head> {
        let fence = fence.clone();
        self.writer.run(move |database| runs::append(database, &fence, &entries))
    }

    fn park<'a>(
        &'a self,
        fence: &'a Fence,
        until: Option<UnixMs>,
        entries: Vec<Entry>,
    ) -> Reply<'a, Head> {
        let fence = fence.clone();
        self.writer.run(move |database| runs::park(database, &fence, until, &entries))
    }

    fn finish<'a>(
        &'a self,
        fence: &'a Fence,
        entries: Vec<Entry>,
        sweeps: Vec<LateSweep>,
    ) -> Reply<'a, Head> {
        let Some(Entry { record: Record::Finished(finished), .. }) = entries.last() else {
            panic!("the last entry of a run says how it ended");
        };
        let (fence, ending) = (fence.clone(), finished.ending);
        self.writer.run(move |database| runs::finish(database, &fence, &entries, ending, &sweeps))
    }

    fn resolve<'a>(&'a self, run: &'a RunId, word: Resolved, at: UnixMs) -> Reply<'a, Head> {
        let (directory, run) = (self.directory.clone(), run.clone());
        self.writer.run(move |database| runs::resolve(database, &directory, &run, word, at))
    }

    fn request_cancel<'a>(&'a self, run: &'a RunId, by: &'a str) -> Reply<'a, ()> {
        let (run, by) = (run.clone(), by.to_owned());
        self.writer.run(move |database| runs::request_cancel(database, &run, &by))
    }

    fn cancel_requested<'a>(&'a self, run: &'a RunId) -> Reply<'a, Option<String>> {
        self.reader.glance(|database| runs::cancel_requested(database, run))
    }

    fn runs(&self) -> Reply<'_, Vec<RunRow>> {
        self.reader.read(|database| runs::list(database, &self.directory))
    }

    fn run<'a>(&'a self, run: &'a RunId) -> Reply<'a, RunRow> {
        self.reader.read(|database| runs::one(database, &self.directory, run))
    }

    fn journal<'a>(&'a self, run: &'a RunId) -> Reply<'a, Vec<Entry>> {
        self.reader.read(|database| Ok(journal::read(database, run)?.0))
    }

    fn verify_chain<'a>(&'a self, run: &'a RunId) -> Reply<'a, Head> {
        self.reader.read(|database| Ok(journal::read(database, run)?.1))
    }

    fn check(&self) -> Reply<'_, ()> {
        self.reader.read(schema::check)
    }

    fn sealed_seed<'a>(&'a self, run: &'a RunId) -> Reply<'a, Option<Vec<u8>>> {
        self.reader.read(|database| runs::seed(database, run))
    }

    fn put_component(&self, bytes: Vec<u8>) -> Reply<'_, Digest> {
        ready(self.directory.put_component(&bytes)).boxed()
    }

    fn component<'a>(&'a self, digest: &'a Digest) -> Reply<'a, Option<Vec<u8>>> {
        ready(self.directory.component(digest)).boxed()
    }

    fn take_tokens<'a>(&'a self, bucket: &'a Bucket, count: u32, at: UnixMs) -> Reply<'a, Tokens> {
        let bucket = bucket.clone();
        self.writer.run_passing(move |database| ledger::take_tokens(database, &bucket, count, at))
    }

    fn correct_tokens(&self, correction: Correction) -> Reply<'_, ()> {
        self.writer.run_passing(move |database| ledger::correct(database, &correction))
    }

    fn externals(&self) -> Reply<'_, Vec<External>> {
        self.reader.read(ledger::externals)
    }

    fn orphans(&self) -> Reply<'_, Vec<OrphanRow>> {
        self.reader.read(ledger::orphans)
    }

    fn realign_sweeps(
        &self,
        at: UnixMs,
        possible: RangeInclusive<UnixMs>,
        soonest: u64,
    ) -> Reply<'_, ()> {
        self.writer.run(move |database| ledger::realign_sweeps(database, at, &possible, soonest))
    }

    fn due_sweeps(&self, at: UnixMs) -> Reply<'_, Vec<Sweep>> {
        self.reader.read(|database| ledger::due_sweeps(database, at))
    }

    fn close_sweep(&self, sweep: u64, outcome: SweepOutcome, at: UnixMs) -> Reply<'_, ()> {
        self.writer.run(move |database| ledger::close_sweep(database, sweep, &outcome, at))
    }

    fn tenant<'a>(&'a self, id: &'a str) -> Reply<'a, Option<TenantRow>> {
        self.reader.read(|database| books::tenant(database, id))
    }

    fn tenants(&self) -> Reply<'_, Vec<TenantRow>> {
        self.reader.read(books::tenants)
    }

    fn write_tenant<'a>(&'a self, fence: &'a Fence, row: TenantRow) -> Reply<'a, ()> {
        let fence = fence.clone();
        self.writer.run(move |database| books::write_tenant(database, &fence, &row))
    }

    fn append_audit<'a>(
        &'a self,
        fence: &'a Fence,
        event: AuditEvent,
        at: UnixMs,
    ) -> Reply<'a, bool> {
        let fence = fence.clone();
        self.writer.run(move |database| books::append_audit(database, &fence, &event, at))
    }

    fn audit_by<'a>(&'a self, writer: &'a Writer) -> Reply<'a, Vec<AuditEvent>> {
        self.reader.read(|database| books::audit_by(database, writer))
    }

    fn audit_events(&self) -> Reply<'_, Vec<StoredAudit>> {
        self.reader.read(books::audit_events)
    }
}
