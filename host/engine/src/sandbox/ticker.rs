//! The thread that lets time pass for guests.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use wasmtime::Engine;

/// How long a guest computes before it lets other tasks run.
pub const TICK: Duration = Duration::from_millis(10);

/// Starts counting epochs. The thread ends with the last engine; it has begun when this returns, so
/// that what a thread does to begin is behind it.
pub fn start(engine: &Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    let (begun, begins) = sync_channel(1);
    let tick = move || {
        // The channel has room for the one message, so this never waits.
        let _ = begun.send(());
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("epochs".to_owned()).spawn(tick)?;
    begins.recv().map_err(std::io::Error::other)
}
