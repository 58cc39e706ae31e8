#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| reledger_fuzz::snapshot(input));
