//! Lets libFuzzer try `memory`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runwrit_fuzz::memory(bytes));
