//! libFuzzer's way to `targets::inflate`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::inflate(data, &mut targets::Seen::default()));
