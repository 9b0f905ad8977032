//! What comes in by a WebSocket, as its socket takes it.

use crate::Data;
use crate::proto::{Close, DecodeError, Packet, PacketType};

/// What a WebSocket has brought.
#[derive(Debug)]
pub(in crate::actor) enum Arrival {
    /// A message.
    Message(Data),
    /// Another packet, or what was none.
    Other(Result<Packet, DecodeError>),
    /// Nothing more, until it is read again.
    Nothing,
    /// It has ended, or broken the protocol: what that means for the session.
    Lost(Close),
}

impl Arrival {
    #[inline]
    pub(in crate::actor) fn of(packet: Result<Packet, DecodeError>) -> Self {
        match packet {
            Ok(Packet {
                kind: PacketType::Message,
                data,
            }) => Arrival::Message(data),
            other => Arrival::Other(other),
        }
    }
}
