//! libFuzzer's way to `targets::frame`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::frame(data, &mut targets::Seen::default()));
