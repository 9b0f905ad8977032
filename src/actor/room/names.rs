//! How rooms are found: a server's by their names, a socket's by the socket.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Room, RoomShared};

/// The rooms of a server that have names. It keeps none of them alive.
#[derive(Default)]
pub(in crate::actor) struct Names(Mutex<HashMap<Box<str>, Weak<RoomShared>>>);

impl Names {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Weak<RoomShared>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn room(self: &Arc<Self>, name: &str) -> Room {
        let mut names = self.lock();
        if let Some(room) = names.get(name).and_then(Weak::upgrade) {
            return Room(room);
        }
        let room = Room::named(Some(Name {
            text: name.into(),
            names: self.clone(),
        }));
        names.insert(name.into(), Arc::downgrade(&room.0));
        room
    }

    pub(super) fn rooms(&self) -> Vec<Room> {
        self.lock().values().filter_map(Weak::upgrade).map(Room).collect()
    }
}

/// A room's name, given up with the room.
pub(super) struct Name {
    text: Box<str>,
    names: Arc<Names>,
}

impl Name {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut names = self.names.lock();
        // Another room may have come to this name already.
        if names.get(&self.text).is_some_and(|room| room.strong_count() == 0) {
            names.remove(&self.text);
        }
    }
}

/// The rooms of a socket. As long as there are none, no more than a pointer.
#[derive(Default)]
pub(in crate::actor) struct Joined(Mutex<Rooms>);

type Rooms = Option<Box<HashSet<Room>>>;

impl Joined {
    pub(super) fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
