//! Frames that break the protocol, and limits (Autobahn 3, 4, 5): each refused at its header, with its code.

use super::*;

/// A message of so many bytes is too big.
fn announced(size: u64) -> ProtocolError {
    ProtocolError::MessageTooBig { size: Some(size) }
}

/// What a failed connection sends.
fn close_of(error: ProtocolError) -> Vec<u8> {
    let mut frame = vec![CLOSE, 2];
    frame.extend(close_payload(error.close_code().number(), b""));
    frame
}

#[test]
fn refused_in_the_header() {
    use ProtocolError::*;
    let big = |first, len: u64| [&[first, 0xff][..], &len.to_be_bytes(), &KEY].concat();
    let table: Vec<(&str, Vec<u8>, ProtocolError, u16)> = vec![
        ("unmasked text", b"\x81\x05Hello".to_vec(), Unmasked, 1002),
        ("unmasked ping", b"\x89\x00".to_vec(), Unmasked, 1002),
        ("RSV1 without an extension", masked(0xc1, b"x"), ReservedBit, 1002),
        ("RSV2", masked(0xa1, b"x"), ReservedBit, 1002),
        ("RSV3", masked(0x91, b"x"), ReservedBit, 1002),
        ("RSV1 on a ping", masked(0xc9, b"x"), ReservedBit, 1002),
        ("opcode 3", masked(0x83, b""), ReservedOpCode(3), 1002),
        ("opcode 7", masked(0x87, b""), ReservedOpCode(7), 1002),
        ("opcode 11", masked(0x8b, b""), ReservedOpCode(11), 1002),
        ("opcode 15", masked(0x8f, b""), ReservedOpCode(15), 1002),
        ("fragmented ping", masked(0x09, b"x"), FragmentedControl, 1002),
        ("fragmented pong", masked(0x0a, b"x"), FragmentedControl, 1002),
        ("fragmented close", masked(0x08, b""), FragmentedControl, 1002),
        (
            "ping of 126 bytes",
            masked(PING, &[0; 126]),
            OversizeControl,
            1002,
        ),
        (
            "close of 126 bytes",
            masked(CLOSE, &[3; 126]),
            OversizeControl,
            1002,
        ),
        (
            "ping of 65536 bytes",
            masked(PING, &[0; 65536]),
            OversizeControl,
            1002,
        ),
        (
            "125 in two bytes",
            b"\x82\xfe\x00\x7d1234".to_vec(),
            InvalidLength,
            1002,
        ),
        (
            "0 in two bytes",
            b"\x82\xfe\x00\x001234".to_vec(),
            InvalidLength,
            1002,
        ),
        ("65535 in eight bytes", big(BINARY, 65535), InvalidLength, 1002),
        (
            "length with its top bit",
            big(BINARY, 1 << 63),
            InvalidLength,
            1002,
        ),
        ("length of all ones", big(BINARY, u64::MAX), InvalidLength, 1002),
        (
            "one byte over the limit",
            big(BINARY, 100_001),
            announced(100_001),
            1009,
        ),
        ("10 GiB", big(TEXT, 10 << 30), announced(10 << 30), 1009),
        (
            "the longest length",
            big(TEXT, u64::MAX >> 1),
            announced(u64::MAX >> 1),
            1009,
        ),
        (
            "continuation of nothing",
            masked(LAST, b"x"),
            UnexpectedContinuation,
            1002,
        ),
        (
            "unfinished continuation of nothing",
            masked(MORE, b"x"),
            UnexpectedContinuation,
            1002,
        ),
    ];
    for (name, bytes, error, code) in table {
        // After a good message, which still arrives; and nothing behind the bad frame does.
        let bytes = [
            masked(TEXT, b"good"),
            bytes,
            frames(&[(TEXT, b"late"), (PING, b"late")]),
        ]
        .concat();
        let seen = both_ways(&bytes);
        assert_eq!(seen.messages, [text("good")], "{name}");
        assert_eq!(seen.error, Some(error), "{name}");
        assert_eq!(seen.answer, close_of(error), "{name}");
        assert_eq!(error.close_code().number(), code, "{name}");
    }
}

