//! A claim is deleted only while no run can begin in its scope.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use runwrit_capabilities::gate::{UndoError, UndoRequest, Undone};
use runwrit_model::claim::{self, Claimant};
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::{Created, World};
use runwrit_model::labels::HostKey;
use runwrit_model::sweep::Sighting;

use super::{Bench, START, calm};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::outside::WorldsError;
use crate::store::StoreError;
use crate::sweep::{Fate, Place};

/// A project in which nothing stands but claims. Whenever one is deleted, somebody begins a run in
/// the scope of another.
struct Project<'a> {
    bench: &'a Bench,
    engine: &'a Engine,
    claims: Vec<&'static str>,
    begins: &'static str,
    told: Mutex<Vec<String>>,
}

impl Project<'_> {
    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }
}

impl Place for Project<'_> {
    fn world(&self) -> BoxFuture<'_, Result<Option<World>, WorldsError>> {
        Box::pin(async { Ok(None) })
    }

    fn look(&self) -> BoxFuture<'_, Result<Vec<Sighting>, WorldsError>> {
        Box::pin(async { Ok(self.claims.iter().map(|tenant| seen(tenant)).collect()) })
    }

    fn release<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<bool, WorldsError>> {
        Box::pin(async move {
            self.tell(format!("{scope} is deleted"));
            let told = begin(self.bench, self.engine, self.begins, 9).await;
            self.tell(format!("a run in {} {told}", self.begins));
            Ok(true)
        })
    }

    fn undo<'a>(
        &'a self,
        _: &'a Scope,
        _: &'a UndoRequest,
    ) -> BoxFuture<'a, Result<Undone, UndoError>> {
        Box::pin(async { Ok(Undone::Absent) })
    }
}

fn seen(tenant: &str) -> Sighting {
    let (key, scope) = (HostKey::from_bytes([7; 32]), Scope::tenant(tenant));
    let claimant = Claimant { epoch: 0, host: "here".to_owned(), successions: Default::default() };
    Sighting {
        kind: "hetzner.placement-group".to_owned(),
        id: "1".to_owned(),
        name: claim::name(&scope).expect("a tenant can be claimed"),
        labels: claim::labels(&key, &scope, &claimant),
        since: None,
        eur_per_month: None,
    }
}

fn run(number: u8) -> RunId {
    RunId::new(START + u64::from(number), [number; 10])
}

/// Begins a run; its process is gone at once, and the run holds its scope.
async fn begin(bench: &Bench, engine: &Engine, tenant: &str, number: u8) -> &'static str {
    let created =
        Created { run: run(number), scope: Scope::tenant(tenant), ..bench.created.clone() };
    match engine.create(created).await {
        Ok(_) => "began",
        Err(EngineError::Store(StoreError::Busy { .. })) => "waits",
        Err(error) => panic!("{tenant}: {error}"),
    }
}

/// Returns a bench in whose store runs of two tenants are over.
async fn two_tenants() -> Bench {
    let bench = calm(&[]).await;
    let (engine, toy) = bench.calm();
    for (number, tenant) in (1..).zip(["acme", "bolt"]) {
        assert_eq!(begin(&bench, &engine, tenant, number).await, "began");
        engine.rollback(&run(number), "ada", &toy).await.unwrap();
    }
    bench
}

#[tokio::test]
async fn a_claim_goes_only_while_no_run_can_begin_there() {
    let rows: [(&str, &[&str], &[&str]); 2] = [
        // It waits for the sweep, and takes a claim of its own after it.
        ("acme", &["tenant:acme is deleted", "a run in acme waits"], &["acme"]),
        // It began after the claims were judged, and before its own was deleted.
        ("bolt", &["tenant:acme is deleted", "a run in bolt began"], &["acme", "bolt"]),
    ];
    for (begins, expected, claims) in rows {
        let bench = two_tenants().await;
        let (engine, _) = bench.calm();
        let told = Mutex::default();
        let project =
            Project { bench: &bench, engine: &engine, claims: claims.to_vec(), begins, told };
        let swept = engine.sweep(&project, true).await.unwrap();
        assert_eq!(*project.told.lock().unwrap(), expected, "{begins}");
        let names: Vec<_> = swept.leftovers.iter().map(|it| it.sighting.name.as_str()).collect();
        assert_eq!(names, ["runwrit-claim-acme"], "{begins}: what is in place is not told");
        assert_eq!(swept.leftovers[0].fate, Fate::Deleted, "{begins}");
        // The sweep gave the scope back.
        let again = begin(&bench, &engine, "acme", 10).await;
        assert_eq!(again, "began", "{begins}");
    }
}

#[tokio::test]
async fn the_claim_of_a_tenant_without_a_run_is_told_and_left() {
    let bench = calm(&[]).await;
    let (engine, _) = bench.calm();
    let (claims, told) = (vec!["acme"], Mutex::default());
    let project = Project { bench: &bench, engine: &engine, claims, begins: "acme", told };
    let swept = engine.sweep(&project, true).await.unwrap();
    assert!(matches!(&swept.leftovers[0].fate, Fate::Failed(_)), "{:?}", swept.leftovers);
    assert!(project.told.lock().unwrap().is_empty());
}
