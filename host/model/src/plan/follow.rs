//! Compares a run with its plan: before it starts, and before each effect is promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::document::{End, Plan, Step};
use super::noted::{Asked, Noted};
use super::tokens::{Values, leaves};
use crate::call::CallId;
use crate::departure::Departure;
use crate::id::Digest;
use crate::journal::{Outcome, World};

/// Differences that a message shows; a reader needs no more to see what happened.
const SHOWN_MAX: usize = 4;

/// With what a run would start.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The runbook's name and version.
    pub runbook: &'a str,
    /// The component's digest.
    pub component: Digest,
    /// The digest of the canonical `runbook.toml`.
    pub manifest: Digest,
    /// The inputs.
    pub inputs: &'a BTreeMap<String, Value>,
    /// The digest of the canonical grant.
    pub grant: Digest,
    /// The worlds as they are; a project that no run marked yet has an empty marker.
    pub worlds: &'a BTreeMap<String, World>,
    /// What stands in those that no run marked yet.
    pub landmarks: &'a BTreeMap<String, BTreeSet<String>>,
}

/// Tells what of a start is not as planned, a line each.
pub fn start(plan: &Plan, start: &Start<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, planned: &dyn fmt::Display, actual: &dyn fmt::Display| {
        let (planned, actual) = (planned.to_string(), actual.to_string());
        if planned != actual {
            found.push(format!("{what}: planned `{planned}`, actual `{actual}`"));
        }
    };
    compare("runbook", &plan.runbook, &start.runbook);
    compare("component", &plan.component, &start.component);
    compare("runbook.toml", &plan.manifest, &start.manifest);
    compare("grant", &plan.grant, &start.grant);
    let value = |inputs: &BTreeMap<String, Value>| serde_json::json!(inputs);
    found.extend(differences("input", &value(&plan.inputs), &value(start.inputs)));
    let worlds = |worlds: &BTreeMap<String, World>| serde_json::json!(worlds);
    found.extend(differences("world", &worlds(&plan.worlds), &worlds(start.worlds)));
    found.extend(plan.landmarks.iter().filter_map(|(capability, planned)| {
        // Things come and go; a project in which none of them stands is another one.
        let actual = start.landmarks.get(capability)?;
        let first = planned.first().filter(|_| planned.is_disjoint(actual))?;
        Some(format!(
            "world.{capability}: planned the project of `{first}`, actual one where nothing stands \
             of what the plan saw"
        ))
    }));
    found
}

/// Walks beside a run.
#[derive(Debug, Clone)]
pub struct Follower {
    plan: Plan,
    next: usize,
    values: Values,
    places: BTreeMap<CallId, usize>,
}

impl Follower {
    /// Begins at the first effect.
    pub fn new(plan: Plan) -> Self {
        Self { plan, next: 0, values: Values::default(), places: BTreeMap::new() }
    }

    /// Compares an effect with the next planned one, and goes on behind it.
    pub fn check(&mut self, asked: &Asked) -> Result<(), Departure> {
        let Some(step) = self.plan.effects.get(self.next) else {
            return Err(self.left("the end of the run".to_owned(), describe(asked), Vec::new()));
        };
        let found = self.compare(step, asked);
        if !found.is_empty() {
            let planned = self.values.fill_text(&step.describe());
            return Err(self.left(planned, describe(asked), found));
        }
        self.note(&Noted::Asked(Box::new(asked.clone())));
        Ok(())
    }

    /// Takes in what happened, live or replayed.
    pub fn note(&mut self, noted: &Noted) {
        match noted {
            Noted::Asked(asked) => self.pass(asked.call),
            Noted::Ended(call, Outcome::Ok(answer)) => {
                let planned = self.places.get(call).and_then(|place| self.plan.effects.get(*place));
                if let Some(step) = planned {
                    learn(&mut self.values, step.call, answer);
                }
            }
            Noted::Read { operation, request, outcome: Outcome::Ok(answer), .. } => {
                let values = &self.values;
                let is_same = |read: &&super::Read| {
                    read.operation == *operation && values.fill(&read.request) == *request
                };
                let calls = self.plan.reads.iter().filter(is_same).map(|read| read.call);
                for call in calls.collect::<Vec<_>>() {
                    learn(&mut self.values, call, answer);
                }
            }
            _ => {}
        }
    }

