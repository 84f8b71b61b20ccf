//! Says what a finished case did wrong: leaks, doubles, wrong endings, broken chains, told secrets.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_capabilities::books::TenantState;
use runwrit_engine::store::Store;
use runwrit_model::id::RunId;
use runwrit_simulator::hetzner::ledger::Change;

use super::case::{End, Scenario};
use super::driver::Trace;
use super::secrets::Search;
use super::template;

/// One thing that a case did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// Something is alive that should not be, or a thing that should be is not.
    Leak,
    /// Two things made by one call were alive at once, or an event was written twice.
    Double,
    /// The run ended as it should not have, or the registry says something else than the world.
    Ending,
    /// The hash chain of the journal does not verify.
    Chain,
    /// A secret was written somewhere.
    Secret,
    /// More requests were sent than a kill explains.
    Requests,
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
const PROVISIONED: [(&str, usize); 5] =
    [("firewall", 1), ("network", 1), ("rrset", 2), ("server", 3), ("volume", 1)];

/// Exit code of a cancel that came after the end of its run.
const OVER: i32 = 2;

/// Judges a case that came to its end.
pub async fn judge(trace: &Trace<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(judge_ending(trace));
    findings.extend(judge_world(trace));
    findings.extend(judge_births(trace));
    findings.extend(judge_hook(trace));
    match template::open(&trace.installation.state()).await {
        Ok(store) => {
            findings.extend(judge_chain(trace, &store).await);
            findings.extend(judge_registry(trace, &store).await);
            findings.extend(judge_audit(trace, &store).await);
        }
        Err(facts) => findings.push(finding(Violation::Chain, facts)),
    }
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
        Scenario::Fails(_) | Scenario::FailsInside(_) | Scenario::Deprovision => false,
        // A cancel that came after the end is refused and changes nothing; and so is the one after
        // a cancel that was killed when it had rolled back.
        Scenario::Canceled | Scenario::CanceledAlive => {
            trace.exit() != Some(1) && !trace.has_turned_back()
        }
        // What it makes is no tenant.
        Scenario::LongHaul(_) => false,
    }
}

fn judge_ending(trace: &Trace<'_>) -> Option<Finding> {
    let expected: &[i32] = match trace.case.scenario {
        Scenario::Success | Scenario::Deprovision | Scenario::LongHaul(End::Well) => &[0],
        Scenario::Fails(_) | Scenario::FailsInside(_) | Scenario::LongHaul(End::Badly) => &[1],
        Scenario::CanceledAlive => &[0, 1],
        Scenario::Canceled if trace.is_canceled => &[0, 1, OVER],
        Scenario::Canceled => &[0],
    };
    let last = trace.processes.last()?;
    let is_expected = last.code.is_some_and(|code| expected.contains(&code));
    let told = [tail(&last.stdout), tail(&last.stderr)].join(" | ");
    let facts = || format!("exit {:?}, expected {expected:?}: {told}", last.code);
    (!is_expected).then(|| finding(Violation::Ending, facts()))
}

