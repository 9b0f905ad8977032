//! The short way into the answer of a poll that waits: messages that are put in its payload without the write buffer,
//! because nothing waits there and nobody watches it.

use super::passing::WATCHED;
use super::{Messages, Session};
use crate::Data;
use crate::proto::event::{Output, PollId, Reply};
use crate::proto::payload::{self, Body};
use crate::proto::state::{Link, State};
use crate::proto::{Packet, PacketType, Revision};

/// No more messages when the payload has so many bytes.
const ROOM: usize = 64 * 1024;

/// The room that a payload has at first, in bytes.
const FIRST_ROOM: usize = 1024;

/// The answer to a poll, being written. [`Session::answer`] lends it, for as long as nothing else is asked of the
/// session but its outputs; [`Session::answered`] takes it.
#[derive(Debug)]
pub struct Answering {
    poll: PollId,
    payload: Vec<u8>,
    messages: Messages,
    compress: bool,
}

impl Answering {
    /// Whether a message may be [put](Self::put) behind the others.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.payload.len() < ROOM
    }

    /// Puts a message behind the others.
    #[inline]
    pub fn put(&mut self, data: &Data, compress: bool) {
        if self.payload.capacity() == 0 {
            self.payload.reserve(FIRST_ROOM);
        }
        payload::push_message(data, &mut self.payload);
        self.messages.add(data);
        self.compress |= compress;
    }
}

impl Session {
    /// What [`send`](Self::send) and the next [`poll_output`](Self::poll_output) do together, without the write buffer:
    /// for messages while a poll waits, the buffer is empty, nobody watches it and no upgrade is on. `None` if it is not
    /// so, or the revision is 3, where the form of a payload depends on all that is in it.
    pub fn answer(&self) -> Option<Answering> {
        let State::Open(Link::Polling(polling)) = &self.state else {
            return None;
        };
        let is_short = self.buffer.is_empty()
            && self.revision == Revision::V4
            && !self.interest.intersects(WATCHED)
            && polling.probe.is_none()
            && polling.handshake == 0;
        let poll = polling.parked.filter(|_| is_short)?;
        Some(Answering {
            poll,
            payload: Vec::new(),
            messages: Messages::default(),
            compress: false,
        })
    }

    /// These messages answer the poll; if there are none, it goes on waiting.
    pub fn answered(&mut self, answering: Answering) {
        let Answering { poll, messages, .. } = answering;
        if messages.count == 0 {
            return;
        }
        if let Some(polling) = self.state.polling() {
            polling.parked = None;
        }
        self.sent += u64::from(messages.count);
        self.tally.went_out(messages);
        self.last_reply = Some(poll);
        self.outputs.push_back(Output::Reply(Reply {
            poll,
            body: Body {
                bytes: answering.payload.into(),
                binary: false,
            },
            compress: answering.compress,
            released: 0,
            flushed: self.sent,
        }));
    }

    /// Of an answer that has not left yet the close packet is the last. Returns whether there is one.
    pub(super) fn close_with_answer(&mut self) -> bool {
        let Some(polling) = self.state.polling() else {
            return false;
        };
        let is_answered = polling.parked.is_none() && self.revision == Revision::V4;
        match self.outputs.back_mut() {
            Some(Output::Reply(reply)) if is_answered && self.last_reply == Some(reply.poll) => {
                let mut payload = Vec::from(std::mem::take(&mut reply.body.bytes));
                payload::push(&Packet::new(PacketType::Close), &mut payload);
                reply.body.bytes = payload.into();
                true
            }
            _ => false,
        }
    }
}
