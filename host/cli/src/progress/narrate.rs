//! Turns events into lines for people. Pure, so that a test can read what a person would.

use std::collections::BTreeMap;
use std::time::Duration;

use runwrit_engine::view;
use runwrit_model::call::CallId;
use runwrit_model::cost::Cost;
use runwrit_model::departure::Departure;
use runwrit_model::event::Event;
use runwrit_model::journal::{UndoOutcome, World};
use runwrit_model::money::Eur;
use runwrit_model::orphan::OrphanReport;

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
    /// A wait, and when it ends (Unix time in milliseconds): the moving line of a terminal, and a
    /// line elsewhere when it is long.
    Waiting(String, Option<u64>),
}

/// What must be remembered between events.
#[derive(Debug, Default)]
pub struct Narrator {
    step: Option<Step>,
    calls: BTreeMap<CallId, Duration>,
}

/// The current step.
#[derive(Debug)]
struct Step {
    title: String,
    began: Duration,
    /// Whether only recorded calls were seen in it so far.
    is_replayed: bool,
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
            Event::Verified { text, .. } => self.go_on(faint(format!("  verified: {text}"))),
            Event::CallBegan { call, subject, operation, .. } => {
                self.calls.insert(*call, at);
                self.go_on(Told::Passing(format!("{}: {operation} {subject}", self.title())))
            }
            Event::CallEnded { call, operation, subject, error, is_adopted, .. } => {
                let took = self.calls.remove(call).map(|began| at.saturating_sub(began));
                let told = call_ended(operation, subject, error.as_deref(), *is_adopted, took);
                self.go_on(told)
            }
            Event::Log { level, message, .. } => vec![log(level, message)],
            Event::Waiting { reason, until_unix_ms, .. } => {
                vec![Told::Waiting(reason.clone(), *until_unix_ms)]
            }
            other => self.tell_backward(other, at),
        }
    }

    fn tell_backward(&mut self, event: &Event, at: Duration) -> Vec<Told> {
        match event {
            Event::LeftPlan { left, .. } => {
                let Departure { planned, actual, differences, .. } = left;
                let bad = |line: String| Told::Lasting(Style::Bad, line);
                let mut told = self.fail_step(at);
                told.push(bad(format!("  planned: {planned}")));
                told.push(bad(format!("  actual:  {actual}")));
                told.extend(differences.iter().map(|it| bad(format!("  differs: {it}"))));
                told
            }
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
        self.step = Some(Step { title: title.to_owned(), began: at, is_replayed });
        told.push(match is_replayed {
            true => Told::Passing(format!("replaying {title}")),
            false => Told::Begun(format!("▸ {title}")),
        });
        told
    }

    /// Tells something that happens live; a step that was only replayed so far begins to show.
    fn go_on(&mut self, told: Told) -> Vec<Told> {
        let replayed = self.step.as_mut().filter(|step| step.is_replayed);
        let begun = replayed.map(|step| {
            step.is_replayed = false;
            Told::Begun(format!("▸ {} (goes on)", step.title))
        });
        begun.into_iter().chain([told]).collect()
    }

    fn end_step(&mut self, at: Duration) -> Vec<Told> {
        self.close_step(Style::Good, "✓", at)
    }

    fn fail_step(&mut self, at: Duration) -> Vec<Told> {
        self.close_step(Style::Bad, "✗", at)
    }

    fn close_step(&mut self, style: Style, mark: &str, at: Duration) -> Vec<Told> {
        let told = self.step.take().map(|Step { title, began, is_replayed }| match is_replayed {
            true => faint(format!("{mark} {title} (done before)")),
            false => {
                let took = seconds(at.saturating_sub(began));
                Told::Lasting(style, format!("{mark} {title} ({took})"))
            }
        });
        told.into_iter().collect()
    }

    fn title(&self) -> &str {
        self.step.as_ref().map_or("", |step| &step.title)
    }
}

