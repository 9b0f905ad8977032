//! Payloads against literal bodies (the protocol's documents, engine.io-parser), against themselves, and against junk.

use super::*;
use crate::Data;
use crate::proto::packet::PacketType;

fn text(kind: PacketType, text: &'static str) -> Packet {
    Packet {
        kind,
        data: Data::from(text),
    }
}

fn message(text: &'static str) -> Packet {
    Packet::message(text)
}

fn binary(bytes: &'static [u8]) -> Packet {
    Packet::message(bytes)
}

/// The packets up to the first error, and that error.
fn decoded(body: &[u8], revision: Revision, binary: bool) -> (Vec<Packet>, Option<DecodeError>) {
    let mut decoder = decode(Bytes::copy_from_slice(body), revision, binary);
    let (mut packets, mut error) = (Vec::new(), None);
    for item in &mut decoder {
        match item {
            Ok(packet) => packets.push(packet),
            Err(found) => error = Some(found),
        }
    }
    assert!(decoder.next().is_none());
    (packets, error)
}

/// Bodies from the two READMEs of the protocol and from the tests of both parsers, read and written.
#[test]
fn literal_bodies_both_ways() {
    use PacketType::{Close, Open, Ping, Pong};
    use Revision::{V3, V4};
    let handshake =
        r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}"#;
    let v3_handshake = format!("96:{handshake}");
    for (revision, supports_binary, packets, body) in [
        // Revision 4, "Packet encoding".
        (
            V4,
            true,
            vec![message("hello"), Packet::new(Ping), message("world")],
            &b"4hello\x1e2\x1e4world"[..],
        ),
        (
            V4,
            true,
            vec![message("hello"), binary(&[1, 2, 3, 4])],
            b"4hello\x1ebAQIDBA==",
        ),
        (V4, false, vec![text(Open, &handshake[1..])], handshake.as_bytes()),
        (V4, false, vec![text(Ping, "probe")], b"2probe"),
        (V4, false, vec![message("")], b"4"),
        (V4, false, vec![binary(&[]), message("")], b"b\x1e4"),
        (
            V4,
            false,
            vec![message("\u{20ac}"), Packet::new(Close)],
            "4\u{20ac}\u{1e}1".as_bytes(),
        ),
        // Revision 3, "Sample session" and "Payload".
        (
            V3,
            true,
            vec![text(Open, &handshake[1..])],
            v3_handshake.as_bytes(),
        ),
        (V3, true, vec![message("hey")], b"4:4hey"),
        (
            V3,
            true,
            vec![message("hello"), message("world")],
            b"6:4hello6:4world",
        ),
        (
            V3,
            true,
            vec![message("hello"), message("\u{20ac}")],
            "6:4hello2:4\u{20ac}".as_bytes(),
        ),
        (
            V3,
            true,
            vec![message("\u{20ac}"), binary(&[1, 2, 3, 4])],
            b"\x00\x04\xff4\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04",
        ),
        (
            V3,
            false,
            vec![message("\u{20ac}"), binary(&[1, 2, 3, 4])],
            "2:4\u{20ac}10:b4AQIDBA==".as_bytes(),
        ),
        (V3, false, vec![], b"0:"),
        // Units, not characters: a pair of surrogates counts two.
        (
            V3,
            false,
            vec![message("\u{1f600}"), message("e\u{301}")],
            "3:4\u{1f600}3:4e\u{301}".as_bytes(),
        ),
        (
            V3,
            false,
            vec![text(Pong, "probe"), Packet::new(Ping), message("a:b")],
            b"6:3probe1:24:4a:b",
        ),
        (
            V3,
            true,
            vec![binary(&[0xff; 9])],
            b"\x01\x01\x00\xff\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ),
        (
            V3,
            true,
            vec![binary(&[]), Packet::new(Close)],
            b"\x01\x01\xff\x04\x00\x01\xff1",
        ),
    ] {
        let encoded = encode(&packets, revision, supports_binary);
        assert_eq!(encoded.bytes, body, "{packets:?}");
        assert_eq!(encoded_len(&packets, revision, supports_binary), body.len());
        assert_eq!(decoded(body, revision, encoded.binary), (packets, None));
    }
}

#[test]
fn the_exact_size_is_reserved() {
    for (revision, supports_binary) in FORMS {
        let mut random = Random(7);
        for _ in 0..200 {
            let packets = random.packets(revision);
            let body = encode(&packets, revision, supports_binary);
            assert_eq!(body.bytes.len(), encoded_len(&packets, revision, supports_binary));
        }
    }
}

