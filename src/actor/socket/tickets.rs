//! Who waits for a message to be flushed. Knows numbers only.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use actix::dev::OneshotSender;

use crate::proto::SendError;

type Asker = OneshotSender<Result<(), SendError>>;

/// The askers of sends, in the order of their messages. Shared with the answers to those sends: an asker is
/// known only after its message was handled, and must be told even if the session ends in between.
#[derive(Default, Clone)]
pub(super) struct Tickets(Rc<RefCell<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Asker)>,
    /// The last message that was handed to the WebSocket.
    sent: u64,
    /// The last message that was flushed.
    flushed: u64,
    closed: bool,
}

impl Tickets {
    pub(super) fn are_waiting(&self) -> bool {
        !self.0.borrow().waiting.is_empty()
    }

    /// Answers when the message with this number is flushed. Returns whether that is not now.
    pub(super) fn wait(&self, number: u64, asker: Asker) -> bool {
        let mut queue = self.0.borrow_mut();
        if number <= queue.flushed {
            let _ = asker.send(Ok(()));
            return false;
        }
        if queue.closed {
            let _ = asker.send(Err(SendError::Closed));
            return false;
        }
        let at = queue.waiting.partition_point(|(other, _)| *other <= number);
        queue.waiting.insert(at, (number, asker));
        true
    }

    /// Messages up to this number were handed to the WebSocket.
    pub(super) fn sent(&self, number: u64) {
        let mut queue = self.0.borrow_mut();
        queue.sent = queue.sent.max(number);
    }

    /// The WebSocket has nothing left to send.
    pub(super) fn all_sent_are_flushed(&self) {
        let sent = self.0.borrow().sent;
        self.flushed(sent);
    }

    /// Messages up to this number are flushed.
    pub(super) fn flushed(&self, number: u64) {
        let queue = &mut *self.0.borrow_mut();
        queue.flushed = queue.flushed.max(number);
        let flushed = queue.flushed;
        let done = queue.waiting.partition_point(|(number, _)| *number <= flushed);
        for (_, asker) in queue.waiting.drain(..done) {
            let _ = asker.send(Ok(()));
        }
    }

    /// Nothing will be flushed any more.
    pub(super) fn closed(&self) {
        let mut queue = self.0.borrow_mut();
        queue.closed = true;
        for (_, asker) in queue.waiting.drain(..) {
            let _ = asker.send(Err(SendError::Closed));
        }
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.0.borrow();
        f.debug_struct("Tickets")
            .field("waiting", &queue.waiting.len())
            .field("flushed", &queue.flushed)
            .finish_non_exhaustive()
    }
}
