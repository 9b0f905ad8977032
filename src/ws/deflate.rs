//! permessage-deflate (RFC 7692): what is agreed on in the handshake, over header values. Messages are compressed
//! and inflated below, in `streams`.

use std::fmt;

mod streams;

pub(super) use streams::{deflate, inflate, longest_compressed};

/// The extension's name in `Sec-WebSocket-Extensions`.
const NAME: &[u8] = b"permessage-deflate";

/// The smallest window that can be written here, as a power of two: zlib has none of 256 bytes.
const MIN_WINDOW_BITS: u8 = 9;

/// The largest window there is, as a power of two: 32 KiB.
const MAX_WINDOW_BITS: u8 = 15;

/// What was agreed on. Both sides forget their window after each message (both `no_context_takeover`, RFC 7692
/// section 7.1.1), so that no connection keeps a compressor of its own.
///
/// It is displayed as the answer's value of `Sec-WebSocket-Extensions`.
///
/// ```
/// use engineio::ws::deflate::Agreement;
///
/// let agreement = Agreement::negotiate(b"permessage-deflate; client_max_window_bits").unwrap();
/// assert_eq!(
///     agreement.to_string(),
///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// 9 to 15, if the client asked for it.
    server_max_window_bits: Option<u8>,
}

impl Agreement {
    /// Agrees on the first acceptable offer in a line of `Sec-WebSocket-Extensions` (RFC 7692 sections 5.1 and
    /// 7.1); `None` if there is none. An offer is skipped if one of its parameters is unknown, comes twice, or has
    /// a value that it may not have; and one that wants messages in a window of 256 bytes
    /// (`server_max_window_bits=8`).
    pub fn negotiate(line: &[u8]) -> Option<Agreement> {
        split(line, b',').find_map(offer)
    }

    /// The window that our messages are compressed in, as a power of two in bytes: 9 to 15.
    fn window_bits(self) -> u8 {
        self.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS)
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate; server_no_context_takeover; client_no_context_takeover")?;
        match self.server_max_window_bits {
            Some(bits) => write!(f, "; server_max_window_bits={bits}"),
            None => Ok(()),
        }
    }
}

/// Which parameters an offer has had already, and what counts of them.
#[derive(Default)]
struct Seen {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    client_max_window_bits: bool,
    server_max_window_bits: Option<u8>,
}

/// What one offer comes to.
fn offer(offer: &[u8]) -> Option<Agreement> {
    let mut parts = split(offer, b';');
    if parts.next()?.trim_ascii() != NAME {
        return None;
    }
    let mut seen = Seen::default();
    for parameter in parts {
        seen.take(parameter)?;
    }
    Some(Agreement {
        server_max_window_bits: seen.server_max_window_bits,
    })
}

impl Seen {
    /// Takes one parameter (RFC 7692 section 7.1); `None` if the offer cannot be accepted.
    fn take(&mut self, parameter: &[u8]) -> Option<()> {
        let mut halves = parameter.splitn(2, |byte| *byte == b'=');
        let name = halves.next()?.trim_ascii();
        let value = halves.next().map(<[u8]>::trim_ascii);
        match (name, value) {
            (b"server_no_context_takeover", None) => once(&mut self.server_no_context_takeover),
            (b"client_no_context_takeover", None) => once(&mut self.client_no_context_takeover),
            // What the client may use at most: an inflater with the largest window reads it all.
            (b"client_max_window_bits", value) => {
                if let Some(value) = value {
                    window_bits(value)?;
                }
                once(&mut self.client_max_window_bits)
            }
            (b"server_max_window_bits", Some(value)) if self.server_max_window_bits.is_none() => {
                let bits = window_bits(value).filter(|bits| *bits >= MIN_WINDOW_BITS)?;
                self.server_max_window_bits = Some(bits);
                Some(())
            }
            _ => None,
        }
    }
}

/// `None` the second time.
fn once(seen: &mut bool) -> Option<()> {
    (!std::mem::replace(seen, true)).then_some(())
}

/// 8 to 15, in decimal and without a leading zero (RFC 7692 section 7.1.2); it may be quoted (RFC 6455 section
/// 9.1).
fn window_bits(value: &[u8]) -> Option<u8> {
    let digits = match value {
        [b'"', quoted @ .., b'"'] => quoted,
        plain => plain,
    };
    match digits {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// The parts between separators that stand outside of quotes. A quote that does not end takes the rest with it.
fn split(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    list.split(move |byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            _ if was_escaped => {}
            b'"' => quoted = !quoted,
            b'\\' => escaped = quoted,
            _ => return *byte == separator && !quoted,
        }
        false
    })
}
