//! The beginning of a session: the open packet, and what comes with it.

use std::time::Instant;

use super::{CLOSE_TIMEOUT, Outgoing, Session, cost, pace};
use crate::proto::state::{Link, Polling, State, WebSocket};
use crate::proto::timer::{Heartbeat, Pace};
use crate::proto::{Packet, Sid, Transport, Transports, handshake};

impl Session {
    /// Opens the session on `transport`. The open packet and the initial packet come before anything
    /// that was sent while opening; on polling they travel alone, in the answer to the handshake
    /// (which is the first [`handle_poll`](Self::handle_poll)), as engine.io's do.
    pub fn open(&mut self, now: Instant, transport: Transport, sid: &Sid) {
        if !matches!(self.state, State::Opening { .. }) {
            return;
        }
        let mut packets = vec![self.open_packet(transport, sid)];
        packets.extend(self.config.initial_packet.clone().map(Packet::message));
        let handshake = packets.len();
        for packet in packets.into_iter().rev() {
            self.created(&packet);
            self.buffered += cost(&packet.data);
            self.buffer.push_front(Outgoing {
                packet,
                compress: true,
                number: 0,
                key: None,
            });
        }
        let link = match transport {
            Transport::Polling => Link::Polling(Box::new(Polling {
                handshake,
                ..Polling::default()
            })),
            Transport::WebSocket => Link::WebSocket(WebSocket::default()),
        };
        self.state.open(link, now + CLOSE_TIMEOUT);
        self.heartbeat = Heartbeat::new(self.revision, pace(&self.config), now);
    }

    fn open_packet(&self, transport: Transport, sid: &Sid) -> Packet {
        let upgrades = match self.config.allow_upgrades {
            true => transport.upgrades_to() & self.config.transports,
            false => Transports::none(),
        };
        let Pace { interval, timeout } = pace(&self.config);
        handshake::open_packet(
            sid,
            upgrades.iter(),
            interval,
            timeout,
            self.config.max_http_buffer_size,
        )
    }
}
