//! What a session tells its driver. Knows packets and reasons, not who listens.

use bytes::Bytes;

use super::close::Close;
use super::payload::Body;
use super::{Packet, Refusal, Transport};
use crate::Data;

bitflags::bitflags! {
    /// A set of events. What nobody is interested in costs nothing.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Events: u16 {
        /// A session has begun.
        const CONNECTION = 1;
        /// A message came in.
        const MESSAGE = 1 << 1;
        /// The session has ended.
        const CLOSE = 1 << 2;
        /// The session is about to end because somebody broke a rule.
        const ERROR = 1 << 3;
        /// The write buffer is being handed to the transport.
        const FLUSH = 1 << 4;
        /// The write buffer is empty.
        const DRAIN = 1 << 5;
        /// A packet came in.
        const PACKET = 1 << 6;
        /// A packet is put in the write buffer.
        const PACKET_CREATE = 1 << 7;
        /// A heartbeat went to and fro.
        const HEARTBEAT = 1 << 8;
        /// The client probes a transport.
        const UPGRADING = 1 << 9;
        /// The client has moved to another transport.
        const UPGRADE = 1 << 10;
        /// Messages by the batch: what came in together is one event for an actor, instead of one for each message. It
        /// contains [`MESSAGE`](Self::MESSAGE), and is no more than that to an own behaviour.
        const BATCH = 1 << 11 | Self::MESSAGE.bits();
        /// What almost everybody wants: connection, message, close and error.
        const DEFAULT = Self::CONNECTION.bits() | Self::MESSAGE.bits() | Self::CLOSE.bits() | Self::ERROR.bits();
    }
}

/// Something that the application may want to know (the names are engine.io's).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A message came in.
    Message(Data),
    /// The session ended. Always told, and the last one.
    Close(Close),
    /// A rule was broken; `Close` follows with the same reason.
    Error(Close),
    /// These packets are handed to the transport.
    Flush(Vec<Packet>),
    /// The write buffer is empty.
    Drain,
    /// A packet came in.
    Packet(Packet),
    /// A packet is put in the write buffer.
    PacketCreate(Packet),
    /// A heartbeat went to and fro.
    Heartbeat,
    /// The client probes this transport.
    Upgrading(Transport),
    /// The client has moved to this transport.
    Upgrade(Transport),
}

/// Identifies a poll among those of its session. Chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PollId(pub u32);

/// Identifies a push (a POST) among those of its session. Chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PushId(pub u32);

/// Identifies an upgrade attempt among those of its session. Chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProbeId(pub u32);

/// What a session wants done. See [`Session::poll_output`](super::Session::poll_output).
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Tell the application.
    Event(Event),
    /// Answer a poll. If it turns out that the poll is gone, say so by
    /// [`Session::handle_poll_gone`](super::Session::handle_poll_gone).
    Reply(Reply),
    /// Answer a push: `ok`, or why not.
    PushDone {
        /// Which one.
        push: PushId,
        /// What became of it.
        result: Result<(), Refusal>,
    },
    /// Close the WebSocket of this upgrade attempt; the session goes on without it.
    DropProbe(ProbeId),
    /// Close the WebSocket that is the transport. Nothing follows on it.
    CloseWebSocket(Close),
}

/// The answer to a poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Which poll.
    pub poll: PollId,
    /// The payload.
    pub body: Body,
    /// Whether one of its packets asks for compression.
    pub compress: bool,
    /// How many of the bytes that [`Session::send`](super::Session::send) took leave with it
    /// ([`cost`](super::cost) of each message).
    pub released: usize,
    /// All messages up to this number (see [`Session::send`](super::Session::send)) are flushed by it.
    pub flushed: u64,
}

/// The body of a push as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Whether they came as `application/octet-stream` (revision 3 only).
    pub binary: bool,
}
