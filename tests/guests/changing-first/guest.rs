//! The first of two builds that make other calls: a replay of one with the other must stop.

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    misbehaving_guests::steps::verified("first")
}

misbehaving_guests::main!(run);
