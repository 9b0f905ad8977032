//! Packets, and one packet as one WebSocket message. Knows bytes and packets, not sessions.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use bytestring::ByteString;

use super::error::DecodeError;
use crate::Data;

/// Writes padding, as all peers do, and reads base64 with and without, as Node does.
static BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The revision of the protocol that a session speaks, fixed by `EIO` of its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Revision {
    /// `EIO=3`: the clients of Socket.IO 1 and 2. The client sends the pings.
    V3,
    /// `EIO=4`: today's clients. The server sends the pings.
    V4,
}

impl Revision {
    /// The number that stands in the query: 3 or 4.
    pub fn number(self) -> u8 {
        match self {
            Revision::V3 => 3,
            Revision::V4 => 4,
        }
    }
}

/// The type of a packet (protocol, "Packet encoding").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// `0`: the answer to a handshake.
    Open,
    /// `1`: this transport, and with it the session, ends.
    Close,
    /// `2`: half of a heartbeat, or of a probe.
    Ping,
    /// `3`: the other half.
    Pong,
    /// `4`: what the application sends and receives.
    Message,
    /// `5`: the client has stopped polling; the WebSocket is the transport from here on.
    Upgrade,
    /// `6`: ends a poll that has nothing else to say.
    Noop,
}

impl PacketType {
    /// The number on the wire: 0 to 6.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The ASCII digit on the wire: `b'0'` to `b'6'`.
    pub fn digit(self) -> u8 {
        b'0' + self.number()
    }

    /// The type for a number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => PacketType::Open,
            1 => PacketType::Close,
            2 => PacketType::Ping,
            3 => PacketType::Pong,
            4 => PacketType::Message,
            5 => PacketType::Upgrade,
            6 => PacketType::Noop,
            _ => return None,
        })
    }

    /// The type for an ASCII digit, if there is one.
    pub fn from_digit(digit: u8) -> Option<Self> {
        Self::from_number(digit.checked_sub(b'0')?)
    }

    /// The name that engine.io uses in its events: `open`, `message`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            PacketType::Open => "open",
            PacketType::Close => "close",
            PacketType::Ping => "ping",
            PacketType::Pong => "pong",
            PacketType::Message => "message",
            PacketType::Upgrade => "upgrade",
            PacketType::Noop => "noop",
        }
    }
}

/// One packet: a type and what comes with it (empty text where nothing does).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub kind: PacketType,
    /// What it carries. Only a message means anything with binary (in revision 3 a peer can put it on any packet).
    pub data: Data,
}

/// A packet as the content of one WebSocket message: an optional byte in front, then the data.
///
/// Kept in two parts so that nobody copies a payload to put one byte before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The packet type's digit (text) or number (binary of revision 3); none before binary of revision 4.
    pub prefix: Option<u8>,
    /// Text makes a text message, binary a binary one.
    pub data: Data,
}

/// A [`Frame`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// As [`Frame::prefix`].
    pub prefix: Option<u8>,
    /// Whether it makes a text message, or a binary one.
    pub is_text: bool,
    /// What comes behind the prefix.
    pub payload: &'a [u8],
}

impl<'a> FrameRef<'a> {
    /// A message, as [`Packet::into_frame`] makes it without base64.
    #[inline]
    pub fn of_message(data: &'a Data, revision: Revision) -> Self {
        FrameRef {
            prefix: prefix(PacketType::Message, data.is_text(), revision),
            is_text: data.is_text(),
            payload: data.as_bytes(),
        }
    }
}

impl Frame {
    /// The same, borrowed.
    pub fn borrow(&self) -> FrameRef<'_> {
        FrameRef {
            prefix: self.prefix,
            is_text: self.data.is_text(),
            payload: self.data.as_bytes(),
        }
    }
}

/// What stands in front of a packet's data.
#[inline]
fn prefix(kind: PacketType, is_text: bool, revision: Revision) -> Option<u8> {
    match (is_text, revision) {
        (true, _) => Some(kind.digit()),
        (false, Revision::V3) => Some(kind.number()),
        (false, Revision::V4) => None,
    }
}

impl Packet {
    /// A packet without data.
    pub fn new(kind: PacketType) -> Self {
        Packet {
            kind,
            data: Data::default(),
        }
    }

    /// A message.
    pub fn message(data: impl Into<Data>) -> Self {
        Packet {
            kind: PacketType::Message,
            data: data.into(),
        }
    }

    /// Reads a packet from a WebSocket text message: `<digit><text>`, or `b<base64>` for binary
    /// (`b<digit><base64>` in revision 3).
    ///
    /// # Errors
    /// [`DecodeError`] on an empty message, an unknown type, or base64 that is none.
    pub fn from_text(text: ByteString, revision: Revision) -> Result<Self, DecodeError> {
        Self::from_text_part(&text, &text, revision)
    }

