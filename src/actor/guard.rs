//! A socket's place in the registry and in the count of the living: given up when dropped, panic or not.

use super::handle::{Server, Socket};
use super::messages::{Idle, Unregister};

/// Registers nothing itself; whatever happens to its holder, the socket is unregistered and uncounted.
#[derive(Debug)]
pub(super) struct Place {
    server: Server,
    socket: Socket,
    registered: bool,
    counted: bool,
}

impl Place {
    pub(super) fn new(socket: Socket) -> Self {
        let server = socket.server();
        server.enter();
        Place {
            server,
            socket,
            registered: true,
            counted: false,
        }
    }

    /// The socket is in the registry: it counts as a client.
    pub(super) fn count(&mut self) {
        self.counted = true;
        self.server.count_client();
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