#[test]
fn refused_before_the_mask_or_payload_comes() {
    let table: &[(&str, &[u8], ProtocolError)] = &[
        ("reserved bit", b"\xc1", ProtocolError::ReservedBit),
        ("reserved opcode", b"\x83", ProtocolError::ReservedOpCode(3)),
        ("fragmented ping", b"\x09", ProtocolError::FragmentedControl),
        ("unmasked", b"\x81\x05", ProtocolError::Unmasked),
        ("long ping", b"\x89\xfe", ProtocolError::OversizeControl),
        (
            "long message",
            b"\x82\xff\x00\x00\x00\x00\x00\x01\x86\xa1",
            announced(100_001),
        ),
    ];
    for (name, bytes, error) in table {
        assert_eq!(both_ways(bytes).error, Some(*error), "{name}");
    }
}

#[test]
fn new_message_inside_a_fragmented_one() {
    for first in [TEXT, BINARY, TEXT_START, BINARY_START] {
        let seen = both_ways(&frames(&[(TEXT_START, b"a"), (first, b"b"), (LAST, b"c")]));
        assert_eq!(seen.error, Some(ProtocolError::UnexpectedMessage));
        assert_eq!(seen.messages, []);
    }
}

#[test]
fn limit_is_of_the_message_not_of_the_frame() {
    let most = vec![0; LIMITS.max_message - 1];
    let mut connection = connection();
    feed(
        &mut connection,
        [&frames(&[(BINARY_START, &most), (MORE, b"1")])[..]],
    );
    // Two bytes of header and a key announce one byte more.
    let seen = feed(&mut connection, [&masked(LAST, b"2")[..6]]);
    assert_eq!(seen.error, Some(announced(LIMITS.max_message as u64 + 1)));
    assert!(connection.is_closed() && connection.assembly.is_none());
}

#[test]
fn endless_fragments_end() {
    for content in [&b""[..], b"."] {
        let mut bytes = masked(BINARY_START, content);
        for _ in 0..10_000 {
            bytes.extend(masked(MORE, content));
        }
        let seen = both_ways(&bytes);
        assert_eq!(seen.error, Some(ProtocolError::TooManyFragments));
        assert_eq!(seen.answer, close_of(ProtocolError::TooManyFragments));
    }
}

#[test]
fn one_frame_is_no_fragment() {
    let mut connection = Connection::new(Limits {
        max_message: 10,
        max_fragments: 0,
    });
    let bytes = masked(TEXT, b"whole");
    assert_eq!(feed(&mut connection, bytes.chunks(1)).messages, [text("whole")]);
    assert_eq!(
        feed(&mut connection, [&masked(TEXT_START, b"x")[..]]).error,
        Some(ProtocolError::TooManyFragments)
    );
}

#[test]
fn after_a_failure_nothing_is_read_sent_or_kept() {
    let mut connection = connection();
    feed(&mut connection, [&b"\x83"[..]]);
    assert!(connection.is_closed() && !connection.is_open());
    connection.receive_slice(&masked(TEXT, b"late"));
    connection.receive(Bytes::from(masked(TEXT, b"late")));
    assert_eq!(connection.poll_message(), Ok(None));
    assert_eq!(connection.input.capacity(), 0);
    let mut out = BytesMut::new();
    assert!(!connection.send(true, None, b"late", &mut out));
    connection.transmit(&mut out);
    assert!(out.is_empty(), "one close frame is enough");
}

#[test]
fn compression_allows_rsv1_on_the_first_frame_only() {
    use super::super::frame::Header;
    for (first, ok) in [
        (0xc1, true),
        (0x41, true),
        (0xc2, true),
        (0xc0, false),
        (0xc9, false),
        (0xe1, false),
    ] {
        let decoded = Header::decode(&masked(first, b""), 10, true);
        assert_eq!(
            decoded.is_ok_and(|header| header.unwrap().compressed),
            ok,
            "{first:#x}"
        );
    }
}
