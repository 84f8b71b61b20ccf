//! Has one effect and succeeds: what the others are compared with.

use misbehaving_guests::log;

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    log::write(log::Level::Info, "quiet");
    Ok(())
}

misbehaving_guests::main!(run);
