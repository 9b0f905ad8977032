//! The set of connections that a thread watches: who is ready for what, and who waits for that.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bitflags::bitflags;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Registry, Token};
use slab::Slab;
use tokio::io::unix::AsyncFd;
use tokio::task::coop;

/// How many events are taken in one go, before those have their turn that they wake.
pub(super) const TURN: usize = if cfg!(test) { 4 } else { 1024 };

thread_local! {
    /// From the first connection of this thread to the end of its runtime.
    static SET: RefCell<Option<Set>> = const { RefCell::new(None) };
}

/// What a thread watches.
struct Set {
    handle: Arc<Handle>,
    entries: Slab<Entry>,
}

/// What is known of a set on every thread.
#[derive(Debug)]
struct Handle {
    registry: Registry,
    /// The entries of connections that have ended on another thread.
    left: Mutex<Vec<usize>>,
}

struct Entry {
    ready: Ready,
    /// What the task waits for.
    awaited: Ready,
    waker: Option<Waker>,
}

bitflags! {
    /// What a connection is ready for, as far as is known.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Ready: u8 {
        const READ = 1;
        const WRITE = 1 << 1;
        /// The end comes behind what is left to read: no event tells of it again.
        const END = 1 << 2;
        const READING = Self::READ.bits() | Self::END.bits();
    }
}

impl Ready {
    fn of(event: &Event) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::READ, event.is_readable() || event.is_error());
        ready.set(Ready::WRITE, event.is_writable() || event.is_error());
        ready.set(Ready::END, event.is_read_closed());
        ready
    }
}

/// A connection's place in the set of the thread that has taken it. May be dropped on any other.
#[derive(Debug)]
pub(super) struct Place {
    key: usize,
    handle: Arc<Handle>,
}

impl Place {
    /// Lets this thread watch a connection, which is `ready` for this as far as is known: it is tried before any event.
    ///
    /// # Errors
    /// When the system does not allow it, or the runtime is at its end.
    pub(super) fn take(io: &impl AsRawFd, ready: Ready) -> io::Result<Self> {
        if SET.with_borrow(Option::is_none) {
            begin()?;
        }
        let _left = SET.with_borrow_mut(|set| set.as_mut().map(Set::sweep));
        SET.with_borrow_mut(|set| {
            let set = set.as_mut().ok_or_else(over)?;
            let (entry, handle) = (set.entries.vacant_entry(), set.handle.clone());
            let key = entry.key();
            let interest = Interest::READABLE | Interest::WRITABLE;
            handle
                .registry
                .register(&mut SourceFd(&io.as_raw_fd()), Token(key), interest)?;
            entry.insert(Entry {
                ready,
                awaited: Ready::empty(),
                waker: None,
            });
            Ok(Place { key, handle })
        })
    }

    /// Lets nobody watch a connection that is not to be closed.
    ///
    /// # Errors
    /// When it was not watched.
    pub(super) fn leave(self, io: &impl AsRawFd) -> io::Result<()> {
        self.handle.registry.deregister(&mut SourceFd(&io.as_raw_fd()))
    }

    /// Whether it is in the set of this thread.
    pub(super) fn is_here(&self) -> bool {
        self.with_entry(|_| ()).is_some()
    }

