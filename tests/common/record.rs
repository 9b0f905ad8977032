//! What an application was told, a line for each event, by each way in which a server calls its application.

use std::sync::Arc;

use actix::prelude::*;
use engineio::proto::{Packet, PacketType};
use engineio::{Close, Data, Event, Events, Handshake, ServerBuilder, Socket, SocketHandler, Transport};
use tokio::sync::{Mutex, mpsc};

use super::within;

/// How a server calls its application.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// An own behaviour in the socket's actor.
    Behavior,
    /// An actor for each session.
    Actor,
    /// One actor for all of them.
    Hub,
    /// Closures.
    Closures,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Behavior, Kind::Actor, Kind::Hub, Kind::Closures];
}

type Answer = Arc<dyn Fn(&Socket, Data) + std::marker::Send + Sync>;

/// The lines, in order. Clones share them.
#[derive(Clone)]
pub(crate) struct Record {
    tell: mpsc::UnboundedSender<String>,
    lines: Arc<Mutex<mpsc::UnboundedReceiver<String>>>,
    answer: Answer,
}

impl Record {
    pub(crate) fn new() -> Record {
        Record::answering(|_, _| ())
    }

    /// One that answers each message by this.
    pub(crate) fn answering(answer: impl Fn(&Socket, Data) + std::marker::Send + Sync + 'static) -> Record {
        let (tell, lines) = mpsc::unbounded_channel();
        Record {
            tell,
            lines: Arc::new(Mutex::new(lines)),
            answer: Arc::new(answer),
        }
    }

    /// Lets an application of this kind write here what it is told of these events.
    pub(crate) fn attach(&self, kind: Kind, events: Events, builder: ServerBuilder) -> ServerBuilder {
        let record = self.clone();
        match kind {
            Kind::Behavior => builder.behavior(move |_, _| {
                record.write("connection");
                Own(record.clone(), events)
            }),
            Kind::Actor => builder.actor_with(events, move |_, _| Listener(record.clone())),
            Kind::Hub => builder.hub_with(events, Listener(record).start().recipient()),
            Kind::Closures => self.attach_closures(events, builder),
        }
    }

    fn attach_closures(&self, events: Events, mut builder: ServerBuilder) -> ServerBuilder {
        let record = || self.clone();
        let wanted = |event| events.contains(event);
        if wanted(Events::CONNECTION) {
            let record = record();
            builder = builder.on_connection(move |_, _: &Handshake| record.write("connection"));
        }
        if wanted(Events::MESSAGE) {
            let record = record();
            builder = builder.on_message(move |socket, data| record.message(socket, data));
        }
        if wanted(Events::CLOSE) {
            let record = record();
            builder = builder.on_close(move |_, close| record.close("close", close));
        }
        if wanted(Events::ERROR) {
            let record = record();
            builder = builder.on_error(move |_, close| record.close("error", close));
        }
        if wanted(Events::FLUSH) {
            let record = record();
            builder = builder.on_flush(move |_, packets| record.packets("flush", packets));
        }
        if wanted(Events::DRAIN) {
            let record = record();
            builder = builder.on_drain(move |_| record.write("drain"));
        }
        if wanted(Events::PACKET) {
            let record = record();
            builder = builder.on_packet(move |_, packet| record.packet("packet", packet));
        }
        if wanted(Events::PACKET_CREATE) {
            let record = record();
            builder = builder.on_packet_create(move |_, packet| record.packet("packetCreate", packet));
        }
        if wanted(Events::HEARTBEAT) {
            let record = record();
            builder = builder.on_heartbeat(move |_| record.write("heartbeat"));
        }
        if wanted(Events::UPGRADING) {
            let record = record();
            builder = builder.on_upgrading(move |_, to| record.transport("upgrading", to));
        }
        if wanted(Events::UPGRADE) {
            let record = record();
            builder = builder.on_upgrade(move |_, to| record.transport("upgrade", to));
        }
        builder
    }

    /// The next line.
    pub(crate) async fn next(&self) -> String {
        within(async { self.lines.lock().await.recv().await })
            .await
            .expect("this record holds the sender")
    }

