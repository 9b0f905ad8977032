//! Which session has which id: read by any thread, written by the `ServerActor` alone.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::handle::Socket;
use crate::proto::Sid;

/// The sessions of a server by their id.
#[derive(Debug, Default)]
pub(crate) struct Registry(DashMap<ById, (), Keys>);

/// A socket, told from others by its id: the id need not lie in the table once more.
#[derive(Debug)]
struct ById(Socket);

impl Borrow<Sid> for ById {
    fn borrow(&self) -> &Sid {
        self.0.sid()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.sid() == other.0.sid()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.sid().hash(state);
    }
}

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
        match self.0.entry(ById(socket)) {
            // A session that has ended may still wait for a last poll; its id is free all the same.
            Entry::Occupied(taken) if !taken.key().0.is_alive() => {
                taken.replace_entry(());
                Ok(())
            }
            Entry::Occupied(_) => Err(RegisterError::Duplicate),
            Entry::Vacant(vacant) => {
                vacant.insert(());
                Ok(())
            }
        }
    }

    /// Removes this very socket: its id may have been refused because it is another's.
    pub(super) fn remove(&self, socket: &Socket) {
        self.0
            .remove_if(socket.sid(), |registered, ()| registered.0 == *socket);
        // A wave of clients shall not keep its memory for ever.
        if self.0.is_empty() && self.0.capacity() > 4096 {
            self.0.shrink_to_fit();
        }
    }

    pub(crate) fn get(&self, sid: &Sid) -> Option<Socket> {
        self.0.get(sid).map(|entry| entry.key().0.clone())
    }

    pub(crate) fn sockets(&self) -> Vec<Socket> {
        self.0.iter().map(|entry| entry.key().0.clone()).collect()
    }
}

/// Makes the hasher of ids. Every request asks for one, and ids are short and mostly random: two multiplications
/// a word do. Nobody can make ids collide, even where the application makes them of what clients say: the keys are
/// random, and no hash is ever shown.
#[derive(Debug, Clone)]
struct Keys(u64, u64);

impl Default for Keys {
    fn default() -> Self {
        let random = RandomState::new();
        Keys(random.hash_one(0), random.hash_one(1) | 1)
    }
}

impl BuildHasher for Keys {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher {
            hash: self.0,
            key: self.1,
        }
    }
}

struct IdHasher {
    hash: u64,
    key: u64,
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            if let Some(room) = word.get_mut(..part.len()) {
                room.copy_from_slice(part);
            }
            // Both halves of the product, so that every bit of the word reaches every bit of the hash.
            let product = u128::from(self.hash ^ u64::from_le_bytes(word)) * u128::from(self.key);
            self.hash = product as u64 ^ (product >> 64) as u64 ^ part.len() as u64;
        }
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.hash) * u128::from(self.key);
        product as u64 ^ (product >> 64) as u64
    }
}
