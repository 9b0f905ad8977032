//! WebSocket as the transport: packets in, and its end.

use std::time::Instant;

use super::{Messages, Session, pace};
use crate::proto::close::{Close, CloseReason};
use crate::proto::event::Events;
use crate::proto::state::{Link, State, WebSocket};
use crate::proto::{DecodeError, Packet};

impl Session {
    /// Whether packets of the WebSocket may be handled now. False while a POST from before the swap is
    /// still coming in: what the WebSocket brings must wait for it. Ask again after each drain.
    pub fn is_reading(&self) -> bool {
        matches!(self.state.link(), Some(Link::WebSocket(WebSocket { held: None })))
    }

    /// Whether the write buffer is half full: a peer that does not take what it is told should be listened to again
    /// when it has, lest answers to it fill the rest. While a sign of life is awaited it is listened to all the same:
    /// who is slow is not gone.
    #[inline]
    pub fn is_congested(&self, now: Instant) -> bool {
        self.buffered > self.config.max_buffered_bytes / 2
            && !self.heartbeat.awaits_life(pace(&self.config), now)
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

    /// Whether messages of the WebSocket may be [taken](Self::took) without being handed over: the session is open,
    /// no output waits, and nobody watches it packet by packet.
    pub fn takes_messages(&self) -> bool {
        self.outputs.is_empty()
            && self.interest & (Events::MESSAGE | Events::PACKET) == Events::MESSAGE
            && matches!(self.state, State::Open(Link::WebSocket(WebSocket { held: None })))
    }

    /// What [`handle_frame`](Self::handle_frame) does of messages, for a driver that has told the application of these
    /// by itself, while the session [takes](Self::takes_messages) them.
    pub fn took(&mut self, now: Instant, messages: Messages) {
        if messages.count > 0 {
            self.heartbeat.seen(now);
            self.tally.came_in(messages);
        }
    }

    /// The WebSocket that was the transport is gone.
    pub fn handle_websocket_lost(&mut self, close: Close) {
        if self.state.websocket().is_some() {
            self.end(close);
        }
    }
}
