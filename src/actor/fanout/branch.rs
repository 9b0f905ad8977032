//! One thread's part of the fan-out: what was posted to it, and a seat for each of its sockets.

mod seat;

pub(in crate::actor) use seat::Seat;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_rt::time::Instant;

use super::alarms::{Alarms, ring};
use super::{Branches, Broadcast};
use crate::actor::handle::{Server, Socket};
use crate::actor::messages::{Collect, Heartbeat};
use crate::actor::stats::Counters;

/// A wave that takes its thread so long is followed by a pause ...
const LONG_WAVE: Duration = Duration::from_millis(1);

/// ... of this length at least, in which those who answer to it can post: one wave is cheaper than two.
const PAUSE: Duration = Duration::from_millis(1);

thread_local! {
    /// The branches of this thread, by their servers' lists.
    static LOCAL: RefCell<HashMap<usize, Weak<LocalBranch>>> = RefCell::default();
}

/// What any thread sees of a branch.
#[derive(Debug)]
pub(in crate::actor) struct Branch {
    letterbox: Mutex<Letterbox>,
    /// The least number of those in it, or [`NONE`]: a look costs no lock.
    first: AtomicU64,
    /// The bound of a write buffer, in bytes.
    limit: usize,
    /// How many seats are taken.
    sockets: AtomicUsize,
    counters: Arc<Counters>,
}

const NONE: u64 = u64::MAX;

/// How many bytes wait for a thread at most, while it is held up; or as many as a write buffer takes, if that is more.
const MOST_POSTED: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
struct Letterbox {
    posts: Vec<(Arc<Broadcast>, Audience)>,
    bytes: usize,
    /// The branch's task, to be woken.
    waker: Option<Waker>,
    /// The last socket has left.
    closed: bool,
}

/// Whom a message is for. Exceptions are sorted.
#[derive(Debug)]
pub(in crate::actor) enum Audience {
    AllBut(Vec<SeatId>),
    These {
        these: Arc<Vec<SeatId>>,
        but: Vec<SeatId>,
    },
}

impl Audience {
    /// The bytes of its list.
    fn size(&self) -> usize {
        let count = match self {
            Audience::AllBut(except) => except.len(),
            Audience::These { these, but } => these.len() + but.len(),
        };
        count * size_of::<SeatId>()
    }

    /// How many they are on a thread with so many sockets.
    fn count_of(&self, sockets: usize) -> u64 {
        let count = match self {
            Audience::AllBut(except) => sockets.saturating_sub(except.len()),
            Audience::These { these, but } => {
                these.iter().filter(|id| but.binary_search(id).is_err()).count()
            }
        };
        count as u64
    }
}

/// Which seat; never used again for another socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::actor) struct SeatId {
    index: u32,
    generation: u32,
}

#[cfg(test)]
impl SeatId {
    pub(super) fn test(index: u32) -> Self {
        SeatId { index, generation: 0 }
    }
}

impl Branch {
    fn new(limit: usize, counters: Arc<Counters>) -> Self {
        Branch {
            letterbox: Mutex::default(),
            first: AtomicU64::new(NONE),
            limit,
            sockets: AtomicUsize::new(0),
            counters,
        }
    }

