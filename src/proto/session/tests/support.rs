//! What the session's tests share: a session with a clock of their own, and its outputs in words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::Config;
use crate::proto::{
    Event, Events, Output, Packet, PollId, ProbeId, PushBody, PushId, Refusal, Revision, SendError, Session,
    Sid, Transport,
};

/// The first probe, poll and push of a test.
pub(super) const PROBE: ProbeId = ProbeId(1);

/// Who wants to hear of this, and whether the short ways are open then.
pub(super) const MAY_BE_WATCHED: [(Events, bool); 5] = [
    (Events::FLUSH, false),
    (Events::DRAIN, false),
    (Events::PACKET_CREATE, false),
    (Events::PACKET, true),
    (Events::HEARTBEAT, true),
];

/// A session and the time.
pub(super) struct Bench {
    pub(super) session: Session,
    pub(super) now: Instant,
}

pub(super) fn config() -> Config {
    Config {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        upgrade_timeout: Duration::from_secs(10),
        ..Config::default()
    }
}

impl Bench {
    /// A session of revision 4 that polls; its handshake was answered. Only messages and the end are told.
    pub(super) fn polling() -> Self {
        Self::with(config(), Revision::V4, Events::DEFAULT)
    }

    /// The same in revision 3.
    pub(super) fn polling_v3() -> Self {
        Self::with(config(), Revision::V3, Events::DEFAULT)
    }

    /// A session that polls; its handshake was answered and nothing is left to be told of it.
    pub(super) fn with(config: Config, revision: Revision, interest: Events) -> Self {
        let mut bench = Self::opening(config, revision, interest);
        bench.open(Transport::Polling);
        bench.poll(0);
        bench.told();
        bench
    }

    pub(super) fn opening(config: Config, revision: Revision, interest: Events) -> Self {
        let now = Instant::now();
        Bench {
            session: Session::new(Arc::new(config), revision, false, interest, now),
            now,
        }
    }

    /// A session that was upgraded.
    pub(super) fn upgraded() -> Self {
        let mut bench = Self::polling();
        bench.probe();
        bench.upgrade();
        bench.told();
        bench
    }

    pub(super) fn open(&mut self, transport: Transport) {
        let sid = Sid::parse("bench").expect("a valid id");
        self.session.open(self.now, transport, &sid);
    }

    pub(super) fn poll(&mut self, id: u32) {
        assert_eq!(self.session.handle_poll(self.now, PollId(id)), Ok(()));
    }

    pub(super) fn push(&mut self, id: u32) {
        assert_eq!(self.session.handle_push(self.now, PushId(id), false), Ok(()));
    }

    pub(super) fn body(&mut self, id: u32, text: &'static str) {
        let bytes = Bytes::from_static(text.as_bytes());
        let body = PushBody { bytes, binary: false };
        self.session.handle_payload(self.now, PushId(id), body);
    }

    /// A POST, all of it.
    pub(super) fn post(&mut self, id: u32, text: &'static str) {
        self.push(id);
        self.body(id, text);
    }

    pub(super) fn probe(&mut self) {
        assert_eq!(self.session.handle_probe(self.now, PROBE), Ok(()));
    }

    pub(super) fn upgrade(&mut self) {
        assert_eq!(self.session.handle_upgrade(self.now, PROBE), Ok(()));
    }

    pub(super) fn frame(&mut self, text: &'static str) {
        let packet = Packet::from_text(text.into(), self.session.revision());
        self.session.handle_frame(self.now, packet);
    }

    pub(super) fn send(&mut self, text: &'static str) {
        self.try_send(text).expect("room");
    }

    pub(super) fn try_send(&mut self, text: &'static str) -> Result<u64, SendError> {
        self.session.send(text.into(), true)
    }

    /// Lets time pass, all of it at once.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
    }

    /// How long until the session wants to be woken.
    pub(super) fn due(&self) -> Option<Duration> {
        Some(self.session.poll_timeout()? - self.now)
    }

    /// All that the session wants, frames included, one line each.
    pub(super) fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            while let Some(output) = self.session.poll_output() {
                told.push(in_words(output));
            }
            let Some(frame) = self.session.poll_frame() else {
                return told;
            };
            told.push(format!("frame {}", in_frame(frame.frame)));
        }
    }
}

/// Seconds.
pub(super) const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Milliseconds.
pub(super) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn in_frame(frame: crate::proto::Frame) -> String {
    let prefix = frame.prefix.map(char::from).into_iter().collect::<String>();
    prefix + &String::from_utf8_lossy(frame.data.as_bytes())
}

fn in_packet(packet: &Packet) -> String {
    let mut text = packet.kind.number().to_string();
    text += match packet.kind {
        crate::proto::PacketType::Open => "{}",
        _ => packet.data.as_text().unwrap_or("(binary)"),
    };
    text
}

fn in_words(output: Output) -> String {
    match output {
        Output::Reply(reply) => {
            let body = String::from_utf8_lossy(&reply.body.bytes).replace('\u{1e}', " ");
            let body = match body.split_once('}') {
                Some((_, rest)) => format!("0{{}}{rest}"),
                None => body,
            };
            format!("poll {}: {body}", reply.poll.0)
        }
        Output::PushDone { push, result: Ok(()) } => format!("push {}: ok", push.0),
        Output::PushDone {
            push,
            result: Err(refusal),
        } => format!("push {}: {}", push.0, in_refusal(&refusal)),
        Output::DropProbe(probe) => format!("drop probe {}", probe.0),
        Output::CloseWebSocket(close) => format!("close websocket: {}", close.reason),
        Output::Event(event) => in_event(event),
    }
}

fn in_refusal(refusal: &Refusal) -> &str {
    match refusal {
        Refusal::BadRequest(reason) => reason.name(),
        other => other.message(),
    }
}

fn in_event(event: Event) -> String {
    let list = |packets: &[Packet]| packets.iter().map(in_packet).collect::<Vec<_>>().join(" ");
    match event {
        Event::Message(data) => format!("message {}", data.as_text().unwrap_or("(binary)")),
        Event::Close(close) => format!("close: {} {}", close.reason, close.description)
            .trim_end()
            .into(),
        Event::Error(close) => format!("error: {} {}", close.reason, close.description)
            .trim_end()
            .into(),
        Event::Flush(packets) => format!("flush {}", list(&packets)),
        Event::Drain => "drain".into(),
        Event::Packet(packet) => format!("packet {}", in_packet(&packet)),
        Event::PacketCreate(packet) => format!("packetCreate {}", in_packet(&packet)),
        Event::Heartbeat => "heartbeat".into(),
        Event::Upgrading(transport) => format!("upgrading {transport}"),
        Event::Upgrade(transport) => format!("upgrade {transport}"),
    }
}
