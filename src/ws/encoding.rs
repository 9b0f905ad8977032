//! How a message becomes a frame, compressed or not. Equal for many connections, so that what goes to all of them is
//! compressed and framed once.

use bytes::{Bytes, BytesMut};

use super::deflate::{self, Effort, Window};
use super::frame::{self, OpCode};

/// How a connection's messages become frames: connections whose encodings are equal write the same bytes for the
/// same message. There are a few dozen at most of a server: one for each window that clients may ask for.
///
/// ```
/// use bytes::BytesMut;
/// use engineio::ws::{Connection, Encoding, Limits};
///
/// let mut connections: Vec<Connection> = (0..3)
///     .map(|_| Connection::new(Limits { max_message: 1000, max_fragments: 16 }))
///     .collect();
/// let frame = Encoding::PLAIN.encode(true, Some(b'4'), b"hello");
/// for connection in &mut connections {
///     assert_eq!(connection.encoding(), Some(Encoding::PLAIN));
///     let mut out = BytesMut::new();
///     assert!(connection.send_encoded(&frame, &mut out));
///     assert_eq!(out, "\u{81}\u{6}4hello".chars().map(|c| c as u8).collect::<Vec<_>>());
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding(pub(super) Option<Compressing>);

/// How messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Compressing {
    pub(super) effort: Effort,
    /// Shorter messages are sent as they are.
    pub(super) threshold: u32,
}

impl Encoding {
    /// Nothing is compressed. What every connection takes, whatever its own encoding is.
    pub const PLAIN: Encoding = Encoding(None);

    /// One message as one frame: `prefix` if there is one, then `payload`, both compressed if they are not below the
    /// threshold and get shorter by it. Text must be UTF-8, which is not checked.
    pub fn encode(self, text: bool, prefix: Option<u8>, payload: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        self.put(text, prefix, payload, &mut out);
        out.freeze()
    }

    /// The same, appended to `out`.
    #[inline]
    pub fn put(self, text: bool, prefix: Option<u8>, payload: &[u8], out: &mut BytesMut) {
        let done = self
            .0
            .is_some_and(|compressing| compressing.put(None, text, prefix, payload, out));
        if !done {
            frame::encode(OpCode::of(text), prefix, payload, out);
        }
    }
}

impl Compressing {
    /// Whether a message of so many bytes is worth trying.
    pub(super) fn wants(self, len: usize) -> bool {
        len >= self.threshold as usize
    }

    /// Appends the frame to `out`; what it holds may refer to the window, and goes into it. False, and nothing has
    /// happened, if the message is to be sent as it is.
    pub(super) fn put(
        self,
        window: Option<&mut Window>,
        text: bool,
        prefix: Option<u8>,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> bool {
        let write = |message: &[u8]| frame::encode_compressed(OpCode::of(text), message, out);
        self.wants(payload.len() + usize::from(prefix.is_some()))
            && deflate::deflate(self.effort, window, prefix, payload, write)
    }
}
