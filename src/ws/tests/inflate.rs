//! Compressed messages that break something (RFC 7692): bombs, garbage, limits, RSV1 where it must not be.

use std::time::{Duration, Instant};

use flate2::FlushCompress;

use super::deflate::*;
use super::*;
use crate::ws::CloseCode;

#[test]
fn several_last_blocks_are_several_streams() {
    let mut payload = flush(b"one ", FlushCompress::Finish);
    payload.extend(flush(b"two ", FlushCompress::Finish));
    let ended_early = both_ways_compressed(&masked(TEXT_Z, &payload));
    payload.extend(squeeze(b"three"));
    let seen = both_ways_compressed(&masked(TEXT_Z, &payload));
    assert_eq!(seen.messages, [text("one two three")]);
    assert_eq!(ended_early.messages, [text("one two ")]);

    // As many as fit: each is cheap.
    let many = b"\x03\x00".repeat(50_000);
    let started = Instant::now();
    let seen = feed(&mut compressed_connection(), [&masked(BINARY_Z, &many)[..]]);
    assert_eq!(seen.messages, [binary(b"")]);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn at_the_limit() {
    let zeros = vec![0; LIMITS.max_message + 1];
    let noise = noise(LIMITS.max_message + 1);
    for content in [&zeros, &noise] {
        let (most, too_much) = (&content[..LIMITS.max_message], &content[..]);
        for start in [1, 50] {
            let fragmented = |content: &[u8]| {
                let squeezed = squeeze(content);
                let (begin, end) = squeezed.split_at(start);
                frames(&[(BINARY_START_Z, begin), (LAST, end)])
            };
            assert_eq!(both_ways_compressed(&fragmented(most)).messages, [binary(most)]);
            let seen = both_ways_compressed(&fragmented(too_much));
            assert_eq!(seen.error, Some(ProtocolError::MessageTooBig { size: None }));
        }
        let seen = both_ways_compressed(&masked(BINARY_Z, &squeeze(most)));
        assert_eq!((seen.messages, seen.error), (vec![binary(most)], None));
        let seen = both_ways_compressed(&masked(BINARY_Z, &squeeze(too_much)));
        assert_eq!(seen.error, Some(ProtocolError::MessageTooBig { size: None }));
        assert_eq!(&seen.answer[2..], 1009_u16.to_be_bytes());
    }
    // A plain message gets none of the room that compressed ones have.
    let seen = both_ways_compressed(&masked(BINARY, &zeros)[..14]);
    let announced = |size| Some(ProtocolError::MessageTooBig { size: Some(size) });
    assert_eq!(seen.error, announced(zeros.len() as u64));
    // And what cannot be a message within the limit is refused by its header.
    let mut header = vec![BINARY_Z, 0xff];
    header.extend((LIMITS.max_message as u64 * 2).to_be_bytes());
    let seen = both_ways_compressed(&header);
    assert_eq!(seen.error, announced(LIMITS.max_message as u64 * 2));
}

#[test]
fn bombs() {
    // 200 MB of zeros: a block of 1 MB, as often as it takes.
    let block = flush(&vec![0; 1 << 20], FlushCompress::Full);
    let bomb = block.repeat(200);
    let limits = Limits {
        max_message: 1_000_000,
        max_fragments: 100,
    };
    let started = Instant::now();
    for bytes in [
        masked(BINARY_Z, &bomb),
        frames(&[(TEXT_START_Z, &bomb[..500]), (LAST, &bomb[500..])]),
    ] {
        let mut connection = Connection::with_deflate(limits, agreement("permessage-deflate"), 0);
        let seen = feed(&mut connection, [&bytes[..]]);
        assert_eq!(seen.error, Some(ProtocolError::MessageTooBig { size: None }));
        assert_eq!(&seen.answer[2..], 1009_u16.to_be_bytes());
        assert!(connection.is_closed() && connection.assembly.is_none());
    }
    // Two hundred times as much would take a while without optimisation.
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );

    let mut endless = masked(BINARY_START_Z, &bomb[..1]);
    bomb[1..]
        .iter()
        .for_each(|byte| endless.extend(masked(MORE, &[*byte])));
    let seen = both_ways_compressed(&endless);
    assert_eq!(seen.error, Some(ProtocolError::TooManyFragments));
}

