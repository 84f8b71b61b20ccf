//! Whether this process acts where the run was bound to.

use std::collections::BTreeMap;

use runwrit_capabilities::books::{TenantRow, TenantState};
use runwrit_model::history::History;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::{Created, Ending, World};
use runwrit_model::world;

use crate::error::EngineError;
use crate::outside::Outside;
use crate::store::{Store, StoreError};

/// Refuses to touch anything when a credential, an endpoint or a project is another one: a `not
/// found` there would prove nothing here.
pub(crate) async fn check(created: &Created, outside: &dyn Outside) -> Result<(), EngineError> {
    let now = outside
        .worlds()
        .await
        .map_err(|source| EngineError::Worlds { run: created.run.clone(), source })?;
    world::compare(&created.worlds, &now)
        .map_err(|differences| EngineError::OtherWorld { run: created.run.clone(), differences })
}

/// Refuses to work on a scope on which another state directory works.
pub(crate) async fn claim(created: &Created, outside: &dyn Outside) -> Result<(), EngineError> {
    outside.claim().await.map_err(|source| {
        let (run, scope) = (created.run.clone(), created.scope.clone());
        EngineError::Claimed { run, scope, source }
    })
}

/// Returns whether the registry holds no living tenant of a scope: nothing needs to stand there.
pub(crate) async fn is_vacant(store: &dyn Store, scope: &Scope) -> Result<bool, EngineError> {
    let Some(id) = scope.tenant_id() else { return Ok(false) };
    let row = store.tenant(id).await?;
    let is_living =
        |row: TenantRow| matches!(row.state, TenantState::Pending | TenantState::Active);
    Ok(!row.is_some_and(is_living))
}

/// Where a living tenant stands: what was made for it must be looked for there and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The tenant, as a scope.
    pub scope: Scope,
    /// The run that reserved it.
    pub run: RunId,
    /// The worlds of that run.
    pub worlds: BTreeMap<String, World>,
}

impl Home {
    /// Refuses another project: that nothing stands there proves nothing.
    pub fn check(&self, present: &BTreeMap<String, World>) -> Result<(), EngineError> {
        world::compare_projects(&self.worlds, present).map_err(|differences| {
            let (scope, run) = (self.scope.clone(), self.run.clone());
            EngineError::OtherProject { scope, run, differences }
        })
    }
}

/// Finds where the tenant of a scope stands; nothing where it does not live.
pub(crate) async fn home(store: &dyn Store, scope: &Scope) -> Result<Option<Home>, EngineError> {
    let Some(id) = scope.tenant_id() else { return Ok(None) };
    let Some(row) = store.tenant(id).await? else { return Ok(None) };
    let run = row.reserved_by.run;
    let entries = match store.journal(&run).await {
        Ok(entries) => entries,
        // It was made in another store, whose registry this one may have been given.
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let history = History::of(&entries)
        .map_err(|source| EngineError::Damaged { run: run.clone(), source })?;
    let is_undone = matches!(history.ending(), Some(Ending::RolledBack | Ending::FailedClean));
    let is_gone = match row.state {
        TenantState::Deleted => true,
        TenantState::Failed => is_undone,
        TenantState::Pending | TenantState::Active => false,
    };
    let worlds = history.created.worlds.clone();
    Ok((!is_gone).then(|| Home { scope: scope.clone(), run, worlds }))
}
