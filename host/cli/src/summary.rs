//! What a person reads when the work on a run is over: what stands, what it costs, what to do next.

use runwrit_engine::view::{self, CallState, CallView, RunState, RunView};
use runwrit_model::event::RunOutcome;
use runwrit_model::failure::{Denial, Failure};
use runwrit_model::history::{History, Recorded};
use runwrit_model::journal::{Ending, Outcome};

use crate::output::{Output, Style};
use crate::progress::narrate::describe;

/// Prints the summary to standard error.
pub fn print(view: &RunView, outcome: RunOutcome, output: &Output) {
    for (style, line) in lines(view, outcome) {
        output.note(style, &line);
    }
}

/// Returns the summary. Pure, so that a test can read what a person would.
pub fn lines(view: &RunView, outcome: RunOutcome) -> Vec<(Style, String)> {
    let mut lines = vec![headline(view, outcome)];
    let standing: Vec<&CallView> = standing(view).collect();
    if !standing.is_empty() {
        lines.push((Style::Strong, "exists now:".to_owned()));
        lines.extend(standing.iter().map(|call| (Style::Plain, thing(call))));
        lines.push((Style::Strong, price(view)));
    }
    for (name, value) in &view.outputs {
        lines.push((Style::Plain, format!("output {name} = {value}")));
    }
    let lasting: Vec<&CallView> = lasting(view).collect();
    if !lasting.is_empty() {
        lines.push((Style::Strong, "not undone, because nothing reverts it:".to_owned()));
        let told = |call: &CallView| format!("  {}: {}", call.operation, call.subject);
        lines.extend(lasting.iter().map(|call| (Style::Plain, told(call))));
    }
    if !view.left.is_empty() {
        lines.push((Style::Bad, "left for a person:".to_owned()));
        let left = view.left.iter();
        lines.extend(left.map(|orphan| (Style::Bad, format!("  {}", describe(orphan)))));
    }
    let next = view.next_commands.iter();
    lines.extend(next.map(|command| (Style::Plain, format!("next: {command}"))));
    lines
}

fn headline(view: &RunView, outcome: RunOutcome) -> (Style, String) {
    let run = &view.run;
    let why = if view.message.is_empty() { String::new() } else { format!(": {}", view.message) };
    match outcome {
        RunOutcome::Succeeded => (Style::Good, format!("run {run} succeeded")),
        RunOutcome::RolledBack => {
            let left = remains(view);
            (Style::Warning, format!("run {run} failed and was rolled back, {left}{why}"))
        }
        RunOutcome::RollbackIncomplete => {
            (Style::Bad, format!("run {run} could not be rolled back wholly{why}"))
        }
        RunOutcome::Held => (Style::Bad, format!("run {run} failed and keeps what it made{why}")),
        RunOutcome::FailedClean => {
            (Style::Warning, format!("run {run} failed before it changed anything{why}"))
        }
        RunOutcome::Nondeterministic => {
            (Style::Bad, format!("run {run} does not repeat what its journal holds{why}"))
        }
        RunOutcome::Moved => (Style::Warning, format!("run {run} was moved{why}")),
        RunOutcome::LeftPlan if view.state == RunState::Ended(Ending::Held) => {
            (Style::Bad, format!("run {run} left its plan and keeps what it made{why}"))
        }
        RunOutcome::LeftPlan => (
            Style::Bad,
            format!("run {run} left its plan and was rolled back, {}{why}", remains(view)),
        ),
        RunOutcome::Differs => {
            (Style::Bad, format!("run {run} found differences{}{why}", back(view)))
        }
        RunOutcome::Parked => (Style::Warning, format!("run {run} waits{}{why}", awaited(view))),
        RunOutcome::Interrupted => (Style::Warning, format!("run {run} was interrupted")),
    }
}

/// Says how a run that found differences left what it looked at.
fn back(view: &RunView) -> String {
    match view.state {
        RunState::Ended(Ending::FailedClean) => " and changed nothing".to_owned(),
        _ => format!(" and was rolled back, {}", remains(view)),
    }
}

/// Says what a rollback that is over left behind.
fn remains(view: &RunView) -> &'static str {
    match view.lasting.is_empty() {
        true => "nothing is left",
        false => "but for what nothing reverts",
    }
}

/// Returns the calls that a rollback left as they are.
fn lasting(view: &RunView) -> impl Iterator<Item = &CallView> {
    let calls = view.steps.iter().flat_map(|step| &step.calls);
    calls.filter(|call| view.lasting.contains(&call.call))
}

/// Says for what a run waits.
fn awaited(view: &RunView) -> String {
    match &view.state {
        RunState::Waiting(until) => format!(" until {}", view::time(*until)),
        RunState::Asking(call) => format!(" for a person's word on call {call}"),
        RunState::Backward => " to go on with its rollback".to_owned(),
        _ => String::new(),
    }
}

/// Returns the calls whose things exist now, as far as the journal knows.
pub fn standing(view: &RunView) -> impl Iterator<Item = &CallView> {
    let calls = view.steps.iter().flat_map(|step| &step.calls);
    calls.filter(|call| is_creation(call) && is_there(&call.state))
}

fn is_creation(call: &CallView) -> bool {
    let function = call.operation.rsplit('.').next().unwrap_or_default();
    function.starts_with("create") || call.operation == "dns.records.set"
}

fn is_there(state: &CallState) -> bool {
    matches!(
        state,
        CallState::Done
            | CallState::Adopted
            | CallState::Accepted
            | CallState::Failed
            | CallState::Left
            | CallState::Undoing
    )
}

fn thing(call: &CallView) -> String {
    let id = call.remote_id.as_ref().map_or(String::new(), |id| format!(" (id {id})"));
    let price = call.eur_per_month.as_ref();
    let price = price.map_or("free".to_owned(), |amount| format!("EUR {amount} a month"));
    format!("  {}{id}: {price}", call.subject)
}

/// Returns what all of it costs.
pub fn price(view: &RunView) -> String {
    match view.eur_per_month {
        Some(amount) => format!("together EUR {amount} a month, net"),
        None => "together free of charge".to_owned(),
    }
}

/// Returns the last refusal by the grant that the journal holds: its hint says what to grant.
pub fn last_denial(history: &History) -> Option<Denial> {
    let told = history.calls.iter().rev().find_map(|call| match call {
        Recorded::Observed { observed, .. } => match &observed.outcome {
            Outcome::Err(Failure::Denied(denial)) => Some(denial),
            _ => None,
        },
        _ => None,
    });
    told.cloned()
}
