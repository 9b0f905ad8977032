//! Single packets.

use std::hint::black_box;

use bytes::Bytes;
use bytestring::ByteString;
use engineio::Revision;
use engineio::proto::Packet;

use super::{Case, text};

pub(super) fn cases() -> Vec<Case> {
    let received = ByteString::from(format!("4{}", text(32)));
    let binary = Bytes::from(text(32));
    let base64 = ByteString::from("bAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let message = Packet::message(text(32));
    vec![
        Case::new("packet", "decode text 32 B", move || {
            Packet::from_text(black_box(&received).clone(), Revision::V4)
        }),
        Case::new("packet", "decode binary 32 B", move || {
            Packet::from_binary(black_box(&binary).clone(), Revision::V4)
        }),
        Case::new("packet", "decode base64 32 B", move || {
            Packet::from_text(black_box(&base64).clone(), Revision::V4)
        }),
        Case::new("packet", "into frame, text 32 B", move || {
            black_box(&message).clone().into_frame(Revision::V4, false)
        }),
    ]
}
