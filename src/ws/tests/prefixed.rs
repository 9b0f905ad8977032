//! The shortest way of a message: it takes what begins as it is told, and leaves everything else as it was.

use std::time::Instant;

use super::deflate::{compressed_connection, squeeze};
use super::*;
use crate::ws::CloseCode;

fn received(bytes: &[u8]) -> Connection {
    let mut connection = connection();
    connection.receive(Bytes::copy_from_slice(bytes));
    connection
}

/// What the shortest way gives.
fn after(connection: &mut Connection) -> Option<String> {
    let taken = connection.poll_text_after(b'4').expect("nothing is wrong");
    taken.map(|text| text.to_string())
}

/// What the other way gives, its prefix with it.
fn other(connection: &mut Connection) -> Option<Message> {
    let (prefix, message) = connection.poll_prefixed().expect("nothing is wrong")?;
    Some(match (prefix, message) {
        (Some(prefix), Message::Text(rest)) => text(&format!("{}{rest}", char::from(prefix))),
        (_, message) => message,
    })
}

#[test]
fn a_short_text_with_the_prefix() {
    for content in ["", "a", "é", "\u{10ffff}", &"x".repeat(124)] {
        let mut connection = received(&masked(TEXT, format!("4{content}").as_bytes()));
        assert!(connection.has_input());
        assert_eq!(after(&mut connection).as_deref(), Some(content));
        assert!(!connection.has_input());
        assert_eq!((after(&mut connection), other(&mut connection)), (None, None));
    }
}

#[test]
fn everything_else_is_left_for_the_other_way() {
    let long = format!("4{}", "x".repeat(125));
    let fragments = frames(&[(TEXT_START, b"4a"), (LAST, b"4b")]);
    for (bytes, message) in [
        (masked(TEXT, b"3x"), text("3x")),
        (masked(TEXT, b""), text("")),
        (masked(TEXT, "é4".as_bytes()), text("é4")),
        (masked(BINARY, b"4x"), binary(b"4x")),
        (masked(BINARY, b""), binary(b"")),
        (masked(TEXT, long.as_bytes()), text(&long)),
        (fragments, text("4a4b")),
        (frames(&[(PING, b"4"), (TEXT, b"4x")]), text("4x")),
    ] {
        let mut connection = received(&bytes);
        assert_eq!(after(&mut connection), None, "{message:?}");
        assert_eq!(connection.input, bytes, "{message:?}");
        assert_eq!(other(&mut connection), Some(message));
        assert!(!connection.has_input());
    }
}

/// What follows an empty text is not its first byte, whatever its mask makes of it.
#[test]
fn an_empty_text_begins_with_nothing() {
    let key = [TEXT ^ b'4', 0, 0, 0];
    let bytes = [&[TEXT, 0x80][..], &key, &masked(TEXT, b"4next")].concat();
    let mut connection = received(&bytes);
    assert_eq!(after(&mut connection), None);
    assert_eq!(other(&mut connection), Some(text("")));
    assert_eq!(after(&mut connection).as_deref(), Some("next"));
}

#[test]
fn the_last_one_takes_the_memory_with_it() {
    let mut read = BytesMut::with_capacity(4096);
    read.extend(frames(&[(TEXT, b"4one"), (TEXT, b"4two")]));
    let mut connection = connection();
    connection.receive_mut(read);
    assert_eq!(after(&mut connection).as_deref(), Some("one"));
    assert_eq!(after(&mut connection).as_deref(), Some("two"));
    assert_eq!(connection.input.capacity(), 0);
}

#[test]
fn compressed_text_is_left_and_plain_text_is_not() {
    let mut connection = compressed_connection();
    let bytes = [masked(0xc1, &squeeze(b"4squeezed")), masked(TEXT, b"4plain")].concat();
    connection.receive(Bytes::from(bytes));
    assert_eq!(after(&mut connection), None);
    assert_eq!(other(&mut connection), Some(text("4squeezed")));
    assert_eq!(after(&mut connection).as_deref(), Some("plain"));
}

#[test]
fn text_that_is_none_fails_once() {
    // The second would be a whole character together with the prefix's bits, the last ends inside of one.
    for content in [&b"4\xff"[..], b"4\xa9", b"4\xed\xa0\x80", b"4abc\xe2\x82"] {
        let bytes = [masked(TEXT, content), masked(TEXT, b"4next")].concat();
        let mut connection = received(&bytes);
        assert_eq!(
            connection.poll_text_after(b'4'),
            Err(ProtocolError::InvalidUtf8),
            "{content:x?}"
        );
        assert!(connection.is_closed() && !connection.has_input());
        connection.receive(Bytes::from(masked(TEXT, b"4later")));
        assert_eq!((after(&mut connection), other(&mut connection)), (None, None));
        assert_eq!(transmit(&mut connection), [CLOSE, 2, 0x03, 0xef]);
        assert_eq!(transmit(&mut connection), [0; 0]);
    }
}

