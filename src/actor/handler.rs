//! How the application is called: an own behaviour in the socket's actor, the recipient of an actor, or
//! closures. Knows what to call, not what a session decides.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::prelude::Recipient;

use super::current;
use super::event::Event;
use super::handle::{Credit, Socket};
use super::handshake::Handshake;
use super::hooks::Hooks;
use crate::Data;
use crate::proto::{self, Close, Events, Packet, Transport, cost};

/// How many messages a batch has room for before it grows.
const BATCH_ROOM: usize = 16;

/// How many bytes of a batch are counted at once: counting costs more than a small message.
const COUNTED_TOGETHER: usize = 4096;

/// An own behaviour of a socket: it lives and runs inside the socket's actor, so what it sends takes no
/// mailbox. The fastest way to answer.
///
/// Every method has a default that does nothing. A panic ends this session with
/// [`CloseReason::Panicked`](crate::CloseReason::Panicked), and no other.
pub trait SocketHandler: 'static {
    /// Which of the methods are to be called. Asked once, when the session begins.
    fn interest(&self) -> Events {
        Events::DEFAULT
    }

    /// A message came in.
    fn on_message(&mut self, socket: &Socket, data: Data) {
        let _ = (socket, data);
    }

    /// The session has ended. The last call.
    fn on_close(&mut self, socket: &Socket, close: Close) {
        let _ = (socket, close);
    }

    /// A rule was broken; the session ends, `on_close` follows.
    fn on_error(&mut self, socket: &Socket, close: Close) {
        let _ = (socket, close);
    }

    /// The write buffer, these packets, is handed to the transport.
    fn on_flush(&mut self, socket: &Socket, packets: &[Packet]) {
        let _ = (socket, packets);
    }

    /// The write buffer is empty.
    fn on_drain(&mut self, socket: &Socket) {
        let _ = socket;
    }

    /// A packet came in (message, ping, pong ...).
    fn on_packet(&mut self, socket: &Socket, packet: &Packet) {
        let _ = (socket, packet);
    }

    /// A packet is put in the write buffer.
    fn on_packet_create(&mut self, socket: &Socket, packet: &Packet) {
        let _ = (socket, packet);
    }

    /// A heartbeat went to and fro.
    fn on_heartbeat(&mut self, socket: &Socket) {
        let _ = socket;
    }

    /// The client probes a transport.
    fn on_upgrading(&mut self, socket: &Socket, transport: Transport) {
        let _ = (socket, transport);
    }

    /// The client has moved to another transport.
    fn on_upgrade(&mut self, socket: &Socket, transport: Transport) {
        let _ = (socket, transport);
    }
}

/// Which kind of event it is.
fn kind(event: &proto::Event) -> Events {
    match event {
        proto::Event::Message(_) => Events::MESSAGE,
        proto::Event::Close(_) => Events::CLOSE,
        proto::Event::Error(_) => Events::ERROR,
        proto::Event::Flush(_) => Events::FLUSH,
        proto::Event::Drain => Events::DRAIN,
        proto::Event::Packet(_) => Events::PACKET,
        proto::Event::PacketCreate(_) => Events::PACKET_CREATE,
        proto::Event::Heartbeat => Events::HEARTBEAT,
        proto::Event::Upgrading(_) => Events::UPGRADING,
        proto::Event::Upgrade(_) => Events::UPGRADE,
    }
}

/// The application as the server holds it: who is asked at each connection, and closures for all of them.
pub(super) struct Application {
    pub(super) factory: Option<Box<Factory>>,
    pub(super) hooks: Option<Hooks>,
}

pub(super) type Factory = dyn Fn(&Socket, &Handshake) -> Handling + Send + Sync;

/// Who handles one session.
pub(super) enum Handling {
    Own(Box<dyn SocketHandler>, Events),
    Actor(Recipient<Event>, Events),
}

/// A handler panicked, or the actor that handles the session is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

/// Everybody who listens to one session.
pub(super) struct Listeners {
    handling: Option<Handling>,
}

impl Application {
    /// Asks who handles a new session.
    pub(super) fn connect(&self, socket: &Socket, handshake: &Handshake) -> Result<Listeners, Panicked> {
        let call = || {
            current::run(socket.key(), || {
                let handling = self.factory.as_ref().map(|factory| factory(socket, handshake));
                if let Some(on_connection) = self.hooks.as_ref().and_then(|hooks| hooks.connection.as_ref()) {
                    on_connection(socket, handshake);
                }
                handling
            })
        };
        let handling = catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
            // What it wanted before it panicked must not reach the next socket.
            current::clear();
            Panicked
        })?;
        if let Some(Handling::Actor(recipient, events)) = &handling
            && events.contains(Events::CONNECTION)
        {
            let handshake = Arc::new(handshake.clone());
            recipient.do_send(Event::Connection {
                socket: socket.clone(),
                handshake,
            });
        }
        Ok(Listeners { handling })
    }
}

