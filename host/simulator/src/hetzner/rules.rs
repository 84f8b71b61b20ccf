//! Rules of firewalls, as they are read and shown.

use serde_json::{Value, json};

use super::addresses;
use super::refusal::Refusal;

/// Each block of each rule is an effective rule of its own.
const EFFECTIVE_RULES_MAX: usize = 500;

/// Reads rules and returns them as the API shows them.
pub fn parse_rules(rules: &[Value]) -> Result<Vec<Value>, Refusal> {
    let parsed: Vec<Value> = rules
        .iter()
        .enumerate()
        .map(|(index, rule)| parse_rule(rule, index))
        .collect::<Result<_, _>>()?;
    let blocks = |rule: &Value, field| rule[field].as_array().map_or(0, Vec::len);
    let both = |rule| blocks(rule, "source_ips") + blocks(rule, "destination_ips");
    let effective: usize = parsed.iter().map(both).sum();
    if effective > EFFECTIVE_RULES_MAX {
        return Err(Refusal::limit("firewall_effective_rule"));
    }
    Ok(parsed)
}

fn parse_rule(rule: &Value, index: usize) -> Result<Value, Refusal> {
    let path = format!("rules.{index}");
    let (wanted, unwanted) = match rule["direction"].as_str() {
        Some("in") => ("source_ips", "destination_ips"),
        _ => ("destination_ips", "source_ips"),
    };
    let blocks = |field: &str| -> Result<Vec<String>, Refusal> {
        let blocks = rule[field].as_array().map_or(&[][..], Vec::as_slice);
        let path = format!("{path}.{field}");
        blocks
            .iter()
            .filter_map(Value::as_str)
            .map(|block| addresses::firewall_block(&path, block))
            .collect()
    };
    if !blocks(unwanted)?.is_empty() || blocks(wanted)?.is_empty() {
        let message = format!("a rule of this direction needs {wanted} and no {unwanted}");
        return Err(Refusal::invalid(&format!("{path}.{wanted}"), message));
    }
    let has_ports = ["tcp", "udp"].contains(&rule["protocol"].as_str().unwrap_or_default());
    match rule["port"].as_str() {
        Some(port) if has_ports && is_port(port) => {}
        None if !has_ports => {}
        _ => {
            let message = "a port or range is needed for tcp and udp, and for nothing else";
            return Err(Refusal::invalid(&format!("{path}.port"), message));
        }
    }
    let mut shown = json!({
        "description": rule["description"],
        "direction": rule["direction"],
        "protocol": rule["protocol"],
        "port": rule["port"],
    });
    shown[wanted] = json!(blocks(wanted)?);
    shown[unwanted] = json!([]);
    Ok(shown)
}

fn is_port(text: &str) -> bool {
    let number = |text: &str| -> Option<u16> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|port| is_plain && *port > 0)
    };
    match text.split_once('-') {
        Some((low, high)) => number(low).zip(number(high)).is_some_and(|(low, high)| low <= high),
        None => text == "any" || number(text).is_some(),
    }
}
