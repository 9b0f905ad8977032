//! Payloads of 16 messages, in both revisions.

use std::hint::black_box;

use bytes::Bytes;
use engineio::Revision;
use engineio::proto::Packet;
use engineio::proto::payload::{decode, encode};

use super::{Case, text};

const PACKETS: usize = 16;

fn encoding(name: &'static str, packet: &Packet, revision: Revision) -> Case {
    let packets = vec![packet.clone(); PACKETS];
    Case::new("payload", name, move || {
        encode(black_box(&packets), revision, true)
    })
}

fn decoding(name: &'static str, packet: &Packet, revision: Revision) -> Case {
    let body = encode(&vec![packet.clone(); PACKETS], revision, true);
    Case::new("payload", name, move || {
        let mut right = 0;
        for packet in decode(black_box(&body.bytes).clone(), revision, body.binary) {
            right += usize::from(packet.is_ok());
        }
        assert_eq!(right, PACKETS);
    })
}

pub(super) fn cases() -> Vec<Case> {
    let short = Packet::message(text(32));
    let wide = Packet::message("Größe: 12 µm, 34 µm, 56 µm, ok".to_owned());
    let binary = Packet::message(Bytes::from(text(32)));
    vec![
        encoding("encode v4, 16 x 32 B text", &short, Revision::V4),
        decoding("decode v4, 16 x 32 B text", &short, Revision::V4),
        encoding("encode v4, 16 x 32 B binary", &binary, Revision::V4),
        decoding("decode v4, 16 x 32 B binary", &binary, Revision::V4),
        encoding("encode v3, 16 x 32 B text", &wide, Revision::V3),
        decoding("decode v3, 16 x 32 B text", &wide, Revision::V3),
        encoding("encode v3, 16 x 32 B binary", &binary, Revision::V3),
        decoding("decode v3, 16 x 32 B binary", &binary, Revision::V3),
    ]
}
