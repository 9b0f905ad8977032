//! libFuzzer's way to `targets::websocket`.

#![no_main]

use engineio_fuzz::targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::websocket(data, &mut targets::Seen::default()));
