//! libFuzzer's way to `targets::session`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::session(data, &mut targets::Seen::default()));
