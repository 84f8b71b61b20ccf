//! Lets libFuzzer try `root`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runwrit_fuzz::root(bytes));
