//! A plan as a table for people.

use serde_json::Value;

use super::document::{Plan, Step};
use crate::cost::Cost;

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
    /// Net EUR per month, with a minus for what ends; `free`, or `unknown` for what ends.
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
        price: price(effect),
        assumed: effect.assumed.join("; "),
    }
}

fn price(effect: &Step) -> String {
    match (effect.eur_per_month, effect.ended_eur_per_month) {
        (Some(price), _) => format!("EUR {}", price.plain()),
        (None, Some(Cost::Known(price))) => format!("EUR -{}", price.plain()),
        (None, Some(Cost::Unknown)) => "unknown".to_owned(),
        (None, None) => "free".to_owned(),
    }
}

/// Returns what all effects cost together.
pub fn total(plan: &Plan) -> String {
    let more = plan.eur_per_month.plain();
    match plan.ended_eur_per_month {
        None => format!("together EUR {more} a month, net"),
        Some(Cost::Known(less)) => {
            format!("together EUR {more} a month more and EUR {} less, net", less.plain())
        }
        Some(Cost::Unknown) => {
            format!("together EUR {more} a month more, net; nobody knows how much less")
        }
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
