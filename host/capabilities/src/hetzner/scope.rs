//! What belongs to the scope of a run, proven by labels or by the journal.

use std::time::Duration;

use runwrit_model::breakable::is_broken;
use runwrit_model::call::Reference;
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::{Addressed, Found};
use runwrit_model::hetzner::Kind;
use runwrit_model::labels::{BY, Foreign, Owner, TENANT, scope_value};

use super::Project;
use super::client::ApiError;
use super::wire::Resource;
use crate::gate::{CallError, Provenance};

/// A message tells enough to find the rest.
const DOUBTFUL_SHOWN_MAX: usize = 3;

/// What a look at an id showed.
#[derive(Debug, Clone)]
pub struct Look<R> {
    /// What a grant is told about it.
    pub addressed: Addressed,
    /// The thing, where there is one.
    pub thing: Option<R>,
}

/// Reads an id as the API writes it: no other spelling of the same number is taken.
pub fn parse_id(id: &str) -> Option<u64> {
    id.parse().ok().filter(|number: &u64| *number > 0 && number.to_string() == id)
}

impl Project {
    /// Returns who made a thing, when this installation did.
    pub(super) fn owner<R: Resource>(&self, thing: &R) -> Result<Owner, Foreign> {
        self.key.verify(thing.labels(), kind_of::<R>().as_str(), thing.name())
    }

    /// Returns whether the labels of a thing prove that it is in the scope of this run.
    pub(super) fn is_in_scope<R: Resource>(&self, thing: &R) -> bool {
        self.owner(thing).is_ok_and(|owner| owner.tenant == scope_value(&self.scope))
    }

    /// Returns everything of a kind that claims to be in the scope, as it was within `age`.
    pub(super) async fn claimed<R: Resource>(&self, age: Duration) -> Result<Vec<R>, ApiError> {
        let tenant = scope_value(&self.scope);
        let mut things = self.client.labelled_with::<R>((TENANT, &tenant), age).await?;
        let installation = self.key.installation_for(&self.scope);
        things.retain(|thing| thing.labels().get(BY).is_some_and(|by| *by == installation));
        Ok(things)
    }

    /// Returns everything of a kind that is in the scope. Refuses when something is called the
    /// scope's and is not proven to be: whoever left it out would call clean what is not.
    pub(super) async fn in_scope<R: Resource>(&self) -> Result<Vec<R>, Failure> {
        let tenant = scope_value(&self.scope);
        let things = self.client.labelled_with::<R>((TENANT, &tenant), Duration::ZERO).await;
        let things = things.map_err(|error| error.failure(R::COLLECTION))?;
        let told = |thing: &R| Some(format!("`{}`: {}", thing.name(), self.owner(thing).err()?));
        let doubtful: Vec<String> = things.iter().filter_map(told).collect();
        match doubtful.is_empty() || is_broken("list-doubtful") {
            true => Ok(things.into_iter().filter(|thing| self.is_in_scope(thing)).collect()),
            false => Err(unproven::<R>(&tenant, &doubtful)),
        }
    }

    /// Looks at a thing that a call addresses. What the run made by itself, its journal proves; of
    /// all else the labels decide.
    pub(super) async fn look<R: Resource>(
        &self,
        provenance: &dyn Provenance,
        id: &str,
    ) -> Result<Look<R>, CallError> {
        let kind = kind_of::<R>();
        let thing = match parse_id(id) {
            Some(number) => self.client.get::<R>(number).await,
            None => Ok(None),
        };
        let thing = thing.map_err(|error| error.failure(&format!("{} {id}", R::MEMBER)))?;
        let addressed = match self.made(provenance, kind, id) {
            Some(made) => made,
            None => {
                let found = thing.as_ref();
                let found = found.map(|it| Found { name: it.name(), labels: it.labels() });
                Addressed::fetched((&self.key, &self.scope), kind, id, found)
            }
        };
        Ok(Look { addressed, thing })
    }

    /// Tells what a grant needs to know of an id, and asks the API only where it must.
    pub(super) async fn addressed<R: Resource>(
        &self,
        provenance: &dyn Provenance,
        id: &str,
    ) -> Result<Addressed, CallError> {
        match self.made(provenance, kind_of::<R>(), id) {
            Some(made) => Ok(made),
            None => Ok(self.look::<R>(provenance, id).await?.addressed),
        }
    }

    fn made(&self, provenance: &dyn Provenance, kind: Kind, id: &str) -> Option<Addressed> {
        let by = provenance.made_by(&Reference::new(kind.as_str(), id))?;
        Some(Addressed::made(kind, id, by))
    }
}

/// A run that made nothing: for looks in which only labels count.
pub struct Nothing;

impl Provenance for Nothing {
    fn made_by(&self, _: &Reference) -> Option<runwrit_model::call::CallId> {
        None
    }
}

/// Returns the kind of a thing that a runbook can make.
pub fn kind_of<R: Resource>() -> Kind {
    R::KIND.expect("only kinds that a runbook can make are looked at")
}

/// Says that somebody must look first.
fn unproven<R: Resource>(tenant: &str, doubtful: &[String]) -> Failure {
    let shown = doubtful.iter().take(DOUBTFUL_SHOWN_MAX).cloned().collect::<Vec<_>>().join("; ");
    let text = format!(
        "{} of {} carry `{TENANT}={tenant}` without the proof of this installation: {shown}; use \
         the state directory that made them, or take that label off what is not the tenant's",
        doubtful.len(),
        R::COLLECTION,
    );
    Failure::Conflict(Problem::new("not-proven", text))
}

/// Says that there is no such thing as far as this run can see.
pub fn not_found(subject: &str, why: &str) -> Failure {
    Failure::NotFound(Problem::new("not_found", format!("{subject} was not found: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        for text in ["", "0", "-1", "+1", "01", "1 ", " 1", "1.0", "0x1", "١", "１", "1/../2"] {
            assert_eq!(parse_id(text), None, "`{text}`");
        }
        assert_eq!(parse_id("9007199254740991"), Some(9_007_199_254_740_991));
    }
}
