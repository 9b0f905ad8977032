//! The world around a session, for the fuzz target: a client, an application and a driver that note what they did
//! and hold everything that the session says against it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engineio::proto::{
    Body, Close, CloseReason, DecodeError, Event, Events, Frame, OutgoingFrame, Output, Packet, PacketType,
    PollId, ProbeId, PushBody, PushId, ReadyState, Refusal, Reply, Revision, SendError, Session, Sid,
    Transport, cost, payload,
};
use engineio::{Config, Data};

use super::Seen;

/// Marks the client's own messages.
const MARK: char = '\u{1}';

pub(crate) struct Setup {
    pub(crate) config: Arc<Config>,
    pub(crate) revision: Revision,
    pub(crate) base64: bool,
    pub(crate) interest: Events,
    /// Where it opens.
    pub(crate) transport: Transport,
    /// Whether it opens before anything else happens.
    pub(crate) opens: bool,
    /// Whether the application answers each message while the session is drained.
    pub(crate) echoes: bool,
    /// Whether the WebSocket takes frames at first.
    pub(crate) room: bool,
}

/// A POST that was let in.
struct PushUnderWay {
    id: PushId,
    messages: Vec<Packet>,
    /// The number of the last of them.
    last: Option<u64>,
    deadline: Instant,
}

pub(crate) struct Driver<'a> {
    setup: Setup,
    seen: &'a mut Seen,
    session: Session,
    now: Instant,
    /// The last thing that was done, for what is noted of its outcome.
    action: &'static str,
    opened: bool,
    next_id: u32,

    /// Polls let in and not answered, with when they came.
    polls: HashMap<PollId, Instant>,
    answered: Vec<PollId>,
    pushes: Vec<PushUnderWay>,
    probes: HashSet<ProbeId>,
    last_probe: ProbeId,
    /// Whether the WebSocket takes frames.
    room: bool,
    websocket_open: bool,
    /// What the WebSocket brought and could not be handled yet, and whether it is no junk.
    held: VecDeque<(Result<Packet, DecodeError>, bool)>,

    /// What the application sent and no transport has taken: number and cost.
    sent: VecDeque<(u64, usize)>,
    last_sent: u64,
    /// Messages of the client: the last one made, the last one told.
    made: u64,
    told: u64,
    /// Whether what comes in now is the client's own, and no junk.
    real: bool,
    /// The last message that a `Flush` told of.
    flushed: u64,
    /// Whether `close` was asked for.
    closing: bool,
    close: Option<Close>,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(setup: Setup, seen: &'a mut Seen) -> Self {
        let now = Instant::now();
        let session = Session::new(
            Arc::clone(&setup.config),
            setup.revision,
            setup.base64,
            setup.interest,
            now,
        );
        let mut driver = Driver {
            seen,
            session,
            now,
            action: "new",
            opened: false,
            next_id: 0,
            polls: HashMap::new(),
            answered: Vec::new(),
            pushes: Vec::new(),
            probes: HashSet::new(),
            last_probe: ProbeId(0),
            room: setup.room,
            websocket_open: false,
            held: VecDeque::new(),
            sent: VecDeque::new(),
            last_sent: 0,
            made: 0,
            told: 0,
            real: true,
            flushed: 0,
            closing: false,
            close: None,
            setup,
        };
        if driver.setup.opens {
            driver.open();
            driver.drain();
        }
        driver
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    fn is_closed(&self) -> bool {
        self.session.ready_state() == ReadyState::Closed
    }

    // What can happen.

    pub(crate) fn open(&mut self) {
        self.action = "open";
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        let sid = Sid::parse("lv_VI97HAXpY6yYWAAAC").expect("a valid id");
        self.session.open(self.now, self.setup.transport, &sid);
        self.websocket_open = self.setup.transport == Transport::WebSocket && !self.is_closed();
    }

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

    pub(crate) fn send(&mut self, padding: usize, binary: bool) {
        self.action = "send";
        let text = format!("{}|{}", self.last_sent + 1, "x".repeat(padding));
        let data = if binary {
            Data::from(text.into_bytes())
        } else {
            Data::from(text)
        };
        let cost = cost(&data);
        let before = self.session.buffered_bytes();
        let max = self.setup.config.max_buffered_bytes;
        match self.session.send(data, padding % 2 == 0) {
            Ok(number) => {
                self.last_sent += 1;
                assert_eq!(number, self.last_sent);
                self.sent.push_back((number, cost));
                assert_eq!(self.session.buffered_bytes(), before + cost);
                assert!(self.outstanding() <= max);
            }
            Err(error) => {
                self.seen.note(error.to_string());
                let full = self.outstanding() + cost > max;
                assert_eq!(error == SendError::Closed, !full || !self.takes_messages());
                assert_eq!(self.session.buffered_bytes(), before);
            }
        }
    }

    /// The cost of what was sent and waits.
    fn outstanding(&self) -> usize {
        self.sent.iter().map(|(_, cost)| cost).sum()
    }

    fn takes_messages(&self) -> bool {
        let state = self.session.ready_state();
        state == ReadyState::Open || (state == ReadyState::Opening && !self.closing)
    }

    pub(crate) fn close(&mut self, reason: CloseReason) {
        self.action = "close";
        self.session.close(self.now, reason);
        self.closing = true;
        assert!(self.session.send(Data::from(""), false).is_err());
    }

    pub(crate) fn abort(&mut self, reason: CloseReason) {
        self.action = "abort";
        self.session.abort(reason);
        assert!(self.is_closed());
    }

    pub(crate) fn set_room(&mut self, room: bool) {
        self.action = "room";
        self.room = room;
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.action = "wait";
        self.now += time;
    }

    /// To the next deadline and so many nanoseconds beyond it, and back by one for 999,999,999.
    pub(crate) fn wait_for_timeout(&mut self, late: u64) {
        self.action = "wait for timeout";
        if let Some(due) = self.session.poll_timeout() {
            let due = match late {
                999_999_999 => due.checked_sub(Duration::from_nanos(1)).unwrap_or(due),
                late => due + Duration::from_nanos(late),
            };
            self.now = self.now.max(due);
        }
        self.timeout();
    }

    pub(crate) fn timeout(&mut self) {
        self.action = "timeout";
        // A deadline that stays behind `now` would make the driver spin.
        for _ in 0..4 {
            self.session.handle_timeout(self.now);
            self.drain();
            if self.session.poll_timeout().is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("a deadline of the past stays: {:?}", self.session);
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

    // What comes out.

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

    fn drain_outputs(&mut self) -> bool {
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
                    .note((self.action, "end", close.reason, close.description));
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
            assert_eq!((buffered, self.session.poll_timeout()), (0, None));
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
