//! A message by DATA and by chunks: however it is cut the result is the same, and it ends where RFC 5321 says.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| consentry::smtp::fuzz::data(octets));
