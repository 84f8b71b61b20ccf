//! Asks the host for two gigabytes.

use misbehaving_guests::random;

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    std::hint::black_box(random::bytes(1 << 31));
    Ok(())
}

misbehaving_guests::main!(run);
