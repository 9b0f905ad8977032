//! The application of the test server: it reports every event that was asked for, and runs its commands.

use std::sync::Arc;

use engineio::Packet;
use engineio::{Close, Data, Events, Handshake, IdError, Server, Sid, Socket, SocketHandler, Transport};
use serde_json::json;

use crate::options::Options;
use crate::report::{self, tell};
use crate::script::{Command, Occasion, Script, run};

/// Starts a server with the options of the test.
pub(crate) fn start(options: &Options) -> Server {
    let script = Arc::new(options.script.clone());
    let reported = reported(&options.events);
    let mut builder = Server::builder()
        .config(options.config.config())
        .behavior(move |socket, handshake| Recorder::connect(script.clone(), reported, socket, handshake));
    if let Some(wish) = options.generate_id.clone() {
        builder = builder.generate_id(move |_| generate_id(wish.clone()));
    }
    builder.start()
}

async fn generate_id(wish: String) -> Result<String, IdError> {
    match wish.split_once(':') {
        Some(("fixed", id)) => Ok(id.to_owned()),
        Some(("async", id)) => {
            actix_rt::time::sleep(std::time::Duration::from_millis(5)).await;
            Ok(id.to_owned())
        }
        Some(("prefix", name)) => Ok(format!("{name}{}", Sid::generate().as_str())),
        _ => Err(IdError("nope".to_owned())),
    }
}

/// The events that the test asked for, and those that are always told.
fn reported(names: &[String]) -> Events {
    names.iter().fold(Events::DEFAULT, |events, name| {
        events
            | match name.as_str() {
                "flush" => Events::FLUSH,
                "drain" => Events::DRAIN,
                "packet" => Events::PACKET,
                "packetCreate" => Events::PACKET_CREATE,
                "heartbeat" => Events::HEARTBEAT,
                "upgrading" => Events::UPGRADING,
                "upgrade" => Events::UPGRADE,
                // Told by hooks of the scope.
                "headers" | "initial_headers" => Events::empty(),
                other => panic!("no such event: {other}"),
            }
    })
}

/// One session's behaviour.
struct Recorder {
    script: Arc<Script>,
    reported: Events,
}

impl Recorder {
    fn connect(script: Arc<Script>, reported: Events, socket: &Socket, handshake: &Handshake) -> Self {
        tell("connection", socket, report::handshake(handshake));
        run(
            &script.connection,
            &Occasion {
                socket,
                subject: None,
                message: None,
            },
        );
        Recorder { script, reported }
    }

    fn tell(&self, event: Events, name: &str, socket: &Socket, fields: impl FnOnce() -> serde_json::Value) {
        if self.reported.contains(event) {
            tell(name, socket, fields());
        }
    }
}

fn obey(commands: &[Command], socket: &Socket, subject: Option<&str>) {
    run(
        commands,
        &Occasion {
            socket,
            subject,
            message: None,
        },
    );
}

fn end(close: &Close) -> serde_json::Value {
    json!({ "reason": close.reason.as_str(), "description": close.description })
}

impl SocketHandler for Recorder {
    fn interest(&self) -> Events {
        self.reported | self.script.interest()
    }

    fn on_message(&mut self, socket: &Socket, data: Data) {
        self.tell(Events::MESSAGE, "message", socket, || report::data(&data));
        let occasion = Occasion {
            socket,
            subject: data.as_text(),
            message: Some(&data),
        };
        run(&self.script.message, &occasion);
    }

    fn on_close(&mut self, socket: &Socket, close: Close) {
        self.tell(Events::CLOSE, "close", socket, || end(&close));
        obey(&self.script.close, socket, Some(close.reason.as_str()));
    }

    fn on_error(&mut self, socket: &Socket, close: Close) {
        self.tell(Events::ERROR, "error", socket, || end(&close));
        obey(&self.script.error, socket, Some(close.reason.as_str()));
    }

    fn on_flush(&mut self, socket: &Socket, packets: &[Packet]) {
        let list = || packets.iter().map(report::packet).collect::<Vec<_>>();
        self.tell(Events::FLUSH, "flush", socket, || json!({ "packets": list() }));
        obey(&self.script.flush, socket, None);
    }

    fn on_drain(&mut self, socket: &Socket) {
        self.tell(Events::DRAIN, "drain", socket, || json!({}));
        obey(&self.script.drain, socket, None);
    }

    fn on_packet(&mut self, socket: &Socket, packet: &Packet) {
        self.tell(Events::PACKET, "packet", socket, || report::packet(packet));
        obey(&self.script.packet, socket, Some(packet.kind.as_str()));
    }

    fn on_packet_create(&mut self, socket: &Socket, packet: &Packet) {
        self.tell(Events::PACKET_CREATE, "packetCreate", socket, || {
            report::packet(packet)
        });
        obey(&self.script.packet_create, socket, Some(packet.kind.as_str()));
    }

    fn on_heartbeat(&mut self, socket: &Socket) {
        self.tell(Events::HEARTBEAT, "heartbeat", socket, || json!({}));
        obey(&self.script.heartbeat, socket, None);
    }

    fn on_upgrading(&mut self, socket: &Socket, transport: Transport) {
        self.tell(
            Events::UPGRADING,
            "upgrading",
            socket,
            || json!({ "transport": transport.as_str() }),
        );
        obey(&self.script.upgrading, socket, Some(transport.as_str()));
    }

    fn on_upgrade(&mut self, socket: &Socket, transport: Transport) {
        self.tell(
            Events::UPGRADE,
            "upgrade",
            socket,
            || json!({ "transport": transport.as_str() }),
        );
        obey(&self.script.upgrade, socket, Some(transport.as_str()));
    }
}
