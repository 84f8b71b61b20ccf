//! A plan as a table for people.

use serde_json::Value;

use super::document::{Plan, Step};

/// One effect, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The step of the runbook.
    pub step: String,
    /// The call.
    pub call: String,
    /// The operation.
    pub operation: String,
    /// The resource, with the choice made for it.
    pub resource: String,
    /// Net EUR per month, or `free`.
    pub price: String,
    /// What is assumed about it.
    pub assumed: String,
}

/// Returns the rows, in order.
pub fn rows(plan: &Plan) -> Vec<Row> {
    plan.effects.iter().map(row).collect()
}

fn row(effect: &Step) -> Row {
    Row {
        step: effect.step.clone(),
        call: effect.call.to_string(),
        operation: effect.operation.clone(),
        resource: resource(effect),
        price: effect.eur_per_month.map_or_else(|| "free".to_owned(), |eur| eur.plain()),
        assumed: effect.assumed.join("; "),
    }
}

fn resource(effect: &Step) -> String {
    let found = |key: &str| effect.found.as_ref()?.get(key)?.as_str();
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
    match (found("server-type"), found("location"), found("name")) {
        (Some(kind), Some(place), _) => format!("{} ({kind} in {place})", effect.resource),
        (_, _, Some(name)) => format!("{} ({name})", effect.resource),
        _ => match text(&effect.request, "ip-range") {
            Some(range) => format!("{} ({range})", effect.resource),
            None => effect.resource.clone(),
        },
    }
}
