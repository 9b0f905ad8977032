//! libFuzzer's way to `targets::packet`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::packet(data, &mut targets::Seen::default()));
