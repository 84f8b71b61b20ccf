//! Core modules that no compiler writes, beside those of the quiet guest.

use super::bench;

/// One type: nothing to nothing.
pub const TYPE: &[u8] = &[1, 4, 1, 0x60, 0, 0];
/// One function of it.
pub const FUNCTION: &[u8] = &[3, 2, 1, 0];

/// How many calls make a function that is nearly as large as a valid one may be.
pub const CALLS_OF_A_BOMB: usize = 3_500_000;

/// Returns a component with one function that calls itself `count` times: a few megabytes that
/// cost a compiler gigabytes and many seconds.
pub fn bomb(count: usize) -> Vec<u8> {
    let no_variables = vec![0];
    let calls = [0x10, 0].repeat(count);
    let end = vec![0x0b];
    let body = [no_variables, calls, end].concat();
    beside_quiet(&[TYPE, FUNCTION, &code(&body)].concat())
}

/// Returns the section with the code of one function.
pub fn code(body: &[u8]) -> Vec<u8> {
    let code = [leb128(1), leb128(body.len()), body.to_vec()].concat();
    [vec![10], leb128(code.len()), code].concat()
}

/// Returns the quiet guest with one more core module of these sections.
pub fn beside_quiet(sections: &[u8]) -> Vec<u8> {
    let module = [b"\0asm\x01\0\0\0", sections].concat();
    // A component is a row of sections, so that one more core module can stand behind the others.
    let mut component = bench::component("quiet");
    component.extend([vec![1], leb128(module.len()), module].concat());
    component
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits fit a byte");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
