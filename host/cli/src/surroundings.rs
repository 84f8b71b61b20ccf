//! What one run can reach: its capabilities, put together from grant, credentials and books.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runwrit_capabilities::authority::Authority;
use runwrit_capabilities::gate::{Undo, UndoError, UndoRequest, Undone};
use runwrit_capabilities::run::Run;
use runwrit_capabilities::undo::Undoers;
use runwrit_capabilities::{Capabilities, audit, http, registry};
use runwrit_engine::books::Books;
use runwrit_engine::gate::RunGate;
use runwrit_engine::outside::{Outside, WorldsError};
use runwrit_model::grant::Grant;
use runwrit_model::id::RunId;
use runwrit_model::inputs::Inputs;
use runwrit_model::journal::World;
use runwrit_model::manifest::Manifest;

use crate::ambient;
use crate::configuration::Configuration;
use crate::credentials::Wallet;
use crate::error::{Error, chain};

/// Everything outside of one run, as far as its grant reaches.
pub struct Surroundings {
    authority: Authority,
    http: Option<http::Client>,
}

impl Surroundings {
    /// Puts them together. Nothing is asked of the outside yet.
    pub fn new(
        run: &RunId,
        grant: Grant,
        wallet: &Wallet,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let has_http = grant.document().http.is_some();
        let client = || http::Client::new().map_err(|error| Error::usage(chain(&error)));
        let http = has_http.then(client).transpose()?;
        let now = Arc::new(ambient::now_unix_ms);
        Ok(Self { authority: Authority { grant: Arc::new(grant), run: run.clone(), now }, http })
    }

    /// Returns what a guest is given: only capabilities that the grant names exist for it.
    pub fn assembler(
        &self,
        manifest: &Manifest,
        inputs: &Inputs,
    ) -> impl FnOnce(RunGate, Books) -> Capabilities<RunGate> + Send + use<> {
        let outputs: BTreeSet<String> = manifest.outputs.keys().cloned().collect();
        let run = Run::new(inputs.clone(), outputs);
        let (authority, http) = (self.authority.clone(), self.http.clone());
        move |gate, books| {
            let document = authority.grant.document();
            let has = (document.registry.is_some(), document.audit.is_some());
            Capabilities {
                gate,
                run,
                registry: has.0.then(|| {
                    Arc::new(registry::Tenants::new(books.registry, authority.clone()))
                }),
                audit: has.1.then(|| Arc::new(audit::Events::new(books.audit, authority.clone()))),
                http: http.map(|client| Arc::new(http::Requests::new(client, authority))),
            }
        }
    }
}

impl Outside for Surroundings {
    fn worlds(&self) -> BoxFuture<'_, Result<BTreeMap<String, World>, WorldsError>> {
        Box::pin(async { Ok(BTreeMap::new()) })
    }

    fn undo<'a>(
        &'a self,
        request: &'a UndoRequest,
        books: &'a Books,
    ) -> BoxFuture<'a, Result<Undone, UndoError>> {
        let run = self.authority.run.clone();
        let undoers = Undoers {
            registry: Some(registry::Undoer::new(Arc::clone(&books.registry), run.clone())),
            audit: Some(audit::Undoer::new(Arc::clone(&books.audit), run)),
        };
        Box::pin(async move { undoers.undo(request).await })
    }
}
