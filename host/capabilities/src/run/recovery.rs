//! What a guest says about undo: `runwrit:run/recovery`.
//!
//! The grant is asked with the time of the journal, not of the clock: a replay then gets the same
//! answer without a record of it.

use runwrit_model::call::{Reference, UndoPlan};
use runwrit_model::failure::{Denial, Failure, Problem};
use runwrit_model::grant::{Addressed, Grant, UndoCall};
use runwrit_model::hetzner::Kind;
use runwrit_model::journal::Refinement;

use crate::Capabilities;
use crate::bindings::runwrit::run::recovery;
use crate::gate::{CallError, Gate, Notice, Provenance};
use crate::ranks::rank_of;

impl<G: Gate> recovery::Host for Capabilities<G> {
    fn last_call(&mut self) -> Result<u32, CallError> {
        let none = || Problem::new("no-call", "this run has had no effect yet");
        Ok(self.gate.last_call().ok_or_else(|| Failure::NotFound(none()))?)
    }

    async fn keep(&mut self, call: u32) -> Result<(), CallError> {
        let operation = self.operation_of(call)?;
        let permit = self.grant()?.keep(&operation, self.gate.now_unix_ms());
        permit.map_err(|denial| self.tell(denial))?;
        self.gate.refine(Refinement::Keep(call)).await
    }

    async fn undo_with(
        &mut self,
        call: u32,
        calls: Vec<recovery::UndoCall>,
    ) -> Result<(), CallError> {
        let operation = self.operation_of(call)?;
        let plans = calls.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
        let provenance = self.gate.provenance();
        let things = plans.iter().map(|plan| things(plan, provenance));
        let things = things.collect::<Result<Vec<_>, _>>()?;
        let asked = plans.iter().zip(&things);
        let asked: Vec<_> =
            asked.map(|(plan, things)| UndoCall { operation: &plan.operation, things }).collect();
        let now = self.gate.now_unix_ms();
        let permit = match asked.is_empty() {
            // An undo of nothing keeps the effect, and only a grant may allow that.
            true => self.grant()?.keep(&operation, now),
            false => self.grant()?.undo_with(&asked, now),
        };
        permit.map_err(|denial| self.tell(denial))?;
        self.gate.refine(Refinement::UndoWith(call, plans)).await
    }

    async fn pivot(&mut self) -> Result<(), CallError> {
        let permit = self.grant()?.pivot(self.gate.now_unix_ms());
        permit.map_err(|denial| self.tell(denial))?;
        self.gate.refine(Refinement::Pivot).await
    }
}

impl<G: Gate> Capabilities<G> {
    fn grant(&self) -> Result<&Grant, CallError> {
        self.run.grant.as_deref().ok_or_else(|| crate::failure::not_held("run/recovery"))
    }

    /// Tells the operator what the grant lacks: these refusals stand in no journal.
    fn tell(&mut self, denial: Denial) -> Denial {
        let text = format!("{denial}; {}", denial.hint);
        self.gate.notify(Notice::Log("warn".to_owned(), text));
        denial
    }

    fn operation_of(&self, call: u32) -> Result<String, Failure> {
        self.gate.operation_of(call).ok_or_else(|| {
            let message = format!("call {call} of this run had no effect");
            Failure::NotFound(Problem::new("no-such-call", message).with_field("call"))
        })
    }
}

/// Reads one call of an undo that a guest describes.
fn plan(call: &recovery::UndoCall) -> Result<UndoPlan, Failure> {
    let operation = call.operation.clone();
    let rank = rank_of(&operation).ok_or_else(|| {
        let message = format!("`{operation}` is no operation that an undo may call");
        Failure::Invalid(Problem::new("unknown-operation", message).with_field("operation"))
    })?;
    let arguments = serde_json::from_str(&call.arguments).map_err(|error| {
        let message = format!("the arguments of `{operation}` are no JSON object: {error}");
        Failure::Invalid(Problem::new("malformed-arguments", message).with_field("arguments"))
    })?;
    Ok(UndoPlan { operation, arguments, rank })
}

/// Returns the things that an undo names by id. It may name only what this run made: a foreign id
/// must not come to harm by way of a rollback, which asks no grant any more.
fn things(plan: &UndoPlan, provenance: &dyn Provenance) -> Result<Vec<Addressed>, Failure> {
    let Some(kind) = kind_of(&plan.operation) else { return nothing_named(plan) };
    let thing = |(name, value): (&String, &serde_json::Value)| {
        let foreign = || {
            let message = format!("`{name}` of `{}` is nothing that this run made", plan.operation);
            Failure::Invalid(Problem::new("not-made-here", message).with_field("arguments"))
        };
        let id = value.as_str().ok_or_else(foreign)?;
        // A second thing is always a server: what a volume or a firewall is attached to.
        let kind = if name == "server" { Kind::Server } else { kind };
        let made = provenance.made_by(&Reference::new(kind.as_str(), id));
        made.map(|by| Addressed::made(kind, id, by)).ok_or_else(foreign)
    };
    plan.arguments.iter().map(thing).collect()
}

/// What stands in no cloud has no id that could be looked up, so its undo takes no arguments.
fn nothing_named(plan: &UndoPlan) -> Result<Vec<Addressed>, Failure> {
    if plan.arguments.is_empty() {
        return Ok(Vec::new());
    }
    let message = format!("`{}` takes no arguments in an undo", plan.operation);
    Err(Failure::Invalid(Problem::new("not-made-here", message).with_field("arguments")))
}

fn kind_of(operation: &str) -> Option<Kind> {
    let (interface, _) = operation.strip_prefix("hetzner.")?.split_once('.')?;
    Kind::ALL.into_iter().find(|kind| kind.plural() == interface)
}

#[cfg(test)]
mod tests {
    use runwrit_model::call::CallId;

    use super::*;

    /// A run whose call 3 made server 7.
    struct MadeServer7;

    impl Provenance for MadeServer7 {
        fn made_by(&self, thing: &Reference) -> Option<CallId> {
            (*thing == Reference::new("hetzner.server", "7")).then(|| CallId::single(3))
        }
    }

    fn read(operation: &str, arguments: &str) -> Result<Vec<Addressed>, Failure> {
        let call =
            recovery::UndoCall { operation: operation.to_owned(), arguments: arguments.to_owned() };
        things(&plan(&call)?, &MadeServer7)
    }

    #[test]
    fn an_undo_names_only_what_the_run_made() {
        assert_eq!(read("hetzner.servers.delete", r#"{"id":"7"}"#).map(|it| it.len()), Ok(1));
        let rows = [
            ("a foreign server", "hetzner.servers.delete", r#"{"id":"8"}"#),
            ("the id of another kind", "hetzner.volumes.delete", r#"{"id":"7"}"#),
            ("an id that is no text", "hetzner.servers.delete", r#"{"id":7}"#),
            ("a foreign thing behind ours", "hetzner.servers.delete", r#"{"id":"7","x":"8"}"#),
            ("another tenant", "registry.tenants.fail", r#"{"id":"bolt"}"#),
            ("no object", "hetzner.servers.delete", "[]"),
            ("no JSON", "hetzner.servers.delete", "{"),
            ("an operation that makes", "hetzner.servers.create", "{}"),
            ("an operation that is none", "rm", "{}"),
        ];
        for (row, operation, arguments) in rows {
            assert!(read(operation, arguments).is_err(), "{row}");
        }
    }
}
