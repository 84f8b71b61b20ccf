//! Lets libFuzzer try `statement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runwrit_fuzz::statement(bytes));
