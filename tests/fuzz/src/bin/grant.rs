//! Lets libFuzzer try `grant`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runwrit_fuzz::grant(bytes));
