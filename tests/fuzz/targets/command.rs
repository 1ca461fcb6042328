//! Lines of a session: no panic, one reply each, no message without a complete envelope.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| consentry::smtp::fuzz::command(octets));
