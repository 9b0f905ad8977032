//! What a side remembers of the messages that were compressed, for context takeover (RFC 7692 section 7.1.1): the
//! last bytes of them, no more. The thread's streams are given these before each message; a compressor for each
//! connection would come to the same bytes, but takes a quarter of a megabyte at least, whatever its window.

/// Those of a connection.
#[derive(Debug)]
pub(in crate::ws) struct Windows {
    /// Of what we have sent compressed.
    pub(in crate::ws) server: Window,
    /// Of what came compressed.
    pub(in crate::ws) client: Window,
}

/// The last bytes of one side's messages. Takes no memory before there are some.
#[derive(Debug)]
pub(in crate::ws) struct Window {
    bytes: Vec<u8>,
    size: usize,
}

impl Window {
    /// An empty one, for so many bytes. With none, nothing is remembered.
    pub(super) fn new(size: usize) -> Self {
        Window {
            bytes: Vec::new(),
            size,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The memory that it takes, in bytes.
    #[cfg(test)]
    pub(in crate::ws) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Goes on with these bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(self.size);
        let last = bytes.get(from..).unwrap_or_default();
        let kept = self.bytes.len().min(self.size - last.len());
        self.bytes.drain(..self.bytes.len() - kept);
        if self.bytes.capacity() - kept < last.len() {
            let room = (kept + last.len()).max(2 * kept).min(self.size);
            self.bytes.reserve_exact(room - kept);
        }
        self.bytes.extend_from_slice(last);
    }
}
