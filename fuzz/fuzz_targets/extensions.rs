//! libFuzzer's way to `targets::extensions`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::extensions(data, &mut targets::Seen::default()));
