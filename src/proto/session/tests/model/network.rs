//! What is under way between the client and the server: a GET, POSTs, a WebSocket.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use super::server::End;
use super::world::World;
use crate::proto::{Packet, PollId, Probe, PushId};

/// A GET and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Get {
    None,
    Sent(PollId),
    Parked(PollId),
    Answered(Vec<Packet>),
    Refused,
    /// Broken; the client knows, the server does not yet.
    ServerUnaware(PollId),
    /// Broken; the server knows, the client does not yet.
    ClientUnaware,
}

/// A POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) id: PushId,
    pub(super) packets: Vec<Packet>,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Sent,
    /// The server has seen its head.
    Announced,
    /// ... and a part of its body.
    Begun,
    /// ... and all of it.
    Complete,
    Answered,
    Refused,
    /// Broken; the client knows, the server does not yet.
    ServerUnaware,
    /// Broken; the server knows, the client does not yet.
    ClientUnaware,
}

/// The WebSocket.
#[derive(Debug, Clone)]
pub(super) struct WebSocket {
    pub(super) connecting: bool,
    /// From the client to the server; `None` is the end.
    pub(super) up: VecDeque<Option<Packet>>,
    /// From the server to the client.
    pub(super) down: VecDeque<Option<Packet>>,
    pub(super) server: End,
    pub(super) client_open: bool,
    /// Packets are swallowed; only its end gets through.
    pub(super) stalls: bool,
}

impl WebSocket {
    /// Whether the session knows of it.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.server, End::Session | End::Probing(Probe::Probing))
    }

    pub(super) fn close_server(&mut self) {
        if self.server != End::Closed {
            self.server = End::Closed;
            self.down.push_back(None);
            self.up.clear();
        }
    }

    pub(super) fn close_client(&mut self) {
        if self.client_open {
            self.client_open = false;
            self.up.push_back(None);
            self.down.clear();
        }
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, &self.server, &self.client, self.budget, self.excuse).hash(state);
        match &self.get {
            Get::Sent(poll) | Get::Parked(poll) | Get::ServerUnaware(poll) => poll.hash(state),
            Get::Answered(packets) => super::hash_packets(packets, state),
            Get::None | Get::Refused | Get::ClientUnaware => {}
        }
        std::mem::discriminant(&self.get).hash(state);
        self.posts.len().hash(state);
        for post in &self.posts {
            (post.id, post.stage).hash(state);
            super::hash_packets(&post.packets, state);
        }
        if let Some(websocket) = &self.websocket {
            (websocket.connecting, websocket.client_open, websocket.stalls).hash(state);
            (std::mem::discriminant(&websocket.server), websocket.up.len()).hash(state);
            for packet in websocket.up.iter().chain(&websocket.down) {
                packet.is_some().hash(state);
                packet.iter().for_each(|packet| super::hash_packet(packet, state));
            }
        }
    }
}