#[test]
fn packets_before_a_broken_one_are_delivered() {
    use DecodeError::{Base64, BinaryPayload, Empty, Length, PacketType, Utf8};
    use Revision::{V3, V4};
    for (revision, binary, body, delivered, error) in [
        (V4, false, &b""[..], 0, Empty),
        (V4, false, b"4a\x1e", 1, Empty),
        (V4, false, b"\x1e4a", 0, Empty),
        (V4, false, b"4a\x1e\x1e4b", 1, Empty),
        (V4, false, b"4a\x1e7\x1e4b", 1, PacketType),
        (V4, false, b"abc", 0, PacketType),
        (V4, false, "\u{20ac}".as_bytes(), 0, PacketType),
        (V4, false, b"4a\x1ebAQ!", 1, Base64),
        (V4, false, b"bA", 0, Base64),
        (V4, false, b"4a\x1e4\xff\x1e4b", 1, Utf8),
        (V4, false, b"4a\x1e\xff", 1, Utf8),
        (V4, false, b"4a\xe2\x82", 0, Utf8),
        (V4, true, b"4a", 0, BinaryPayload),
        (V4, true, b"", 0, BinaryPayload),
        (V3, false, b"", 0, Empty),
        (V3, false, b"!", 0, Length),
        (V3, false, b":", 0, Length),
        (V3, false, b"1:", 0, Length),
        (V3, false, b"2:4", 0, Length),
        (V3, false, b"1:4x", 1, Length),
        (V3, false, b"1:412", 1, Length),
        (V3, false, b"1:4-1:4", 1, Length),
        (V3, false, b"+1:4", 0, Length),
        (V3, false, b"1:99:4", 0, PacketType),
        (V3, false, b"1:b", 0, Empty),
        (V3, false, b"2:4a3:bAA", 1, PacketType),
        (V3, false, b"4:b4A=", 0, Base64),
        (V3, false, b"99999999999999999999999999:4a", 0, Length),
        (V3, false, b"18446744073709551615:4a", 0, Length),
        // The cut would halve the pair of surrogates.
        (V3, false, "1:42:4\u{1f600}".as_bytes(), 1, Length),
        // Two characters in bytes are one in units.
        (V3, false, "3:4\u{20ac}".as_bytes(), 0, Length),
        (V3, false, b"2:4a2:4\xff", 1, Utf8),
        (V3, false, b"2:4a\xff", 1, Utf8),
        (V3, true, b"", 0, Empty),
        (V3, true, b"\x00", 0, Length),
        (V3, true, b"\x00\xff4", 0, Length),
        (V3, true, b"\x00\x01\xff", 0, Length),
        (V3, true, b"\x00\x00\xff", 0, Empty),
        (V3, true, b"\x01\x00\xff", 0, Empty),
        (V3, true, b"\x00\x01\xff4\x00\x02\xff4", 1, Length),
        (V3, true, b"\x02\x01\xff4", 0, Length),
        (V3, true, b"\x00\x0c\xff4", 0, Length),
        (V3, true, b"\x01\x01\xff\x07", 0, PacketType),
        (V3, true, b"\x00\x01\xff\x04", 0, PacketType),
        (V3, true, b"\x00\x02\xff4\xff", 0, Utf8),
        (V3, true, b"\x00\x03\xff4\xe2\x82", 0, Utf8),
        (V3, true, b"4:4hey", 0, Length),
    ] {
        let (packets, found) = decoded(body, revision, binary);
        assert_eq!(
            (packets.len(), found),
            (delivered, Some(error)),
            "{revision:?} {binary} {body:?}"
        );
    }
}

#[test]
fn what_node_is_lenient_with_stays_so() {
    // Base64 without padding.
    assert_eq!(
        decoded(b"bAQIDBA", Revision::V4, false),
        (vec![binary(&[1, 2, 3, 4])], None)
    );
    // Zero lengths in the text form, zeros in front of a length.
    assert_eq!(
        decoded(b"0:2:4a0:", Revision::V3, false),
        (vec![message("a")], None)
    );
    assert_eq!(
        decoded(b"0002:4a", Revision::V3, false),
        (vec![message("a")], None)
    );
    // Base64 inside of the binary form.
    assert_eq!(
        decoded(b"\x00\x06\xffb4AQI=", Revision::V3, true),
        (vec![binary(&[1, 2])], None)
    );
    // Halves of surrogate pairs in the binary form: alone, and as a pair in six bytes.
    assert_eq!(
        decoded(b"\x00\x06\xff4\xed\xa0\xbda ", Revision::V3, true),
        (vec![message("\u{fffd}a ")], None)
    );
    assert_eq!(
        decoded(b"\x00\x08\xff4\xed\xa0\xbd\xed\xb8\x80x", Revision::V3, true),
        (vec![message("\u{fffd}\u{fffd}x")], None)
    );
}

#[test]
fn messages_share_the_body() {
    let body = Bytes::from(b"4hello\x1e4world".to_vec());
    let range = body.as_ptr_range();
    for packet in decode(body, Revision::V4, false) {
        assert!(range.contains(&packet.unwrap().data.as_bytes().as_ptr()));
    }
}

