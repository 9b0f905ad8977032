//! Who waits for a message to be flushed. Knows numbers only.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use actix::dev::OneshotSender;

use crate::proto::SendError;

type Asker = OneshotSender<Result<(), SendError>>;

/// The askers of sends, in the order of their messages. Nothing, until somebody may wait for one.
#[derive(Debug, Default)]
pub(super) struct Tickets(Option<Shared>);

/// Shared with the answers to those sends: an asker is known only after its message was handled, and must be told even
/// if the session ends in between.
#[derive(Default, Clone)]
pub(super) struct Shared(Rc<RefCell<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Asker)>,
    /// The last message that was handed to the WebSocket.
    sent: u64,
    /// The last message that was flushed.
    flushed: u64,
    closed: bool,
}

impl Shared {
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

    fn flushed(&self, number: u64) {
        let queue = &mut *self.0.borrow_mut();
        queue.flushed = queue.flushed.max(number);
        let flushed = queue.flushed;
        let done = queue.waiting.partition_point(|(number, _)| *number <= flushed);
        for (_, asker) in queue.waiting.drain(..done) {
            let _ = asker.send(Ok(()));
        }
    }
}

impl Tickets {
    /// For the answer to a message that is about to be handled.
    pub(super) fn share(&mut self) -> Shared {
        self.0.get_or_insert_default().clone()
    }

    /// Whether nobody has waited or may yet wait for anything.
    pub(super) fn are_none(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn are_waiting(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|shared| !shared.0.borrow().waiting.is_empty())
    }

    /// Messages up to this number were handed to the WebSocket.
    pub(super) fn sent(&self, number: u64) {
        if let Some(Shared(queue)) = &self.0 {
            let mut queue = queue.borrow_mut();
            queue.sent = queue.sent.max(number);
        }
    }

    /// The WebSocket has nothing left to send.
    pub(super) fn all_sent_are_flushed(&self) {
        if let Some(shared) = &self.0 {
            let sent = shared.0.borrow().sent;
            shared.flushed(sent);
        }
    }

    /// Messages up to this number are flushed.
    pub(super) fn flushed(&self, number: u64) {
        if let Some(shared) = &self.0 {
            shared.flushed(number);
        }
    }

    /// The message with this number has given way to others.
    pub(super) fn dropped(&self, number: u64) {
        let Some(Shared(queue)) = &self.0 else { return };
        let mut queue = queue.borrow_mut();
        if let Ok(at) = queue.waiting.binary_search_by_key(&number, |(number, _)| *number)
            && let Some((_, asker)) = queue.waiting.remove(at)
        {
            let _ = asker.send(Err(SendError::Dropped));
        }
    }

    /// Nothing will be flushed any more.
    pub(super) fn closed(&self) {
        let Some(Shared(queue)) = &self.0 else { return };
        let mut queue = queue.borrow_mut();
        queue.closed = true;
        for (_, asker) in queue.waiting.drain(..) {
            let _ = asker.send(Err(SendError::Closed));
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.0.borrow();
        f.debug_struct("Shared")
            .field("waiting", &queue.waiting.len())
            .field("flushed", &queue.flushed)
            .finish_non_exhaustive()
    }
}