/// Describes something that is left for a person, with all that helps to find it.
pub fn describe(orphan: &OrphanReport) -> String {
    let OrphanReport { kind, name, call, error, labels, .. } = orphan;
    let id = orphan.remote_id.as_ref().map_or(String::new(), |id| format!(" (id {id})"));
    let price = match orphan.eur_per_month {
        Cost::Known(amount) if amount == Eur::ZERO => "free".to_owned(),
        Cost::Known(amount) => format!("EUR {} a month", amount.plain()),
        Cost::Unknown => "price unknown".to_owned(),
    };
    let project = orphan.project.as_ref().map_or(String::new(), |world| {
        let World { credential, marker, .. } = world;
        format!(", in the project {marker} of `{credential}`")
    });
    let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!(", labelled {}", labels.join(" ")) };
    let since = view::time(orphan.since);
    format!("{kind} `{name}`{id} of call {call}, {price}, since {since}{project}{labels}: {error}")
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
        // A look that finds nothing is what many steps hope for; a step that does not, says so.
        Some(error) if is_look(operation) => Told::Passing(format!("{operation}: {error}")),
        Some(error) => {
            let error = error.strip_prefix("failed: ").unwrap_or(error);
            let line = format!("  {operation} {subject} failed: {error}{took}");
            Told::Lasting(Style::Warning, line)
        }
        None if is_adopted => faint(format!("  {operation} {subject}: was there already{took}")),
        None => faint(format!("  {operation} {subject}{took}")),
    }
}

/// Tells functions that only look.
fn is_look(operation: &str) -> bool {
    let function = operation.rsplit('.').next().unwrap_or_default();
    matches!(function, "get" | "list" | "check" | "candidates" | "scope" | "read")
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

#[cfg(test)]
mod tests {
    use super::*;
    use runwrit_model::event::RunOutcome;
    use runwrit_model::id::RunId;

    /// Returns what stays of the events, told one second apart.
    fn lasting(events: &[Event]) -> Vec<String> {
        let mut narrator = Narrator::default();
        let told = events
            .iter()
            .enumerate()
            .flat_map(|(place, event)| narrator.tell(event, Duration::from_secs(place as u64)));
        let lines = told.filter_map(|told| match told {
            Told::Lasting(_, line) | Told::Begun(line) => Some(line),
            Told::Passing(_) | Told::Waiting(..) => None,
        });
        lines.collect()
    }

    fn run() -> RunId {
        RunId::new(0, [0; 10])
    }

    fn step(title: &str, is_replayed: bool) -> Event {
        Event::Step { run: run(), title: title.to_owned(), is_replayed }
    }

    fn ended(operation: &str, error: Option<&str>) -> Event {
        let (call, error) = (CallId::single(1), error.map(str::to_owned));
        let (operation, subject) = (operation.to_owned(), "server x".to_owned());
        Event::CallEnded { run: run(), call, operation, subject, error, is_adopted: false }
    }

    fn finished(outcome: RunOutcome) -> Event {
        Event::Finished { run: run(), outcome, message: String::new(), eur_per_month: None }
    }

    #[test]
    fn steps_open_and_close_with_their_duration() {
        let create = ended("hetzner.servers.create", None);
        let events = [step("a", false), create, step("b", false), finished(RunOutcome::RolledBack)];
        let expected =
            ["▸ a", "  hetzner.servers.create server x", "✓ a (2.0 s)", "▸ b", "✗ b (1.0 s)"];
        assert_eq!(lasting(&events), expected);
    }

    #[test]
    fn replayed_steps_take_a_line_each_and_the_cut_one_goes_on() {
        let create = ended("hetzner.servers.create", None);
        let events = [step("a", true), step("b", true), create, finished(RunOutcome::Succeeded)];
        let expected = [
            "✓ a (done before)",
            "▸ b (goes on)",
            "  hetzner.servers.create server x",
            "✓ b (2.0 s)",
        ];
        assert_eq!(lasting(&events), expected);
    }

    #[test]
    fn a_look_that_finds_nothing_leaves_no_line_but_a_failed_effect_does() {
        let look = ended("hetzner.servers.get", Some("not found"));
        assert!(lasting(&[look]).is_empty());
        let effect = ended("hetzner.servers.delete", Some("locked"));
        assert_eq!(lasting(&[effect]), ["  hetzner.servers.delete server x failed: locked"]);
    }
}
