//! A socket's place in the registry and in the count of the living: given up when dropped, panic or not.

use std::time::Duration;

use super::handle::{Server, Socket};
use super::limits::Permit;
use super::messages::{Idle, Unregister};

/// Registers nothing itself; whatever happens to its holder, the socket is unregistered and uncounted.
#[derive(Debug)]
pub(super) struct Place {
    server: Server,
    socket: Socket,
    permit: Permit,
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
            server,
            socket,
            permit,
            polls: 0,
            registered: true,
            counted: false,
        }
    }

    /// The socket is in the registry: it counts as a client.
    pub(super) fn count(&mut self) {
        self.counted = true;
        self.server.count_client();
    }

    /// The socket has taken a poll.
    pub(super) fn polled(&mut self) {
        self.polls = self.polls.saturating_add(1);
        if self.polls == 2 {
            self.permit.polled();
        }
    }

    /// The socket is on a WebSocket.
    pub(super) fn upgraded(&mut self) {
        self.permit.polled();
    }

    /// If the socket keeps a place that it has to earn by a poll: how long it may.
    pub(super) fn unpolled(&self) -> Option<Duration> {
        self.permit.unpolled()
    }

    /// The session has ended: it counts no more.
    pub(super) fn uncount(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.server.uncount_client();
        }
    }

    /// The session is over: its id is free, though its last bytes may still be leaving.
    pub(super) fn unregister(&mut self) {
        if std::mem::take(&mut self.registered) {
            self.server.addr().do_send(Unregister(self.socket.clone()));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.socket.mark_closed();
        self.uncount();
        self.unregister();
        if self.server.leave() == 0 {
            self.server.addr().do_send(Idle);
        }
    }
}