#[test]
fn frames_of_one_read_one_after_the_other() {
    let bytes = frames(&[(TEXT, b"4one"), (TEXT, b"4two"), (PING, b"p"), (TEXT, b"4three")]);
    let mut connection = received(&bytes);
    assert_eq!(after(&mut connection).as_deref(), Some("one"));
    assert!(connection.has_input() && !connection.has_transmit());
    assert_eq!(after(&mut connection).as_deref(), Some("two"));
    assert_eq!(after(&mut connection), None);
    assert_eq!(other(&mut connection), Some(text("4three")));
    assert_eq!(transmit(&mut connection), [PONG, 1, b'p']);
}

#[test]
fn a_frame_cut_anywhere() {
    let bytes = frames(&[(TEXT, "4 é é".as_bytes()), (TEXT, b"4next")]);
    let first = bytes.len() - masked(TEXT, b"4next").len();
    for cut in 0..first {
        // Who asks the shortest way alone gets it once it is whole.
        let mut connection = received(&bytes[..cut]);
        assert_eq!(connection.has_input(), cut > 0);
        assert_eq!(after(&mut connection), None, "cut at {cut}");
        assert_eq!(connection.has_input(), cut > 0);
        connection.receive_slice(&bytes[cut..]);
        assert_eq!(after(&mut connection).as_deref(), Some(" é é"), "cut at {cut}");
        assert_eq!(after(&mut connection).as_deref(), Some("next"));
        // Who asks both gets it by one of them.
        let mut connection = received(&bytes[..cut]);
        assert_eq!((after(&mut connection), other(&mut connection)), (None, None));
        connection.receive_slice(&bytes[cut..]);
        let taken = match after(&mut connection) {
            Some(rest) => Some(text(&format!("4{rest}"))),
            None => other(&mut connection),
        };
        assert_eq!(taken, Some(text("4 é é")), "cut at {cut}");
        assert_eq!(after(&mut connection).as_deref(), Some("next"));
    }
}

/// What stands inside of a frame is no frame.
#[test]
fn a_payload_that_looks_like_a_frame() {
    let inner = masked(TEXT, b"4x");
    let mut payload = inner.clone();
    unmask(&mut payload, KEY);
    let bytes = masked(BINARY, &payload);
    let mut connection = received(&bytes[..6]);
    assert_eq!((after(&mut connection), other(&mut connection)), (None, None));
    assert!(bytes.ends_with(&inner));
    connection.receive_slice(&bytes[6..]);
    assert_eq!(after(&mut connection), None);
    assert_eq!(other(&mut connection), Some(binary(&payload)));

    // The same while the rest of a frame is discarded.
    let mut connection = received(&bytes[..6]);
    assert_eq!(other(&mut connection), None);
    connection.close(Instant::now(), CloseCode::NORMAL, "");
    connection.receive_slice(&bytes[6..]);
    assert_eq!((after(&mut connection), other(&mut connection)), (None, None));
}

#[test]
fn nothing_is_taken_inside_of_a_fragmented_message() {
    let mut connection = received(&frames(&[(TEXT_START, b"4a"), (TEXT, b"4b")]));
    assert_eq!(after(&mut connection), None);
    assert_eq!(connection.poll_prefixed(), Err(ProtocolError::UnexpectedMessage));

    // The same when the second one comes later, all of it.
    let mut connection = received(&masked(TEXT_START, b"4a"));
    assert_eq!((after(&mut connection), other(&mut connection)), (None, None));
    connection.receive_slice(&masked(TEXT, b"4b"));
    assert_eq!(after(&mut connection), None);
    assert_eq!(connection.poll_prefixed(), Err(ProtocolError::UnexpectedMessage));
}

#[test]
fn nothing_is_taken_after_the_close() {
    let mut connection = received(&masked(TEXT, b"4x"));
    connection.close(Instant::now(), CloseCode::NORMAL, "");
    assert_eq!((after(&mut connection), other(&mut connection)), (None, None));
}

#[test]
fn its_limits_are_those_of_the_other_way() {
    let limits = Limits {
        max_message: 3,
        ..LIMITS
    };
    let mut connection = Connection::new(limits);
    connection.receive(Bytes::from(frames(&[(TEXT, b"4ab"), (TEXT, b"4abc")])));
    assert_eq!(after(&mut connection).as_deref(), Some("ab"));
    assert_eq!(after(&mut connection), None);
    let too_big = ProtocolError::MessageTooBig { size: Some(4) };
    assert_eq!(connection.poll_prefixed(), Err(too_big));

    // Without a mask.
    let mut connection = received(&[TEXT, 2, b'4', b'x', 0, 0, 0, 0]);
    assert_eq!(after(&mut connection), None);
    assert_eq!(connection.poll_prefixed(), Err(ProtocolError::Unmasked));
}
