//! Shows a run while it happens: live on a terminal, in lines elsewhere, as JSON where asked for.

mod live;
pub mod narrate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use runwrit_engine::report::Reporter;
use runwrit_model::event::Event;
use runwrit_model::id::RunId;

use self::live::Live;
use self::narrate::{Narrator, Told};
use crate::ambient;
use crate::output::Output;

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
                live.now(&self.output.painted(crate::output::Style::Plain, line));
            }
            (None, Told::Lasting(style, line)) => self.output.note(*style, line),
            (None, Told::Begun(line)) => self.output.note(crate::output::Style::Strong, line),
            (None, Told::Passing(_)) => {}
        }
    }
}
