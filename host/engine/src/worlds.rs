//! Whether this process acts where the run was bound to.

use runwrit_model::journal::Created;
use runwrit_model::world;

use crate::error::EngineError;
use crate::outside::Outside;

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
