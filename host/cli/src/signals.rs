//! Ctrl-C, termination and a closed terminal, while a run goes on.

use std::sync::Arc;

use runwrit_engine::interrupt::Interrupt;
use runwrit_model::exit::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ambient;
use crate::output::Style;
use crate::progress::Progress;
use crate::progress::narrate::Told;

/// Watches the signals until the process ends.
///
/// The first Ctrl-C or termination raises `interrupt`: the call in flight is finished and
/// journaled, then the run stops, to be resumed. The second ends the process at once, which loses
/// nothing either. A closed terminal is ignored: the run goes on.
pub fn watch(interrupt: Interrupt, progress: Arc<Progress>) {
    // Where a signal cannot be watched, its default action kills the process: `resume` goes on.
    let listen = |kind| signal(kind).ok();
    let [interrupts, terminations, hangups] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(listen);
    tokio::spawn(async move {
        let (mut interrupts, mut terminations, mut hangups) = (interrupts, terminations, hangups);
        loop {
            tokio::select! {
                () = next(&mut interrupts) => {}
                () = next(&mut terminations) => {}
                () = next(&mut hangups) => continue,
            }
            if interrupt.is_raised() {
                stop_now(&progress);
            }
            interrupt.raise();
            progress.say(&Told::Lasting(Style::Warning, FIRST.to_owned()));
        }
    });
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
