//! Lets libFuzzer try `manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runwrit_fuzz::manifest(bytes));
