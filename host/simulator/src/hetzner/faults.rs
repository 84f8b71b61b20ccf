//! Faults: what goes wrong, when, and how often.

use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// When a fault strikes and what it does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only this method; absent means any.
    #[serde(default)]
    pub method: Option<String>,
    /// Path after `/v1`: `*` stands for one segment, `**` for any number of them.
    pub path: String,
    /// Only from the n-th matching call on, counted from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How often it strikes at most; 0 means without end.
    #[serde(default = "one")]
    pub times: u64,
    /// Chance of a strike per matching call, in millionths; absent means always.
    #[serde(default)]
    pub parts_per_million: Option<u64>,
    /// Only in this project; absent means in all.
    #[serde(default)]
    pub project: Option<String>,
    pub fault: Fault,
}

fn one() -> u64 {
    1
}

/// What a fault does. Delays are real milliseconds (simulated ones on a frozen clock).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Refuses before any effect.
    Refuse {
        status: u16,
        code: String,
        #[serde(default)]
        message: String,
    },
    /// Answers an HTML page, as a gateway in front does, before any effect.
    Html { status: u16 },
    /// Lets the effect happen, then answers an error; `html` makes it a gateway's page.
    CommitThenRefuse {
        status: u16,
        code: String,
        #[serde(default)]
        html: bool,
    },
    /// Closes the connection before any effect.
    DropBefore,
    /// Lets the effect happen, then closes the connection without an answer.
    DropAfter,
    /// Closes the connection now; the effect lands later, if it is still possible then.
    LateCommit { delay_ms: u64 },
    /// Answers a deletion as always at once; what it deletes goes later.
    Linger { delay_ms: u64 },
    /// Lets the answer wait, and sends its body in two halves.
    Slow { delay_ms: u64 },
    /// Lets the action fail that the request begins, or the one of this command.
    ActionError {
        code: String,
        message: String,
        #[serde(default)]
        command: Option<String>,
    },
    /// Lets the action that the request begins, or the one of this command, take this long; without
    /// a time it never ends.
    ActionTime {
        #[serde(default)]
        delay_ms: Option<u64>,
        #[serde(default)]
        command: Option<String>,
    },
    /// Keeps what the request creates out of lists for a while.
    ListLag { delay_ms: u64 },
    /// Changes the stock just before the request is handled.
    Stock { server_type: String, location: String, available: bool },
    /// Changes a quota just before the request is handled.
    Quota { name: String, most: usize },
    /// Answers 401, as if the token had been revoked in the middle of a run.
    Unauthorized,
}

/// The rules in force, with their counters.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    rules: Vec<Armed>,
    last: u64,
}

/// A rule and what became of it so far.
#[derive(Debug, Clone, Serialize)]
pub struct Armed {
    pub id: u64,
    pub rule: Rule,
    /// Matching calls seen.
    pub seen: u64,
    /// Strikes so far.
    pub struck: u64,
}

impl Fault {
    /// Returns the word for this fault in the ledger.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse { .. } => "refuse",
            Self::Html { .. } => "html",
            Self::CommitThenRefuse { .. } => "commit_then_refuse",
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::LateCommit { .. } => "late_commit",
            Self::Linger { .. } => "linger",
            Self::Slow { .. } => "slow",
            Self::ActionError { .. } => "action_error",
            Self::ActionTime { .. } => "action_time",
            Self::ListLag { .. } => "list_lag",
            Self::Stock { .. } => "stock",
            Self::Quota { .. } => "quota",
            Self::Unauthorized => "unauthorized",
        }
    }
}

impl Rule {
    /// Describes a fault that strikes the first matching call.
    pub fn once(method: &str, path: &str, fault: Fault) -> Self {
        Self {
            method: Some(method.into()),
            path: path.into(),
            nth: 1,
            times: 1,
            parts_per_million: None,
            project: None,
            fault,
        }
    }

    fn matches(&self, project: &str, method: &str, path: &str) -> bool {
        self.project.as_deref().is_none_or(|only| only == project)
            && self.method.as_deref().is_none_or(|only| only.eq_ignore_ascii_case(method))
            && is_path_match(&self.path, path)
    }
}