#[test]
fn what_does_not_inflate() {
    let whole = squeeze("what is cut off ".repeat(20).as_bytes());
    let mut table: Vec<(String, Vec<u8>)> = vec![
        ("a reserved block type".into(), vec![0x07, 0x00]),
        ("garbage".into(), noise(300)),
        ("all ones".into(), vec![0xff; 50]),
        (
            "a distance before the beginning".into(),
            b"\x02\x05\x00\x00".to_vec(),
        ),
        (
            "a stored block that lies".into(),
            b"\x00\x05\x00\xfa\x00Hello\x00".to_vec(),
        ),
        (
            "a stored block that breaks off".into(),
            b"\x00\x05\x00\xfa\xffHell".to_vec(),
        ),
        (
            "with its tail".into(),
            flush(b"Hello Hello Hello", FlushCompress::None),
        ),
    ];
    table.extend((1..whole.len() - 1).map(|len| (format!("cut at {len}"), whole[..len].to_vec())));
    table.retain(|(_, payload)| !payload.is_empty());
    for (name, payload) in table {
        let seen = both_ways_compressed(&masked(BINARY_Z, &payload));
        assert_eq!(seen.messages, [], "{name}");
        assert_eq!(seen.error, Some(ProtocolError::InvalidDeflate), "{name}");
        assert_eq!(&seen.answer[2..], 1007_u16.to_be_bytes(), "{name}");
    }
}

#[test]
fn text_is_checked_when_it_is_inflated() {
    // Its compressed bytes are no UTF-8, which is nobody's business.
    for content in [&b"\xff"[..], b"cut off \xc3", b"\xed\xa0\x80"] {
        let seen = both_ways_compressed(&masked(TEXT_Z, &squeeze(content)));
        assert_eq!(seen.error, Some(ProtocolError::InvalidUtf8));
        assert_eq!(&seen.answer[2..], 1007_u16.to_be_bytes());
        let seen = both_ways_compressed(&masked(BINARY_Z, &squeeze(content)));
        assert_eq!(seen.messages, [binary(content)]);
    }
}

#[test]
fn rsv1_where_it_must_not_be() {
    type Frames<'a> = &'a [(u8, &'a [u8])];
    let table: &[(&str, Frames<'_>)] = &[
        ("on a continuation", &[(TEXT_START_Z, b"\xf2"), (0xc0, b"\x00")]),
        (
            "on a continuation of a plain message",
            &[(TEXT_START, b"a"), (0xc0, b"\x00")],
        ),
        ("on a ping", &[(0xc9, b"")]),
        ("on a pong", &[(0xca, b"")]),
        ("on a close frame", &[(0xc8, b"\x03\xe8")]),
        ("with RSV2", &[(0xe1, b"\x00")]),
        ("with RSV3", &[(0xd1, b"\x00")]),
    ];
    for (name, list) in table {
        let seen = both_ways_compressed(&frames(list));
        assert_eq!(
            (seen.messages, seen.error),
            (vec![], Some(ProtocolError::ReservedBit)),
            "{name}"
        );
        assert_eq!(&seen.answer[2..], 1002_u16.to_be_bytes(), "{name}");
    }
    let seen = both_ways(&masked(TEXT_Z, b"\x00"));
    assert_eq!(
        seen.error,
        Some(ProtocolError::ReservedBit),
        "without an agreement"
    );
}

#[test]
fn after_our_close_compressed_messages_are_discarded_too() {
    let mut connection = compressed_connection();
    let bytes = masked(BINARY_START_Z, &noise(100));
    assert_eq!(feed(&mut connection, [&bytes[..50]]).messages, []);
    connection.close(Instant::now(), CloseCode::NORMAL, "");
    assert!(!connection.send_compressed(true, None, &[b'a'; 100], &mut BytesMut::new()));
    let rest = [&bytes[50..], &masked(TEXT_Z, b"garbage"), &masked(CLOSE, b"")].concat();
    assert_eq!(feed(&mut connection, [&rest[..]]).error, None);
    assert!(connection.is_closed() && connection.close_received().is_some());
}
