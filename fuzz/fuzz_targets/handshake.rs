//! libFuzzer's way to `targets::handshake`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::handshake(data, &mut targets::Seen::default()));
