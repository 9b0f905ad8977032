//! Messages on their way to a socket's process: those that are posted before it comes to them go together, since an
//! actor's mailbox costs as much for all of them as for one.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::actor::messages::{Deliver, Send};

/// How many messages there is room for at first, and how much it grows by at least.
const ROOM: usize = 8;

/// What was posted and not taken, its bytes reserved.
#[derive(Debug, Default)]
pub(super) struct Mail {
    waiting: Mutex<Vec<Send>>,
    /// How many [`Deliver`] lie in the mailbox.
    deliveries: AtomicU32,
    /// Others may put messages in the mailbox, whose places must be kept: nothing goes together any more.
    apart: AtomicBool,
}

impl Mail {
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.deliveries.load(Ordering::Acquire) > 0
    }

    /// What is posted from here on keeps its place among other messages in the mailbox.
    pub(super) fn keep_apart(&self) {
        if !self.apart.load(Ordering::Acquire) {
            self.apart.store(true, Ordering::Release);
        }
    }

    /// Puts a message behind the others. `deliver` posts in the mailbox, before anything else is posted here: what the
    /// same sender tells the process afterwards comes behind.
    #[inline]
    pub(super) fn post(&self, send: Send, deliver: impl FnOnce(Deliver)) {
        if self.apart.load(Ordering::Acquire) {
            self.deliveries.fetch_add(1, Ordering::AcqRel);
            return deliver(Deliver(Some(send)));
        }
        let mut waiting = self.waiting();
        if waiting.len() == waiting.capacity() {
            waiting.reserve(ROOM);
        }
        waiting.push(send);
        if waiting.len() == 1 {
            self.deliveries.fetch_add(1, Ordering::AcqRel);
            deliver(Deliver(None));
        }
    }

    /// Puts messages behind the others, with nothing between them.
    pub(super) fn post_all(&self, mut sends: Vec<Send>, deliver: impl Fn(Deliver)) {
        let mut waiting = self.waiting();
        if self.apart.load(Ordering::Acquire) {
            for send in sends {
                self.deliveries.fetch_add(1, Ordering::AcqRel);
                deliver(Deliver(Some(send)));
            }
        } else if !waiting.is_empty() {
            waiting.append(&mut sends);
        } else if !sends.is_empty() {
            *waiting = sends;
            self.deliveries.fetch_add(1, Ordering::AcqRel);
            deliver(Deliver(None));
        }
    }

    /// All that was put together.
    pub(super) fn take(&self) -> Vec<Send> {
        std::mem::take(&mut *self.waiting())
    }

    /// A [`Deliver`] has come out of the mailbox, and what it brought has been taken.
    pub(super) fn delivered(&self) {
        self.deliveries.fetch_sub(1, Ordering::AcqRel);
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Send>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
