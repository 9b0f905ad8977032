//! Who waits for a message to be flushed. Knows numbers only.

use std::collections::VecDeque;

use actix::dev::OneshotSender;

use crate::proto::SendError;

type Asker = OneshotSender<Result<(), SendError>>;

/// The askers of sends, in the order of their messages.
#[derive(Default)]
pub(super) struct Tickets {
    waiting: VecDeque<(u64, Asker)>,
    /// The last message that was handed to the WebSocket.
    sent: u64,
    /// The last message that was flushed.
    flushed: u64,
    closed: bool,
}

impl Tickets {
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Answers when the message with this number is flushed.
    pub(super) fn wait(&mut self, number: u64, asker: Asker) {
        if number <= self.flushed {
            let _ = asker.send(Ok(()));
        } else if self.closed {
            let _ = asker.send(Err(SendError::Closed));
        } else {
            let at = self.waiting.partition_point(|(other, _)| *other <= number);
            self.waiting.insert(at, (number, asker));
        }
    }

    /// Messages up to this number were handed to the WebSocket.
    pub(super) fn sent(&mut self, number: u64) {
        self.sent = self.sent.max(number);
    }

    /// The WebSocket has nothing left to send.
    pub(super) fn all_sent_are_flushed(&mut self) {
        self.flushed(self.sent);
    }

    /// Messages up to this number are flushed.
    pub(super) fn flushed(&mut self, number: u64) {
        self.flushed = self.flushed.max(number);
        while let Some((_, asker)) = self.waiting.pop_front_if(|(number, _)| *number <= self.flushed) {
            let _ = asker.send(Ok(()));
        }
    }

    /// Nothing will be flushed any more.
    pub(super) fn closed(&mut self) {
        self.closed = true;
        for (_, asker) in self.waiting.drain(..) {
            let _ = asker.send(Err(SendError::Closed));
        }
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets")
            .field("waiting", &self.waiting.len())
            .field("flushed", &self.flushed)
            .finish_non_exhaustive()
    }
}
