//! Tests of the WebSocket room, without a socket or a sleep: bytes against a [`Connection`], by theme.

mod abuse;
mod close;
mod deflate;
mod encode;
mod encoding;
mod handshake;
mod inflate;
mod messages;
mod prefixed;
mod property;
mod takeover;
mod utf8;

use bytes::{Bytes, BytesMut};

use super::mask::unmask;
use super::{Connection, Limits, MAX_PONGS, Message, ProtocolError};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// The same without FIN, and what goes on with it.
const TEXT_START: u8 = 0x01;
const BINARY_START: u8 = 0x02;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const LIMITS: Limits = Limits {
    max_message: 100_000,
    max_fragments: 16,
};

fn connection() -> Connection {
    Connection::new(LIMITS)
}

/// A client's frame: first byte, then mask bit and length in the shortest form, key, masked payload.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    let start = frame.len();
    frame.extend(payload);
    unmask(&mut frame[start..], KEY);
    frame
}

fn frames(list: &[(u8, &[u8])]) -> Vec<u8> {
    list.iter()
        .flat_map(|(first, payload)| masked(*first, payload))
        .collect()
}

fn close_payload(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

fn text(content: &str) -> Message {
    Message::Text(content.into())
}

fn binary(content: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(content))
}

fn transmit(connection: &mut Connection) -> Vec<u8> {
    let mut out = BytesMut::new();
    connection.transmit(&mut out);
    out.to_vec()
}

/// All that bytes lead to: messages, how it failed if it did, and what is answered.
#[derive(Debug, PartialEq)]
struct Seen {
    messages: Vec<Message>,
    error: Option<ProtocolError>,
    answer: Vec<u8>,
}

/// Feeds the pieces one after the other.
fn feed<'a>(connection: &mut Connection, pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut seen = Seen {
        messages: Vec::new(),
        error: None,
        answer: Vec::new(),
    };
    for piece in pieces {
        connection.receive(Bytes::copy_from_slice(piece));
        loop {
            match connection.poll_message() {
                Ok(Some(message)) => seen.messages.push(message),
                Ok(None) => break,
                Err(error) => assert_eq!(seen.error.replace(error), None, "two errors"),
            }
        }
        // A connection that waits keeps the beginning of a header or a control frame, no more.
        assert!(connection.input.capacity() < 256 && connection.input.len() < 14 + 125);
    }
    seen.answer = transmit(connection);
    seen
}

/// Feeds a fresh connection all at once and byte by byte: both must see the same.
fn both_ways(bytes: &[u8]) -> Seen {
    let at_once = feed(&mut connection(), [bytes]);
    let byte_by_byte = feed(&mut connection(), bytes.chunks(1));
    assert_eq!(at_once, byte_by_byte);
    at_once
}
