//! Lets libFuzzer try `keyring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runwrit_fuzz::keyring(bytes));
