//! libFuzzer's way to `targets::query`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::query(data, &mut targets::Seen::default()));