    /// The next lines must be these.
    pub(crate) async fn expect(&self, lines: &[&str]) {
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(self.next().await, *line, "line {index} of {lines:#?}");
        }
    }

    /// All lines up to the first that begins like this, which comes last.
    pub(crate) async fn through(&self, beginning: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines
            .last()
            .is_some_and(|line: &String| line.starts_with(beginning))
        {
            lines.push(self.next().await);
        }
        lines
    }

    /// Fails if there is a line that nobody has asked for.
    pub(crate) async fn is_empty(&self) {
        let line = self.lines.lock().await.try_recv();
        assert_eq!(line, Err(mpsc::error::TryRecvError::Empty));
    }

    pub(crate) fn write(&self, line: impl Into<String>) {
        // Who asks no more has dropped the receiver.
        let _ = self.tell.send(line.into());
    }

    fn message(&self, socket: &Socket, data: Data) {
        self.write(format!("message {}", shown(&data)));
        (self.answer)(socket, data);
    }

    fn close(&self, event: &str, close: Close) {
        let line = format!("{event} {} {}", close.reason, close.description);
        self.write(line.trim_end());
    }

    fn packet(&self, event: &str, packet: &Packet) {
        self.packets(event, std::slice::from_ref(packet));
    }

    fn packets(&self, event: &str, packets: &[Packet]) {
        let packets: Vec<_> = packets.iter().map(packet_shown).collect();
        self.write(format!("{event} {}", packets.join(" ")));
    }

    fn transport(&self, event: &str, transport: Transport) {
        self.write(format!("{event} {transport}"));
    }
}

fn shown(data: &Data) -> String {
    match data.as_text() {
        Some(text) => text.to_owned(),
        None => format!("{:?}", data.as_bytes()),
    }
}

/// As on the wire, but of an open packet the number only: its sid is random.
fn packet_shown(packet: &Packet) -> String {
    match packet.kind {
        PacketType::Open => "0".to_owned(),
        kind => format!("{}{}", kind.number(), shown(&packet.data)),
    }
}

struct Own(Record, Events);

impl SocketHandler for Own {
    fn interest(&self) -> Events {
        self.1
    }
    fn on_message(&mut self, socket: &Socket, data: Data) {
        self.0.message(socket, data);
    }
    fn on_close(&mut self, _: &Socket, close: Close) {
        self.0.close("close", close);
    }
    fn on_error(&mut self, _: &Socket, close: Close) {
        self.0.close("error", close);
    }
    fn on_flush(&mut self, _: &Socket, packets: &[Packet]) {
        self.0.packets("flush", packets);
    }
    fn on_drain(&mut self, _: &Socket) {
        self.0.write("drain");
    }
    fn on_packet(&mut self, _: &Socket, packet: &Packet) {
        self.0.packet("packet", packet);
    }
    fn on_packet_create(&mut self, _: &Socket, packet: &Packet) {
        self.0.packet("packetCreate", packet);
    }
    fn on_heartbeat(&mut self, _: &Socket) {
        self.0.write("heartbeat");
    }
    fn on_upgrading(&mut self, _: &Socket, transport: Transport) {
        self.0.transport("upgrading", transport);
    }
    fn on_upgrade(&mut self, _: &Socket, transport: Transport) {
        self.0.transport("upgrade", transport);
    }
}

struct Listener(Record);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Event> for Listener {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        let record = &self.0;
        match event {
            Event::Connection { .. } => record.write("connection"),
            Event::Message { socket, data, .. } => record.message(&socket, data),
            Event::Batch { socket, messages, .. } => {
                for data in messages {
                    record.message(&socket, data);
                }
            }
            Event::Close { close, .. } => record.close("close", close),
            Event::Error { close, .. } => record.close("error", close),
            Event::Flush { packets, .. } => record.packets("flush", &packets),
            Event::Drain { .. } => record.write("drain"),
            Event::Packet { packet, .. } => record.packet("packet", &packet),
            Event::PacketCreate { packet, .. } => record.packet("packetCreate", &packet),
            Event::Heartbeat { .. } => record.write("heartbeat"),
            Event::Upgrading { transport, .. } => record.transport("upgrading", transport),
            Event::Upgrade { transport, .. } => record.transport("upgrade", transport),
            other => panic!("unknown event {other:?}"),
        }
    }
}
