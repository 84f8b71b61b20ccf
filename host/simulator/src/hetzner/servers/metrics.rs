//! Metrics: made-up series in the documented form.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::clock::written;
use super::super::project::Project;
use super::super::refusal::Refusal;
use super::super::request::{Input, Reply};
use super::find;

// The reference caps a series at 500 samples and aims for 200 when no step is given.
const SAMPLES_MAX: i64 = 500;
const SAMPLES_USUAL: i64 = 200;

/// Answers `GET /servers/{id}/metrics`.
pub fn metrics(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    let (start, end) = (time(input, "start")?, time(input, "end")?);
    if end <= start {
        return Err(Refusal::invalid("end", "must be after start"));
    }
    let span = end.as_second() - start.as_second();
    let least = span.div_euclid(SAMPLES_MAX) + 1;
    let step = match input.first("step") {
        None => span.div_euclid(SAMPLES_USUAL) + 1,
        Some(text) => text
            .parse()
            .ok()
            .filter(|step: &i64| *step > 0)
            .ok_or_else(|| Refusal::invalid("step", "must be a positive number"))?,
    }
    .max(least);
    let mut series = Map::new();
    for name in series_names(input)? {
        let values: Vec<Value> = (0..span.div_euclid(step).max(1))
            .map(|index| start.as_second() + index * step)
            .map(|second| json!([second, sample(id, second).to_string()]))
            .collect();
        series.insert(name.to_owned(), json!({"values": values}));
    }
    Ok(Reply::new(
        200,
        json!({"metrics": {
            "start": written(start),
            "end": written(end),
            "step": step,
            "time_series": series,
        }}),
    ))
}

fn series_names(input: &Input) -> Result<Vec<&'static str>, Refusal> {
    let wanted = input.every("type").join(",");
    let mut names = Vec::new();
    for kind in wanted.split(',') {
        names.extend_from_slice(match kind {
            "cpu" => &["cpu"][..],
            "disk" => &[
                "disk.0.iops.read",
                "disk.0.iops.write",
                "disk.0.bandwidth.read",
                "disk.0.bandwidth.write",
            ],
            "network" => &[
                "network.0.pps.in",
                "network.0.pps.out",
                "network.0.bandwidth.in",
                "network.0.bandwidth.out",
            ],
            _ => return Err(Refusal::invalid("type", "must be cpu, disk or network")),
        });
    }
    Ok(names)
}

fn time(input: &Input, name: &str) -> Result<Timestamp, Refusal> {
    input
        .first(name)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Refusal::invalid(name, "must be a time in RFC 3339 form"))
}

fn sample(id: u64, second: i64) -> u64 {
    (id ^ second.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58
}