impl Faults {
    /// Arms a rule and returns its id.
    pub fn add(&mut self, rule: Rule) -> u64 {
        self.last += 1;
        self.rules.push(Armed { id: self.last, rule, seen: 0, struck: 0 });
        self.last
    }

    /// Disarms a rule; tells whether there was one.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|armed| armed.id != id);
        self.rules.len() < before
    }

    /// Disarms everything.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Returns every rule with its counters.
    pub fn list(&self) -> &[Armed] {
        &self.rules
    }

    /// Counts a call and returns the fault of the first rule that strikes it.
    pub fn strike(
        &mut self,
        dice: &mut Dice,
        project: &str,
        (method, path): (&str, &str),
    ) -> Option<Fault> {
        let mut fault = None;
        for armed in &mut self.rules {
            if !armed.rule.matches(project, method, path) {
                continue;
            }
            armed.seen += 1;
            let is_due = armed.seen >= armed.rule.nth
                && (armed.rule.times == 0 || armed.struck < armed.rule.times);
            let is_struck =
                is_due && armed.rule.parts_per_million.is_none_or(|parts| dice.strikes(parts));
            if is_struck && fault.is_none() {
                armed.struck += 1;
                fault = Some(armed.rule.fault.clone());
            }
        }
        fault
    }
}

/// Tells whether a path matches a pattern of segments.
pub fn is_path_match(pattern: &str, path: &str) -> bool {
    let pattern = pattern.strip_prefix("/v1").unwrap_or(pattern);
    let segments = |text: &str| -> Vec<String> {
        text.trim_matches('/').split('/').map(str::to_owned).collect()
    };
    match_segments(&segments(pattern), &segments(path))
}

fn match_segments(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            (0..=path.len()).any(|skipped| match_segments(rest, &path[skipped..]))
        }
        (Some((first, rest)), Some((segment, others))) => {
            (first == "*" || first == segment) && match_segments(rest, others)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_segments() {
        let rows = [
            ("/servers", "/servers", true),
            ("/v1/servers", "/servers", true),
            ("/servers", "/servers/1", false),
            ("/servers/*", "/servers/1", true),
            ("/servers/*", "/servers", false),
            ("/servers/*/actions/*", "/servers/1/actions/poweron", true),
            ("/servers/**", "/servers/1/actions/poweron", true),
            ("/servers/**", "/servers", true),
            ("**", "/anything/at/all", true),
            ("/**/actions/attach", "/volumes/4/actions/attach", true),
            ("/server", "/servers", false),
        ];
        for (pattern, path, expected) in rows {
            assert_eq!(is_path_match(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_rule_strikes_from_its_nth_call_and_as_often_as_it_says() {
        let rows = [(1, 1, "x....."), (3, 1, "..x..."), (2, 3, ".xxx.."), (2, 0, ".xxxxx")];
        for (nth, times, expected) in rows {
            let mut faults = Faults::default();
            let rule = Rule { nth, times, ..Rule::once("POST", "/servers", Fault::DropAfter) };
            faults.add(rule);
            let mut dice = Dice::new(0);
            let struck: String = (0..6)
                .map(|_| faults.strike(&mut dice, "p", ("POST", "/servers")).is_some())
                .map(|is_struck| if is_struck { 'x' } else { '.' })
                .collect();
            assert_eq!(struck, expected, "nth {nth} times {times}");
            assert_eq!(faults.strike(&mut dice, "p", ("GET", "/servers")), None);
        }
    }

    #[test]
    fn rules_read_from_json_are_strict() {
        let good =
            r#"{"method":"POST","path":"/servers","fault":{"kind":"late_commit","delay_ms":50}}"#;
        let rule: Rule = serde_json::from_str(good).expect("a rule");
        assert_eq!(rule.fault, Fault::LateCommit { delay_ms: 50 });
        for bad in [
            r#"{"path":"/servers"}"#,
            r#"{"path":"/servers","fault":{"kind":"explode"}}"#,
            r#"{"path":"/servers","often":2,"fault":{"kind":"drop_after"}}"#,
            r#"{"path":"/servers","fault":{"kind":"slow"}}"#,
        ] {
            assert!(serde_json::from_str::<Rule>(bad).is_err(), "{bad}");
        }
    }
}
