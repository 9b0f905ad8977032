//! Payloads of revision 4: packets joined by U+001E. Knows bytes and packets.

use bytes::Bytes;

use super::Text;
use crate::Data;
use crate::proto::error::DecodeError;
use crate::proto::packet::{self, Packet, PacketType, Revision};

const SEPARATOR: u8 = 0x1e;

pub(super) fn encoded_len<'a>(packets: impl Iterator<Item = &'a Packet>) -> usize {
    let total: usize = packets.map(|packet| 1 + packet_len(packet)).sum();
    total.saturating_sub(1)
}

fn packet_len(packet: &Packet) -> usize {
    match &packet.data {
        Data::Text(text) => 1 + text.len(),
        Data::Binary(bytes) => packet::base64_len(bytes.len(), Revision::V4),
    }
}

pub(super) fn encode<'a>(packets: impl Iterator<Item = &'a Packet>, out: &mut Vec<u8>) {
    for packet in packets {
        push(packet.kind, &packet.data, out);
    }
}

/// One packet more.
#[inline]
pub(super) fn push(kind: PacketType, data: &Data, out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(SEPARATOR);
    }
    match data {
        Data::Text(text) => {
            out.push(kind.digit());
            out.extend_from_slice(text.as_bytes());
        }
        Data::Binary(bytes) => packet::push_base64(out, kind, bytes, Revision::V4),
    }
}

#[derive(Debug)]
pub(super) struct Decoder {
    text: Text,
    /// Where the next packet begins; `None` behind the last one.
    at: Option<usize>,
}

impl Decoder {
    pub(super) fn new(body: Bytes) -> Self {
        Decoder {
            text: Text::new(body),
            at: Some(0),
        }
    }

    pub(super) fn next(&mut self) -> Option<Result<Packet, DecodeError>> {
        let at = self.at.take()?;
        let rest = self.text.valid.get(at..)?;
        // It is no part of any other character, so its place is a border between two.
        let part = match memchr::memchr(SEPARATOR, rest.as_bytes()) {
            Some(len) => {
                self.at = Some(at + len + 1);
                rest.get(..len)?
            }
            None if self.text.broken => return Some(Err(DecodeError::Utf8)),
            None => rest,
        };
        Some(Packet::from_text_part(&self.text.valid, part, Revision::V4))
    }
}
