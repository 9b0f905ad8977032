//! What goes to many sockets: posted once to each thread that has some, encoded once for each kind of connection,
//! and handed out there without a message to each. A socket takes its share before whatever was sent to it later,
//! so that nothing overtakes a broadcast and no broadcast overtakes anything.

mod alarms;
mod branch;

pub(super) use branch::{Audience, Branch, LocalBranch, Seat, SeatId};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use super::messages::Send;
use crate::Data;
use crate::proto::{FrameRef, Revision, cost};
use crate::ws::Encoding;

/// Broadcasts of this process, numbered from 1.
static LAST: AtomicU64 = AtomicU64::new(0);

/// The number of the last broadcast that has been begun: what is sent from here on comes behind it.
#[inline]
pub(super) fn last() -> u64 {
    LAST.load(Ordering::Acquire)
}

/// A message on its way to many sockets.
#[derive(Debug)]
pub(super) struct Broadcast {
    number: u64,
    data: Data,
    compress: bool,
    key: Option<u64>,
    /// Its frames, by the kind of connection. There are a few kinds at most.
    frames: Mutex<Vec<(Kind, Bytes)>>,
}

/// Connections that are equal in this write the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    encoding: Encoding,
    revision: Revision,
}

impl Broadcast {
    pub(super) fn new(send: Send) -> Arc<Self> {
        Arc::new(Broadcast {
            number: LAST.fetch_add(1, Ordering::AcqRel) + 1,
            data: send.data,
            compress: send.compress,
            key: send.key,
            frames: Mutex::default(),
        })
    }

    /// Its place among all broadcasts.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What it counts for while it waits.
    fn cost(&self) -> usize {
        cost(&self.data)
    }

    /// The same for one socket.
    pub(super) fn message(&self) -> Send {
        Send {
            data: self.data.clone(),
            compress: self.compress,
            key: self.key,
            after: self.number,
        }
    }

    /// The bytes for connections of this kind: `frame`, encoded once for all of them.
    pub(super) fn encoded(&self, encoding: Encoding, revision: Revision, frame: FrameRef<'_>) -> Bytes {
        let encoding = if self.compress { encoding } else { Encoding::PLAIN };
        let kind = Kind { encoding, revision };
        // Encoding under the lock: another thread that wants the same waits for it instead of doing it again.
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = frames.iter().find(|(other, _)| *other == kind) {
            return bytes.clone();
        }
        let bytes = encoding.encode(frame.is_text, frame.prefix, frame.payload);
        frames.push((kind, bytes.clone()));
        bytes
    }
}

/// The threads on which a server has sockets.
#[derive(Debug, Default)]
pub(super) struct Branches(RwLock<Vec<Arc<Branch>>>);

impl Branches {
    /// Posts a message to all sockets but these.
    pub(super) fn post(&self, send: Send, except: &[(Arc<Branch>, SeatId)]) {
        let broadcast = Broadcast::new(send);
        for branch in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            branch.post(&broadcast, Audience::AllBut(seats_of(branch, except)));
        }
    }

    /// Posts a message to these sockets.
    pub(super) fn post_to(send: Send, mut seats: Vec<(Arc<Branch>, SeatId)>) {
        seats.sort_unstable_by_key(|(branch, seat)| (Arc::as_ptr(branch) as usize, *seat));
        seats.dedup_by(|(one, this), (other, that)| Arc::ptr_eq(one, other) && this == that);
        let parts = seats.chunk_by(|(one, _), (other, _)| Arc::ptr_eq(one, other));
        let parts = parts.filter_map(|part| {
            let these = part.iter().map(|(_, seat)| *seat).collect();
            Some((&part.first()?.0, Arc::new(these)))
        });
        post(send, parts, &[]);
    }

    fn add(&self, branch: Arc<Branch>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(branch);
    }

    fn remove(&self, branch: &Arc<Branch>) {
        let mut branches = self.0.write().unwrap_or_else(PoisonError::into_inner);
        branches.retain(|other| !Arc::ptr_eq(other, branch));
    }
}

/// Posts a message to the sockets of these parts, one for each thread, but for some.
pub(super) fn post<'a>(
    send: Send,
    parts: impl Iterator<Item = (&'a Arc<Branch>, Arc<Vec<SeatId>>)>,
    except: &[(Arc<Branch>, SeatId)],
) {
    let broadcast = Broadcast::new(send);
    for (branch, these) in parts {
        let but = seats_of(branch, except);
        branch.post(&broadcast, Audience::These { these, but });
    }
}

/// Which of the seats are on this branch, sorted.
fn seats_of(branch: &Arc<Branch>, seats: &[(Arc<Branch>, SeatId)]) -> Vec<SeatId> {
    let here = seats.iter().filter(|(other, _)| Arc::ptr_eq(other, branch));
    let mut here: Vec<_> = here.map(|(_, seat)| *seat).collect();
    here.sort_unstable();
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many connections take it, and on however many threads.
    #[test]
    fn it_is_encoded_once_for_each_kind_of_connection() {
        let broadcast = Broadcast::new(Send::text("to many"));
        let encode = |revision: Revision| {
            let data = broadcast.message().data;
            broadcast.encoded(Encoding::PLAIN, revision, FrameRef::of_message(&data, revision))
        };
        let first = encode(Revision::V4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(encode(Revision::V4).as_ptr(), first.as_ptr()));
            }
        });
        let other = encode(Revision::V3);
        assert_ne!(other.as_ptr(), first.as_ptr());
        assert_eq!(encode(Revision::V3).as_ptr(), other.as_ptr());
        assert_eq!(encode(Revision::V4).as_ptr(), first.as_ptr());
        assert_eq!(broadcast.frames.lock().expect("unpoisoned").len(), 2);
    }
}
