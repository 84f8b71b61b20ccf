//! Waits again and again: many of it are at work at once.

use misbehaving_guests::bindings::runwrit::run::clock;

fn run() -> misbehaving_guests::Ending {
    // Longer waits would park the run.
    (0..100).try_for_each(|_| clock::sleep(4))
}

misbehaving_guests::main!(run);
