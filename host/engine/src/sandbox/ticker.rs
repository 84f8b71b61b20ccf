//! The thread that lets time pass for guests.

use std::time::Duration;

use wasmtime::Engine;

/// How long a guest computes before it lets other tasks run.
pub const TICK: Duration = Duration::from_millis(10);

/// Starts counting epochs. The thread ends with the last engine.
pub fn start(engine: &Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    let tick = move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("epochs".to_owned()).spawn(tick).map(drop)
}
