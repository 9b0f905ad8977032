//! WebSocket as the transport: packets in, and its end.

use std::time::Instant;

use super::Session;
use crate::Data;
use crate::proto::close::{Close, CloseReason};
use crate::proto::event::Events;
use crate::proto::state::{Link, State, WebSocket};
use crate::proto::{DecodeError, Packet, PacketType};

impl Session {
    /// Whether packets of the WebSocket may be handled now. False while a POST from before the swap is
    /// still coming in: what the WebSocket brings must wait for it. Ask again after each drain.
    pub fn is_reading(&self) -> bool {
        matches!(self.state.link(), Some(Link::WebSocket(WebSocket { held: None })))
    }

    /// Whether the write buffer is half full: a peer that does not take what it is told should be listened to again
    /// when it has, lest answers to it fill the rest.
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.buffered > self.config.max_buffered_bytes / 2
    }

    /// A packet came in on the WebSocket that is the transport; or what came in was none.
    pub fn handle_frame(&mut self, now: Instant, packet: Result<Packet, DecodeError>) {
        if !self.is_reading() {
            return;
        }
        match packet {
            Ok(packet) => self.handle_packet(now, packet),
            Err(_) => self.end(CloseReason::ParseError),
        }
    }

    /// Whether [`take_message`](Self::take_message) may take this packet of the WebSocket: a message for an open
    /// session that nobody watches packet by packet.
    #[inline]
    pub fn takes(&self, packet: &Packet) -> bool {
        packet.kind == PacketType::Message
            && self.interest & (Events::MESSAGE | Events::PACKET) == Events::MESSAGE
            && matches!(self.state, State::Open(Link::WebSocket(WebSocket { held: None })))
    }

    /// What [`handle_frame`](Self::handle_frame) does of a packet that it [`takes`](Self::takes), without the queue
    /// of outputs: tell the application of this message now, if no output waits.
    #[inline]
    pub fn take_message(&mut self, now: Instant, packet: Packet) -> Data {
        debug_assert!(self.takes(&packet) && self.outputs.is_empty());
        self.heartbeat.seen(now);
        self.tally.came_in(&packet);
        packet.data
    }

    /// The WebSocket that was the transport is gone.
    pub fn handle_websocket_lost(&mut self, close: Close) {
        if self.state.websocket().is_some() {
            self.end(close);
        }
    }
}