impl Listeners {
    pub(super) fn interest(&self, hooks: Option<&Hooks>) -> Events {
        let handling = match &self.handling {
            None => Events::empty(),
            Some(Handling::Own(_, events) | Handling::Actor(_, events)) => *events,
        };
        hooks.map_or(handling, |hooks| handling | hooks.interest())
    }

    /// Whether the actor that handles the session is gone, by panic say.
    pub(super) fn are_gone(&self) -> bool {
        matches!(&self.handling, Some(Handling::Actor(recipient, _)) if !recipient.connected())
    }

    /// Tells everybody of the messages that `next` brings, one after the other: what [`tell`](Self::tell) does, on a
    /// shorter way for what comes most often.
    pub(super) fn tell_messages(
        &mut self,
        socket: &Socket,
        mut next: impl FnMut() -> Option<Data>,
    ) -> Result<(), Panicked> {
        match (socket.hooks(), &mut self.handling) {
            (None, Some(Handling::Own(handler, _))) => {
                let call = || {
                    current::run(socket.key(), || {
                        while let Some(data) = next() {
                            handler.on_message(socket, data);
                        }
                    })
                };
                catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)
            }
            (_, Some(Handling::Actor(recipient, events))) if events.contains(Events::BATCH) => {
                tell_batch(recipient, socket, next)
            }
            _ => {
                while let Some(data) = next() {
                    self.tell(socket, proto::Event::Message(data))?;
                }
                Ok(())
            }
        }
    }

    /// Tells everybody. What they send meanwhile is queued in `current`.
    pub(super) fn tell(&mut self, socket: &Socket, event: proto::Event) -> Result<(), Panicked> {
        #[cfg(feature = "test")]
        if let proto::Event::Close(close) = &event {
            socket.end().send_replace(Some(close.clone()));
        }
        let call = || {
            current::run(socket.key(), || {
                if let Some(hooks) = socket.hooks() {
                    hooks.tell(socket, &event);
                }
                match &mut self.handling {
                    None => Ok(()),
                    Some(Handling::Own(handler, events)) => {
                        if events.contains(kind(&event)) {
                            tell_own(&mut **handler, socket, event);
                        }
                        Ok(())
                    }
                    Some(Handling::Actor(recipient, events)) => {
                        if events.contains(kind(&event)) {
                            if !recipient.connected() {
                                return Err(Panicked);
                            }
                            let is_batched = events.contains(Events::BATCH);
                            recipient.do_send(Event::new(socket.clone(), event).batched(is_batched));
                        }
                        Ok(())
                    }
                }
            })
        };
        catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Panicked))
    }
}

/// Tells an actor of messages in one event, and the closures of each of them.
fn tell_batch(
    recipient: &Recipient<Event>,
    socket: &Socket,
    mut next: impl FnMut() -> Option<Data>,
) -> Result<(), Panicked> {
    let mut messages = Vec::with_capacity(BATCH_ROOM);
    let mut credit = Credit::new(socket, 0);
    let mut uncounted = 0;
    let collect = || {
        current::run(socket.key(), || {
            while let Some(data) = next() {
                uncounted += cost(&data);
                if uncounted >= COUNTED_TOGETHER {
                    credit.add(std::mem::take(&mut uncounted));
                }
                if let Some(on_message) = socket.hooks().and_then(|hooks| hooks.message.as_ref()) {
                    on_message(socket, data.clone());
                }
                messages.push(data);
            }
        })
    };
    let told = catch_unwind(AssertUnwindSafe(collect)).map_err(|_| Panicked);
    credit.add(uncounted);
    if messages.is_empty() {
        return told;
    }
    if !recipient.connected() {
        return Err(Panicked);
    }
    recipient.do_send(Event::Batch {
        socket: socket.clone(),
        messages,
        credit,
    });
    told
}

fn tell_own(handler: &mut dyn SocketHandler, socket: &Socket, event: proto::Event) {
    match event {
        proto::Event::Message(data) => handler.on_message(socket, data),
        proto::Event::Close(close) => handler.on_close(socket, close),
        proto::Event::Error(close) => handler.on_error(socket, close),
        proto::Event::Flush(packets) => handler.on_flush(socket, &packets),
        proto::Event::Drain => handler.on_drain(socket),
        proto::Event::Packet(packet) => handler.on_packet(socket, &packet),
        proto::Event::PacketCreate(packet) => handler.on_packet_create(socket, &packet),
        proto::Event::Heartbeat => handler.on_heartbeat(socket),
        proto::Event::Upgrading(transport) => handler.on_upgrading(socket, transport),
        proto::Event::Upgrade(transport) => handler.on_upgrade(socket, transport),
    }
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners")
            .field("interest", &self.interest(None))
            .finish()
    }
}
