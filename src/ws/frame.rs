//! Frames of RFC 6455 section 5: a header read from bytes, a server's frame written to them. Knows one frame,
//! not the message it belongs to.

use bytes::{BufMut, BytesMut};

use super::ProtocolError;

/// The longest payload of a control frame, in bytes (RFC 6455 section 5.5).
pub const MAX_CONTROL: usize = 125;

/// The longest header of a frame, in bytes: 2, an 8-byte length, a 4-byte mask (RFC 6455 section 5.2).
pub const MAX_HEADER: usize = 14;

/// In a frame's first byte: the last frame of its message.
const FIN: u8 = 0x80;

/// In a frame's first byte: the message is compressed (RFC 7692 section 6).
pub(super) const RSV1: u8 = 0x40;

/// What a frame is (RFC 6455 section 5.2, and 11.8). The reserved ones have no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// Goes on with a fragmented message.
    Continuation = 0,
    /// A text message, or the first fragment of one.
    Text = 1,
    /// A binary message, or the first fragment of one.
    Binary = 2,
    /// One half of the closing handshake.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping, or comes unasked.
    Pong = 10,
}

impl OpCode {
    /// The opcode for four bits, if it is not reserved.
    #[inline]
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => OpCode::Continuation,
            1 => OpCode::Text,
            2 => OpCode::Binary,
            8 => OpCode::Close,
            9 => OpCode::Ping,
            10 => OpCode::Pong,
            _ => return None,
        })
    }

    /// That of a message.
    #[inline]
    pub(super) fn of(text: bool) -> Self {
        match text {
            true => OpCode::Text,
            false => OpCode::Binary,
        }
    }

    /// Whether it is a control frame: close, ping, pong (RFC 6455 section 5.5).
    #[inline]
    pub fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

/// The first byte of a text message in one frame.
pub(super) const TEXT: u8 = FIN | OpCode::Text as u8;

/// The first byte of a binary message in one frame.
pub(super) const BINARY: u8 = FIN | OpCode::Binary as u8;

/// The length of a client's header with a length in seven bits.
pub(super) const SHORT_HEADER: usize = 6;

/// The header of a client's frame, checked (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The last frame of its message.
    pub fin: bool,
    /// The message is compressed (RFC 7692 section 6). Never true unless that was allowed.
    pub compressed: bool,
    /// What the frame is.
    pub opcode: OpCode,
    /// The masking key (RFC 6455 section 5.3).
    pub mask: [u8; 4],
    /// The bytes of payload that follow. At most 125 in a control frame, else at most the limit given.
    pub len: u64,
    /// The bytes of this header itself: 6 to 14.
    pub size: usize,
}

impl Header {
    /// Reads the header at the beginning of `input`; `None` if more bytes are needed. Every check that the
    /// bytes at hand allow is made, so a bad frame is refused before one byte of its payload is kept.
    /// `max_len` bounds a data frame's payload, in bytes; `compression` allows RSV1 where RFC 7692 section 6
    /// does: on the first frame of a message.
    ///
    /// # Errors
    /// [`ProtocolError`]: a reserved bit or opcode, a fragmented or oversize control frame, no mask, a length
    /// that is not minimal or has its top bit set, more than `max_len` bytes.
    #[inline]
    pub fn decode(input: &[u8], max_len: u64, compression: bool) -> Result<Option<Header>, ProtocolError> {
        let [first, rest @ ..] = input else {
            return Ok(None);
        };
        let fin = first & FIN != 0;
        let compressed = first & RSV1 != 0;
        let opcode = OpCode::from_bits(first & 0x0f).ok_or(ProtocolError::ReservedOpCode(first & 0x0f))?;
        let may_compress = compression && matches!(opcode, OpCode::Text | OpCode::Binary);
        if first & 0x30 != 0 || (compressed && !may_compress) {
            return Err(ProtocolError::ReservedBit);
        }
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl);
        }

        let [second, rest @ ..] = rest else {
            return Ok(None);
        };
        if second & 0x80 == 0 {
            return Err(ProtocolError::Unmasked);
        }
        let short = second & 0x7f;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(ProtocolError::OversizeControl);
        }
        let (len, rest, size) = match short {
            126 => {
                let Some((bytes, rest)) = rest.split_first_chunk::<2>() else {
                    return Ok(None);
                };
                let len = u16::from_be_bytes(*bytes);
                if len < 126 {
                    return Err(ProtocolError::InvalidLength);
                }
                (u64::from(len), rest, 8)
            }
            127 => {
                let Some((bytes, rest)) = rest.split_first_chunk::<8>() else {
                    return Ok(None);
                };
                let len = u64::from_be_bytes(*bytes);
                if len >> 63 != 0 || len <= 0xffff {
                    return Err(ProtocolError::InvalidLength);
                }
                (len, rest, 14)
            }
            short => (u64::from(short), rest, 6),
        };
        if len > max_len && !opcode.is_control() {
            return Err(ProtocolError::MessageTooBig { size: Some(len) });
        }
        let Some(mask) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        Ok(Some(Header {
            fin,
            compressed,
            opcode,
            mask: *mask,
            len,
            size,
        }))
    }
}

/// Appends one whole frame of a server (FIN set, no mask: RFC 6455 section 5.1) to `out`: the header, the byte
/// `prefix` if there is one, `payload`. Nothing is allocated but what `out` grows by. A control frame's
/// payload must not be over [`MAX_CONTROL`] bytes.
#[inline]
pub fn encode(opcode: OpCode, prefix: Option<u8>, payload: &[u8], out: &mut BytesMut) {
    debug_assert!(!opcode.is_control() || payload.len() + usize::from(prefix.is_some()) <= MAX_CONTROL);
    put(FIN | opcode as u8, prefix, payload, out);
}

/// The same with RSV1: a data frame whose payload is compressed (RFC 7692 section 6.1).
pub(super) fn encode_compressed(opcode: OpCode, payload: &[u8], out: &mut BytesMut) {
    put(FIN | RSV1 | opcode as u8, None, payload, out);
}

#[inline]
fn put(first: u8, prefix: Option<u8>, payload: &[u8], out: &mut BytesMut) {
    let len = payload.len() + usize::from(prefix.is_some());
    out.reserve(MAX_HEADER + len);
    match (len, prefix) {
        (0..=125, Some(prefix)) => out.put_slice(&[first, len as u8, prefix]),
        (0..=125, None) => out.put_slice(&[first, len as u8]),
        (126..=0xffff, _) => {
            let [high, low] = (len as u16).to_be_bytes();
            out.put_slice(&[first, 126, high, low]);
            out.extend(prefix);
        }
        _ => {
            out.put_slice(&[first, 127]);
            out.put_u64(len as u64);
            out.extend(prefix);
        }
    }
    out.put_slice(payload);
}
