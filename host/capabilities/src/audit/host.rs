//! What a guest calls: `runwrit:audit/events`.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::breakable::is_broken;
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::limits;

use super::effects::Append;
use super::{Events, ROLLED_BACK};
use crate::Capabilities;
use crate::bindings::runwrit::audit::events;
use crate::gate::{CallError, Gate};

impl<G: Gate> events::Host for Capabilities<G> {
    async fn append(
        &mut self,
        kind: String,
        subject: String,
        details: Vec<events::Detail>,
    ) -> Result<(), CallError> {
        let events = self.events()?;
        check_kind(&kind)?;
        check_bytes("subject", &subject)?;
        let details = unique(details)?;
        self.gate.pass(Append { events, kind, subject, details }).await
    }
}

impl<G: Gate> Capabilities<G> {
    fn events(&self) -> Result<Arc<Events>, CallError> {
        self.audit.clone().ok_or_else(|| crate::failure::not_held("audit"))
    }
}

fn check_kind(kind: &str) -> Result<(), Failure> {
    let is_word = (1..=limits::AUDIT_KIND_BYTES_MAX).contains(&kind.len())
        && kind.starts_with(|letter: char| letter.is_ascii_uppercase())
        && kind.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !is_word && !is_broken("audit-kind") {
        let max = limits::AUDIT_KIND_BYTES_MAX;
        let message =
            format!("`{kind}` is no kind: 1 to {max} of `A-Z`, `0-9` and `_`, first a letter");
        return Err(Failure::Invalid(Problem::new("invalid-kind", message).with_field("kind")));
    }
    if kind.ends_with(ROLLED_BACK) && !is_broken("audit-kind-reserved") {
        let message = format!("`{kind}` ends in `{ROLLED_BACK}`, which only the host may write");
        return Err(Failure::Invalid(Problem::new("reserved-kind", message).with_field("kind")));
    }
    Ok(())
}

fn check_bytes(field: &str, text: &str) -> Result<(), Failure> {
    let (has, max) = (text.len(), limits::AUDIT_DETAIL_BYTES_MAX);
    if (1..=max).contains(&has) {
        return Ok(());
    }
    let message = format!("the {field} has {has} bytes; 1 to {max} are kept");
    Err(Failure::Invalid(Problem::new("wrong-length", message).with_field(field)))
}

fn unique(details: Vec<events::Detail>) -> Result<BTreeMap<String, String>, Failure> {
    let (count, max) = (details.len(), limits::AUDIT_DETAILS_MAX);
    let refuse = |code: &str, message: String| {
        Err(Failure::Invalid(Problem::new(code, message).with_field("details")))
    };
    if count > max {
        return refuse("too-many", format!("{count} details were given; at most {max} are kept"));
    }
    let mut unique = BTreeMap::new();
    for events::Detail { name, value } in details {
        check_bytes("name of a detail", &name)?;
        check_bytes("value of a detail", &value)?;
        if unique.insert(name.clone(), value).is_some() {
            return refuse("duplicate", format!("the detail `{name}` was given twice"));
        }
    }
    Ok(unique)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_words_and_never_the_hosts() {
        for kind in ["TENANT_PROVISIONED", "A", "A1_B2"] {
            assert!(check_kind(kind).is_ok(), "`{kind}`");
        }
        let long = "A".repeat(limits::AUDIT_KIND_BYTES_MAX + 1);
        let wrong = ["", "_A", "1A", "tenant", "A B", "A\n", "Ä", "A_ROLLED_BACK", "_ROLLED_BACK"];
        for kind in wrong.into_iter().chain([long.as_str()]) {
            assert!(check_kind(kind).is_err(), "`{kind}`");
        }
    }

    /// Switches one rule off at a time: what it refuses must then pass.
    #[cfg(feature = "breakable")]
    #[test]
    fn each_rule_refuses_what_no_other_does() {
        use runwrit_model::breakable::with_broken;

        for (rule, kind) in [("audit-kind", "tenant"), ("audit-kind-reserved", "A_ROLLED_BACK")] {
            assert!(check_kind(kind).is_err(), "{rule}");
            assert!(with_broken(rule, || check_kind(kind)).is_ok(), "without {rule}");
        }
    }

    #[test]
    fn details_that_would_hide_each_other_are_refused() {
        let detail = |name: &str, value: &str| events::Detail {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        assert!(unique(vec![detail("a", "1"), detail("b", "2")]).is_ok());
        let many = (0..=limits::AUDIT_DETAILS_MAX).map(|place| detail(&place.to_string(), "1"));
        let rows = [
            ("twice", vec![detail("a", "1"), detail("a", "2")]),
            ("no name", vec![detail("", "1")]),
            ("no value", vec![detail("a", "")]),
            ("too many", many.collect()),
        ];
        for (row, details) in rows {
            assert!(unique(details).is_err(), "{row}");
        }
    }
}
