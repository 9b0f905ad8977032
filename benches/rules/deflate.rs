//! permessage-deflate.

use std::hint::black_box;

use bytes::BytesMut;
use engineio::ws::deflate::Agreement;
use engineio::ws::{Connection, Message};

use super::frame::{LIMITS, masked};
use super::{Case, text};

fn connection() -> Connection {
    let agreement = Agreement::negotiate(b"permessage-deflate").expect("the plain offer is acceptable");
    Connection::with_deflate(LIMITS, agreement, 0)
}

fn compress(name: &'static str, size: usize) -> Case {
    let (mut connection, payload, mut out) = (connection(), text(size), BytesMut::new());
    Case::new("deflate", name, move || {
        out.clear();
        connection.send_compressed(true, Some(b'4'), black_box(payload.as_bytes()), &mut out);
    })
}

fn decompress(name: &'static str, size: usize) -> Case {
    let (mut connection, mut out) = (connection(), BytesMut::new());
    connection.send_compressed(true, Some(b'4'), text(size).as_bytes(), &mut out);
    let input = masked(&out);
    Case::new("deflate", name, move || {
        connection.receive_slice(black_box(&input));
        let message = connection.poll_message();
        assert!(matches!(&message, Ok(Some(Message::Text(text))) if text.len() == size + 1));
        message
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        compress("compress 1 KiB", 1024),
        compress("compress 16 KiB", 16 * 1024),
        decompress("decompress 1 KiB", 1024),
        decompress("decompress 16 KiB", 16 * 1024),
    ]
}
