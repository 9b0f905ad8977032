//! What an actor is told that handles sessions: the session's events with their socket, each with the right to be worked
//! on.

use std::sync::Arc;

use actix::prelude::Message;

use super::handle::{Credit, Socket};
use super::handshake::Handshake;
use crate::Data;
use crate::proto::{self, Close, Packet, Transport, cost};

/// What an actor is told that handles one session, or all of them.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
#[non_exhaustive]
pub enum Event {
    /// A session has begun.
    Connection {
        /// The session.
        socket: Socket,
        /// The request that began it, with all its headers.
        handshake: Arc<Handshake>,
    },
    /// A message came in.
    #[non_exhaustive]
    Message {
        /// The session.
        socket: Socket,
        /// The message.
        data: Data,
        /// Held as long as the message is being worked on: too many of them, and no more is read from the client.
        credit: Credit,
    },
    /// Messages came in together: instead of `Message`, for who asked for [`Events::BATCH`](crate::Events::BATCH). A
    /// mailbox costs as much for all of them as for one.
    #[non_exhaustive]
    Batch {
        /// The session.
        socket: Socket,
        /// The messages, in the order in which they were sent; at least one.
        messages: Vec<Data>,
        /// As with a message, for all of them.
        credit: Credit,
    },
    /// The session has ended. The last event of its socket.
    Close {
        /// The session.
        socket: Socket,
        /// Why, and what happened.
        close: Close,
    },
    /// A rule was broken; the session ends, `Close` follows.
    Error {
        /// The session.
        socket: Socket,
        /// Which.
        close: Close,
    },
    /// The write buffer is handed to the transport.
    #[non_exhaustive]
    Flush {
        /// The session.
        socket: Socket,
        /// The write buffer.
        packets: Vec<Packet>,
        /// As with a message.
        credit: Credit,
    },
    /// The write buffer is empty.
    #[non_exhaustive]
    Drain {
        /// The session.
        socket: Socket,
        /// As with a message.
        credit: Credit,
    },
    /// A packet came in (message, ping, pong ...).
    #[non_exhaustive]
    Packet {
        /// The session.
        socket: Socket,
        /// The packet.
        packet: Packet,
        /// As with a message.
        credit: Credit,
    },
    /// A packet is put in the write buffer.
    #[non_exhaustive]
    PacketCreate {
        /// The session.
        socket: Socket,
        /// The packet.
        packet: Packet,
        /// As with a message.
        credit: Credit,
    },
    /// A heartbeat went to and fro.
    #[non_exhaustive]
    Heartbeat {
        /// The session.
        socket: Socket,
        /// As with a message.
        credit: Credit,
    },
    /// The client probes a transport.
    #[non_exhaustive]
    Upgrading {
        /// The session.
        socket: Socket,
        /// The transport.
        transport: Transport,
        /// As with a message.
        credit: Credit,
    },
    /// The client has moved to another transport.
    #[non_exhaustive]
    Upgrade {
        /// The session.
        socket: Socket,
        /// The transport.
        transport: Transport,
        /// As with a message.
        credit: Credit,
    },
}

impl Event {
    pub(super) fn new(socket: Socket, event: proto::Event) -> Self {
        let credit = Credit::new(&socket, weight(&event));
        match event {
            proto::Event::Message(data) => Event::Message { socket, data, credit },
            proto::Event::Close(close) => Event::Close { socket, close },
            proto::Event::Error(close) => Event::Error { socket, close },
            proto::Event::Flush(packets) => Event::Flush {
                socket,
                packets,
                credit,
            },
            proto::Event::Drain => Event::Drain { socket, credit },
            proto::Event::Packet(packet) => Event::Packet {
                socket,
                packet,
                credit,
            },
            proto::Event::PacketCreate(packet) => Event::PacketCreate {
                socket,
                packet,
                credit,
            },
            proto::Event::Heartbeat => Event::Heartbeat { socket, credit },
            proto::Event::Upgrading(transport) => Event::Upgrading {
                socket,
                transport,
                credit,
            },
            proto::Event::Upgrade(transport) => Event::Upgrade {
                socket,
                transport,
                credit,
            },
        }
    }

    /// A message as a batch of one, if messages are to come so.
    pub(super) fn batched(self, is_batched: bool) -> Self {
        match self {
            Event::Message { socket, data, credit } if is_batched => Event::Batch {
                socket,
                messages: vec![data],
                credit,
            },
            event => event,
        }
    }
}

/// How many bytes it counts until its actor has worked it off: whatever a client can bring about must not pile up.
fn weight(event: &proto::Event) -> usize {
    match event {
        proto::Event::Message(data) => cost(data),
        proto::Event::Packet(packet) | proto::Event::PacketCreate(packet) => cost(&packet.data),
        proto::Event::Flush(packets) => packets.iter().map(|packet| cost(&packet.data)).sum(),
        proto::Event::Drain
        | proto::Event::Heartbeat
        | proto::Event::Upgrading(_)
        | proto::Event::Upgrade(_)
        | proto::Event::Close(_)
        | proto::Event::Error(_) => cost(&Data::default()),
    }
}
