//! The way out of a session's write buffer: into the answer of a poll, or frame by frame.

use super::{Messages, Outgoing, Session};
use crate::proto::close::Close;
use crate::proto::event::{Event, Events, Output, PollId, Reply};
use crate::proto::payload;
use crate::proto::state::{Link, Polling, State, WebSocket};
use crate::proto::{Frame, Packet, PacketType, Refusal};

impl Session {
    /// The next packet for the WebSocket, as one message of it; `None` when there is none or the
    /// transport is not a WebSocket. Call it only while the WebSocket has room.
    pub fn poll_frame(&mut self) -> Option<OutgoingFrame> {
        if !matches!(self.state.link(), Some(Link::WebSocket(_))) || self.buffer.is_empty() {
            return None;
        }
        if self.flushing == 0 {
            // A buffer of so many packets would not fit into any memory.
            self.flushing = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
            self.tell_flush(self.buffer.len());
        }
        let outgoing = self.buffer.pop_front()?;
        self.flushing -= 1;
        let released = outgoing.released();
        self.left(&outgoing);
        let Outgoing {
            packet,
            compress,
            number,
            ..
        } = outgoing;
        if self.buffer.is_empty() {
            self.tell(Events::DRAIN, || Event::Drain);
        }
        self.tally.went_out(Messages::of(&packet));
        let frame = packet.into_frame(self.revision, self.base64);
        Some(OutgoingFrame {
            frame,
            compress,
            released,
            number,
        })
    }

    /// Answers the parked poll if there is something to say.
    pub(super) fn flush_poll(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let Some(polling) = self.state.polling() else {
            return;
        };
        let Some(poll) = polling.parked.take() else { return };
        let count = match std::mem::take(&mut polling.handshake) {
            0 => self.buffer.len(),
            handshake => handshake.min(self.buffer.len()),
        };
        if let Some(probe) = &mut polling.probe {
            probe.noop_at = None;
        }
        self.reply_buffer(poll, count, None);
    }

    /// A closing session closes as soon as everything has left; a poll takes the rest along with it.
    #[inline]
    pub(super) fn finish_closing(&mut self) {
        if let State::Closing {
            link: Link::WebSocket(_),
            close,
            ..
        } = &self.state
            && self.buffer.is_empty()
        {
            let close = Close::clone(close);
            self.end(close);
        }
    }

    /// The first `count` packets of the buffer, and `last`, answer a poll.
    pub(super) fn reply_buffer(&mut self, poll: PollId, count: usize, last: Option<Packet>) {
        // A close packet alone is no flush.
        if count > 0 {
            self.tell_flush(count);
        }
        let leaving = self.buffer.iter().take(count).map(|outgoing| &outgoing.packet);
        let body = payload::encode(leaving.chain(&last), self.revision, !self.base64);
        let (mut released, mut flushed, mut compress) = (0, 0, false);
        for _ in 0..count {
            let Some(outgoing) = self.buffer.pop_front() else {
                break;
            };
            self.left(&outgoing);
            released += outgoing.released();
            flushed = outgoing.number;
            compress |= outgoing.compress;
            self.tally.went_out(Messages::of(&outgoing.packet));
        }
        self.last_reply = Some(poll);
        self.outputs.push_back(Output::Reply(Reply {
            poll,
            body,
            compress,
            released,
            flushed,
        }));
        if count > 0 && self.buffer.is_empty() {
            self.tell(Events::DRAIN, || Event::Drain);
        }
    }

    /// A packet of the transport's own, such as a noop, answers a poll.
    pub(super) fn reply_alone(&mut self, poll: PollId, kind: PacketType) {
        let body = payload::encode([&Packet::new(kind)], self.revision, !self.base64);
        self.outputs.push_back(Output::Reply(Reply {
            poll,
            body,
            compress: false,
            released: 0,
            flushed: 0,
        }));
    }

    fn tell_flush(&mut self, count: usize) {
        if self.interest.contains(Events::FLUSH) {
            let packets = self
                .buffer
                .iter()
                .take(count)
                .map(|outgoing| outgoing.packet.clone())
                .collect();
            self.outputs.push_back(Output::Event(Event::Flush(packets)));
        }
    }

    /// The polling side of the end: whoever waits is answered.
    pub(super) fn end_polling(&mut self, polling: Polling, close: &Close) {
        if let Some(poll) = polling.parked {
            self.reply_alone(poll, super::polling::last_word(close));
        }
        if let Some(push) = polling.push {
            let result = Err(Refusal::UnknownSid);
            self.outputs.push_back(Output::PushDone {
                push: push.id,
                result,
            });
        }
        if let Some(probe) = polling.probe {
            self.tally.upgrade_failed();
            self.outputs.push_back(Output::DropProbe(probe.id));
        }
    }

    /// The WebSocket side of the end.
    pub(super) fn end_websocket(&mut self, websocket: WebSocket, close: Close) {
        if let Some(push) = websocket.held {
            let result = Err(Refusal::UnknownSid);
            self.outputs.push_back(Output::PushDone {
                push: push.id,
                result,
            });
        }
        self.outputs.push_back(Output::CloseWebSocket(close));
    }
}

/// A packet on its way to the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingFrame {
    /// What the WebSocket sends as one message.
    pub frame: Frame,
    /// Whether it asks for compression.
    pub compress: bool,
    /// How many of the bytes that [`Session::send`] took leave with it ([`cost`](super::cost)).
    pub released: usize,
    /// All messages up to this number are flushed once this one is.
    pub number: u64,
}