    /// Reads a packet from `part`, which lies in `whole`, and shares it.
    pub(crate) fn from_text_part(
        whole: &ByteString,
        part: &str,
        revision: Revision,
    ) -> Result<Self, DecodeError> {
        let first = *part.as_bytes().first().ok_or(DecodeError::Empty)?;
        // A cut behind anything but ASCII could lie inside of a character: no type, then.
        let rest = part.get(1..).ok_or(DecodeError::PacketType)?;
        if first == b'b' {
            return Self::from_base64(rest.as_bytes(), revision);
        }
        let kind = PacketType::from_digit(first).ok_or(DecodeError::PacketType)?;
        Ok(Packet {
            kind,
            data: Data::Text(whole.slice_ref(rest)),
        })
    }

    /// Reads a packet from a WebSocket text message whose first byte comes apart.
    ///
    /// # Errors
    /// Those of [`from_text`](Packet::from_text).
    #[inline]
    pub fn from_parts(first: u8, rest: ByteString, revision: Revision) -> Result<Self, DecodeError> {
        if first == b'b' {
            return Self::from_base64(rest.as_bytes(), revision);
        }
        let kind = PacketType::from_digit(first).ok_or(DecodeError::PacketType)?;
        Ok(Packet {
            kind,
            data: Data::Text(rest),
        })
    }

    /// Reads a packet from a WebSocket binary message: a message as it is (revision 4), or
    /// `<number><bytes>` (revision 3).
    ///
    /// # Errors
    /// [`DecodeError`] in revision 3 on an empty message or an unknown type.
    pub fn from_binary(bytes: Bytes, revision: Revision) -> Result<Self, DecodeError> {
        match revision {
            Revision::V4 => Ok(Packet::message(bytes)),
            Revision::V3 => {
                let number = *bytes.first().ok_or(DecodeError::Empty)?;
                let kind = PacketType::from_number(number).ok_or(DecodeError::PacketType)?;
                Ok(Packet {
                    kind,
                    data: Data::Binary(bytes.slice(1..)),
                })
            }
        }
    }

    /// Reads what follows the `b` of a base64 packet.
    fn from_base64(encoded: &[u8], revision: Revision) -> Result<Self, DecodeError> {
        let (kind, encoded) = match (revision, encoded) {
            (Revision::V4, _) => (PacketType::Message, encoded),
            (Revision::V3, [digit, rest @ ..]) => (
                PacketType::from_digit(*digit).ok_or(DecodeError::PacketType)?,
                rest,
            ),
            (Revision::V3, []) => return Err(DecodeError::Empty),
        };
        let bytes = decode_base64(encoded).map_err(|_| DecodeError::Base64)?;
        Ok(Packet {
            kind,
            data: Data::Binary(bytes.into()),
        })
    }

    /// This packet as one WebSocket message. With `base64`, binary becomes text (`b64=1`, clients
    /// that cannot read binary frames).
    pub fn into_frame(self, revision: Revision, base64: bool) -> Frame {
        match self.data {
            Data::Binary(bytes) if base64 => {
                let mut text = String::with_capacity(base64_len(bytes.len(), revision) - 1);
                if revision == Revision::V3 {
                    text.push(char::from(self.kind.digit()));
                }
                BASE64.encode_string(&bytes, &mut text);
                // The leading `b` goes in front like any type's digit.
                Frame {
                    prefix: Some(b'b'),
                    data: Data::from(text),
                }
            }
            data => Frame {
                prefix: prefix(self.kind, data.is_text(), revision),
                data,
            },
        }
    }
}

/// Decodes base64, and skips line breaks: engine.io-client-java ends a line after 76 characters.
fn decode_base64(encoded: &[u8]) -> Result<Vec<u8>, base64::DecodeError> {
    BASE64.decode(encoded).or_else(|error| {
        if !encoded.contains(&b'\n') {
            return Err(error);
        }
        // Room for all at once: growing would take twice as much at its peak.
        let mut joined = Vec::with_capacity(encoded.len());
        joined.extend(encoded.iter().filter(|byte| !b"\r\n".contains(byte)));
        BASE64.decode(joined)
    })
}

/// The length of `b<base64>` (revision 4) or `b<digit><base64>` (revision 3) for `len` bytes.
pub(crate) fn base64_len(len: usize, revision: Revision) -> usize {
    1 + usize::from(revision == Revision::V3) + len.div_ceil(3) * 4
}

/// Appends `b<base64>` (revision 4) or `b<digit><base64>` (revision 3).
pub(crate) fn push_base64(out: &mut Vec<u8>, kind: PacketType, bytes: &[u8], revision: Revision) {
    let start = out.len();
    out.push(b'b');
    if revision == Revision::V3 {
        out.push(kind.digit());
    }
    let text = out.len();
    out.resize(start + base64_len(bytes.len(), revision), 0);
    // Cannot fail: the room is exactly what the bytes need.
    let written = BASE64.encode_slice(bytes, &mut out[text..]);
    debug_assert_eq!(written, Ok(out.len() - text));
}
