//! Levels, and messages that are encoded once for many connections.

use super::deflate::{BINARY_Z, TEXT_Z, agreement, both_ways_compressed, noise};
use super::*;
use crate::ws::deflate::Agreement;
use crate::ws::{CloseCode, Encoding};

fn json() -> Vec<u8> {
    (0..300)
        .map(|index| format!("{{\"id\":{index},\"name\":\"item {}\"}}, ", index * index % 97))
        .collect::<String>()
        .into_bytes()
}

fn windows(bits: u8) -> Agreement {
    agreement(&format!("permessage-deflate; server_max_window_bits={bits}"))
}

fn compressed(connection: &mut Connection, content: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    assert!(connection.send_compressed(false, None, content, &mut out));
    out
}

#[test]
fn every_level_in_every_window() {
    let (json, noise) = (json(), noise(3000));
    // Twice, so that each level comes after another.
    for level in (1..=9).chain(1..=9) {
        for bits in 9..=15 {
            let mut connection = Connection::with_deflate(LIMITS, windows(bits), 0).deflate_level(level);
            let out = compressed(&mut connection, &json);
            assert_eq!(out[0], BINARY_Z, "{bits} bits, level {level}");
            let seen = both_ways_compressed(&masked(BINARY_Z, &out[4..]));
            assert_eq!((seen.messages, seen.error), (vec![binary(&json)], None));
            assert_eq!(compressed(&mut connection, &noise)[0], BINARY);
            assert_eq!(
                compressed(&mut connection, &json),
                out,
                "what was before it shows"
            );
        }
    }
}

#[test]
fn levels_differ() {
    let json = json();
    let len = |level| {
        let mut connection = Connection::with_deflate(LIMITS, windows(15), 0).deflate_level(level);
        compressed(&mut connection, &json).len()
    };
    assert!(len(1) > len(4) && len(4) >= len(6) && len(6) >= len(9));
    assert_eq!((len(0), len(255)), (len(1), len(9)), "cut to what there is");
    let unsaid = compressed(&mut Connection::with_deflate(LIMITS, windows(15), 0), &json).len();
    assert_eq!(unsaid, len(4));
    // Without an agreement there is nothing to set.
    let mut out = BytesMut::new();
    connection()
        .deflate_level(9)
        .send_compressed(false, None, &json, &mut out);
    assert_eq!(out[0], BINARY);
}

#[test]
fn encoded_once() {
    let json = json();
    let make = |offer: &str, threshold, level| {
        Connection::with_deflate(LIMITS, agreement(offer), threshold).deflate_level(level)
    };
    let mut alike = [
        make("permessage-deflate", 1024, 6),
        make("permessage-deflate; client_max_window_bits=9", 1024, 6),
        make("permessage-deflate; server_max_window_bits=15", 1024, 6),
    ];
    let encoding = alike[0].encoding().expect("no context");
    for (text, prefix, content) in [
        (true, Some(b'4'), &json[..]),
        (false, None, &json),
        (true, None, &json[..1023]),
        (true, Some(b'4'), &json[..1023]),
        (false, Some(4), &noise(2000)),
    ] {
        let frame = encoding.encode(text, prefix, content);
        for connection in &mut alike {
            assert_eq!(connection.encoding(), Some(encoding));
            let (mut own, mut shared) = (BytesMut::new(), BytesMut::new());
            assert!(connection.send_compressed(text, prefix, content, &mut own));
            assert!(connection.send_encoded(&frame, &mut shared));
            assert_eq!(own, shared);
        }
        let mut plain = BytesMut::new();
        connection().send(text, prefix, content, &mut plain);
        assert_eq!(Encoding::PLAIN.encode(text, prefix, content), plain);
    }
    assert_eq!(connection().encoding(), Some(Encoding::PLAIN));
    let others = [
        make("permessage-deflate; server_max_window_bits=14", 1024, 6),
        make("permessage-deflate", 1023, 6),
        make("permessage-deflate", 1024, 5),
        connection(),
    ];
    for other in &others {
        assert_ne!(other.encoding(), Some(encoding));
    }
}

#[test]
fn with_context_there_is_no_encoding_for_many() {
    let within = |offer: &str| {
        let agreed = Agreement::negotiate_within(offer.as_bytes(), 65_536).expect(offer);
        Connection::with_deflate(LIMITS, agreed, 0)
    };
    assert_eq!(within("permessage-deflate").encoding(), None);
    // The client's context is nobody's business here.
    let mut one = within("permessage-deflate; server_no_context_takeover");
    let encoding = one.encoding().expect("no context of ours");
    assert_eq!(
        Some(encoding),
        Connection::with_deflate(LIMITS, windows(15), 0).encoding()
    );
    let mut out = BytesMut::new();
    assert!(one.send_encoded(&encoding.encode(true, None, &json()), &mut out));
    assert_eq!(out[0], TEXT_Z);
    // Plain messages are for everybody, and disturb no context.
    let mut connection = within("permessage-deflate");
    let frame = Encoding::PLAIN.encode(true, None, &json());
    assert!(connection.send_encoded(&frame, &mut out));
    assert!(connection.windows.is_none());
    connection.close(std::time::Instant::now(), CloseCode::NORMAL, "");
    let before = out.clone();
    assert!(!connection.send_encoded(&frame, &mut out));
    assert_eq!(out, before);
}
