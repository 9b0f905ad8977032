//! Who is in a room, kept as a broadcast needs it: by thread. Nothing is sorted and nobody is looked up when
//! something is sent.

use std::collections::HashMap;
use std::sync::Arc;

use super::Room;
use crate::actor::fanout::{Branch, SeatId};
use crate::actor::handle::Socket;

pub(super) type OnEmpty = dyn Fn(&Room) + Send + Sync;

#[derive(Default)]
pub(super) struct Members {
    /// Where in its part each one stands.
    places: HashMap<Socket, usize>,
    /// One for each thread on which somebody is. There are a few at most.
    parts: Vec<Part>,
    pub(super) on_empty: Option<Arc<OnEmpty>>,
}

/// Those of one thread; `seats` and `sockets` have the same order.
struct Part {
    branch: Arc<Branch>,
    /// Shared with what was posted and is not handed out yet: copied if it changes meanwhile.
    seats: Arc<Vec<SeatId>>,
    sockets: Vec<Socket>,
}

impl Members {
    /// Returns whether it was not in before.
    pub(super) fn insert(&mut self, socket: &Socket) -> bool {
        if self.contains(socket) {
            return false;
        }
        let (branch, seat) = socket.seat();
        let at = self.part(&branch).unwrap_or_else(|| {
            self.parts.push(Part {
                branch,
                seats: Arc::default(),
                sockets: Vec::new(),
            });
            self.parts.len() - 1
        });
        let part = &mut self.parts[at];
        Arc::make_mut(&mut part.seats).push(seat);
        part.sockets.push(socket.clone());
        self.places.insert(socket.clone(), part.sockets.len() - 1);
        true
    }

    /// Returns whether it was in.
    pub(super) fn remove(&mut self, socket: &Socket) -> bool {
        let Some(place) = self.places.remove(socket) else {
            return false;
        };
        let (branch, _) = socket.seat();
        let Some(at) = self.part(&branch) else {
            return false;
        };
        let part = &mut self.parts[at];
        Arc::make_mut(&mut part.seats).swap_remove(place);
        part.sockets.swap_remove(place);
        if let Some(moved) = part.sockets.get(place) {
            self.places.insert(moved.clone(), place);
        }
        if part.sockets.is_empty() {
            self.parts.swap_remove(at);
        }
        true
    }

    fn part(&self, branch: &Arc<Branch>) -> Option<usize> {
        self.parts
            .iter()
            .position(|part| Arc::ptr_eq(&part.branch, branch))
    }

    pub(super) fn seats(&self) -> impl Iterator<Item = (&Arc<Branch>, Arc<Vec<SeatId>>)> {
        self.parts.iter().map(|part| (&part.branch, part.seats.clone()))
    }

    pub(super) fn sockets(&self) -> Vec<Socket> {
        self.places.keys().cloned().collect()
    }

    pub(super) fn contains(&self, socket: &Socket) -> bool {
        self.places.contains_key(socket)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}
