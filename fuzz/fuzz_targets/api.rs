#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rouet::fuzz::run("api", input));
