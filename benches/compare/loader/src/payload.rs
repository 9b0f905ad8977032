//! The messages: a number that says which one it is, then a pattern of its connection.

/// Hexadecimal digits of a message's number; fewer in messages that are shorter.
const DIGITS: usize = 8;

/// Bytes in which a message's number is stamped, over and over.
///
/// With a mask, the bytes are kept as they travel in a client's WebSocket frame.
#[derive(Debug)]
pub(crate) struct Stamped {
    bytes: Vec<u8>,
    at: usize,
    digits: usize,
    mask: [u8; DIGITS],
}

impl Stamped {
    /// `bytes`, with a message's number at `at`; `mask` holds the eight bytes that the number is masked with.
    pub(crate) fn new(bytes: Vec<u8>, at: usize, size: usize, mask: [u8; DIGITS]) -> Self {
        Self {
            bytes,
            at,
            digits: size.min(DIGITS),
            mask,
        }
    }

    /// The bytes of message `number`.
    pub(crate) fn stamp(&mut self, number: u32) -> &[u8] {
        stamp(&mut self.bytes[self.at..self.at + self.digits], number, self.mask);
        &self.bytes
    }
}

/// Writes the last digits of `number` into `place`, masked. No lower-case letter: an `b` in front means something to
/// the example server.
pub(crate) fn stamp(place: &mut [u8], number: u32, mask: [u8; DIGITS]) {
    let mut rest = number;
    for at in (0..place.len()).rev() {
        place[at] = b"0123456789ABCDEF"[(rest & 15) as usize] ^ mask[at];
        rest >>= 4;
    }
}

/// A message of `size` bytes: room for its number, then a pattern that differs from connection to connection.
/// Printable ASCII for text, all kinds of bytes for binary.
pub(crate) fn pattern(size: usize, connection: usize, binary: bool) -> Vec<u8> {
    let mut seed = connection as u32 + 1;
    (0..size)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let byte = (seed >> 24) as u8;
            if binary { byte } else { b'A' + byte % 26 }
        })
        .collect()
}
