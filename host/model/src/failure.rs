//! How a call that did not succeed is told: the same words as `runwrit:types/failures`.

use serde::{Deserialize, Serialize};

/// Why the grant does not cover a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[error("`{operation}` on `{resource}` was refused: {reason}")]
pub struct Denial {
    /// For example `hetzner.servers.create`.
    pub operation: String,
    /// The resource addressed, by name where one is known, else by id.
    pub resource: String,
    /// Which rule refused it: a stable, kebab-case code for tests and tools.
    pub rule: String,
    /// Which rule refused it, for people.
    pub reason: String,
    /// The line of a grant that would allow it.
    pub hint: String,
}

impl Denial {
    /// Tells several refusals of one request as one, so that a grant is corrected once; nothing
    /// where there is none. The rule is that of the first.
    pub fn together(denials: Vec<Self>) -> Option<Self> {
        denials.into_iter().reduce(|one, other| {
            let hint = match join_lists(&one.hint, &other.hint) {
                Some(joined) => joined,
                None if one.hint == other.hint => one.hint,
                None => format!("{}; {}", one.hint, other.hint),
            };
            let resource = format!("{}, {}", one.resource, other.resource);
            let reason = match one.reason == other.reason {
                true => one.reason,
                false => format!("{}; {}", one.reason, other.reason),
            };
            Self { resource, reason, hint, ..one }
        })
    }
}

/// Joins two texts that differ in what stands between the brackets of one list.
fn join_lists(one: &str, other: &str) -> Option<String> {
    let (head, tail) = one.split_once("= [")?;
    let rest = other.strip_prefix(head)?.strip_prefix("= [")?;
    let ((one, end), (other, other_end)) = (tail.split_once(']')?, rest.split_once(']')?);
    let is_known = one.split(", ").any(|item| item == other);
    let items = if is_known { one.to_owned() } else { format!("{one}, {other}") };
    (end == other_end).then(|| format!("{head}= [{items}]{end}"))
}

/// What went wrong outside the grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[error("{}{message} (`{code}`)", place(field.as_deref()))]
pub struct Problem {
    /// The outside system's own code where it has one, else ours in kebab-case.
    pub code: String,
    /// One sentence; never a secret.
    pub message: String,
    /// The field at fault.
    pub field: Option<String>,
}

/// The code of a failure by which a runbook says that it looked and found differences. It is a part
/// of the contract with guests, like their interfaces.
pub const DIFFERS: &str = "differs";

/// Names the field at fault before the message.
fn place(field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!("`{field}`: "))
}

impl Problem {
    /// Builds a problem without a field.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), field: None }
    }

    /// Names the field at fault.
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// The ordinary error of a call, as a guest sees it and a journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The grant does not cover the call; nothing was sent.
    #[error(transparent)]
    Denied(Denial),
    /// The resource does not exist, or lies outside the scope.
    #[error("not found: {0}")]
    NotFound(Problem),
    /// The name, address or number is taken by something foreign.
    #[error("conflict: {0}")]
    Conflict(Problem),
    /// No stock, quota or placement.
    #[error("unavailable: {0}")]
    Unavailable(Problem),
    /// The request itself is wrong.
    #[error("invalid: {0}")]
    Invalid(Problem),
    /// The call did not end in time.
    #[error("timed out: {0}")]
    TimedOut(Problem),
    /// The outside system failed.
    #[error("failed: {0}")]
    Failed(Problem),
}

impl Failure {
    /// Tells whether a runbook that ends with this has verified something and found differences.
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::Failed(problem) if problem.code == DIFFERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(resource: &str, reason: &str, hint: &str) -> Denial {
        Denial {
            operation: "hetzner.servers.check".to_owned(),
            resource: resource.to_owned(),
            rule: "a-rule".to_owned(),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        }
    }

    #[test]
    fn only_what_a_runbook_calls_a_difference_is_one() {
        let problem = |code: &str| Problem::new(code, "acme-db is off");
        let rows = [
            (Failure::Failed(problem(DIFFERS)), true),
            (Failure::Failed(problem("runbook")), false),
            (Failure::Failed(problem("Differs")), false),
            (Failure::Conflict(problem(DIFFERS)), false),
            (Failure::Invalid(problem(DIFFERS)), false),
            (Failure::Denied(denial("acme-db", DIFFERS, "")), false),
        ];
        for (failure, expected) in rows {
            assert_eq!(failure.is_difference(), expected, "{failure}");
        }
    }

    #[test]
    fn several_refusals_are_told_as_one() {
        let add = |items: &str| format!("add `a = [{items}]` under `[b]`");
        let rows = [
            ("lists", add("\"1\""), add("\"2\""), add("\"1\", \"2\"")),
            ("the same item", add("\"1\""), add("\"1\""), add("\"1\"")),
            ("another place", add("1"), "add `a = [2]` to `c`".into(), {
                "add `a = [1]` under `[b]`; add `a = [2]` to `c`".to_owned()
            }),
            ("no list", "write x".into(), "write y".into(), "write x; write y".into()),
            ("the same", "write x".into(), "write x".into(), "write x".into()),
        ];
        for (name, one, other, hint) in rows {
            let denials = vec![denial("one", "no", &one), denial("two", "no", &other)];
            let expected = Some(denial("one, two", "no", &hint));
            assert_eq!(Denial::together(denials), expected, "{name}");
        }
        assert_eq!(Denial::together(Vec::new()), None);
    }
}
