//! Packets as WebSocket messages, there and back.

use super::*;

fn text(packet: &str, revision: Revision) -> Result<Packet, DecodeError> {
    Packet::from_text(packet.to_owned().into(), revision)
}

#[test]
fn every_type_has_its_number_and_name() {
    let names = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
    for (number, name) in (0..).zip(names) {
        let kind = PacketType::from_number(number).unwrap();
        assert_eq!((kind.number(), kind.as_str()), (number, name));
        assert_eq!(PacketType::from_digit(kind.digit()), Some(kind));
    }
    assert_eq!(PacketType::from_number(7), None);
    assert!(
        b"7/: "
            .iter()
            .all(|digit| PacketType::from_digit(*digit).is_none())
    );
}

#[test]
fn text_is_read() {
    for revision in [Revision::V3, Revision::V4] {
        assert_eq!(text("4\u{20ac}", revision), Ok(Packet::message("\u{20ac}")));
        assert_eq!(text("2", revision), Ok(Packet::new(PacketType::Ping)));
        assert_eq!(text("", revision), Err(DecodeError::Empty));
        for unknown in ["7", "a", "/", "\u{20ac}4", "\0"] {
            assert_eq!(
                text(unknown, revision),
                Err(DecodeError::PacketType),
                "{unknown:?}"
            );
        }
    }
}

#[test]
fn base64_is_read_with_and_without_padding() {
    let bytes = Packet::message(vec![1, 2, 3, 4]);
    assert_eq!(text("bAQIDBA==", Revision::V4), Ok(bytes.clone()));
    assert_eq!(text("bAQIDBA", Revision::V4), Ok(bytes.clone()));
    assert_eq!(text("b4AQIDBA==", Revision::V3), Ok(bytes));
    assert_eq!(text("b", Revision::V4), Ok(Packet::message(Bytes::new())));
    assert_eq!(text("b4", Revision::V3), Ok(Packet::message(Bytes::new())));
    assert_eq!(text("b", Revision::V3), Err(DecodeError::Empty));
    assert_eq!(text("b7AAAA", Revision::V3), Err(DecodeError::PacketType));
    for bad in ["bA", "bA===", "bAQ==AQ==", "b\u{20ac}", "bAQ-_"] {
        assert_eq!(text(bad, Revision::V4), Err(DecodeError::Base64), "{bad:?}");
    }
}

/// What `Base64.DEFAULT` of Android, and with it engine.io-client-java, makes of 60 bytes.
#[test]
fn base64_in_lines_is_read() {
    let lines = format!("b{}\n{}\n", "A".repeat(76), "A".repeat(4));
    assert_eq!(text(&lines, Revision::V4), Ok(Packet::message(vec![0; 60])));
    assert_eq!(
        text("b4AQIDBA==\r\n", Revision::V3),
        Ok(Packet::message(vec![1, 2, 3, 4]))
    );
    assert_eq!(text("bAQ!\n", Revision::V4), Err(DecodeError::Base64));
}

#[test]
fn binary_is_read() {
    let bytes = Bytes::from_static(&[4, 1, 2]);
    assert_eq!(
        Packet::from_binary(bytes.clone(), Revision::V4),
        Ok(Packet::message(bytes.clone()))
    );
    assert_eq!(
        Packet::from_binary(bytes, Revision::V3),
        Ok(Packet::message(vec![1, 2]))
    );
    assert_eq!(
        Packet::from_binary(Bytes::new(), Revision::V4),
        Ok(Packet::message(Bytes::new()))
    );
    assert_eq!(
        Packet::from_binary(Bytes::new(), Revision::V3),
        Err(DecodeError::Empty)
    );
    assert_eq!(
        Packet::from_binary(vec![7].into(), Revision::V3),
        Err(DecodeError::PacketType)
    );
}

#[test]
fn a_frame_is_read_back() {
    let packets = [
        Packet::new(PacketType::Noop),
        Packet {
            kind: PacketType::Pong,
            data: "probe".into(),
        },
        Packet::message(""),
        Packet::message("\u{1f600}\u{1e}\0"),
        Packet::message(Bytes::new()),
        Packet::message(vec![0, 1, 0x1e, 255]),
    ];
    for packet in packets {
        for (revision, base64) in [
            (Revision::V3, false),
            (Revision::V3, true),
            (Revision::V4, false),
            (Revision::V4, true),
        ] {
            let frame = packet.clone().into_frame(revision, base64);
            let whole = [frame.prefix.as_slice(), frame.data.as_bytes()].concat();
            let back = match frame.data {
                Data::Text(_) => Packet::from_text(String::from_utf8(whole).unwrap().into(), revision),
                Data::Binary(_) => Packet::from_binary(whole.into(), revision),
            };
            assert_eq!(back.as_ref(), Ok(&packet), "{revision:?} {base64}");
        }
    }
}

#[test]
fn frames_are_the_documents_bytes() {
    let bytes = Packet::message(vec![1, 2, 3, 4]);
    let frame = |revision, base64| bytes.clone().into_frame(revision, base64);
    assert_eq!(
        frame(Revision::V4, false),
        Frame {
            prefix: None,
            data: vec![1, 2, 3, 4].into()
        }
    );
    assert_eq!(
        frame(Revision::V3, false),
        Frame {
            prefix: Some(4),
            data: vec![1, 2, 3, 4].into()
        }
    );
    assert_eq!(
        frame(Revision::V4, true),
        Frame {
            prefix: Some(b'b'),
            data: "AQIDBA==".into()
        }
    );
    assert_eq!(
        frame(Revision::V3, true),
        Frame {
            prefix: Some(b'b'),
            data: "4AQIDBA==".into()
        }
    );
}
