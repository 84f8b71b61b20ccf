//! Takes memory and keeps it.

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

misbehaving_guests::main!(run);
