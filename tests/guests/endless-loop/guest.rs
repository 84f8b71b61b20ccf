//! Computes without an end and without a call.

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    let mut number = 1_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(3));
    }
}

misbehaving_guests::main!(run);
