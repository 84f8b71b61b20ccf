//! A store that dies at its boundaries: before an operation, or after it and before its answer.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use runwrit_capabilities::books::{AuditEvent, TenantRow, Writer};
use runwrit_model::id::{Digest, RunId};
use runwrit_model::journal::{Entry, Resolved, UnixMs};
use runwrit_model::undo::LateSweep;

use super::fuse::Fuse;
use crate::store::{
    Bucket, Claim, Correction, External, Fence, Head, NewRun, OrphanRow, Reply, RunRow, Store,
    StoreError, StoredAudit, Sweep, SweepOutcome, Tokens,
};

/// Wraps a store for one process.
pub struct Faulty {
    pub inner: Arc<dyn Store>,
    pub fuse: Arc<Fuse>,
    pub refuses: Option<Arc<Refusal>>,
}

/// Refuses writes from the n-th on, before or after they happened.
#[derive(Default)]
pub struct Refusal {
    pub from: u64,
    pub is_written: bool,
    pub count: std::sync::atomic::AtomicU64,
    pub has_refused: AtomicBool,
}

impl Refusal {
    fn is_due(&self) -> bool {
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let is_due = count >= self.from;
        self.has_refused.fetch_or(is_due, Ordering::SeqCst);
        is_due
    }

    fn error() -> StoreError {
        let (path, detail) = (PathBuf::from("trial"), "no space".to_owned());
        StoreError::Uncertain { path, detail }
    }
}

impl Faulty {
    /// Passes both boundaries of a write.
    async fn write<'a, T>(
        &'a self,
        name: &str,
        write: impl FnOnce() -> Reply<'a, T>,
    ) -> Result<T, StoreError> {
        self.fuse.pass(&format!("before {name}")).await;
        let refusal = self.refuses.as_ref().filter(|refusal| refusal.is_due());
        if refusal.is_some_and(|refusal| !refusal.is_written) {
            return Err(Refusal::error());
        }
        let answer = write().await?;
        if refusal.is_some() {
            return Err(Refusal::error());
        }
        self.fuse.pass(&format!("after {name}")).await;
        Ok(answer)
    }
}

impl Store for Faulty {
    fn create_run(&self, new: NewRun) -> Reply<'_, Claim> {
        Box::pin(self.write("create", move || self.inner.create_run(new)))
    }

    fn claim<'a>(&'a self, run: &'a RunId) -> Reply<'a, Claim> {
        Box::pin(self.write("claim", move || self.inner.claim(run)))
    }

    fn release<'a>(&'a self, fence: &'a Fence) -> Reply<'a, ()> {
        Box::pin(self.write("release", move || self.inner.release(fence)))
    }

    fn append<'a>(&'a self, fence: &'a Fence, entries: Vec<Entry>) -> Reply<'a, Head> {
        if entries.is_empty() {
            return self.inner.append(fence, entries);
        }
        Box::pin(self.write("append", move || self.inner.append(fence, entries)))
    }

    fn park<'a>(
        &'a self,
        fence: &'a Fence,
        until: Option<UnixMs>,
        entries: Vec<Entry>,
    ) -> Reply<'a, Head> {
        Box::pin(self.write("park", move || self.inner.park(fence, until, entries)))
    }

    fn finish<'a>(
        &'a self,
        fence: &'a Fence,
        entries: Vec<Entry>,
        sweeps: Vec<LateSweep>,
    ) -> Reply<'a, Head> {
        Box::pin(self.write("finish", move || self.inner.finish(fence, entries, sweeps)))
    }

    fn resolve<'a>(&'a self, run: &'a RunId, word: Resolved, at: UnixMs) -> Reply<'a, Head> {
        self.inner.resolve(run, word, at)
    }

    fn request_cancel<'a>(&'a self, run: &'a RunId, by: &'a str) -> Reply<'a, ()> {
        Box::pin(self.write("request-cancel", move || self.inner.request_cancel(run, by)))
    }

    fn cancel_requested<'a>(&'a self, run: &'a RunId) -> Reply<'a, Option<String>> {
        self.inner.cancel_requested(run)
    }

    fn runs(&self) -> Reply<'_, Vec<RunRow>> {
        self.inner.runs()
    }

    fn run<'a>(&'a self, run: &'a RunId) -> Reply<'a, RunRow> {
        self.inner.run(run)
    }

    fn journal<'a>(&'a self, run: &'a RunId) -> Reply<'a, Vec<Entry>> {
        self.inner.journal(run)
    }

    fn check(&self) -> Reply<'_, ()> {
        self.inner.check()
    }

    fn verify_chain<'a>(&'a self, run: &'a RunId) -> Reply<'a, Head> {
        self.inner.verify_chain(run)
    }

    fn sealed_seed<'a>(&'a self, run: &'a RunId) -> Reply<'a, Option<Vec<u8>>> {
        self.inner.sealed_seed(run)
    }

    fn put_component(&self, bytes: Vec<u8>) -> Reply<'_, Digest> {
        self.inner.put_component(bytes)
    }

    fn component<'a>(&'a self, digest: &'a Digest) -> Reply<'a, Option<Vec<u8>>> {
        self.inner.component(digest)
    }

    fn take_tokens<'a>(&'a self, bucket: &'a Bucket, count: u32, at: UnixMs) -> Reply<'a, Tokens> {
        self.inner.take_tokens(bucket, count, at)
    }

    fn correct_tokens(&self, correction: Correction) -> Reply<'_, ()> {
        self.inner.correct_tokens(correction)
    }

    fn externals(&self) -> Reply<'_, Vec<External>> {
        self.inner.externals()
    }

    fn orphans(&self) -> Reply<'_, Vec<OrphanRow>> {
        self.inner.orphans()
    }

    fn realign_sweeps(
        &self,
        at: UnixMs,
        possible: RangeInclusive<UnixMs>,
        soonest: u64,
    ) -> Reply<'_, ()> {
        self.inner.realign_sweeps(at, possible, soonest)
    }

    fn due_sweeps(&self, at: UnixMs) -> Reply<'_, Vec<Sweep>> {
        self.inner.due_sweeps(at)
    }

    fn close_sweep(&self, sweep: u64, outcome: SweepOutcome, at: UnixMs) -> Reply<'_, ()> {
        self.inner.close_sweep(sweep, outcome, at)
    }

    fn tenant<'a>(&'a self, id: &'a str) -> Reply<'a, Option<TenantRow>> {
        self.inner.tenant(id)
    }

    fn tenants(&self) -> Reply<'_, Vec<TenantRow>> {
        self.inner.tenants()
    }

    fn write_tenant<'a>(&'a self, fence: &'a Fence, row: TenantRow) -> Reply<'a, ()> {
        self.inner.write_tenant(fence, row)
    }

    fn append_audit<'a>(
        &'a self,
        fence: &'a Fence,
        event: AuditEvent,
        at: UnixMs,
    ) -> Reply<'a, bool> {
        self.inner.append_audit(fence, event, at)
    }

    fn audit_by<'a>(&'a self, writer: &'a Writer) -> Reply<'a, Vec<AuditEvent>> {
        self.inner.audit_by(writer)
    }

    fn audit_events(&self) -> Reply<'_, Vec<StoredAudit>> {
        self.inner.audit_events()
    }
}
