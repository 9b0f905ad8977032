//! Which session has which id: read by any thread, written by the `ServerActor` alone.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::handle::Socket;
use crate::proto::Sid;

/// The sessions of a server by their id.
#[derive(Debug, Default)]
pub(crate) struct Registry(DashMap<Sid, Socket>);

/// Why a session was not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegisterError {
    /// The id is taken: overwriting would hand one client's session to another.
    Duplicate,
    /// The server shuts down.
    Closing,
}

impl Registry {
    pub(super) fn insert(&self, socket: Socket) -> Result<(), RegisterError> {
        match self.0.entry(socket.id()) {
            // A session that has ended may still wait for a last poll; its id is free all the same.
            Entry::Occupied(mut taken) if !taken.get().is_alive() => {
                taken.insert(socket);
                Ok(())
            }
            Entry::Occupied(_) => Err(RegisterError::Duplicate),
            Entry::Vacant(vacant) => {
                vacant.insert(socket);
                Ok(())
            }
        }
    }

    /// Removes this very socket: its id may have been refused because it is another's.
    pub(super) fn remove(&self, socket: &Socket) {
        self.0
            .remove_if(&socket.id(), |_, registered| registered == socket);
        // A wave of clients shall not keep its memory for ever.
        if self.0.is_empty() && self.0.capacity() > 4096 {
            self.0.shrink_to_fit();
        }
    }

    pub(crate) fn get(&self, sid: &Sid) -> Option<Socket> {
        self.0.get(sid).map(|socket| socket.clone())
    }

    pub(crate) fn sockets(&self) -> Vec<Socket> {
        self.0.iter().map(|entry| entry.value().clone()).collect()
    }
}
