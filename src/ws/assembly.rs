//! A message on its way in: fragments, and a frame whose payload comes in pieces, put together in one buffer.
//! Bounds how much is kept, checks text as it comes. Frames that are whole do not pass through here.

use bytes::Bytes;

use super::ProtocolError;
use super::frame::Header;
use super::mask::{rotate, unmask};

/// The message that is being received. Its bytes are bounded by what `Header::decode` lets in.
#[derive(Debug)]
pub(super) struct Assembly {
    text: bool,
    /// What comes is to be inflated; if it is text, only then is it checked.
    compressed: bool,
    /// What has come so far, unmasked.
    data: Vec<u8>,
    /// How much of `data` is known to be whole characters. Text only.
    checked: usize,
    /// Frames so far, the one that is coming included.
    fragments: usize,
    /// What is missing of the current frame's payload.
    missing: usize,
    /// The current frame's key, turned to the next byte.
    mask: [u8; 4],
    /// The current frame is the last one.
    fin: bool,
}

impl Assembly {
    /// A message without a frame yet.
    pub(super) fn new(text: bool, compressed: bool) -> Self {
        Assembly {
            text,
            compressed,
            data: Vec::new(),
            checked: 0,
            fragments: 0,
            missing: 0,
            mask: [0; 4],
            fin: false,
        }
    }

    /// The bytes that have come so far.
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// The memory that they take, in bytes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.data.capacity()
    }

    /// The bytes that are missing of the current frame; none between two frames.
    pub(super) fn missing(&self) -> usize {
        self.missing
    }

    /// Whether the message has ended: its last frame came, all of it.
    pub(super) fn is_complete(&self) -> bool {
        self.fin && self.missing == 0
    }

    /// The next frame of the message begins; `len` is its payload, checked against the limit already.
    pub(super) fn begin(
        &mut self,
        header: &Header,
        len: usize,
        max_fragments: usize,
    ) -> Result<(), ProtocolError> {
        self.fragments += 1;
        // Empty fragments cost no bytes: only their number ends an endless message.
        if self.fragments > max_fragments && !(self.fragments == 1 && header.fin) {
            return Err(ProtocolError::TooManyFragments);
        }
        self.missing = len;
        self.mask = header.mask;
        self.fin = header.fin;
        Ok(())
    }

    /// Takes what `input` has of the current frame, unmasking it there. Returns how many bytes that was.
    pub(super) fn take(&mut self, input: &mut [u8]) -> Result<usize, ProtocolError> {
        let taken = self.missing.min(input.len());
        let (chunk, _) = input.split_at_mut(taken);
        unmask(chunk, self.mask);
        // Memory grows with what has come, not with what is announced; doubled, so that many small pieces do not
        // each move it; and in the last frame not beyond what is announced.
        if self.fin && self.data.capacity() - self.data.len() < taken {
            self.data
                .reserve_exact(self.missing.min(self.data.len().max(taken)));
        }
        self.data.extend_from_slice(chunk);
        self.mask = rotate(self.mask, taken);
        self.missing -= taken;
        if self.text && !self.compressed {
            self.check_text()?;
        }
        Ok(taken)
    }

    /// Fails at the first byte that no character can have there; a character may still be incomplete.
    fn check_text(&mut self) -> Result<(), ProtocolError> {
        let new = self.data.get(self.checked..).unwrap_or_default();
        match std::str::from_utf8(new) {
            Ok(_) => self.checked = self.data.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(ProtocolError::InvalidUtf8),
        }
        Ok(())
    }

    /// Whether it is text. The last character may be incomplete.
    pub(super) fn is_text(&self) -> bool {
        self.text
    }

    /// Whether it is to be inflated.
    pub(super) fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// The payload of the whole message.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from(self.data)
    }
}
