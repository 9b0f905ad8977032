//! The short way out: messages that become frames without the write buffer, because nothing waits in it and nobody
//! watches it.

use super::{Messages, Session};
use crate::Data;
use crate::proto::event::Events;
use crate::proto::state::{Link, State};
use crate::proto::{FrameRef, Revision};

/// Who wants to hear of these watches the write buffer.
pub(super) const WATCHED: Events = Events::FLUSH.union(Events::DRAIN).union(Events::PACKET_CREATE);

/// How messages become frames on the short way, and those that did. [`Session::pass`] lends it, for as long as nothing
/// else is asked of the session; [`Session::passed`] counts.
#[derive(Debug, Clone, Copy)]
pub struct Passing {
    revision: Revision,
    messages: Messages,
}

impl Passing {
    /// What the WebSocket sends as one message for this one.
    #[inline]
    pub fn frame<'a>(&mut self, data: &'a Data) -> FrameRef<'a> {
        self.messages.add(data);
        FrameRef::of_message(data, self.revision)
    }
}

impl Session {
    /// What [`send`](Self::send) and [`poll_frame`](Self::poll_frame) do together, without the write buffer: for
    /// messages while the session is open on a WebSocket that has room, the buffer is empty, and nobody watches it.
    /// `None` if it is not so, or binary has to become base64 first.
    #[inline]
    pub fn pass(&self) -> Option<Passing> {
        let passes = self.buffer.is_empty()
            && !self.base64
            && !self.interest.intersects(WATCHED)
            && matches!(self.state, State::Open(Link::WebSocket(_)));
        passes.then_some(Passing {
            revision: self.revision,
            messages: Messages::default(),
        })
    }

    /// These have become frames. Returns the number of the last message that was sent: all up to it are flushed once
    /// that one is.
    #[inline]
    pub fn passed(&mut self, passing: Passing) -> u64 {
        self.sent += u64::from(passing.messages.count);
        self.tally.went_out(passing.messages);
        self.sent
    }
}
