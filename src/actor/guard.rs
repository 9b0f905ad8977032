//! A socket's place in the registry and in the count of the living: given up when dropped, panic or not.

use std::sync::Arc;
use std::time::Duration;

use super::handle::Socket;
use super::limits::Permit;
use super::messages::{Idle, Unregister};
use super::stats::Shard;
use crate::proto::{CloseReason, Session, Tally, Transport};

/// Registers nothing itself; whatever happens to its holder, the socket is unregistered and uncounted.
#[derive(Debug)]
pub(super) struct Place {
    socket: Socket,
    permit: Permit,
    /// The counters of its thread.
    shard: Arc<Shard>,
    /// The transport that it counts on.
    transport: Transport,
    /// How many bytes of its write buffer are counted.
    buffered: usize,
    /// How many polls it has taken, up to two: the first one is the handshake.
    polls: u8,
    registered: bool,
    counted: bool,
}

impl Place {
    pub(super) fn new(socket: Socket, permit: Permit) -> Self {
        let server = socket.server();
        server.enter();
        Place {
            permit,
            shard: server.shard(),
            transport: socket.transport(),
            buffered: 0,
            socket,
            polls: 0,
            registered: true,
            counted: false,
        }
    }

    /// The socket is in the registry: it counts as a client.
    pub(super) fn count(&mut self) {
        self.counted = true;
        self.socket.server().count_client();
        self.shard.opened(self.transport, self.socket.protocol());
    }

    /// The socket has taken a poll.
    pub(super) fn polled(&mut self) {
        self.polls = self.polls.saturating_add(1);
        if self.polls == 2 {
            self.permit.polled();
        }
    }

    /// Counts what the session has done since the last time. To be called whenever it is at rest.
    pub(super) fn settle(&mut self, session: &mut Session) {
        let tally = session.take_tally();
        if tally != Tally::default() {
            self.shard.add(&tally);
            self.socket.add(&tally);
        }
        let buffered = session.buffered_bytes();
        if buffered != self.buffered {
            self.shard.buffered(self.buffered, buffered);
            self.buffered = buffered;
        }
        let transport = session.transport().unwrap_or(self.transport);
        if transport != self.transport && self.counted {
            self.shard.moved(self.transport, transport, session.revision());
            self.transport = transport;
            self.permit.polled();
        }
    }

    /// If the socket keeps a place that it has to earn by a poll: how long it may.
    pub(super) fn unpolled(&self) -> Option<Duration> {
        self.permit.unpolled()
    }

    /// The session has ended: it counts no more, and is in no room.
    pub(super) fn uncount(&mut self, reason: CloseReason) {
        self.socket.leave_rooms();
        if std::mem::take(&mut self.counted) {
            self.shard.closed(self.transport, self.socket.protocol(), reason);
            self.socket.server().uncount_client();
        }
    }

    /// The session is over: its id is free, though its last bytes may still be leaving.
    pub(super) fn unregister(&mut self) {
        if std::mem::take(&mut self.registered) {
            let server = self.socket.server();
            server.addr().do_send(Unregister(self.socket.clone()));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.socket.mark_closed();
        // Whoever has not told its end has not come to it in order.
        self.uncount(CloseReason::Panicked);
        self.shard.buffered(self.buffered, 0);
        self.unregister();
        let server = self.socket.server();
        if server.leave() == 0 {
            server.addr().do_send(Idle);
        }
    }
}
