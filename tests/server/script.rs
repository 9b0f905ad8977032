//! Commands: what a test wants the server's application to do, either at once (a line on the standard input) or
//! inside the handler of an event (the script), as engine.io's own tests do in their listeners.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engineio::{Data, Events, Server, Sid, Socket};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::posts;
use crate::report::{self, report, tell};

/// By event: the commands that its handler runs, for the event's own socket.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Script {
    pub(crate) connection: Vec<Command>,
    pub(crate) message: Vec<Command>,
    pub(crate) close: Vec<Command>,
    pub(crate) error: Vec<Command>,
    pub(crate) flush: Vec<Command>,
    pub(crate) drain: Vec<Command>,
    pub(crate) packet: Vec<Command>,
    pub(crate) packet_create: Vec<Command>,
    pub(crate) heartbeat: Vec<Command>,
    pub(crate) upgrading: Vec<Command>,
    pub(crate) upgrade: Vec<Command>,
}

impl Script {
    /// The events that some command waits for.
    pub(crate) fn interest(&self) -> Events {
        [
            (&self.flush, Events::FLUSH),
            (&self.drain, Events::DRAIN),
            (&self.packet, Events::PACKET),
            (&self.packet_create, Events::PACKET_CREATE),
            (&self.heartbeat, Events::HEARTBEAT),
            (&self.upgrading, Events::UPGRADING),
            (&self.upgrade, Events::UPGRADE),
        ]
        .into_iter()
        .filter(|(commands, _)| !commands.is_empty())
        .map(|(_, event)| event)
        .collect()
    }
}

/// One thing to do.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Command {
    #[serde(rename = "do")]
    verb: Verb,
    /// Which session; in a script it is the event's own.
    id: Option<String>,
    /// Scripts: only for these messages (texts), packets (types), transports or reasons ...
    when: Option<Vec<String>>,
    /// ... or only for others.
    unless: Option<Vec<String>>,
    text: Option<String>,
    base64: Option<String>,
    compress: Option<bool>,
    /// The send is awaited, and its end told by `{"event":"sent","tag":..,"result":..}`.
    tag: Option<Value>,
    /// What follows once an awaited send was flushed.
    #[serde(default)]
    then: Vec<Command>,
    /// How often a send is done.
    times: Option<usize>,
    /// Milliseconds to wait first.
    delay: Option<u64>,
    #[serde(default)]
    discard: bool,
    /// Milliseconds that `closeServer` may take.
    deadline: Option<u64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Verb {
    Send,
    /// Sends back the message that came in.
    Echo,
    Broadcast,
    Close,
    CloseServer,
    Stats,
    /// Sends the headers of the session's last POST, as JSON.
    SendPostHeaders,
    /// A new HTTP server on the same port takes the place of the present one.
    RestartHttp,
}

/// What a handler's commands are about.
pub(crate) struct Occasion<'a> {
    pub(crate) socket: &'a Socket,
    /// What `when` and `unless` look at.
    pub(crate) subject: Option<&'a str>,
    pub(crate) message: Option<&'a Data>,
}

/// Runs the commands of a script.
pub(crate) fn run(commands: &[Command], occasion: &Occasion<'_>) {
    for command in commands {
        if command.applies(occasion.subject) {
            command.start(
                &occasion.socket.server(),
                Some(occasion.socket),
                occasion.message.cloned(),
            );
        }
    }
}

impl Command {
    fn applies(&self, subject: Option<&str>) -> bool {
        let among = |list: &Vec<String>| subject.is_some_and(|subject| list.iter().any(|one| one == subject));
        self.when.as_ref().is_none_or(among) && !self.unless.as_ref().is_some_and(among)
    }

    pub(crate) fn wants_restart(&self) -> bool {
        self.verb == Verb::RestartHttp
    }

    /// Does it now or, with a delay, later.
    pub(crate) fn start(&self, server: &Server, socket: Option<&Socket>, message: Option<Data>) {
        let named = self
            .id
            .as_deref()
            .and_then(|id| Sid::parse(id).ok())
            .and_then(|id| server.client(&id));
        let socket = named.as_ref().or(socket.filter(|_| self.id.is_none()));
        let Some(delay) = self.delay else {
            return self.perform(server, socket, message);
        };
        let (command, server, socket) = (self.clone(), server.clone(), socket.cloned());
        actix_rt::spawn(async move {
            actix_rt::time::sleep(Duration::from_millis(delay)).await;
            command.perform(&server, socket.as_ref(), message);
        });
    }

    fn perform(&self, server: &Server, socket: Option<&Socket>, message: Option<Data>) {
        match (self.verb, socket) {
            (Verb::Broadcast, _) => server.broadcast(self.data()),
            (Verb::Stats, _) => report(&stats(server)),
            (Verb::CloseServer, _) => self.close_server(server.clone()),
            (Verb::RestartHttp, _) => {}
            (Verb::Send, Some(socket)) => {
                for _ in 0..self.times.unwrap_or(1) {
                    self.send(socket, self.data());
                }
            }
            (Verb::Echo, Some(socket)) => self.send(socket, message.unwrap_or_default()),
            (Verb::SendPostHeaders, Some(socket)) => self.send(socket, posts::last(socket).into()),
            (Verb::Close, Some(socket)) if self.discard => socket.discard(),
            (Verb::Close, Some(socket)) => socket.close(),
            (Verb::Send | Verb::Echo | Verb::SendPostHeaders | Verb::Close, None) => {
                report(&json!({ "event": "unknown_socket", "id": self.id, "tag": self.tag }));
            }
        }
    }

    fn data(&self) -> Data {
        match (&self.text, &self.base64) {
            (_, Some(base64)) => Data::from(STANDARD.decode(base64).expect("base64 of a command")),
            (text, None) => Data::from(text.clone().unwrap_or_default()),
        }
    }

    fn send(&self, socket: &Socket, data: Data) {
        let send = engineio::Send::new(data).compress(self.compress.unwrap_or(true));
        let Some(tag) = self.tag.clone() else {
            if let Err(error) = socket.try_send_message(send) {
                tell(
                    "send_error",
                    socket,
                    json!({ "error": format!("{error:?}").to_lowercase() }),
                );
            }
            return;
        };
        // The request is in the mailbox before this returns: awaited sends keep their order.
        let sending = socket.addr().send(send);
        let (socket, then) = (socket.clone(), self.then.clone());
        actix_rt::spawn(async move {
            let result = match sending.await {
                Ok(Ok(())) => "ok".to_owned(),
                Ok(Err(error)) => format!("{error:?}").to_lowercase(),
                Err(_) => "gone".to_owned(),
            };
            tell("sent", &socket, json!({ "tag": tag, "result": result }));
            if result == "ok" {
                let occasion = Occasion {
                    socket: &socket,
                    subject: None,
                    message: None,
                };
                run(&then, &occasion);
            }
        });
    }

    fn close_server(&self, server: Server) {
        let deadline = Duration::from_millis(self.deadline.unwrap_or(1000));
        actix_rt::spawn(async move {
            server.close(deadline).await;
            report(&json!({ "event": "server_closed", "clientsCount": server.clients_count() }));
        });
    }
}

fn stats(server: &Server) -> Value {
    let clients: Vec<Value> = server.clients().iter().map(report::socket).collect();
    json!({ "event": "stats", "clientsCount": server.clients_count(), "clients": clients })
}
