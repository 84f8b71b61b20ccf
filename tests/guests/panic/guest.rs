//! Panics.

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    fall();
    Ok(())
}

#[inline(never)]
fn fall() {
    panic!("on purpose");
}

misbehaving_guests::main!(run);