    fn letterbox(&self) -> MutexGuard<'_, Letterbox> {
        self.letterbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn post(&self, broadcast: &Arc<Broadcast>, audience: Audience) {
        let mut letterbox = self.letterbox();
        if letterbox.closed {
            return;
        }
        let sockets = self.sockets.load(Ordering::Relaxed);
        let bytes = letterbox.bytes + broadcast.cost() + audience.size();
        if bytes > self.room(sockets) {
            drop(letterbox);
            return self.counters.sends_refused(audience.count_of(sockets));
        }
        letterbox.bytes = bytes;
        letterbox.posts.push((broadcast.clone(), audience));
        self.first.fetch_min(broadcast.number(), Ordering::AcqRel);
        let waker = letterbox.waker.take();
        drop(letterbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How many bytes may lie in the letterbox: as many as there is room for in all write buffers of the thread, but not
    /// without end.
    fn room(&self, sockets: usize) -> usize {
        self.limit
            .saturating_mul(sockets)
            .min(self.limit.max(MOST_POSTED))
    }

    fn take(&self) -> Vec<(Arc<Broadcast>, Audience)> {
        let mut letterbox = self.letterbox();
        self.first.store(NONE, Ordering::Release);
        letterbox.bytes = 0;
        std::mem::take(&mut letterbox.posts)
    }

    /// Ready when there is something to hand out, or nobody to hand it to.
    fn poll_posts(&self, cx: &Context<'_>) -> Poll<()> {
        let mut letterbox = self.letterbox();
        if letterbox.closed || !letterbox.posts.is_empty() {
            return Poll::Ready(());
        }
        letterbox.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn close(&self) {
        let mut letterbox = self.letterbox();
        letterbox.closed = true;
        let (posts, waker) = (std::mem::take(&mut letterbox.posts), letterbox.waker.take());
        drop(letterbox);
        drop(posts);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What its own thread sees of a branch. It ends with its last seat.
#[derive(Debug)]
pub(in crate::actor) struct LocalBranch {
    shared: Arc<Branch>,
    seats: RefCell<Seats>,
    /// How many broadcasts lie in all inboxes together: mostly none, and then nobody need look.
    mail: Cell<usize>,
    alarms: RefCell<Alarms>,
    server: Arc<Branches>,
}

#[derive(Debug, Default)]
struct Seats {
    all: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    bell: Bell,
    /// None if there is nothing in it, as mostly.
    #[allow(clippy::box_collection)] // 8 bytes instead of 32, for a socket that has nothing in it
    inbox: Option<Box<VecDeque<Arc<Broadcast>>>>,
}

/// How the socket that sits there is told.
#[derive(Debug, Default)]
enum Bell {
    /// Nobody sits there (yet, or any more).
    #[default]
    None,
    /// By a message.
    Message(Socket),
    /// It listens: its task is woken.
    Task(Waker),
}

impl LocalBranch {
    /// This thread's branch of a server.
    pub(in crate::actor) fn of(server: &Server) -> Rc<LocalBranch> {
        let branches = server.branches();
        let key = Arc::as_ptr(branches) as usize;
        if let Some(branch) = LOCAL.with_borrow(|local| local.get(&key).and_then(Weak::upgrade)) {
            return branch;
        }
        let limit = server.config().max_buffered_bytes;
        let shared = Arc::new(Branch::new(limit, server.counters().clone()));
        let branch = Rc::new(LocalBranch {
            shared: shared.clone(),
            seats: RefCell::default(),
            mail: Cell::new(0),
            alarms: RefCell::default(),
            server: branches.clone(),
        });
        LOCAL.with_borrow_mut(|local| local.insert(key, Rc::downgrade(&branch)));
        branches.add(shared.clone());
        actix_rt::spawn(hand_out(Rc::downgrade(&branch), shared));
        actix_rt::spawn(ring(Rc::downgrade(&branch)));
        branch
    }

    /// A seat for a socket of this thread.
    pub(in crate::actor) fn sit(self: Rc<Self>) -> Seat {
        let mut seats = self.seats.borrow_mut();
        let index = seats.free.pop().unwrap_or_else(|| {
            seats.all.push(Entry {
                generation: 0,
                bell: Bell::None,
                inbox: None,
            });
            seats.all.len() as u32 - 1
        });
        let generation = seats.all[index as usize].generation;
        drop(seats);
        self.shared.sockets.fetch_add(1, Ordering::Relaxed);
        Seat {
            id: SeatId { index, generation },
            branch: self,
        }
    }

    /// Puts what was posted into the sockets' inboxes, and wakes them.
    fn hand_out(&self) {
        let posts = self.shared.take();
        let mut seats = self.seats.borrow_mut();
        let mut taken = 0;
        for (broadcast, audience) in posts {
            match audience {
                Audience::AllBut(except) => {
                    for (index, entry) in seats.all.iter_mut().enumerate() {
                        let id = SeatId {
                            index: index as u32,
                            generation: entry.generation,
                        };
                        if except.binary_search(&id).is_err() {
                            taken += entry.take(&broadcast);
                        }
                    }
                }
                Audience::These { these, but } => {
                    for id in these.iter().filter(|id| but.binary_search(id).is_err()) {
                        if let Some(entry) = seats.entry(*id) {
                            taken += entry.take(&broadcast);
                        }
                    }
                }
            }
        }
        self.mail.set(self.mail.get() + taken);
    }
}

impl LocalBranch {
    /// Wakes those whose time has come. Returns when the next one's comes; `waker` is woken when that changes.
    pub(super) fn ring(&self, now: std::time::Instant, waker: &Waker) -> Option<std::time::Instant> {
        let mut alarms = self.alarms.borrow_mut();
        while let Some(id) = alarms.next(now) {
            if let Some(entry) = self.seats.borrow_mut().entry(id) {
                match &entry.bell {
                    Bell::None => {}
                    Bell::Task(waker) => waker.wake_by_ref(),
                    Bell::Message(socket) => socket.process().do_send(Heartbeat),
                }
            }
        }
        alarms.wait(waker)
    }
}

impl Drop for LocalBranch {
    fn drop(&mut self) {
        self.alarms.get_mut().close();
        self.server.remove(&self.shared);
        self.shared.close();
        let key = Arc::as_ptr(&self.server) as usize;
        // The thread may be at its end.
        let _ = LOCAL.try_with(|local| local.borrow_mut().remove(&key));
    }
}

impl Seats {
    fn entry(&mut self, id: SeatId) -> Option<&mut Entry> {
        self.all
            .get_mut(id.index as usize)
            .filter(|entry| entry.generation == id.generation)
    }
}

impl Entry {
    /// Returns how many it has taken.
    fn take(&mut self, broadcast: &Arc<Broadcast>) -> usize {
        let is_first = self.inbox.is_none();
        match &self.bell {
            Bell::None => return 0,
            Bell::Task(waker) if is_first => waker.wake_by_ref(),
            Bell::Message(socket) if is_first => socket.process().do_send(Collect),
            Bell::Task(_) | Bell::Message(_) => {}
        }
        self.inbox.get_or_insert_default().push_back(broadcast.clone());
        1
    }
}

/// Hands out what is posted, as long as the branch lives.
async fn hand_out(branch: Weak<LocalBranch>, shared: Arc<Branch>) {
    let mut pause: Option<Instant> = None;
    loop {
        poll_fn(|cx| shared.poll_posts(cx)).await;
        queue_up().await;
        if let Some(until) = pause.take() {
            actix_rt::time::sleep_until(until).await;
        }
        let begun = Instant::now();
        match branch.upgrade() {
            Some(branch) => branch.hand_out(),
            None => return,
        }
        // What is posted until all sockets have written leaves in one wave: a write for each of them is what costs.
        queue_up().await;
        let ended = Instant::now();
        if ended - begun >= LONG_WAVE {
            pause = Some(ended + PAUSE);
        }
    }
}

/// Goes on behind the tasks of this thread that have been woken already.
async fn queue_up() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