/// Returns the last few lines, but for the log that processes write which nobody kills.
fn tail(text: &str) -> String {
    let is_log = |line: &&str| [" TRACE ", " DEBUG "].iter().any(|level| line.contains(level));
    let lines: Vec<&str> = text.lines().filter(|line| !is_log(line)).rev().take(4).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

fn judge_world(trace: &Trace<'_>) -> Option<Finding> {
    let report = trace.cloud.desk().leaks("runwrit/run").expect("the selector is well formed");
    let mut alive: BTreeMap<&str, usize> = BTreeMap::new();
    // Addresses live and die with their servers.
    for thing in report.alive.iter().filter(|thing| thing.kind != "primary_ip") {
        *alive.entry(thing.kind).or_default() += 1;
    }
    let expected: BTreeMap<&str, usize> = match trace.case.scenario {
        Scenario::LongHaul(End::Well) => [("network", 2)].into(),
        // One of two it keeps.
        Scenario::LongHaul(End::Badly) => [("network", 1)].into(),
        _ if should_stand(trace) => PROVISIONED.into(),
        _ => BTreeMap::new(),
    };
    let facts = || format!("alive {alive:?}, expected {expected:?}");
    if alive != expected {
        return Some(finding(Violation::Leak, facts()));
    }
    judge_zone(trace)
}

/// What stood in the zone before stands there still, and nothing unmarked beside it.
fn judge_zone(trace: &Trace<'_>) -> Option<Finding> {
    let report = trace.cloud.desk().leaks("!runwrit/run").expect("the selector is well formed");
    let sets = report.alive.into_iter().filter(|thing| thing.kind == "rrset");
    let names: Vec<String> = sets.map(|set| set.name).collect();
    let facts = || format!("the zone holds {names:?} beside the records of the run");
    (names != ["www/A"]).then(|| finding(Violation::Leak, facts()))
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

/// What nobody can undo was sent once, neither twice nor never.
fn judge_hook(trace: &Trace<'_>) -> Option<Finding> {
    let expected = usize::from(matches!(trace.case.scenario, Scenario::LongHaul(_)));
    let sent = trace.installation.sent();
    let facts = || format!("{sent} requests reached the hook, expected {expected}");
    match sent.cmp(&expected) {
        Ordering::Less => Some(finding(Violation::Ending, facts())),
        Ordering::Equal => None,
        Ordering::Greater => Some(finding(Violation::Double, facts())),
    }
}

async fn judge_chain(trace: &Trace<'_>, store: &Arc<dyn Store>) -> Option<Finding> {
    let run: RunId = trace.run.as_deref()?.parse().ok()?;
    let checked = store.verify_chain(&run).await;
    checked.err().map(|error| finding(Violation::Chain, error.to_string()))
}

/// Compares what the registry says with what stands.
async fn judge_registry(trace: &Trace<'_>, store: &Arc<dyn Store>) -> Option<Finding> {
    let tenant = match store.tenant("acme").await {
        Ok(tenant) => tenant.map(|row| row.state),
        Err(error) => return Some(finding(Violation::Ending, error.to_string())),
    };
    let expected: &[_] = match trace.case.scenario {
        Scenario::Deprovision => &[Some(TenantState::Deleted)],
        _ if should_stand(trace) => &[Some(TenantState::Active)],
        // Nothing, where it turned back before it had reserved the tenant.
        _ => &[Some(TenantState::Failed), None],
    };
    let facts = || format!("the registry says {tenant:?}, expected {expected:?}");
    (!expected.contains(&tenant)).then(|| finding(Violation::Ending, facts()))
}

/// Counts what auditors read: each event once, and each that was rolled back with its counterpart.
async fn judge_audit(trace: &Trace<'_>, store: &Arc<dyn Store>) -> Option<Finding> {
    let events = match store.audit_events().await {
        Ok(events) => events,
        Err(error) => return Some(finding(Violation::Ending, error.to_string())),
    };
    let count = |kind: &str| events.iter().filter(|stored| stored.event.kind == kind).count();
    let made = count("TENANT_PROVISIONED");
    let unmade = count("TENANT_PROVISIONED_ROLLED_BACK");
    let removed = count("TENANT_DEPROVISIONED");
    let failed = count("TENANT_FAILED");
    let is_failed = match store.tenant("acme").await {
        Ok(tenant) => tenant.is_some_and(|row| row.state == TenantState::Failed),
        Err(error) => return Some(finding(Violation::Ending, error.to_string())),
    };
    let facts = format!(
        "{made} provisioned, {unmade} rolled back, {removed} deprovisioned, {failed} failed"
    );
    if [made, unmade, removed, failed].iter().any(|count| *count > 1) {
        return Some(finding(Violation::Double, facts));
    }
    let is_expected = match trace.case.scenario {
        Scenario::Deprovision => (made, unmade, removed) == (1, 0, 1),
        _ if should_stand(trace) => (made, unmade, removed) == (1, 0, 0),
        _ => made == unmade && removed == 0,
    };
    let is_told = failed == usize::from(is_failed);
    (!is_expected || !is_told).then(|| finding(Violation::Ending, facts))
}

/// Looks for the token in everything that was written. Processes that nobody kills also log all
/// that they can.
fn judge_secrets(trace: &Trace<'_>) -> Option<Finding> {
    let search = Search::default();
    let told = |text: &String| search.is_told(text.as_bytes());
    if trace.processes.iter().any(|process| told(&process.stdout) || told(&process.stderr)) {
        return Some(finding(Violation::Secret, "the token is in the output"));
    }
    let file = search.telling_file(trace.installation.folder());
    file.map(|file| finding(Violation::Secret, format!("the token is in `{}`", file.display())))
}
