//! permessage-deflate (RFC 7692): what is agreed on, and compressed messages both ways.

use flate2::{Compress, Compression, FlushCompress};

use super::*;
use crate::ws::deflate::Agreement;

/// Text and binary, whole, compressed.
pub(super) const TEXT_Z: u8 = 0xc1;
pub(super) const BINARY_Z: u8 = 0xc2;
/// Begun.
pub(super) const TEXT_START_Z: u8 = 0x41;
pub(super) const BINARY_START_Z: u8 = 0x42;

pub(super) fn agreement(offer: &str) -> Agreement {
    Agreement::negotiate(offer.as_bytes()).expect(offer)
}

pub(super) fn compressed_connection() -> Connection {
    Connection::with_deflate(LIMITS, agreement("permessage-deflate"), 10)
}

/// As a client compresses: with a flush, without its last four bytes.
pub(super) fn squeeze(content: &[u8]) -> Vec<u8> {
    let mut out = flush(content, FlushCompress::Sync);
    out.truncate(out.len() - 4);
    out
}

pub(super) fn flush(content: &[u8], how: FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 1000);
    Compress::new(Compression::default(), false)
        .compress_vec(content, &mut out, how)
        .unwrap();
    assert!(out.len() < out.capacity());
    out
}

/// Bytes that do not compress.
pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub(super) fn both_ways_compressed(bytes: &[u8]) -> Seen {
    let at_once = feed(&mut compressed_connection(), [bytes]);
    let byte_by_byte = feed(&mut compressed_connection(), bytes.chunks(1));
    assert_eq!(at_once, byte_by_byte);
    at_once
}

#[test]
fn offers() {
    const BOTH: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let with_bits = |bits| format!("{BOTH}; server_max_window_bits={bits}");
    let plain = || Some(BOTH.to_owned());
    let table: Vec<(&str, Option<String>)> = vec![
        ("permessage-deflate", plain()),
        // As Chromium, Firefox and `ws` offer it.
        ("permessage-deflate; client_max_window_bits", plain()),
        (" permessage-deflate ;\tserver_no_context_takeover", plain()),
        (
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            plain(),
        ),
        ("permessage-deflate; client_max_window_bits=8", plain()),
        ("permessage-deflate; client_max_window_bits=\"15\"", plain()),
        ("permessage-deflate; server_max_window_bits=9", Some(with_bits(9))),
        (
            "permessage-deflate; server_max_window_bits=10",
            Some(with_bits(10)),
        ),
        (
            "permessage-deflate;server_max_window_bits=\"12\"",
            Some(with_bits(12)),
        ),
        (
            "permessage-deflate; server_max_window_bits = 15",
            Some(with_bits(15)),
        ),
        // What cannot be accepted.
        ("", None),
        (",", None),
        ("permessage-deflate2", None),
        ("x-webkit-deflate-frame", None),
        ("Permessage-Deflate", None),
        ("permessage-deflate;", None),
        ("permessage-deflate; ; client_max_window_bits", None),
        ("permessage-deflate; unknown", None),
        ("permessage-deflate; unknown=1", None),
        ("permessage-deflate; Client_Max_Window_Bits", None),
        ("permessage-deflate=1", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; server_no_context_takeover=", None),
        ("permessage-deflate; client_no_context_takeover=true", None),
        (
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            None,
        ),
        (
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            None,
        ),
        (
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            None,
        ),
        (
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            None,
        ),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=", None),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=7", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=09", None),
        ("permessage-deflate; server_max_window_bits=+9", None),
        ("permessage-deflate; server_max_window_bits=1O", None),
        ("permessage-deflate; server_max_window_bits=100", None),
        ("permessage-deflate; server_max_window_bits=\"9", None),
        ("permessage-deflate; server_max_window_bits=\"", None),
        ("permessage-deflate; server_max_window_bits=\"\"", None),
        ("permessage-deflate; server_max_window_bits=-1", None),
        ("permessage-deflate; client_max_window_bits=7", None),
        ("permessage-deflate; client_max_window_bits=", None),
        ("permessage-deflate; client_max_window_bits=abc", None),
        // The next one, then.
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            plain(),
        ),
        (
            "permessage-deflate; server_max_window_bits=9, permessage-deflate",
            Some(with_bits(9)),
        ),
        ("x-custom; a=b, , permessage-deflate", plain()),
        ("x-custom; a=\"b, permessage-deflate; c\"", None),
        ("x-custom; a=\"\\\", permessage-deflate", None),
        ("x-custom; a=\"\\\"\", permessage-deflate", plain()),
        ("permessage-deflate; x=\"a;b\", permessage-deflate", plain()),
    ];
    for (offer, answer) in table {
        let agreed = Agreement::negotiate(offer.as_bytes());
        assert_eq!(agreed.map(|agreed| agreed.to_string()), answer, "{offer}");
    }
}

