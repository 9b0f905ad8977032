//! Polling: at most one GET that waits and one POST that comes in.

use std::time::{Duration, Instant};

use super::{Session, pace};
use crate::proto::close::{Close, CloseReason, Detail};
use crate::proto::event::{Output, PollId, PushBody, PushId};
use crate::proto::payload;
use crate::proto::state::{Link, Probing, Push, State};
use crate::proto::{BadRequest, Packet, PacketType, Refusal, Revision};

/// How long a poll that was under way when the client closed is waited for.
const FAREWELL: Duration = Duration::from_millis(100);

/// While an upgrade is on, this many empty polls are answered at once: the client may poll again after
/// the first.
const NOOPS_AT_ONCE: u8 = 2;

/// Later ones wait so long for a packet, lest a proxy that swallows `3probe` makes a busy loop.
const NOOP_DELAY: Duration = Duration::from_millis(50);

impl Session {
    /// A GET asks for packets. It is answered by an [`Output::Reply`] that carries its id, now or when
    /// there is something to say.
    ///
    /// # Errors
    /// A [`Refusal`], when this session does not poll (any more), or when another poll waits: then that
    /// one is answered by a close packet and the session ends (protocol, "HTTP long-polling").
    pub fn handle_poll(&mut self, now: Instant, poll: PollId) -> Result<(), Refusal> {
        self.handle_timeout(now);
        if self.answer_farewell(poll) {
            return Ok(());
        }
        let polling = match self.state.link_mut() {
            None => return Err(Refusal::UnknownSid),
            Some(Link::WebSocket(_)) => return Err(BadRequest::TransportMismatch.into()),
            Some(Link::Polling(polling)) => polling,
        };
        if polling.parked.is_some() {
            self.end(Close::because(CloseReason::TransportError, "overlap from client"));
            return Err(BadRequest::Overlap.into());
        }
        polling.parked = Some(poll);
        if matches!(self.state, State::Closing { .. }) {
            self.answer_last_poll();
        } else if self.buffer.is_empty() {
            self.noop(now);
        }
        Ok(())
    }

    /// The client of a poll left before its answer was handed to it.
    pub fn handle_poll_gone(&mut self, poll: PollId) {
        let parked = self
            .state
            .polling()
            .is_some_and(|polling| polling.parked == Some(poll));
        if parked && let Some(polling) = self.state.polling() {
            polling.parked = None;
        }
        // An answer that went nowhere took packets along: going on would be a loss untold.
        if parked || self.last_reply == Some(poll) {
            self.end(Close::because(
                CloseReason::TransportError,
                "poll connection closed prematurely",
            ));
        }
    }

    /// Whether a client that polls has not come for what it is to be told: in revision 4 for a ping.
    pub(super) fn is_not_fetched(&self) -> bool {
        let Some(Link::Polling(polling)) = self.state.link() else {
            return false;
        };
        let is_waiting = match self.revision {
            Revision::V4 => self
                .buffer
                .iter()
                .any(|outgoing| outgoing.packet.kind == PacketType::Ping),
            Revision::V3 => !self.buffer.is_empty(),
        };
        is_waiting && polling.parked.is_none()
    }

    /// A POST announces itself, before its body is read. It is answered by an [`Output::PushDone`] that
    /// carries its id.
    ///
    /// # Errors
    /// A [`Refusal`], when this session does not poll (any more), when another POST is coming in, or when
    /// the body is of a type that the revision does not have: the last two end the session.
    pub fn handle_push(&mut self, now: Instant, push: PushId, binary: bool) -> Result<(), Refusal> {
        self.handle_timeout(now);
        let deadline = now + pace(&self.config).timeout;
        let polling = match self.state.link_mut() {
            None => return Err(Refusal::UnknownSid),
            Some(Link::WebSocket(_)) => return Err(BadRequest::TransportMismatch.into()),
            Some(Link::Polling(polling)) => polling,
        };
        if polling.push.is_some() {
            self.end(Close::because(
                CloseReason::TransportError,
                "data request overlap from client",
            ));
            return Err(BadRequest::Overlap.into());
        }
        if binary && self.revision == Revision::V4 {
            self.end(Close::because(CloseReason::TransportError, "invalid content"));
            return Err(BadRequest::InvalidPayload.into());
        }
        polling.push = Some(Push {
            id: push,
            deadline,
            begun: false,
        });
        Ok(())
    }

    /// The first bytes of a POST's body are here, the last ones are not.
    pub fn handle_push_begun(&mut self, push: PushId) {
        if let Some(slot) = self.push_slot(push) {
            slot.begun = true;
        }
    }

    /// The body of a POST is complete.
    pub fn handle_payload(&mut self, now: Instant, push: PushId, body: PushBody) {
        self.handle_timeout(now);
        if self.push_slot(push).is_none() {
            return;
        }
        let mut result = Ok(());
        for packet in payload::decode(body.bytes, self.revision, body.binary) {
            match packet {
                // What stands behind a close packet is not read.
                Ok(packet) if packet.kind == PacketType::Close => {
                    self.push_done(push, Ok(()));
                    return self.handle_packet(now, packet);
                }
                Ok(packet) => self.handle_packet(now, packet),
                Err(_) => {
                    result = Err(BadRequest::InvalidPayload.into());
                    break;
                }
            }
        }
        let parsed = result.is_ok();
        self.push_done(push, result);
        if !parsed {
            self.end(CloseReason::ParseError);
        }
    }