    /// Goes on behind an effect that is on record already.
    pub fn pass(&mut self, call: CallId) {
        self.places.insert(call, self.next);
        self.next += 1;
    }

    /// Tells whether the end of a runbook is the planned one; `failure` is why it failed.
    pub fn end(&self, failure: Option<&str>) -> Result<(), Departure> {
        let actual = match failure {
            Some(cause) => format!("the runbook failed: {cause}"),
            None => "the runbook ended".to_owned(),
        };
        match (self.plan.effects.get(self.next), failure, &self.plan.end) {
            (None, None, End::Succeeds) | (None, Some(_), End::Fails(_)) => Ok(()),
            (None, _, End::Succeeds) => Err(self.left("a success".to_owned(), actual, Vec::new())),
            (None, _, End::Fails(cause)) => {
                Err(self.left(format!("the failure {cause}"), actual, Vec::new()))
            }
            (Some(step), ..) => {
                Err(self.left(self.values.fill_text(&step.describe()), actual, Vec::new()))
            }
        }
    }

    fn left(&self, planned: String, actual: String, differences: Vec<String>) -> Departure {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (effect, of) = (number(self.next + 1), number(self.plan.effects.len()));
        Departure { effect, of, planned, actual, differences }
    }

    fn compare(&self, step: &Step, asked: &Asked) -> Vec<String> {
        let values = &self.values;
        let planned = serde_json::json!({
            "operation": step.operation,
            "kind": step.kind,
            "resource": values.fill_text(&step.resource),
            "request": values.fill(&step.request),
            "found": step.found.as_ref().map(|found| values.fill(found)),
            "before": step.before.as_ref().map(|before| values.fill(before)),
            "eur-per-month": step.eur_per_month,
            "scope-eur-per-month": step.scope_eur_per_month,
            "scope-count": step.scope_count,
        });
        let actual = serde_json::json!({
            "operation": asked.operation,
            "kind": asked.kind,
            "resource": asked.subject,
            "request": asked.request,
            "found": asked.found,
            "before": asked.before,
            "eur-per-month": asked.eur_per_month,
            "scope-eur-per-month": asked.scope_eur_per_month,
            "scope-count": asked.scope_count,
        });
        differences("", &planned, &actual)
    }
}

fn learn(values: &mut Values, call: CallId, answer: &Value) {
    let mut found = Vec::new();
    leaves(answer, &call.to_string(), &mut |token, text| found.push((token, text.to_owned())));
    found.into_iter().for_each(|(token, text)| values.set(token, text));
}

fn describe(asked: &Asked) -> String {
    let Asked { operation, subject, .. } = asked;
    let found = asked.found.as_ref().map_or(String::new(), |found| format!(" {found}"));
    let price = asked.eur_per_month;
    let price = price.map_or(String::new(), |eur| format!(", EUR {} a month", eur.plain()));
    format!("`{operation}` {subject}{found}{price}")
}

/// Returns where two values differ, the first few of it.
fn differences(way: &str, planned: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(way, planned, actual, &mut found);
    let more = found.len().saturating_sub(SHOWN_MAX);
    found.truncate(SHOWN_MAX);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

fn collect(way: &str, planned: &Value, actual: &Value, found: &mut Vec<String>) {
    if planned == actual {
        return;
    }
    let below = |key: &str| if way.is_empty() { key.to_owned() } else { format!("{way}.{key}") };
    match (planned, actual) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            for key in keys {
                let of = |fields: &serde_json::Map<String, Value>| {
                    fields.get(key).cloned().unwrap_or(Value::Null)
                };
                collect(&below(key), &of(one), &of(other), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (place, (one, other)) in one.iter().zip(other).enumerate() {
                collect(&below(&place.to_string()), one, other, found);
            }
        }
        _ => found.push(format!("{way}: planned `{}`, actual `{}`", shown(planned), shown(actual))),
    }
}

/// Shows a text without quotes, and not all of a long one.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    crate::text::truncate(&text, 200).to_string()
}
