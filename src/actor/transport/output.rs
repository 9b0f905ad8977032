//! The buffer of a thread that its WebSockets encode into, lent to one at a time: an idle one holds none.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};

use super::bare::Bare;
use crate::proto::FrameRef;
use crate::ws::Encoding;

/// How much of it is kept while nobody uses it, in bytes.
const MAX_KEPT: usize = 128 * 1024;

thread_local! {
    static KEPT: Cell<BytesMut> = Cell::default();
}

/// An empty buffer, with memory if the thread has some.
pub(super) fn take() -> BytesMut {
    KEPT.take()
}

/// Gives a buffer's memory back. What is left in it is dropped.
pub(super) fn give(mut buffer: BytesMut) {
    if buffer.capacity() <= MAX_KEPT {
        buffer.clear();
        KEPT.set(buffer);
    }
}

/// Messages on their way to a WebSocket, encoded as they come.
#[derive(Debug)]
pub(in crate::actor) struct Output {
    pub(super) bytes: BytesMut,
    pub(super) encoding: Encoding,
    pub(super) bare: Bare,
    /// No more messages when there are so many bytes.
    pub(super) room: usize,
}

impl Output {
    /// Whether a message may be [put](Self::put) behind the others.
    #[inline]
    pub(in crate::actor) fn has_room(&self) -> bool {
        self.bytes.len() < self.room
    }

    /// Encodes a message.
    #[inline]
    pub(in crate::actor) fn put(&mut self, frame: FrameRef<'_>, compress: bool) {
        let encoding = if compress { self.encoding } else { Encoding::PLAIN };
        if let Some(prefix) = self.bare.prefix(frame) {
            encoding.put(frame.is_text, prefix, frame.payload, &mut self.bytes);
        }
    }

    /// What was put, in memory of its own.
    pub(super) fn into_bytes(self) -> Bytes {
        let bytes = Bytes::copy_from_slice(&self.bytes);
        give(self.bytes);
        bytes
    }
}