    /// The body of a POST will never be complete: the client left, or it is too large. `refusal` is the
    /// answer, for whoever still listens.
    pub fn handle_push_failed(&mut self, push: PushId, refusal: Refusal) {
        let Some(slot) = self.push_slot(push) else { return };
        let begun = slot.begun;
        let size = match refusal {
            Refusal::PayloadTooLarge { size } => Some(size),
            _ => None,
        };
        let description = match refusal {
            Refusal::PayloadTooLarge { .. } => "payload too large",
            Refusal::RequestTimeout => "data request timeout",
            _ => "data request connection closed prematurely",
        };
        self.push_done(push, Err(refusal));
        // A POST of before the swap of which nothing has arrived can go without a trace.
        if self.state.websocket().is_none() || begun {
            let mut close = Close::because(CloseReason::TransportError, description);
            if size.is_some() {
                close = close.with(Detail::too_large(size, self.config.max_http_buffer_size));
            }
            self.end(close);
        }
    }

    /// Ends the POST whose body has taken too long, wherever its session is by now.
    pub(super) fn expire_push(&mut self, now: Instant) {
        if let Some(&push) = self.state.push()
            && push.deadline <= now
            && !self.holds_input
        {
            let refusal = match self.state.websocket() {
                Some(_) => BadRequest::TransportMismatch.into(),
                None => Refusal::RequestTimeout,
            };
            self.handle_push_failed(push.id, refusal);
        }
    }

    /// The client's close packet. Its last poll may still be under way, on another connection: it shall end
    /// as cleanly as one that has come before, and not with an error that the user of a browser sees.
    pub(super) fn handle_close(&mut self, now: Instant) {
        let is_awaited = self
            .state
            .polling()
            .is_some_and(|polling| polling.parked.is_none());
        self.end(CloseReason::TransportClose);
        if is_awaited {
            self.state = State::Closed {
                farewell: Some(now + FAREWELL),
            };
        }
    }

    fn answer_farewell(&mut self, poll: PollId) -> bool {
        let State::Closed { farewell } = &mut self.state else {
            return false;
        };
        let is_awaited = farewell.take().is_some();
        if is_awaited {
            self.reply_alone(poll, PacketType::Noop);
        }
        is_awaited
    }

    pub(super) fn expire_farewell(&mut self, now: Instant) {
        if let State::Closed { farewell } = &mut self.state {
            farewell.take_if(|until| *until <= now);
        }
    }

    /// Answers the parked poll with a noop if an upgrade is on, at once or a little later.
    pub(super) fn noop(&mut self, now: Instant) {
        let Some(polling) = self.state.polling() else {
            return;
        };
        let (Some(poll), Some(probe)) = (polling.parked, &mut polling.probe) else {
            return;
        };
        if probe.noops < NOOPS_AT_ONCE || probe.noop_at.is_some_and(|at| at <= now) {
            probe.noops = probe.noops.saturating_add(1);
            probe.noop_at = None;
            polling.parked = None;
            self.reply_alone(poll, PacketType::Noop);
        } else {
            probe.noop_at.get_or_insert(now + NOOP_DELAY);
        }
    }

    /// The poll that a closing session waits for takes everything, and a close packet.
    pub(super) fn answer_last_poll(&mut self) {
        let State::Closing { close, .. } = &self.state else {
            return;
        };
        let close = Close::clone(close);
        match self.state.polling().and_then(|polling| polling.parked.take()) {
            Some(poll) => self.reply_buffer(poll, self.buffer.len(), Some(Packet::new(PacketType::Close))),
            None if self.buffer.is_empty() && self.close_with_answer() => {}
            None => return,
        }
        self.end(close);
    }

    fn push_slot(&mut self, push: PushId) -> Option<&mut Push> {
        self.state.push_mut().filter(|slot| slot.id == push)
    }

    fn push_done(&mut self, push: PushId, result: Result<(), Refusal>) {
        if self.push_slot(push).is_none() {
            return;
        }
        match self.state.link_mut() {
            Some(Link::Polling(polling)) => polling.push = None,
            Some(Link::WebSocket(websocket)) => websocket.held = None,
            None => {}
        }
        self.outputs.push_back(Output::PushDone { push, result });
    }
}

/// What a parked poll is told when its session ends: a client that has closed knows already.
pub(super) fn last_word(close: &Close) -> PacketType {
    match close.reason {
        CloseReason::TransportClose => PacketType::Noop,
        _ => PacketType::Close,
    }
}

impl Probing {
    pub(super) fn new(id: crate::proto::event::ProbeId, deadline: Instant) -> Self {
        Probing {
            id,
            deadline,
            noops: 0,
            noop_at: None,
        }
    }
}