    /// Does what would block as soon as it does not. `act` tells besides whether it might be done again at once.
    ///
    /// # Errors
    /// Those of `act`. And when it would have to wait, but this thread does not watch the connection.
    #[inline]
    pub(super) fn poll_io<T>(
        &self,
        direction: Ready,
        cx: &mut Context<'_>,
        mut act: impl FnMut() -> io::Result<(T, bool)>,
    ) -> Poll<io::Result<T>> {
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            let is_watched = ready!(self.poll_ready(direction, cx));
            match act() {
                Ok((value, again)) => {
                    if !again {
                        self.clear(direction - Ready::END);
                    }
                    budget.made_progress();
                    return Poll::Ready(Ok(value));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && is_watched => {
                    self.clear(direction);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Ready(Err(over())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Ready with `true` when the connection is ready for one of these, and `cx` is woken when it is; with `false` at once
    /// where it is not watched.
    #[inline]
    fn poll_ready(&self, any: Ready, cx: &Context<'_>) -> Poll<bool> {
        let (ready, _replaced) = self
            .with_entry(|entry| {
                if entry.ready.intersects(any) {
                    return (Poll::Ready(true), None);
                }
                entry.awaited |= any;
                match &mut entry.waker {
                    Some(waker) if waker.will_wake(cx.waker()) => (Poll::Pending, None),
                    waker => (Poll::Pending, waker.replace(cx.waker().clone())),
                }
            })
            .unwrap_or((Poll::Ready(false), None));
        ready
    }

    /// It is ready for this no more; the next event tells when it is again.
    #[inline]
    fn clear(&self, ready: Ready) {
        self.with_entry(|entry| entry.ready -= ready);
    }

    #[inline]
    fn with_entry<T>(&self, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        SET.with_borrow_mut(|set| {
            let set = set
                .as_mut()
                .filter(|set| Arc::ptr_eq(&set.handle, &self.handle))?;
            set.entries.get_mut(self.key).map(act)
        })
    }
}

/// Whoever closes the connection next takes it out of the system's set. Should somebody have a second descriptor, an event
/// of it may reach who has its place then, and that one looks in vain.
impl Drop for Place {
    fn drop(&mut self) {
        // A waker may be the last that knows of its task, which is dropped outside then.
        let entry = SET.try_with(|set| match &mut *set.borrow_mut() {
            Some(set) if Arc::ptr_eq(&set.handle, &self.handle) => set.entries.try_remove(self.key),
            _ => {
                self.handle.left().push(self.key);
                None
            }
        });
        drop(entry);
    }
}

impl Handle {
    fn left(&self) -> MutexGuard<'_, Vec<usize>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    /// Takes out those that have ended elsewhere.
    fn sweep(&mut self) -> Vec<Entry> {
        let left = std::mem::take(&mut *self.handle.left());
        left.into_iter()
            .filter_map(|key| self.entries.try_remove(key))
            .collect()
    }

    fn take(&mut self, event: &Event) {
        // An event may come for one that has left.
        let Some(entry) = self.entries.get_mut(event.token().0) else {
            return;
        };
        let ready = Ready::of(event);
        entry.ready |= ready;
        if entry.awaited.intersects(ready) {
            entry.awaited -= ready;
            if let Some(waker) = &entry.waker {
                waker.wake_by_ref();
            }
        }
    }
}

/// Begins to watch on this thread.
fn begin() -> io::Result<()> {
    let selector = mio::Poll::new()?;
    let handle = Arc::new(Handle {
        registry: selector.registry().try_clone()?,
        left: Mutex::default(),
    });
    // What came in its place is `unsafe`, lest the descriptor change under it. That of a `Poll` does not.
    #[allow(deprecated)]
    let selector = AsyncFd::with_interest(selector, tokio::io::Interest::READABLE)?;
    SET.set(Some(Set {
        handle: handle.clone(),
        entries: Slab::new(),
    }));
    actix_rt::spawn(watch(selector, End(handle)));
    Ok(())
}

/// Wakes who waits for what happens, as long as the runtime lives.
async fn watch(mut selector: AsyncFd<mio::Poll>, _end: End) {
    let mut events = Events::with_capacity(TURN);
    poll_fn(|cx| {
        loop {
            let Ok(mut ready) = ready!(selector.poll_read_ready_mut(cx)) else {
                return Poll::Ready(());
            };
            // Nothing in it when it was interrupted: what there is remains there.
            let polled = ready.get_inner_mut().poll(&mut events, Some(Duration::ZERO));
            let mut count = 0;
            SET.with_borrow_mut(|set| {
                for event in &events {
                    count += 1;
                    set.iter_mut().for_each(|set| set.take(event));
                }
            });
            if count == TURN || polled.is_err() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready.clear_ready();
        }
    })
    .await;
}

/// The runtime is at its end.
struct End(Arc<Handle>);

impl Drop for End {
    fn drop(&mut self) {
        let set = SET.try_with(|set| {
            let mut set = set.borrow_mut();
            set.take_if(|set| Arc::ptr_eq(&set.handle, &self.0))
        });
        drop(set);
    }
}

fn over() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "its thread watches nothing")
}

/// How many this thread watches.
#[cfg(test)]
pub(super) fn size() -> usize {
    SET.with_borrow(|set| set.as_ref().map_or(0, |set| set.entries.len()))
}
