//! Calls itself without an end.

use std::hint::black_box;

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    black_box(deeper(black_box(1)));
    Ok(())
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "that is what this guest is for")]
fn deeper(depth: u64) -> u64 {
    // The sum after the call keeps the compiler from making a loop of it.
    black_box(deeper(black_box(depth + 1))) + black_box(depth)
}

misbehaving_guests::main!(run);
