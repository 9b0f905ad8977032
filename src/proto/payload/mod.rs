//! Payloads: many packets <-> the body of one polling request or response. Knows bytes and packets.
//!
//! - Revision 4: packets joined by U+001E, binary as `b` and base64. There is no way to escape a U+001E inside of
//!   text; the protocol assumes that messages do not contain it.
//! - Revision 3, text form: `<length>:<packet>` with lengths in UTF-16 code units, binary as `b4` and base64.
//! - Revision 3, binary form (`application/octet-stream`): `<0|1><length's digits as bytes 0 to 9><255><packet>` with
//!   lengths in bytes; 0 marks text in UTF-8, 1 binary whose first byte is the packet type's number.
//!
//! ```
//! use engineio::proto::{Packet, Revision, payload};
//!
//! let packets = [Packet::message("hello"), Packet::message(vec![1, 2, 3, 4])];
//! let body = payload::encode(&packets, Revision::V4, false);
//! assert_eq!(body.bytes, "4hello\u{1e}bAQIDBA==");
//! let back: Result<Vec<_>, _> = payload::decode(body.bytes, Revision::V4, body.binary).collect();
//! assert_eq!(back.unwrap(), packets);
//! ```

mod v3;
mod v4;

use std::iter::FusedIterator;

use bytes::Bytes;
use bytestring::ByteString;

use super::error::DecodeError;
use super::packet::{Packet, PacketType, Revision};
use crate::Data;

/// The body of a poll's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The packets, encoded.
    pub bytes: Bytes,
    /// `application/octet-stream` (the binary form of revision 3); text in UTF-8 otherwise.
    pub binary: bool,
}

/// Encodes packets into one body. It is binary only in revision 3, if the client `supports_binary` and there is
/// some among the packets. One allocation of the exact size.
///
/// No packets make `0:` in revision 3 and nothing in revision 4, as in engine.io-parser; a poll is never
/// answered so.
pub fn encode<'a, I>(packets: I, revision: Revision, supports_binary: bool) -> Body
where
    I: IntoIterator<Item = &'a Packet>,
    I::IntoIter: Clone,
{
    let packets = packets.into_iter();
    let form = Form::choose(packets.clone(), revision, supports_binary);
    let mut bytes = Vec::with_capacity(form.len(packets.clone()));
    match form {
        Form::V4 => v4::encode(packets, &mut bytes),
        Form::V3Text => v3::encode_text(packets, &mut bytes),
        Form::V3Binary => v3::encode_binary(packets, &mut bytes),
    }
    Body {
        bytes: bytes.into(),
        binary: form == Form::V3Binary,
    }
}

/// Appends a message to a body of revision 4: what [`encode`] makes of one packet more.
#[inline]
pub(super) fn push_message(data: &Data, body: &mut Vec<u8>) {
    v4::push(PacketType::Message, data, body);
}

/// The same of a packet of any kind.
pub(super) fn push(packet: &Packet, body: &mut Vec<u8>) {
    v4::push(packet.kind, &packet.data, body);
}

/// The length in bytes of what [`encode`] would make of the same arguments.
pub fn encoded_len<'a, I>(packets: I, revision: Revision, supports_binary: bool) -> usize
where
    I: IntoIterator<Item = &'a Packet>,
    I::IntoIter: Clone,
{
    let packets = packets.into_iter();
    Form::choose(packets.clone(), revision, supports_binary).len(packets)
}

/// Which of the three encodings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    V4,
    V3Text,
    V3Binary,
}

impl Form {
    fn choose<'a>(
        mut packets: impl Iterator<Item = &'a Packet>,
        revision: Revision,
        supports_binary: bool,
    ) -> Self {
        match revision {
            Revision::V4 => Form::V4,
            Revision::V3 if supports_binary && packets.any(|packet| !packet.data.is_text()) => Form::V3Binary,
            Revision::V3 => Form::V3Text,
        }
    }

    fn len<'a>(self, packets: impl Iterator<Item = &'a Packet>) -> usize {
        match self {
            Form::V4 => v4::encoded_len(packets),
            Form::V3Text => v3::text_len(packets),
            Form::V3Binary => v3::binary_len(packets),
        }
    }
}

/// Decodes a body; `binary` says that it came as `application/octet-stream`.
///
/// The packets before a broken one are delivered, then comes the error, and nothing after it (as in engine.io). An
/// empty body is an error, and so is an empty packet in revision 4 (`4a\x1e` has one at its end); in revision 3 the
/// text form skips packets of length zero, as engine.io-parser 2 does. Messages are slices of the body: nothing is
/// copied, and a message that is kept keeps the whole body. Time is linear in the body's length, whatever it holds.
pub fn decode(body: Bytes, revision: Revision, binary: bool) -> Decoder {
    Decoder(match (revision, binary) {
        (Revision::V4, true) => State::Failed(DecodeError::BinaryPayload),
        _ if body.is_empty() => State::Failed(DecodeError::Empty),
        (Revision::V4, false) => State::V4(v4::Decoder::new(body)),
        (Revision::V3, false) => State::V3Text(v3::TextDecoder::new(body)),
        (Revision::V3, true) => State::V3Binary(v3::BinaryDecoder::new(body)),
    })
}

/// The packets of a body, in order, up to the first that is broken. Made by [`decode`].
#[derive(Debug)]
pub struct Decoder(State);

#[derive(Debug)]
enum State {
    V4(v4::Decoder),
    V3Text(v3::TextDecoder),
    V3Binary(v3::BinaryDecoder),
    Failed(DecodeError),
    Done,
}

impl Iterator for Decoder {
    type Item = Result<Packet, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match &mut self.0 {
            State::V4(decoder) => decoder.next(),
            State::V3Text(decoder) => decoder.next(),
            State::V3Binary(decoder) => decoder.next(),
            State::Failed(error) => Some(Err(*error)),
            State::Done => None,
        };
        if !matches!(item, Some(Ok(_))) {
            self.0 = State::Done;
        }
        item
    }
}

impl FusedIterator for Decoder {}

/// A body as text, up to its first byte that is no UTF-8.
#[derive(Debug)]
struct Text {
    valid: ByteString,
    /// Something that is no UTF-8 follows.
    broken: bool,
}

impl Text {
    fn new(body: Bytes) -> Self {
        match ByteString::try_from(body.clone()) {
            Ok(valid) => Text { valid, broken: false },
            Err(error) => {
                let valid = body.slice(..error.valid_up_to());
                Text {
                    valid: ByteString::try_from(valid).unwrap_or_default(),
                    broken: true,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
