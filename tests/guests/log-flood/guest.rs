//! Logs without an end: each call is short, so no watch over computing sees it.

use misbehaving_guests::log;

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    loop {
        log::write(log::Level::Info, "flood");
    }
}

misbehaving_guests::main!(run);
