//! A socket's place on its thread's branch: what it takes from there, and how it is told.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use super::{Bell, Branch, Entry, LocalBranch, SeatId};
use crate::actor::fanout::Broadcast;
use crate::actor::handle::Socket;
#[cfg(doc)]
use crate::actor::messages::Heartbeat;

/// A socket's place on its branch, for the socket's life.
#[derive(Debug)]
pub(in crate::actor) struct Seat {
    pub(super) branch: Rc<LocalBranch>,
    pub(super) id: SeatId,
}

impl Seat {
    /// Where others find it.
    pub(in crate::actor) fn address(&self) -> (Arc<Branch>, SeatId) {
        (self.branch.shared.clone(), self.id)
    }

    fn with_entry<R>(&self, call: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.branch.seats.borrow_mut().entry(self.id).map(call)
    }

    /// Broadcasts are told to this socket from here on, by messages until it [listens](Self::listen).
    pub(in crate::actor) fn take(&self, socket: Socket) {
        self.with_entry(|entry| entry.bell = Bell::Message(socket));
    }

    /// Broadcasts wake this task from here on, instead of sending messages.
    pub(in crate::actor) fn listen(&self, waker: &Waker) {
        self.with_entry(|entry| match &mut entry.bell {
            Bell::Task(kept) if kept.will_wake(waker) => {}
            bell => *bell = Bell::Task(waker.clone()),
        });
    }

    /// Its socket is woken at `due`, as for a broadcast: by its task, or by [`Heartbeat`].
    pub(in crate::actor) fn wake_at(&self, due: std::time::Instant) {
        let seats = self.branch.seats.borrow();
        let is_taken = |id: SeatId| {
            let entry = seats.all.get(id.index as usize);
            entry.is_some_and(|entry| entry.generation == id.generation)
        };
        self.branch.alarms.borrow_mut().set(due, self.id, is_taken);
    }

    /// Whether broadcasts up to the one of this number were posted and are not handed out.
    #[inline]
    pub(in crate::actor) fn awaits(&self, number: u64) -> bool {
        self.branch.shared.first.load(Ordering::Acquire) <= number
    }

    /// What was posted is handed out now, if it comes before what was sent after the broadcast of this number.
    #[inline]
    pub(in crate::actor) fn hurry(&self, after: u64) {
        if self.awaits(after) {
            self.branch.hand_out();
        }
    }

    /// The next broadcast that was handed out, if it comes before what was sent after the broadcast of this number.
    #[inline]
    pub(in crate::actor) fn next(&self, after: u64) -> Option<Arc<Broadcast>> {
        let mail = self.branch.mail.get();
        if mail == 0 {
            return None;
        }
        let next = self.look(after);
        if next.is_some() {
            self.branch.mail.set(mail - 1);
        }
        next
    }

    fn look(&self, after: u64) -> Option<Arc<Broadcast>> {
        self.with_entry(|entry| {
            let inbox = entry.inbox.as_mut()?;
            let is_next = inbox.front()?.number() <= after;
            let next = if is_next { inbox.pop_front() } else { None };
            if inbox.is_empty() {
                entry.inbox = None;
            }
            next
        })
        .flatten()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.branch.seats.borrow_mut();
        let left = seats.entry(self.id).map(|entry| {
            entry.generation = entry.generation.wrapping_add(1);
            (std::mem::take(&mut entry.bell), entry.inbox.take())
        });
        seats.free.push(self.id.index);
        drop(seats);
        self.branch.shared.sockets.fetch_sub(1, Ordering::Relaxed);
        if let Some((_, Some(inbox))) = &left {
            let mail = &self.branch.mail;
            mail.set(mail.get() - inbox.len());
        }
        // What a socket holds is dropped when nothing is borrowed.
        drop(left);
    }
}