#[test]
fn the_rfcs_examples() {
    // RFC 7692 section 7.2.3: one block, fragments, a block without compression, a last block, an empty message.
    let hello: &[(u8, &[u8])] = &[(TEXT_Z, b"\xf2\x48\xcd\xc9\xc9\x07\x00")];
    let fragments: &[(u8, &[u8])] = &[(TEXT_START_Z, b"\xf2\x48\xcd"), (LAST, b"\xc9\xc9\x07\x00")];
    let stored: &[(u8, &[u8])] = &[(TEXT_Z, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")];
    let last: &[(u8, &[u8])] = &[(TEXT_Z, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")];
    let two: &[(u8, &[u8])] = &[(TEXT_Z, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")];
    for (name, example) in [
        ("one block", hello),
        ("fragments", fragments),
        ("stored", stored),
        ("last", last),
        ("two", two),
    ] {
        let seen = both_ways_compressed(&frames(example));
        assert_eq!((seen.messages, seen.error), (vec![text("Hello")], None), "{name}");
    }
    for empty in [&b"\x00"[..], b""] {
        assert_eq!(
            both_ways_compressed(&masked(TEXT_Z, empty)).messages,
            [text("")],
            "{empty:?}"
        );
    }
}

#[test]
fn what_is_sent_comes_back() {
    let sentence: String = (0..200)
        .map(|index| format!("{{\"name\":\"message {index}\",\"value\":[1,{index},3]}}, "))
        .collect();
    for offer in 9..=15 {
        let agreed = agreement(&format!("permessage-deflate; server_max_window_bits={offer}"));
        for (is_text, prefix) in [(true, Some(b'4')), (false, None), (false, Some(4)), (true, None)] {
            let mut connection = Connection::with_deflate(LIMITS, agreed, 1024);
            let mut out = BytesMut::from(&b"before"[..]);
            assert!(connection.send_compressed(is_text, prefix, sentence.as_bytes(), &mut out));
            let frame = out.split_off(6);
            assert_eq!(frame[0], if is_text { TEXT_Z } else { BINARY_Z });
            assert_eq!(frame[1], 126, "no mask, a length of two bytes");
            assert_eq!(
                frame.len() - 4,
                usize::from(u16::from_be_bytes([frame[2], frame[3]]))
            );
            assert!(frame.len() < sentence.len() / 3, "{} bytes", frame.len());

            let seen = both_ways_compressed(&masked(frame[0], &frame[4..]));
            let mut content: Vec<u8> = prefix.into_iter().collect();
            content.extend(sentence.as_bytes());
            let message = if is_text {
                text(std::str::from_utf8(&content).unwrap())
            } else {
                binary(&content)
            };
            assert_eq!((seen.messages, seen.error), (vec![message], None));
        }
    }
}

#[test]
fn the_window_that_was_agreed_on_is_kept_to() {
    // Nothing repeats within 1,000 bytes.
    let twice = noise(1000).repeat(2);
    for (bits, shorter) in [(9, false), (10, false), (11, true), (15, true)] {
        let agreed = agreement(&format!("permessage-deflate; server_max_window_bits={bits}"));
        let mut out = BytesMut::new();
        Connection::with_deflate(LIMITS, agreed, 0).send_compressed(false, None, &twice, &mut out);
        assert_eq!(out.len() < 1500, shorter, "{bits} bits: {} bytes", out.len());
    }
}

#[test]
fn what_does_not_compress_in_small_windows() {
    // As the client tests' binary messages: they repeat, but not within the smallest window's reach.
    let ring: Vec<u8> = (0..900_000_u32).map(|index| (index % 251) as u8 ^ 0xff).collect();
    let noise = noise(900_000);
    for bits in [9, 10, 15] {
        let agreed = agreement(&format!("permessage-deflate; server_max_window_bits={bits}"));
        for content in [&ring, &noise] {
            let mut out = BytesMut::new();
            assert!(
                Connection::with_deflate(LIMITS, agreed, 0).send_compressed(false, None, content, &mut out)
            );
            assert!(
                out.len() <= content.len() + 10,
                "{bits} bits: {} bytes",
                out.len()
            );
        }
    }
}

#[test]
fn one_after_the_other_that_does_not_compress() {
    let noise = noise(500_000);
    for bits in [9, 11, 15] {
        let agreed = agreement(&format!("permessage-deflate; server_max_window_bits={bits}"));
        for len in [1200, 5000] {
            for content in noise.chunks_exact(len).take(100) {
                let mut out = BytesMut::new();
                Connection::with_deflate(LIMITS, agreed, 0).send_compressed(false, None, content, &mut out);
                assert_eq!(out[0], BINARY, "{bits} bits, {len} bytes");
            }
        }
    }
}

#[test]
fn nothing_is_compressed_for_nothing() {
    let long = [b'a'; 200];
    let noise = noise(5000);
    let agreed = agreement("permessage-deflate");
    let table: [(&str, Option<usize>, &[u8]); 5] = [
        ("not agreed on", None, &long),
        ("below the threshold", Some(201), &long),
        ("would get longer", Some(0), &noise),
        ("too short to get shorter", Some(0), b"a"),
        ("empty", Some(0), b""),
    ];
    for (name, threshold, content) in table {
        let mut connection = match threshold {
            Some(threshold) => Connection::with_deflate(LIMITS, agreed, threshold),
            None => connection(),
        };
        let (mut out, mut plain) = (BytesMut::new(), BytesMut::new());
        assert!(connection.send_compressed(false, None, content, &mut out));
        connection.send(false, None, content, &mut plain);
        assert_eq!(out, plain, "{name}");
    }
    // The prefix counts.
    let mut out = BytesMut::new();
    Connection::with_deflate(LIMITS, agreed, 201).send_compressed(true, Some(b'4'), &long, &mut out);
    assert_eq!(out[0], TEXT_Z);
}

#[test]
fn messages_do_not_know_of_each_other() {
    let content = noise(500);
    let mut out = [BytesMut::new(), BytesMut::new()];
    let mut connection = compressed_connection();
    for out in &mut out {
        let twice = [&content[..], &content].concat();
        assert!(connection.send_compressed(false, None, &twice, out));
    }
    assert_eq!(out[0], out[1], "no context is taken over");
    // A message that failed, or was not sent since it got longer, leaves nothing behind.
    connection.send_compressed(false, None, &noise(3000), &mut BytesMut::new());
    assert!(
        feed(&mut compressed_connection(), [&masked(BINARY_Z, b"\xff\xff")[..]])
            .error
            .is_some()
    );
    let mut again = BytesMut::new();
    connection.send_compressed(false, None, &[&content[..], &content].concat(), &mut again);
    assert_eq!(again, out[0]);
    assert_eq!(
        both_ways_compressed(&masked(BINARY_Z, &squeeze(&content))).messages,
        [binary(&content)]
    );
}

#[test]
fn fragments_with_controls_between_and_plain_messages_around() {
    let content = "Möwen über Görlitz. ".repeat(100);
    let squeezed = squeeze(content.as_bytes());
    let (begin, rest) = squeezed.split_at(7);
    let (middle, end) = rest.split_at(1);
    let seen = both_ways_compressed(&frames(&[
        (TEXT, b"plain"),
        (TEXT_START_Z, begin),
        (PING, b"here?"),
        (MORE, middle),
        (MORE, b""),
        (LAST, end),
        (TEXT_Z, &squeezed),
        (BINARY_START, b"pl"),
        (LAST, b"ain"),
    ]));
    assert_eq!(seen.error, None);
    assert_eq!(
        seen.messages,
        [text("plain"), text(&content), text(&content), binary(b"plain")]
    );
    assert_eq!(seen.answer, [&[PONG, 5][..], b"here?"].concat());
}
