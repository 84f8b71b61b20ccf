//! Turns events into lines for people. Pure, so that a test can read what a person would.

use std::collections::BTreeMap;
use std::time::Duration;

use runwrit_model::call::CallId;
use runwrit_model::event::Event;
use runwrit_model::journal::{Orphan, UndoOutcome};

use crate::output::Style;

/// Something to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A line that stays.
    Lasting(Style, String),
    /// What has begun: a line of its own, or the moving line of a terminal.
    Begun(String),
    /// What happens now: only for the moving line of a terminal.
    Passing(String),
}

/// What must be remembered between events.
#[derive(Debug, Default)]
pub struct Narrator {
    step: Option<(String, Duration)>,
    calls: BTreeMap<CallId, Duration>,
}

impl Narrator {
    /// Returns what to show for an event that came `at` this long after the start.
    pub fn tell(&mut self, event: &Event, at: Duration) -> Vec<Told> {
        match event {
            Event::Started { run, runbook, scope, is_resumed } => {
                let verb = if *is_resumed { "resumed" } else { "started" };
                vec![strong(format!("{verb} {runbook} on {scope}: run {run}"))]
            }
            Event::Replayed { calls, .. } => {
                vec![faint(format!("  replayed {calls} recorded calls without acting"))]
            }
            Event::Step { title, is_replayed, .. } => self.begin_step(title, *is_replayed, at),
            Event::Verified { is_replayed: true, .. } => Vec::new(),
            Event::Verified { text, .. } => vec![faint(format!("  verified: {text}"))],
            Event::CallBegan { call, subject, operation, .. } => {
                self.calls.insert(*call, at);
                vec![Told::Passing(format!("{}: {operation} {subject}", self.title()))]
            }
            Event::CallEnded { call, operation, subject, error, is_adopted, .. } => {
                let took = self.calls.remove(call).map(|began| at.saturating_sub(began));
                vec![call_ended(operation, subject, error.as_deref(), *is_adopted, took)]
            }
            Event::Log { level, message, .. } => vec![log(level, message)],
            Event::Waiting { reason, .. } => vec![Told::Passing(format!("waiting: {reason}"))],
            other => self.tell_backward(other, at),
        }
    }

    fn tell_backward(&mut self, event: &Event, at: Duration) -> Vec<Told> {
        match event {
            Event::RollbackBegan { cause, .. } => {
                let mut told = self.fail_step(at);
                told.push(Told::Lasting(Style::Warning, format!("rolling back: {cause}")));
                told
            }
            Event::UndoBegan { subject, attempt, .. } => {
                vec![Told::Passing(format!("undoing {subject}, attempt {attempt}"))]
            }
            Event::UndoEnded { subject, outcome, .. } => vec![undo_ended(subject, outcome)],
            Event::Orphaned { orphan, .. } => {
                vec![Told::Lasting(Style::Bad, format!("  left behind: {}", describe(orphan)))]
            }
            Event::Finished { outcome, .. } => {
                use runwrit_model::event::RunOutcome;
                match outcome {
                    RunOutcome::Succeeded => self.end_step(at),
                    _ => self.fail_step(at),
                }
            }
            _ => Vec::new(),
        }
    }

    fn begin_step(&mut self, title: &str, is_replayed: bool, at: Duration) -> Vec<Told> {
        let mut told = self.end_step(at);
        // A step of an earlier attempt may have been cut off in the middle, so it counts as begun.
        self.step = Some((title.to_owned(), at));
        let before = if is_replayed { " (begun before)" } else { "" };
        told.push(Told::Begun(format!("▸ {title}{before}")));
        told
    }

    fn end_step(&mut self, at: Duration) -> Vec<Told> {
        self.close_step(Style::Good, "✓", at)
    }

    fn fail_step(&mut self, at: Duration) -> Vec<Told> {
        self.close_step(Style::Bad, "✗", at)
    }

    fn close_step(&mut self, style: Style, mark: &str, at: Duration) -> Vec<Told> {
        let told = self.step.take().map(|(title, began)| {
            let took = seconds(at.saturating_sub(began));
            Told::Lasting(style, format!("{mark} {title} ({took})"))
        });
        told.into_iter().collect()
    }

    fn title(&self) -> &str {
        self.step.as_ref().map_or("", |(title, _)| title)
    }
}

/// Describes something that is left for a person, with its price.
pub fn describe(orphan: &Orphan) -> String {
    let id = orphan.remote_id.as_ref().map_or(String::new(), |id| format!(" (id {id})"));
    let price = match &orphan.eur_per_month {
        Some(amount) => format!(", EUR {amount} a month"),
        None => String::new(),
    };
    let Orphan { kind, name, call, error, .. } = orphan;
    format!("{kind} `{name}`{id} of call {call}{price}: {error}")
}

/// Shows a duration with one decimal.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn call_ended(
    operation: &str,
    subject: &str,
    error: Option<&str>,
    is_adopted: bool,
    took: Option<Duration>,
) -> Told {
    let took = took.map_or(String::new(), |took| format!(" ({})", seconds(took)));
    match error {
        Some(error) => {
            let line = format!("  {operation} {subject} failed: {error}{took}");
            Told::Lasting(Style::Warning, line)
        }
        None if is_adopted => faint(format!("  {operation} {subject}: was there already{took}")),
        None => faint(format!("  {operation} {subject}{took}")),
    }
}

fn undo_ended(subject: &str, outcome: &UndoOutcome) -> Told {
    let plain = |text: String| Told::Lasting(Style::Plain, text);
    match outcome {
        UndoOutcome::Done => plain(format!("  undone: {subject}")),
        UndoOutcome::NothingThere => plain(format!("  nothing to undo: {subject}")),
        UndoOutcome::NotOurs => {
            Told::Lasting(Style::Warning, format!("  left alone, it is not ours: {subject}"))
        }
        UndoOutcome::Kept => plain(format!("  kept, as the runbook said: {subject}")),
        UndoOutcome::Held(why) => {
            Told::Lasting(Style::Warning, format!("  held for a person: {subject}: {why}"))
        }
        UndoOutcome::Settling(_) => {
            Told::Passing(format!("waiting whether {subject} still comes into being"))
        }
        UndoOutcome::Retry(_, why) => Told::Passing(format!("{subject} is tried again: {why}")),
    }
}

fn log(level: &str, message: &str) -> Told {
    let style = match level {
        "error" => Style::Bad,
        "warn" => Style::Warning,
        _ => Style::Plain,
    };
    Told::Lasting(style, format!("  {level}: {message}"))
}

fn strong(line: String) -> Told {
    Told::Lasting(Style::Strong, line)
}

fn faint(line: String) -> Told {
    Told::Lasting(Style::Faint, line)
}
