//! Passes 64 MiB to the host in one call.

use misbehaving_guests::log;

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    log::write(log::Level::Info, &"x".repeat(64 << 20));
    Ok(())
}

misbehaving_guests::main!(run);
