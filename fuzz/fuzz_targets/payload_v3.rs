//! libFuzzer's way to `targets::payload_v3`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::payload_v3(data, &mut targets::Seen::default()));
