//! Lets libFuzzer try `bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runwrit_fuzz::bundle(bytes));
