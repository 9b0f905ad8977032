//! What the client does, with its requests and on its WebSockets, and what its HTTP server and network do to it.

use engineio::proto::{
    Body, CloseReason, DecodeError, Events, Packet, PacketType, PollId, ProbeId, PushBody, PushId,
    ReadyState, Refusal, Revision, Transport, payload,
};

use super::{Driver, MARK, PushUnderWay};

impl Driver<'_> {
    pub(crate) fn poll(&mut self) {
        self.action = "poll";
        let id = PollId(self.id());
        let waiting = !self.polls.is_empty();
        match self.session.handle_poll(self.now, id) {
            Ok(()) => {
                self.polls.insert(id, self.now);
                // The one before may have got its answer just now.
                self.drain_outputs();
                assert!(self.polls.len() <= 1, "two polls wait");
            }
            Err(refusal) => {
                self.seen.note(refusal.context());
                if waiting {
                    assert!(self.is_closed(), "overlapping polls end a session");
                }
            }
        }
    }

    pub(crate) fn poll_gone(&mut self, which: u8) {
        self.action = "poll gone";
        // The one that waits, the last one that was answered, or one that never was.
        let waiting = self.polls.keys().next().copied();
        let id = match which % 4 {
            0 | 1 => waiting,
            2 => self.answered.last().copied(),
            _ => Some(PollId(u32::MAX)),
        };
        let Some(id) = id else { return };
        let before = self.session.ready_state();
        self.session.handle_poll_gone(id);
        if waiting == Some(id) {
            assert!(self.is_closed(), "a poll that is gone ends a session");
            self.polls.remove(&id);
        } else if id == PollId(u32::MAX) {
            assert_eq!(self.session.ready_state(), before);
        }
    }

    pub(crate) fn push(&mut self, messages: usize, binary: bool) {
        self.action = "push";
        let id = PushId(self.id());
        let messages: Vec<_> = (0..messages).map(|_| self.make_message()).collect();
        let last = (!messages.is_empty()).then_some(self.made);
        let under_way = !self.pushes.is_empty();
        let deadline = self.now + self.setup.config.ping_timeout;
        match self.session.handle_push(self.now, id, binary) {
            Ok(()) => {
                assert!(!under_way, "two POSTs are under way");
                self.pushes.push(PushUnderWay {
                    id,
                    messages,
                    last,
                    deadline,
                });
            }
            Err(refusal) => self.seen.note(refusal.context()),
        }
    }

    pub(crate) fn push_begun(&mut self) {
        self.action = "push begun";
        let id = self.push_id();
        self.session.handle_push_begun(id);
    }

    /// The body of the POST under way: its messages, or junk.
    pub(crate) fn payload(&mut self, junk: Option<Vec<u8>>) {
        self.action = if junk.is_some() { "junk payload" } else { "payload" };
        let id = self.push_id();
        let real = junk.is_none();
        self.real = real;
        let (bytes, binary) = match (junk, self.pushes.last()) {
            (Some(junk), _) => {
                let binary = junk.first().is_some_and(|byte| *byte < 2);
                (junk.into(), binary)
            }
            (None, Some(push)) => {
                let Body { bytes, binary } = payload::encode(&push.messages, self.setup.revision, true);
                (bytes, binary)
            }
            (None, None) => return,
        };
        let last = self.pushes.last().and_then(|push| push.last);
        let held = self.session.transport() == Some(Transport::WebSocket);
        self.session
            .handle_payload(self.now, id, PushBody { bytes, binary });
        self.drain_outputs();
        assert!(self.pushes.is_empty(), "a POST that is complete is answered");
        let told_all = real && self.setup.interest.contains(Events::MESSAGE) && !held;
        if told_all && self.session.ready_state() == ReadyState::Open && !self.setup.echoes {
            assert!(
                last.is_none_or(|last| last == self.told),
                "the messages of a POST are told"
            );
        }
    }

    pub(crate) fn push_failed(&mut self, refusal: Refusal) {
        self.action = "push failed";
        let id = self.push_id();
        self.session.handle_push_failed(id, refusal);
    }

    fn push_id(&self) -> PushId {
        self.pushes.last().map_or(PushId(u32::MAX), |push| push.id)
    }

    pub(crate) fn websocket(&mut self) {
        self.action = "websocket";
        let result = self.session.handle_websocket(self.now);
        self.seen.note(result.err().map(|refusal| refusal.context()));
    }

    pub(crate) fn probe(&mut self) {
        self.action = "probe";
        let id = ProbeId(self.id());
        match self.session.handle_probe(self.now, id) {
            Ok(()) => {
                // The timeout that it begins with may just have dropped the one before.
                self.drain_outputs();
                assert!(self.probes.is_empty(), "two probes are on");
                self.last_probe = id;
                if !self.is_closed() {
                    self.probes.insert(id);
                }
            }
            Err(refusal) => self.seen.note(refusal.context()),
        }
    }

    pub(crate) fn upgrade(&mut self, which: u8) {
        self.action = "upgrade";
        let id = self.some_probe(which);
        match self.session.handle_upgrade(self.now, id) {
            Ok(()) => {
                assert!(self.probes.remove(&id), "a probe that is not on has won");
                assert_eq!(self.session.transport(), Some(Transport::WebSocket));
                self.websocket_open = true;
            }
            Err(refusal) => self.seen.note(refusal.context()),
        }
    }

    pub(crate) fn probe_lost(&mut self, which: u8) {
        self.action = "probe lost";
        let id = self.some_probe(which);
        let before = self.session.ready_state();
        self.session.handle_probe_lost(id);
        self.probes.remove(&id);
        assert_eq!(self.session.ready_state(), before, "a lost probe harms nobody");
    }

    fn some_probe(&self, which: u8) -> ProbeId {
        if which % 8 == 7 {
            ProbeId(u32::MAX)
        } else {
            self.last_probe
        }
    }

    /// Numbers stand in what the client says, so that order can be seen.
    fn make_message(&mut self) -> Packet {
        self.made += 1;
        match self.made % 3 {
            0 => Packet::message(format!("{MARK}{}", self.made).into_bytes()),
            _ => Packet::message(format!("{MARK}{}", self.made)),
        }
    }

    pub(crate) fn client_message(&mut self) {
        if self.websocket_open {
            let message = self.make_message();
            self.client_frame(Ok(message));
        }
    }

    pub(crate) fn client_frame(&mut self, packet: Result<Packet, DecodeError>) {
        self.action = "frame";
        if self.websocket_open {
            self.held.push_back((packet, true));
        }
    }

    pub(crate) fn junk_frame(&mut self, junk: &[u8]) {
        let packet = match std::str::from_utf8(junk) {
            Ok(text) => Packet::from_text(text.into(), self.setup.revision),
            Err(_) => Packet::from_binary(junk.to_vec().into(), self.setup.revision),
        };
        if self.websocket_open {
            self.held.push_back((packet, false));
        }
    }

    pub(crate) fn websocket_lost(&mut self) {
        self.action = "websocket lost";
        let on_it = self.session.transport() == Some(Transport::WebSocket);
        self.session
            .handle_websocket_lost(CloseReason::TransportClose.into());
        assert!(!on_it || self.is_closed());
    }

    /// The client's half of it, whatever the revision and the transport.
    pub(crate) fn heartbeat(&mut self) {
        self.action = "heartbeat";
        let packet = Packet::new(match self.setup.revision {
            Revision::V4 => PacketType::Pong,
            Revision::V3 => PacketType::Ping,
        });
        if self.websocket_open {
            return self.client_frame(Ok(packet));
        }
        let id = PushId(self.id());
        if self.pushes.is_empty() && self.session.handle_push(self.now, id, false).is_ok() {
            let deadline = self.now + self.setup.config.ping_timeout;
            let (messages, last) = (vec![packet], None);
            self.pushes.push(PushUnderWay {
                id,
                messages,
                last,
                deadline,
            });
            self.payload(None);
        }
    }
}
