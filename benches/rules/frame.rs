//! WebSocket frames: masked ones in, their echo out.

use std::hint::black_box;

use bytes::BytesMut;
use engineio::ws::frame::{OpCode, encode};
use engineio::ws::mask::unmask;
use engineio::ws::{Connection, Limits, Message};

use super::{Case, text};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
pub(super) const LIMITS: Limits = Limits {
    max_message: 1_000_000,
    max_fragments: 1000,
};

/// What a client sends for a frame that a server would send: the same, masked.
pub(super) fn masked(frame: &[u8]) -> Vec<u8> {
    let start = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let (head, payload) = frame.split_at(start);
    let mut payload = payload.to_vec();
    unmask(&mut payload, KEY);
    let mut bytes = head.to_vec();
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&KEY);
    bytes.extend_from_slice(&payload);
    bytes
}

/// One read with `count` messages of `size` bytes, answered into one write.
fn echo(name: &'static str, count: usize, size: usize) -> Case {
    let mut out = BytesMut::new();
    encode(OpCode::Text, Some(b'4'), text(size).as_bytes(), &mut out);
    let input = masked(&out).repeat(count);
    let mut connection = Connection::new(LIMITS);
    Case::new("frame", name, move || {
        out.clear();
        connection.receive_slice(black_box(&input));
        let mut echoed = 0;
        while let Ok(Some(Message::Text(text))) = connection.poll_message() {
            connection.send(true, None, text.as_bytes(), &mut out);
            echoed += 1;
        }
        assert_eq!(echoed, count);
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mut buffer = text(1024).into_bytes();
    vec![
        Case::new("frame", "unmask 1 KiB", move || {
            unmask(black_box(&mut buffer), KEY)
        }),
        echo("echo 16 x 32 B", 16, 32),
        echo("echo 1 KiB", 1, 1024),
        echo("echo 16 KiB", 1, 16 * 1024),
    ]
}
