//! Messages without packets around them (feature `bare`): what a conformance suite of WebSocket sends and expects. All
//! else is as with packets, from the 101 to the end: the handover, reading, the session, its write buffer, writing.

use crate::proto::{Frame, Packet, PacketType};
use crate::ws::Message;
use crate::{Config, Data};

/// Whether WebSockets of this server carry bare messages.
#[inline]
pub(in crate::actor) fn is_wanted(config: &Config) -> bool {
    #[cfg(feature = "bare")]
    return config.bare;
    #[cfg(not(feature = "bare"))]
    {
        let _ = config;
        false
    }
}

/// What the session is told of a message.
pub(in crate::actor) fn packet(message: Message) -> Packet {
    match message {
        Message::Text(text) => Packet::message(Data::Text(text)),
        Message::Binary(bytes) => Packet::message(bytes),
    }
}

/// What comes in front of a frame's data, if anything; `None` if the frame has no place among bare messages.
#[inline]
pub(super) fn prefix(frame: &Frame, bare: bool) -> Option<Option<u8>> {
    match frame.prefix {
        Some(digit) if bare => (digit == PacketType::Message.digit()).then_some(None),
        prefix => Some(prefix),
    }
}
