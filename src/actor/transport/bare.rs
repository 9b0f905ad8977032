//! Messages without packets around them: what a conformance suite of WebSocket sends and expects. All else is as with
//! packets, from the 101 to the end: the handover, reading, the session, its write buffer, writing. Nothing is left of
//! this without the feature of its name.

use super::attachment::decode;
use super::link::Inbound;
use crate::Config;
use crate::proto::{DecodeError, FrameRef, Packet, PacketType, Revision};
use crate::ws::{Connection, Message, ProtocolError};

/// Whether the WebSockets of a server carry bare messages.
#[derive(Debug, Clone, Copy)]
pub(in crate::actor) struct Bare(#[cfg(feature = "bare")] bool);

impl Bare {
    pub(in crate::actor) fn of(config: &Config) -> Self {
        #[cfg(not(feature = "bare"))]
        let _ = config;
        Bare(
            #[cfg(feature = "bare")]
            config.bare,
        )
    }

    #[inline]
    pub(super) fn is_on(self) -> bool {
        #[cfg(feature = "bare")]
        return self.0;
        #[cfg(not(feature = "bare"))]
        false
    }

    /// The next message of a connection, with its packet's type apart if that is a byte in front of it.
    #[inline]
    pub(super) fn poll(self, connection: &mut Connection) -> Result<Option<Inbound>, ProtocolError> {
        match self.is_on() {
            true => Ok(connection.poll_message()?.map(|message| (None, message))),
            false => connection.poll_prefixed(),
        }
    }

    /// A message as a packet.
    #[inline]
    pub(in crate::actor) fn decode(
        self,
        message: Inbound,
        revision: Revision,
    ) -> Result<Packet, DecodeError> {
        match message {
            (_, Message::Text(text)) if self.is_on() => Ok(Packet::message(text)),
            (_, Message::Binary(bytes)) if self.is_on() => Ok(Packet::message(bytes)),
            message => decode(message, revision),
        }
    }

    /// What comes in front of a frame's data, if anything; `None` if the frame has no place among bare messages.
    #[inline]
    pub(super) fn prefix(self, frame: FrameRef<'_>) -> Option<Option<u8>> {
        match frame.prefix {
            Some(digit) if self.is_on() => (digit == PacketType::Message.digit()).then_some(None),
            prefix => Some(prefix),
        }
    }
}
