//! The client's half of RFC 6455, as far as a load generator needs it.

use crate::payload::{Stamped, pattern};

/// The key of RFC 6455 section 1.3, so that the right answer to it is known without a hash.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
/// Beside an opcode: the message is compressed (RFC 7692, section 6).
pub(crate) const RSV1: u8 = 0x40;

/// The request that opens a WebSocket at `target` (path and query).
pub(crate) fn request(host: &str, target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
    .into_bytes()
}

/// The length of the answer to `request`, once it is whole.
pub(crate) fn accepted(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = crate::http::head_end(bytes) else {
        return Ok(None);
    };
    let head = &bytes[..end];
    if !head.starts_with(b"HTTP/1.1 101 ") || !head.windows(ACCEPT.len()).any(|part| part == ACCEPT) {
        return Err(format!("WebSocket refused: {}", String::from_utf8_lossy(head)));
    }
    Ok(Some(end))
}

/// A frame from the server.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// With `RSV1` if that is set.
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// Bytes of the whole frame.
    pub(crate) length: usize,
}

/// The frame at the start of `bytes`, once it is whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Frame<'_>>, String> {
    parse_with(bytes, 0)
}

/// The same, where these reserved bits may be set.
pub(crate) fn parse_with(bytes: &[u8], reserved: u8) -> Result<Option<Frame<'_>>, String> {
    let &[first, second, ..] = bytes else {
        return Ok(None);
    };
    if first & 0xf0 & !reserved != 0x80 || second & 0x80 != 0 {
        return Err(format!(
            "unexpected frame {first:#04x} {second:#04x}: fragmented, reserved bits or masked"
        ));
    }
    let (start, size) = match second {
        126 if bytes.len() < 4 => return Ok(None),
        126 => (4, u16::from_be_bytes([bytes[2], bytes[3]]) as usize),
        127 if bytes.len() < 10 => return Ok(None),
        127 => (
            10,
            bytes[2..10].iter().fold(0, |sum, &byte| sum << 8 | byte as usize),
        ),
        short => (2, short as usize),
    };
    let length = start + size;
    Ok(bytes.get(start..length).map(|payload| Frame {
        opcode: first & 0x7f,
        payload,
        length,
    }))
}

/// Appends a masked frame to `out`.
pub(crate) fn frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        size @ 0..126 => out.push(0x80 | size as u8),
        size @ 126..65536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
}

/// One connection's messages: ready-made frames to send, and the payloads that must come back.
#[derive(Debug)]
pub(crate) struct Messages {
    opcode: u8,
    frame: Stamped,
    echo: Stamped,
}

impl Messages {
    /// Messages of `size` bytes; a text message has its packet type in front.
    pub(crate) fn new(size: usize, connection: usize, binary: bool) -> Self {
        let opcode = if binary { BINARY } else { TEXT };
        let prefix = if binary { "" } else { "4" };
        let mut payload = prefix.as_bytes().to_vec();
        payload.extend_from_slice(&pattern(size, connection, binary));
        let mut framed = Vec::new();
        frame(opcode, &payload, &mut framed);
        let at = framed.len() - size;
        let mask = std::array::from_fn(|digit| MASK[(prefix.len() + digit) % MASK.len()]);
        Self {
            opcode,
            frame: Stamped::new(framed, at, size, mask),
            echo: Stamped::new(payload, prefix.len(), size, [0; 8]),
        }
    }

    /// Appends message `number` to `out`, as a frame.
    pub(crate) fn append(&mut self, number: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(self.frame.stamp(number));
    }

    /// Is `frame` the echo of message `number`?
    pub(crate) fn is_echo(&mut self, number: u32, frame: &Frame<'_>) -> bool {
        frame.opcode == self.opcode && frame.payload == self.echo.stamp(number)
    }
}
