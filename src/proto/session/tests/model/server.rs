//! The server of the model: the session, driven as `SocketActor` drives it, behind a [`Mutation`] that can
//! falsify what goes in and what comes out. No switch for that lies in the session itself.

use std::time::Instant;

use super::{Message, Mutation, Violation};
use crate::proto::{
    CloseReason, Event, Output, Packet, PacketType, PollId, Probe, ProbeId, PushBody, PushId, ReadyState,
    Refusal, Reply, Session, Transport, cost, payload,
};

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) session: Session,
    mutation: Mutation,
    /// Messages taken by the session, and the last one that it told.
    pub(super) sent: Message,
    pub(super) received: Message,
    /// Whether a POST may be missing: it was refused, and its client knows.
    pub(super) gap: bool,
    pub(super) closed: Option<CloseReason>,
    /// Bytes that were taken and have not left yet.
    pub(super) reserved: usize,
    /// What the last answer to a poll carried (for a mutation).
    last: Vec<Packet>,
    /// How many noops went out (for a mutation).
    noops: u8,
}

impl Server {
    pub(super) fn new(session: Session, mutation: Mutation) -> Self {
        Server {
            session,
            mutation,
            sent: 0,
            received: 0,
            gap: false,
            closed: None,
            reserved: 0,
            last: Vec::new(),
            noops: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.session.ready_state() == ReadyState::Open
    }

    pub(super) fn is_on(&self, transport: Transport) -> bool {
        self.session.transport() == Some(transport)
    }

    pub(super) fn send(&mut self) {
        let data = super::message(self.sent + 1).data;
        // Every other one on the short way, if there is one.
        if self.sent.is_multiple_of(2)
            && let Some(mut answering) = self.session.answer()
        {
            answering.put(&data, false);
            self.session.answered(answering);
            self.sent += 1;
            return;
        }
        let cost = cost(&data);
        if self.session.send(data, false).is_ok() {
            self.sent += 1;
            self.reserved += cost;
        }
    }

    pub(super) fn poll_gone(&mut self, poll: PollId) {
        if self.mutation != Mutation::IgnoreAbortedPoll {
            self.session.handle_poll_gone(poll);
        }
    }

    pub(super) fn payload(&mut self, now: Instant, push: PushId, packets: &[Packet]) {
        let bytes = payload::encode(packets, self.session.revision(), false).bytes;
        let body = PushBody { bytes, binary: false };
        self.session.handle_payload(now, push, body);
    }

    pub(super) fn upgrade(&mut self, now: Instant, probe: ProbeId) -> Result<Vec<Packet>, Refusal> {
        let open = self.is_on(Transport::Polling);
        self.session.handle_upgrade(now, probe)?;
        match self.mutation {
            Mutation::DropBufferAtUpgrade => while self.session.poll_frame().is_some() {},
            Mutation::RepeatAtUpgrade if open => return Ok(std::mem::take(&mut self.last)),
            _ => {}
        }
        Ok(Vec::new())
    }

    pub(super) fn probe_lost(&mut self, probe: ProbeId) {
        self.session.handle_probe_lost(probe);
        if self.mutation == Mutation::EndWithTheProbe {
            self.session.abort(CloseReason::TransportError);
        }
    }

    pub(super) fn is_reading(&self) -> bool {
        self.session.is_reading()
            || self.mutation == Mutation::ReadBesideThePost && self.is_on(Transport::WebSocket)
    }

    pub(super) fn frame(&mut self, now: Instant, packet: Packet) -> Result<(), Violation> {
        if !self.session.is_reading() && packet.kind == PacketType::Message {
            // The mutant reads although a POST is still coming in.
            return self.take(&packet);
        }
        self.session.handle_frame(now, Ok(packet));
        Ok(())
    }

    pub(super) fn has_frames(&self) -> bool {
        self.is_on(Transport::WebSocket) && !self.session.buffer.is_empty()
    }

    pub(super) fn poll_frame(&mut self) -> Option<Packet> {
        let frame = self.session.poll_frame()?;
        self.reserved -= frame.released;
        super::unframe(frame.frame)
    }

    pub(super) fn poll_output(&mut self) -> Result<Option<Output>, Violation> {
        while let Some(output) = self.session.poll_output() {
            // The client's last poll, if it was under way when the client closed, is all that is left to say.
            let is_farewell =
                matches!(output, Output::Reply(_)) && self.closed == Some(CloseReason::TransportClose);
            if self.closed.is_some() && !is_farewell {
                return Err("the session wants something after its end");
            }
            match output {
                Output::Event(Event::Message(data)) => self.take(&Packet::message(data))?,
                Output::Event(Event::Close(close)) => self.closed = Some(close.reason),
                Output::Event(_) => {}
                output if self.swallows(&output) => {}
                output => return Ok(Some(output)),
            }
        }
        Ok(None)
    }

    /// The packets of an answer that reaches its poll.
    pub(super) fn answered(&mut self, reply: Reply) -> Vec<Packet> {
        self.reserved -= reply.released;
        let packets = payload::decode(reply.body.bytes, self.session.revision(), reply.body.binary);
        let packets: Vec<Packet> = packets.flatten().collect();
        let carries_messages = packets.iter().any(|packet| packet.kind == PacketType::Message);
        if self.mutation == Mutation::RepeatAtUpgrade && carries_messages {
            self.last.clone_from(&packets);
            self.last.retain(|packet| packet.kind == PacketType::Message);
        }
        packets
    }

    fn swallows(&mut self, output: &Output) -> bool {
        match (self.mutation, output) {
            (Mutation::AnswerOnePollByNoop, Output::Reply(reply)) if reply.body.bytes == "6" => {
                self.noops += 1;
                self.noops > 1
            }
            (Mutation::LeaveThePollAtTheEnd, Output::Reply(_)) => {
                self.session.ready_state() == ReadyState::Closed
            }
            (Mutation::KeepTheProbe, Output::DropProbe(_)) => true,
            (Mutation::EndInSilence, Output::CloseWebSocket(_)) => true,
            (Mutation::LeaveThePost, Output::PushDone { result: Err(_), .. }) => true,
            _ => false,
        }
    }

    fn take(&mut self, packet: &Packet) -> Result<(), Violation> {
        let number = super::number(packet);
        let right = match self.gap {
            true => number > self.received,
            false => number == self.received + 1,
        };
        if !right {
            return Err("the server got a message twice, out of order, or after a gap");
        }
        self.received = number;
        Ok(())
    }
}

impl std::hash::Hash for Server {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let session = &self.session;
        (&session.state, &session.heartbeat, session.last_reply).hash(state);
        (session.sent, session.flushing, session.buffer.len()).hash(state);
        for outgoing in session.buffer.iter() {
            super::hash_packet(&outgoing.packet, state);
        }
        (self.sent, self.received, self.gap, self.closed, self.noops).hash(state);
        self.last.len().hash(state);
    }
}

/// A WebSocket's end at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Probing(Probe),
    Session,
    Closed,
}
