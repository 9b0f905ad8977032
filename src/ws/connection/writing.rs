//! A connection's output: messages become frames, compressed if that was agreed on.

use bytes::BytesMut;

use super::{Compression, Connection};
use crate::ws::Encoding;
use crate::ws::frame::{self, OpCode};

impl Connection {
    /// Appends one message to `out`, as one frame: `prefix` if there is one, then `payload`. Text must be UTF-8,
    /// which is not checked. Returns false, and appends nothing, if either side has closed.
    #[inline]
    pub fn send(&mut self, text: bool, prefix: Option<u8>, payload: &[u8], out: &mut BytesMut) -> bool {
        if !self.is_open() {
            return false;
        }
        frame::encode(OpCode::of(text), prefix, payload, out);
        true
    }

    /// The same, compressed: if that was agreed on, the message with its prefix is not below the threshold, and it
    /// gets shorter by it.
    pub fn send_compressed(
        &mut self,
        text: bool,
        prefix: Option<u8>,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> bool {
        let how = match self.compression {
            Some(Compression { how, .. }) if self.is_open() => how,
            _ => return self.send(text, prefix, payload, out),
        };
        let window = match how.wants(payload.len() + usize::from(prefix.is_some())) {
            true => self.windows().map(|windows| &mut windows.server),
            false => None,
        };
        how.put(window, text, prefix, payload, out) || self.send(text, prefix, payload, out)
    }

    /// How [`send_compressed`](Connection::send_compressed) encodes messages: what many connections are sent is
    /// encoded once for all that are equal in this. `None` if it depends on what was sent before (context takeover).
    pub fn encoding(&self) -> Option<Encoding> {
        match self.compression {
            Some(compression) if compression.agreement.takes_over() => None,
            Some(compression) => Some(Encoding(Some(compression.how))),
            None => Some(Encoding::PLAIN),
        }
    }

    /// Appends one message that was encoded before, by this connection's [`encoding`](Connection::encoding) or
    /// [`Encoding::PLAIN`]. Returns false, and appends nothing, if either side has closed.
    #[inline]
    pub fn send_encoded(&mut self, frame: &[u8], out: &mut BytesMut) -> bool {
        let open = self.is_open();
        if open {
            out.extend_from_slice(frame);
        }
        open
    }
}
