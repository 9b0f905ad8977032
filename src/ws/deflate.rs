//! permessage-deflate (RFC 7692): what is agreed on in the handshake, over header values. Messages are compressed
//! and inflated below, in `streams`; what is remembered of earlier ones is in `window`.

use std::fmt;
use std::ops::RangeInclusive;

mod streams;
mod window;

pub(super) use streams::{Effort, deflate, inflate, longest_compressed};
pub(super) use window::{Window, Windows};

/// The extension's name in `Sec-WebSocket-Extensions`.
const NAME: &[u8] = b"permessage-deflate";

/// The smallest window that can be written here, as a power of two: zlib has none of 256 bytes.
const MIN_WINDOW_BITS: u8 = 9;

/// The largest window there is, as a power of two: 32 KiB.
const MAX_WINDOW_BITS: u8 = 15;

/// What was agreed on.
///
/// It is displayed as the answer's value of `Sec-WebSocket-Extensions`.
///
/// ```
/// use engineio::ws::deflate::Agreement;
///
/// let offer = b"permessage-deflate; client_max_window_bits";
/// assert_eq!(
///     Agreement::negotiate(offer).unwrap().to_string(),
///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
/// );
/// assert_eq!(
///     Agreement::negotiate_within(offer, 8192).unwrap().to_string(),
///     "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Agreement {
    server: Side,
    client: Side,
}

/// How one side compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Side {
    /// It refers to earlier messages (no `no_context_takeover`, RFC 7692 section 7.1.1), so both keep a window.
    takeover: bool,
    /// The answer's limit of its window, as a power of two in bytes.
    max_window_bits: Option<u8>,
}

impl Agreement {
    /// Agrees on the first acceptable offer in a line of `Sec-WebSocket-Extensions` (RFC 7692 sections 5.1 and
    /// 7.1); `None` if there is none. An offer is skipped if one of its parameters is unknown, comes twice, or has
    /// a value that it may not have; and one that wants messages in a window of 256 bytes
    /// (`server_max_window_bits=8`).
    ///
    /// Both sides forget each message (both `no_context_takeover`, RFC 7692 section 7.1.1), so that no connection
    /// keeps a window.
    pub fn negotiate(line: &[u8]) -> Option<Agreement> {
        Self::negotiate_within(line, 0)
    }

    /// The same with context takeover (RFC 7692 section 7.1.1): as far as the client is willing, the connection
    /// keeps a window of the messages of each side, both together in at most `budget` bytes. The client's gets up
    /// to half of it, ours what is left; each is as large as fits, and the client's can be made smaller only if it
    /// offers `client_max_window_bits`. A side whose window would be less than 512 bytes forgets each message.
    pub fn negotiate_within(line: &[u8], budget: usize) -> Option<Agreement> {
        split(line, b',').find_map(|each| Some(offer(each)?.agree(budget)))
    }

    /// How many bytes a connection keeps at most in windows of earlier messages, once there were such.
    pub fn window_bytes(self) -> usize {
        self.server.window_bytes() + self.client.window_bytes()
    }

    /// The window that our messages are compressed in, as a power of two in bytes: 9 to 15.
    pub(super) fn window_bits(self) -> u8 {
        self.server.max_window_bits.unwrap_or(MAX_WINDOW_BITS)
    }

    /// Whether our messages refer to earlier ones.
    pub(super) fn takes_over(self) -> bool {
        self.server.takeover
    }

    /// Empty windows of the agreed sizes.
    pub(super) fn windows(self) -> Windows {
        Windows {
            server: Window::new(self.server.window_bytes()),
            client: Window::new(self.client.window_bytes()),
        }
    }
}

impl Side {
    /// A side with a window of so many bits, that has been told so if it has to keep to it; or with none, that
    /// `told` still binds.
    fn new(window_bits: Option<u8>, told: Option<u8>) -> Side {
        Side {
            takeover: window_bits.is_some(),
            max_window_bits: window_bits.filter(|bits| *bits < MAX_WINDOW_BITS).or(told),
        }
    }

    fn window_bytes(self) -> usize {
        match self.takeover {
            true => 1 << self.max_window_bits.unwrap_or(MAX_WINDOW_BITS),
            false => 0,
        }
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate")?;
        let sides = [("server", self.server), ("client", self.client)];
        for (name, _) in sides.iter().filter(|(_, side)| !side.takeover) {
            write!(f, "; {name}_no_context_takeover")?;
        }
        for (name, side) in sides {
            if let Some(bits) = side.max_window_bits {
                write!(f, "; {name}_max_window_bits={bits}")?;
            }
        }
        Ok(())
    }
}

/// Which parameters an offer has had already, and what counts of them.
#[derive(Default)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    /// That without a value is one of the largest window.
    client_max_window_bits: Option<u8>,
    server_max_window_bits: Option<u8>,
}

/// What one offer holds; `None` if it cannot be accepted.
fn offer(offer: &[u8]) -> Option<Offer> {
    let mut parts = split(offer, b';');
    if parts.next()?.trim_ascii() != NAME {
        return None;
    }
    let mut seen = Offer::default();
    for parameter in parts {
        seen.take(parameter)?;
    }
    Some(seen)
}

impl Offer {
    /// What it comes to, with windows of at most `budget` bytes.
    fn agree(&self, budget: usize) -> Agreement {
        let room = match self.server_no_context_takeover {
            true => budget,
            false => budget / 2,
        };
        let client = match self.client_max_window_bits {
            _ if self.client_no_context_takeover => None,
            Some(most) => largest(MIN_WINDOW_BITS..=most, room),
            None => largest(MAX_WINDOW_BITS..=MAX_WINDOW_BITS, room),
        };
        let client = Side::new(client, None);
        let most = self.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS);
        let server = match self.server_no_context_takeover {
            true => None,
            false => largest(MIN_WINDOW_BITS..=most, budget - client.window_bytes()),
        };
        let server = Side::new(server, self.server_max_window_bits);
        Agreement { server, client }
    }

    /// Takes one parameter (RFC 7692 section 7.1); `None` if the offer cannot be accepted.
    fn take(&mut self, parameter: &[u8]) -> Option<()> {
        let mut halves = parameter.splitn(2, |byte| *byte == b'=');
        let name = halves.next()?.trim_ascii();
        let value = halves.next().map(<[u8]>::trim_ascii);
        match (name, value) {
            (b"server_no_context_takeover", None) => once(&mut self.server_no_context_takeover),
            (b"client_no_context_takeover", None) => once(&mut self.client_no_context_takeover),
            // What the client may use at most: without takeover an inflater with the largest window reads it all.
            (b"client_max_window_bits", value) if self.client_max_window_bits.is_none() => {
                let bits = value.map_or(Some(MAX_WINDOW_BITS), window_bits)?;
                self.client_max_window_bits = Some(bits);
                Some(())
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

/// The largest window of these, as a power of two in bytes, that fits into so many bytes.
fn largest(mut window_bits: RangeInclusive<u8>, room: usize) -> Option<u8> {
    window_bits.rfind(|bits| 1 << bits <= room)
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
