//! Ctrl-C, termination and a closed terminal, while a run goes on.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use runwrit_engine::interrupt::Interrupt;
use runwrit_model::exit::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ambient;
use crate::output::Style;
use crate::progress::Progress;
use crate::progress::narrate::Told;

/// The signals of one use of the command line, which may work on several runs one after the other.
#[derive(Default)]
pub struct Signals {
    /// Raised by the first of them that ends a run.
    pub interrupt: Interrupt,
    shown: Arc<Mutex<Option<Arc<Progress>>>>,
    is_watched: OnceLock<()>,
}

impl Signals {
    /// Watches the signals from now on, and tells of them where `progress` does.
    ///
    /// The first Ctrl-C or termination raises the interrupt: the call in flight is finished and
    /// journaled, then the run stops, to be resumed. The second ends the process at once, which
    /// loses nothing either. A closed terminal is ignored: the run goes on.
    pub fn watch(&self, progress: &Arc<Progress>) {
        *lock(&self.shown) = Some(Arc::clone(progress));
        if self.is_watched.set(()).is_err() {
            return;
        }
        // Where a signal cannot be watched, its default action kills the process: `resume` goes on.
        let listen = |kind| signal(kind).ok();
        let [mut interrupts, mut terminations, mut hangups] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(listen);
        let (interrupt, shown) = (self.interrupt.clone(), Arc::clone(&self.shown));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = next(&mut interrupts) => {}
                    () = next(&mut terminations) => {}
                    () = next(&mut hangups) => continue,
                }
                let Some(progress) = lock(&shown).clone() else { continue };
                if interrupt.is_raised() {
                    stop_now(&progress);
                }
                interrupt.raise();
                progress.say(&Told::Lasting(Style::Warning, FIRST.to_owned()));
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process; the call in flight is settled by `resume`.
fn stop_now(progress: &Progress) -> ! {
    let next = match progress.run() {
        Some(run) => format!("stopped; next: runwrit resume {run}"),
        None => "stopped before the run began".to_owned(),
    };
    progress.say(&Told::Lasting(Style::Warning, next));
    progress.close();
    ambient::exit_now(Exit::Interrupted)
}

/// What the first Ctrl-C says.
const FIRST: &str = "interrupted: finishing the call in flight; press Ctrl-C again to stop at once";

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
