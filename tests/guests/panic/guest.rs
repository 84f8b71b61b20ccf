//! Does nothing and succeeds: what the others are compared with.

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::bindings::runwrit::run::log::write(
        misbehaving_guests::bindings::runwrit::run::log::Level::Info,
        "quiet",
    );
    Ok(())
}

misbehaving_guests::main!(run);
