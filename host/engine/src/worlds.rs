//! Whether this process acts where the run was bound to.

use runwrit_model::journal::Created;

use crate::error::EngineError;
use crate::outside::Outside;

/// Refuses to touch anything when a credential, an endpoint or a project is another one: a `not
/// found` there would prove nothing here.
pub(crate) async fn check(created: &Created, outside: &dyn Outside) -> Result<(), EngineError> {
    let run = created.run.clone();
    let now = outside
        .worlds()
        .await
        .map_err(|source| EngineError::Worlds { run: run.clone(), source })?;
    let differs = |difference: String| EngineError::OtherWorld { run: run.clone(), difference };
    for (name, bound) in &created.worlds {
        let Some(current) = now.get(name) else {
            return Err(differs(format!("`{name}` is not configured here")));
        };
        let pairs = [
            ("credential", &bound.credential, &current.credential),
            ("endpoint", &bound.endpoint, &current.endpoint),
            ("marker", &bound.marker, &current.marker),
        ];
        for (what, bound, current) in pairs.into_iter().filter(|(_, one, two)| one != two) {
            return Err(differs(format!("the {what} of `{name}` was `{bound}`, now `{current}`")));
        }
    }
    Ok(())
}
