//! What comes out of the session, and what must hold of it.

use std::time::Duration;

use engineio::proto::{Event, Frame, OutgoingFrame, Output, Packet, PacketType, Reply, payload};
use engineio::{Config, Data};

use super::{Driver, MARK};

impl Driver<'_> {
    /// Everything that the session wants done, as its contract says.
    pub(crate) fn drain(&mut self) {
        loop {
            self.drain_outputs();
            while self.room
                && let Some(frame) = self.session.poll_frame()
            {
                self.take_frame(frame);
            }
            if self.drain_outputs() {
                continue;
            }
            match self.session.is_reading().then(|| self.held.pop_front()).flatten() {
                Some((packet, real)) => {
                    self.real = real;
                    self.session.handle_frame(self.now, packet);
                }
                None => break,
            }
        }
        self.check();
    }

    pub(super) fn drain_outputs(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.session.poll_output() {
            any = true;
            self.take_output(output);
        }
        any
    }

    fn take_output(&mut self, output: Output) {
        let state = self.session.ready_state();
        match output {
            Output::Event(event) => self.take_event(event),
            Output::Reply(reply) => self.take_reply(reply),
            Output::PushDone { push, result } => {
                self.seen.note((
                    self.action,
                    "push",
                    result.err().map(|refusal| refusal.context()),
                    state,
                ));
                let at = self.pushes.iter().position(|known| known.id == push);
                self.pushes.remove(at.expect("each POST is answered once"));
            }
            Output::DropProbe(probe) => {
                self.seen.note((self.action, "drop probe", state));
                // Its own `handle_probe` may not have returned yet when the session ends in it.
                assert!(self.probes.remove(&probe), "a probe that is not on is dropped");
            }
            Output::CloseWebSocket(_) => {
                self.seen.note((self.action, "close websocket", state));
                assert!(std::mem::replace(&mut self.websocket_open, false), "closed twice");
            }
        }
    }

    fn take_reply(&mut self, reply: Reply) {
        let parked = self.polls.remove(&reply.poll);
        // It may be answered inside of `handle_poll`, but not before that has returned.
        assert!(parked.is_some(), "a poll is answered that does not wait");
        self.answered.push(reply.poll);
        let packets: Vec<Packet> = payload::decode(reply.body.bytes, self.setup.revision, reply.body.binary)
            .map(|packet| packet.expect("an answer is a payload"))
            .collect();
        assert!(!packets.is_empty());
        let kinds: Vec<_> = packets.iter().map(|packet| packet.kind).take(3).collect();
        self.seen
            .note((self.action, "reply", kinds, self.session.ready_state()));
        let (mut released, mut number) = (0, None);
        for packet in packets {
            if let Some((sent, cost)) = self.deliver(&packet) {
                released += cost;
                number = Some(sent);
            }
        }
        assert_eq!(reply.released, released);
        if let Some(number) = number {
            assert_eq!(reply.flushed, number);
        }
        assert!(self.sent.front().is_none_or(|(next, _)| *next > reply.flushed));
    }

    fn take_frame(&mut self, frame: OutgoingFrame) {
        assert!(self.websocket_open, "a frame for no WebSocket");
        let Frame { prefix, data } = frame.frame;
        let mut bytes: Vec<u8> = prefix.into_iter().collect();
        bytes.extend_from_slice(data.as_bytes());
        let packet = match data {
            Data::Text(_) => {
                let text = String::from_utf8(bytes).expect("text is UTF-8");
                Packet::from_text(text.into(), self.setup.revision)
            }
            Data::Binary(_) => Packet::from_binary(bytes.into(), self.setup.revision),
        };
        let packet = packet.expect("a frame is a packet");
        self.seen.note((self.action, "frame", packet.kind));
        let delivered = self.deliver(&packet);
        assert_eq!(frame.released, delivered.map_or(0, |(_, cost)| cost));
        assert!(self.sent.front().is_none_or(|(next, _)| *next > frame.number));
    }

    /// A packet has reached the client. If it is a message that was sent: its number and cost.
    fn deliver(&mut self, packet: &Packet) -> Option<(u64, usize)> {
        if !self.is_sent(packet) {
            return None;
        }
        let (number, cost) = self.sent.pop_front().expect("what arrives was sent");
        assert_eq!(number_of(packet), Some(number), "out of order");
        Some((number, cost))
    }

    /// Whether it is a message of the application's, and not the initial packet.
    fn is_sent(&self, packet: &Packet) -> bool {
        let greeting = self.setup.config.initial_packet.as_ref() == Some(&packet.data);
        packet.kind == PacketType::Message && !greeting
    }

    fn take_event(&mut self, event: Event) {
        assert_eq!(self.close, None, "{event:?} behind the end");
        match event {
            Event::Message(data) => self.take_message(&data),
            Event::Close(close) => {
                self.seen
                    .note((self.action, "end", close.reason, close.description.clone()));
                self.close = Some(close);
                self.sent.clear();
            }
            Event::Flush(packets) => {
                assert!(!packets.is_empty());
                let sent: Vec<_> = packets.iter().filter(|packet| self.is_sent(packet)).collect();
                for packet in sent {
                    self.flushed += 1;
                    assert_eq!(
                        number_of(packet),
                        Some(self.flushed),
                        "a flush is told once, in order"
                    );
                }
            }
            Event::Drain => assert!(self.setup.echoes || self.session.buffered_bytes() == 0),
            Event::Error(close) => self.seen.note((self.action, "error", close.reason)),
            other => self.seen.note((self.action, std::mem::discriminant(&other))),
        }
    }

    fn take_message(&mut self, data: &Data) {
        if self.real
            && let Some(digits) = data.as_bytes().strip_prefix(&[MARK as u8])
        {
            let number = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok());
            let number: u64 = number.expect("a number behind the mark");
            assert!(
                number > self.told && number <= self.made,
                "{number} behind {}",
                self.told
            );
            self.told = number;
        }
        if self.setup.echoes {
            let action = self.action;
            self.send(data.len(), !data.is_text());
            self.action = action;
        }
    }

    /// What holds after each drain.
    fn check(&mut self) {
        let outstanding = self.outstanding();
        let buffered = self.session.buffered_bytes();
        assert!(
            outstanding <= buffered || self.is_closed(),
            "{outstanding} of {buffered}"
        );
        let config = &self.setup.config;
        assert!(buffered <= config.max_buffered_bytes + config.max_http_buffer_size + 4096);
        self.seen.note((
            self.session.ready_state(),
            self.session.transport(),
            self.polls.len(),
            self.pushes.len(),
            self.probes.len(),
            buffered > 0,
        ));
        assert_eq!(self.is_closed(), self.close.is_some());
        if self.is_closed() {
            assert_eq!(buffered, 0);
            let farewell = self.session.poll_timeout().map(|until| until - self.now);
            assert!(
                farewell.is_none_or(|left| left <= Duration::from_millis(100)),
                "{farewell:?}"
            );
            assert!(self.polls.is_empty(), "a poll is left without an answer");
            assert!(self.pushes.is_empty(), "a POST is left without an answer");
            assert!(
                self.probes.is_empty() && !self.websocket_open,
                "a WebSocket is left open"
            );
            assert!(self.session.poll_frame().is_none());
        }
    }

    /// The client falls silent: whatever waits is answered, and the session ends in time.
    pub(crate) fn finish(mut self) {
        self.action = "finish";
        if !self.opened {
            self.open();
        }
        self.drain();
        self.room = true;
        self.drain();
        self.timeout();
        let start = self.now;
        let Config {
            ping_interval: interval,
            ping_timeout: timeout,
            ..
        } = *self.setup.config;
        let last = start + (interval + timeout) * 2 + Duration::from_secs(3);
        let parked_in_probe = !self.polls.is_empty() && !self.probes.is_empty();
        let push_due = self.pushes.first().map(|push| push.deadline);
        let mut steps = 0;
        while let Some(due) = self.session.poll_timeout() {
            steps += 1;
            assert!(steps < 64, "a busy loop");
            assert!(due >= self.now || steps == 1, "a deadline goes backwards");
            self.now = self.now.max(due);
            assert!(self.now <= last, "a silent client is kept");
            if parked_in_probe && self.now > start + Duration::from_millis(50) {
                assert!(
                    self.polls.is_empty() || self.probes.is_empty(),
                    "a poll is stuck in an upgrade"
                );
            }
            if push_due.is_some_and(|due| self.now > due) {
                assert!(self.pushes.is_empty(), "a POST is over its time");
            }
            if self.now > start + self.setup.config.upgrade_timeout {
                assert!(self.probes.is_empty(), "an upgrade is over its time");
            }
            self.session.handle_timeout(self.now);
            self.drain();
        }
        assert!(self.is_closed());
    }
}

/// The number that stands at the beginning of what the application sends.
fn number_of(packet: &Packet) -> Option<u64> {
    let text = String::from_utf8_lossy(packet.data.as_bytes());
    text.split('|').next()?.parse().ok()
}
