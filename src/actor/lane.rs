//! The short way out of a handler that answers its own socket: what it sends becomes bytes at once, in the buffer that
//! is written when it is done, or in the answer to a poll. Open while a batch of messages is told; whoever sends finds it
//! by the socket's key.

use std::cell::{Cell, RefCell};

use super::current;
use super::transport::Output;
use crate::Data;
use crate::proto::{Answering, Passing, cost};

/// What a socket's messages need on their way out.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) way: Way,
    /// The largest message, counted by [`cost`].
    pub(super) max_cost: usize,
    /// All broadcasts up to this number have been taken.
    pub(super) after: u64,
}

/// Where they go.
#[derive(Debug)]
pub(super) enum Way {
    /// To the WebSocket: how they become frames, how frames become bytes, and where those go.
    Frames(Passing, Output),
    /// Into the answer to the poll that waits.
    Payload(Answering),
}

thread_local! {
    /// Whose lane is open on this thread: its [key](super::Socket::key), or 0.
    static OPEN: Cell<usize> = const { Cell::new(0) };
    static LANE: RefCell<Option<Lane>> = const { RefCell::new(None) };
}

/// Opens the lane of `socket`. To be [closed](close) before anything else is done with the socket.
pub(super) fn open(socket: usize, lane: Lane) {
    debug_assert_eq!(OPEN.get(), 0);
    LANE.set(Some(lane));
    OPEN.set(socket);
}

/// Closes the lane that is open, if there is one.
pub(super) fn close() -> Option<Lane> {
    OPEN.set(0);
    LANE.take()
}

/// Sends a message, behind the broadcasts up to `after`, by the lane of `socket`. False, and nothing has happened, if
/// that is not open, has no room, or something comes before.
#[inline]
pub(super) fn send(socket: usize, data: &Data, compress: bool, after: u64) -> bool {
    if OPEN.get() != socket || current::is_wanted() {
        return false;
    }
    LANE.with_borrow_mut(|lane| lane.as_mut().is_some_and(|lane| lane.send(data, compress, after)))
}

impl Lane {
    /// Sends a message, behind the broadcasts up to `after`. False, and nothing has happened, if there is no room or
    /// something comes before.
    #[inline]
    pub(super) fn send(&mut self, data: &Data, compress: bool, after: u64) -> bool {
        let takes = after <= self.after && cost(data) <= self.max_cost;
        match &mut self.way {
            Way::Frames(passing, output) if takes && output.has_room() => {
                output.put(passing.frame(data), compress);
                true
            }
            Way::Payload(answering) if takes && answering.has_room() => {
                answering.put(data, compress);
                true
            }
            _ => false,
        }
    }
}
