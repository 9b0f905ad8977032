//! WebSocket as the transport: packets in, and its end.

use std::time::Instant;

use super::Session;
use crate::proto::close::{Close, CloseReason};
use crate::proto::state::{Link, WebSocket};
use crate::proto::{DecodeError, Packet};

impl Session {
    /// Whether packets of the WebSocket may be handled now. False while a POST from before the swap is
    /// still coming in: what the WebSocket brings must wait for it. Ask again after each drain.
    pub fn is_reading(&self) -> bool {
        matches!(self.state.link(), Some(Link::WebSocket(WebSocket { held: None })))
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

    /// The WebSocket that was the transport is gone.
    pub fn handle_websocket_lost(&mut self, close: Close) {
        if self.state.websocket().is_some() {
            self.end(close);
        }
    }
}
