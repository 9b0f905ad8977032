//! Messages on their way to a socket's process: those that are posted before it comes to them go together, since an
//! actor's mailbox costs as much for all of them as for one.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use once_cell::race::OnceBox;

use crate::actor::messages::{Deliver, Many, Send};

/// How many messages there is room for at first, and how much it grows by at least.
const ROOM: usize = 8;

/// What was posted to a socket and not taken. One pointer, until somebody other than its own handler has sent something.
#[derive(Debug, Default)]
pub(super) struct Mail(OnceBox<Mailbag>);

#[derive(Debug, Default)]
struct Mailbag {
    /// Their bytes are reserved.
    waiting: Mutex<Vec<Send>>,
    /// How many [`Deliver`] lie in the mailbox.
    deliveries: AtomicU32,
    /// Others may put messages in the mailbox, whose places must be kept: nothing goes together any more.
    apart: AtomicBool,
}

impl Mail {
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        let bag = self.0.get();
        bag.is_some_and(|bag| bag.deliveries.load(Ordering::Acquire) > 0)
    }

    /// What is posted from here on keeps its place among other messages in the mailbox.
    pub(super) fn keep_apart(&self) {
        let bag = self.bag();
        if !bag.apart.load(Ordering::Acquire) {
            bag.apart.store(true, Ordering::Release);
        }
    }

    /// Puts a message behind the others. `deliver` posts in the mailbox, before anything else is posted here: what the
    /// same sender tells the process afterwards comes behind.
    #[inline]
    pub(super) fn post(&self, send: Send, deliver: impl FnOnce(Deliver)) {
        let bag = self.bag();
        if bag.apart.load(Ordering::Acquire) {
            return deliver(bag.delivery(Deliver::One(send)));
        }
        let mut waiting = bag.waiting();
        if waiting.len() == waiting.capacity() {
            waiting.reserve(ROOM);
        }
        waiting.push(send);
        if waiting.len() == 1 {
            deliver(bag.delivery(Deliver::Waiting));
        }
    }

    /// Puts several messages behind the others: they are a message of their own in the mailbox, unless others wait.
    pub(super) fn post_all(&self, many: Many, deliver: impl FnOnce(Deliver)) {
        let bag = self.bag();
        let mut waiting = bag.waiting();
        match waiting.is_empty() || bag.apart.load(Ordering::Acquire) {
            true => deliver(bag.delivery(Deliver::Many(many))),
            false => waiting.extend(many.into_sends()),
        }
    }

    /// All that was put together.
    pub(super) fn take(&self) -> Vec<Send> {
        let bag = self.0.get();
        bag.map_or_else(Vec::new, |bag| std::mem::take(&mut *bag.waiting()))
    }

    /// A [`Deliver`] has come out of the mailbox.
    pub(super) fn delivered(&self) {
        if let Some(bag) = self.0.get() {
            bag.deliveries.fetch_sub(1, Ordering::AcqRel);
        }
    }

    #[inline]
    fn bag(&self) -> &Mailbag {
        self.0.get_or_init(Box::default)
    }
}

impl Mailbag {
    fn waiting(&self) -> MutexGuard<'_, Vec<Send>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what is to be posted in the mailbox.
    fn delivery(&self, deliver: Deliver) -> Deliver {
        self.deliveries.fetch_add(1, Ordering::AcqRel);
        deliver
    }
}