/// Each of these took other decoders quadratic or endless time. A megabyte here ends at once or the test does not.
#[test]
fn a_megabyte_of_anything_ends() {
    const SIZE: usize = 1_000_000;
    let repeated = |unit: &[u8]| unit.repeat(SIZE / unit.len());
    for (revision, binary, body, packets) in [
        (Revision::V3, false, repeated(b"1"), 0),
        (Revision::V3, false, repeated(b"0"), 0),
        (Revision::V3, true, repeated(&[0]), 0),
        (Revision::V3, true, repeated(&[1, 0]), 0),
        (Revision::V3, false, repeated(b"0:"), 0),
        (Revision::V3, false, repeated(b"1:4"), SIZE / 3),
        (Revision::V3, false, repeated("2:4\u{20ac}".as_bytes()), SIZE / 6),
        (Revision::V3, true, repeated(b"\x00\x01\xff4"), SIZE / 4),
        (
            Revision::V3,
            true,
            repeated(b"\x00\x04\xff4\xed\xa0\xbd"),
            SIZE / 7,
        ),
        (Revision::V4, false, repeated(b"\x1e"), 0),
        (
            Revision::V4,
            false,
            [repeated(b"4\x1e"), b"4".to_vec()].concat(),
            SIZE / 2 + 1,
        ),
    ] {
        let (found, _) = decoded(&body, revision, binary);
        assert_eq!(found.len(), packets, "{revision:?} {:?}", &body[..8]);
    }
    // One packet of nothing but halves of surrogate pairs.
    let halves = b"\xed\xa0\xbd".repeat(SIZE / 3);
    let body = [b"\x00\x01\x00\x00\x00\x00\x00\x00\xff4", &halves[..]].concat();
    let (packets, error) = decoded(&body, Revision::V3, true);
    assert_eq!((packets[0].data.len(), error), (SIZE - 1, None));
}

#[test]
fn what_is_encoded_is_decoded() {
    for (revision, supports_binary) in FORMS {
        let mut random = Random(42);
        for _ in 0..500 {
            let packets = random.packets(revision);
            let body = encode(&packets, revision, supports_binary);
            let back: Result<Vec<_>, _> = decode(body.bytes, revision, body.binary).collect();
            assert_eq!(back, Ok(packets));
        }
    }
}

#[test]
fn mutated_bodies_neither_panic_nor_multiply() {
    for (revision, supports_binary) in FORMS {
        let mut random = Random(1);
        for _ in 0..2_000 {
            let body = encode(&random.packets(revision), revision, supports_binary);
            let mut bytes = body.bytes.to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                match random.below(3) {
                    0 => bytes[at] = random.byte(),
                    1 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, random.byte()),
                }
            }
            for binary in [false, true] {
                let (packets, _) = decoded(&bytes, revision, binary);
                let carried: usize = packets.iter().map(|packet| packet.data.len() + 1).sum();
                assert!(carried <= bytes.len());
            }
        }
    }
}

const FORMS: [(Revision, bool); 3] = [(Revision::V4, false), (Revision::V3, false), (Revision::V3, true)];

/// A small generator with a seed (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn byte(&mut self) -> u8 {
        const TELLING: [u8; 10] = [0, 1, 4, 9, 255, b':', b'4', b'b', 0x1e, 0xed];
        if self.below(2) == 0 {
            TELLING[self.below(TELLING.len())]
        } else {
            self.below(256) as u8
        }
    }

    /// One to six packets: all types, text of every width, NUL, empty messages, binary with separators in it.
    fn packets(&mut self, revision: Revision) -> Vec<Packet> {
        (0..=self.below(6)).map(|_| self.packet(revision)).collect()
    }

    fn packet(&mut self, revision: Revision) -> Packet {
        const PIECES: [&str; 12] = [
            "a",
            "b",
            "4",
            ":",
            "12:",
            "\0",
            "\n\\n",
            "\u{e9}",
            "\u{20ac}",
            "\u{1f600}",
            "\u{ffff}",
            "\u{1e}",
        ];
        // U+001E in text is what revision 4 cannot carry.
        let pieces = if revision == Revision::V4 {
            &PIECES[..11]
        } else {
            &PIECES[..]
        };
        let size = [0, 1, 2, 9, 10, 99, 130][self.below(7)];
        if self.below(3) == 0 {
            return Packet::message((0..size).map(|_| self.byte()).collect::<Vec<_>>());
        }
        let text: String = (0..size).map(|_| pieces[self.below(pieces.len())]).collect();
        Packet {
            kind: PacketType::from_number(self.below(7) as u8).unwrap(),
            data: Data::from(text),
        }
    }
}
