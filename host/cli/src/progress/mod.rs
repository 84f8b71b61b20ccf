//! Shows a run while it happens: live on a terminal, in lines elsewhere, as JSON where asked for.

mod live;
pub mod narrate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runwrit_engine::report::Reporter;
use runwrit_model::event::Event;
use runwrit_model::id::RunId;

use self::live::Live;
use self::narrate::{Narrator, Told};
use crate::ambient;
use crate::output::{Output, Style};

/// A wait of this length is told also where no line moves.
const LONG: Duration = Duration::from_secs(10);

impl Reporter for Progress {
    fn report(&self, event: Event) {
        self.event(&event);
    }
}

/// Takes the events of one run, from whatever thread they come.
pub struct Progress {
    output: Arc<Output>,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    narrator: Narrator,
    live: Option<Live>,
    run: Option<RunId>,
}

impl Progress {
    /// Builds the watcher that suits the output.
    pub fn new(output: Arc<Output>) -> Self {
        Self { output, began: ambient::now(), state: Mutex::default() }
    }

    /// Shows one event.
    pub fn event(&self, event: &Event) {
        let mut state = self.state();
        if let Event::Started { run, .. } = event {
            state.run = Some(run.clone());
            state.live = (self.output.is_live && !self.output.is_json).then(Live::new);
        }
        if self.output.is_json {
            self.output.object(event);
            return;
        }
        for told in state.narrator.tell(event, self.began.elapsed()) {
            self.show(&mut state, &told);
        }
        if matches!(event, Event::Finished { .. }) {
            state.live = None;
        }
    }

    /// Says something outside of the stream of events, without breaking the live picture.
    pub fn say(&self, told: &Told) {
        if self.output.is_json {
            return;
        }
        self.show(&mut self.state(), told);
    }

    /// Ends the live picture, so that what is printed next stands on lines of its own.
    pub fn close(&self) {
        self.state().live = None;
    }

    /// Returns the run that is shown, once it has begun.
    pub fn run(&self) -> Option<RunId> {
        self.state().run.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that showing panicked once; the run matters more than the show.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &mut State, told: &Told) {
        match (&mut state.live, told) {
            (Some(live), Told::Lasting(style, line)) => {
                live.print(&self.output.painted(*style, line));
            }
            (Some(live), Told::Begun(line) | Told::Passing(line)) => {
                live.now(&self.output.painted(Style::Plain, line));
            }
            (None, Told::Lasting(style, line)) => self.output.note(*style, line),
            (None, Told::Begun(line)) => self.output.note(Style::Strong, line),
            (None, Told::Passing(_)) => {}
            (Some(live), Told::Waiting(reason, _)) => live.now(&format!("waiting: {reason}")),
            (None, Told::Waiting(reason, until)) => {
                if let Some(line) = long_wait(reason, *until, ambient::now_unix_ms()) {
                    self.output.note(Style::Faint, &line);
                }
            }
        }
    }
}

/// Tells of a wait that is long enough to look like a process that hangs.
fn long_wait(reason: &str, until_unix_ms: Option<u64>, now_unix_ms: u64) -> Option<String> {
    let Some(until) = until_unix_ms else { return Some(format!("  waiting: {reason}")) };
    let wait = Duration::from_millis(until.saturating_sub(now_unix_ms));
    (wait >= LONG).then(|| format!("  waiting {} s: {reason}", wait.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_leaves_a_line_where_nothing_moves() {
        let rows = [
            (None, Some("  waiting: locked")),
            (Some(5_000), None),
            (Some(100_000 + 9_999), None),
            (Some(100_000 + 10_000), Some("  waiting 10 s: locked")),
            (Some(100_000 + 90_700), Some("  waiting 90 s: locked")),
        ];
        for (until, expected) in rows {
            assert_eq!(long_wait("locked", until, 100_000).as_deref(), expected, "{until:?}");
        }
    }
}
