//! Says what a finished case did wrong: leaks, doubles, wrong endings, broken chains, told secrets.

use std::collections::BTreeMap;
use std::path::Path;

use runwrit_model::id::RunId;
use runwrit_simulator::hetzner::ledger::Change;

use super::case::Scenario;
use super::driver::Trace;
use super::process::TOKEN;

/// One thing that a case did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// Something is alive that should not be, or a thing that should be is not.
    Leak,
    /// Two things made by one call were alive at once.
    Double,
    /// The run ended as it should not have.
    Ending,
    /// The hash chain of the journal does not verify.
    Chain,
    /// A secret was written somewhere.
    Secret,
}

/// What a case did wrong, with the facts.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What.
    pub violation: Violation,
    /// The facts.
    pub facts: String,
}

/// Kinds that a provisioned tenant consists of, with how many of each.
const PROVISIONED: [(&str, usize); 4] =
    [("firewall", 1), ("network", 1), ("server", 3), ("volume", 1)];

/// Exit code of a cancel that came after the end of its run.
const OVER: i32 = 2;

/// Judges a case that came to its end.
pub async fn judge(trace: &Trace<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(judge_ending(trace));
    findings.extend(judge_world(trace));
    findings.extend(judge_births(trace));
    findings.extend(judge_chain(trace).await);
    findings.extend(judge_secrets(trace));
    findings
}

fn finding(violation: Violation, facts: impl Into<String>) -> Finding {
    Finding { violation, facts: facts.into() }
}

/// Tells whether the tenant should stand at the end.
fn should_stand(trace: &Trace<'_>) -> bool {
    match trace.case.scenario {
        Scenario::Success => true,
        Scenario::Fails(_) => false,
        // A cancel that came after the end is refused and changes nothing.
        Scenario::Canceled => trace.exit() != Some(1),
    }
}

fn judge_ending(trace: &Trace<'_>) -> Option<Finding> {
    let expected: &[i32] = match trace.case.scenario {
        Scenario::Success => &[0],
        Scenario::Fails(_) => &[1],
        Scenario::Canceled if trace.is_canceled => &[0, 1, OVER],
        Scenario::Canceled => &[0],
    };
    let last = trace.processes.last()?;
    let is_expected = last.code.is_some_and(|code| expected.contains(&code));
    let facts = || format!("exit {:?}, expected {expected:?}: {}", last.code, tail(&last.stderr));
    (!is_expected).then(|| finding(Violation::Ending, facts()))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().rev().take(6).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

fn judge_world(trace: &Trace<'_>) -> Option<Finding> {
    let report = trace.cloud.desk().leaks("runwrit/run").expect("the selector is well formed");
    let mut alive: BTreeMap<&str, usize> = BTreeMap::new();
    // Addresses live and die with their servers.
    for thing in report.alive.iter().filter(|thing| thing.kind != "primary_ip") {
        *alive.entry(thing.kind).or_default() += 1;
    }
    let expected: BTreeMap<&str, usize> =
        if should_stand(trace) { PROVISIONED.into() } else { BTreeMap::new() };
    let facts = || format!("alive {alive:?}, expected {expected:?}");
    (alive != expected).then(|| finding(Violation::Leak, facts()))
}

/// Finds calls of which two things were alive at once. A creation that lands late, while its twin
/// is being deleted, is no double: the API takes no key by which it could be refused. Whether it
/// was removed again is for [`judge_world`] to say.
fn judge_births(trace: &Trace<'_>) -> Option<Finding> {
    let events = trace.cloud.desk().resource_events("runwrit/run").expect("well formed");
    let ledger = trace.cloud.desk().ledger();
    let is_late = |seq: u64| ledger.iter().any(|entry| entry.seq == seq && entry.landed.is_some());
    let is_birth = |change: &Change| *change == Change::Created;
    let late_births = events.iter().filter(|event| is_birth(&event.event) && is_late(event.seq));
    let late: Vec<_> = late_births.map(|event| event.touched.id.clone()).collect();
    let mut alive: BTreeMap<String, i32> = BTreeMap::new();
    let mut doubles = Vec::new();
    let counts = |id: &String, kind: &str| kind != "primary_ip" && !late.contains(id);
    for event in events.iter().filter(|event| counts(&event.touched.id, event.touched.kind)) {
        let call = event.touched.labels.get("runwrit/call").cloned().unwrap_or_default();
        let name = format!("{} of call {call}", event.touched.kind);
        let count = alive.entry(name.clone()).or_default();
        *count += if event.event == Change::Created { 1 } else { -1 };
        if *count > 1 {
            doubles.push(name);
        }
    }
    (!doubles.is_empty()).then(|| finding(Violation::Double, format!("{doubles:?}")))
}

async fn judge_chain(trace: &Trace<'_>) -> Option<Finding> {
    let run: RunId = trace.run.as_deref()?.parse().ok()?;
    let state = trace.installation.state();
    let store = match super::open_store(&state).await {
        Ok(store) => store,
        Err(facts) => return Some(finding(Violation::Chain, facts)),
    };
    let checked = store.verify_chain(&run).await;
    checked.err().map(|error| finding(Violation::Chain, error.to_string()))
}

fn judge_secrets(trace: &Trace<'_>) -> Option<Finding> {
    let is_told = |text: &[u8]| text.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes());
    let spoken = trace
        .processes
        .iter()
        .find(|process| is_told(process.stdout.as_bytes()) || is_told(process.stderr.as_bytes()));
    if spoken.is_some() {
        return Some(finding(Violation::Secret, "the token is in the output"));
    }
    let mut files = Vec::new();
    collect(trace.installation.folder(), &mut files);
    let told = files.into_iter().find(|file| std::fs::read(file).is_ok_and(|text| is_told(&text)));
    told.map(|file| finding(Violation::Secret, format!("the token is in `{}`", file.display())))
}

/// Lists every file below a folder, but for compiled code, which is the same for all cases.
fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_none_or(|extension| extension != "cwasm") {
            files.push(path);
        }
    }
}
