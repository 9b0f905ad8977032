//! The two queues between a WebSocket and its socket: they may live on different threads, so each side takes
//! in one go what the other has put there, and the mailbox carries signals only.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use bytestring::ByteString;

use super::bare::Bare;
use super::output::{self, Output};
use super::pool::{self, Pool};
use crate::actor::handle::Socket;
use crate::actor::messages::LinkSignal;
use crate::proto::{Close, CloseReason, Frame};
use crate::ws::{CloseCode, Encoding, Message};

/// How many bytes may lie in one direction before its producer has to wait.
pub(super) const HIGH_WATER: usize = 64 * 1024;

/// What a queued item costs beyond its bytes.
const ITEM_OVERHEAD: usize = 64;

thread_local! {
    static INBOUND: Pool<Inbound> = const { Pool::new(Vec::new()) };
    static OUTBOUND: Pool<Outbound> = const { Pool::new(Vec::new()) };
}

/// Both queues.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    inbound: VecDeque<Inbound>,
    inbound_bytes: usize,
    outbound: VecDeque<Outbound>,
    outbound_bytes: usize,
    /// A signal lies in the socket's mailbox already.
    signalled: bool,
    /// The socket wants a signal when the outbound queue is empty.
    wants_drained: bool,
    /// The session reads from this link: it is its transport.
    adopted: bool,
    /// The WebSocket's side, to be woken.
    waker: Option<Waker>,
    /// The WebSocket is gone.
    lost: Option<Box<Close>>,
    /// The socket has closed it.
    closed: bool,
    /// How its frames may be encoded before they are put in.
    encoding: Option<Encoding>,
}

/// A message that came in, with what stood in front of it if that was taken apart already.
pub(crate) type Inbound = (Option<u8>, Message);

/// What the socket wants sent.
#[derive(Debug)]
pub(crate) enum Outbound {
    Frame {
        frame: Frame,
        /// Whether it may be compressed.
        compress: bool,
    },
    /// Messages whose frames are encoded as the WebSocket's side [said](Link::take_encoded).
    Encoded(Bytes),
    Close(CloseCode, ByteString),
}

/// What a socket sees when it looks at its link.
#[derive(Debug, Default)]
pub(crate) struct Glance {
    /// Nothing waits to be sent.
    pub(crate) drained: bool,
    /// The WebSocket is gone.
    pub(crate) lost: Option<Close>,
}

impl Link {
    pub(crate) fn new(socket: Socket) -> Self {
        Link {
            socket,
            queues: Mutex::default(),
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// No code of others runs under the lock, so a poisoned one holds nothing half done.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The WebSocket's side.

    /// An empty queue for [`push_inbound`](Self::push_inbound).
    pub(super) fn batch() -> VecDeque<Inbound> {
        pool::take(&INBOUND)
    }

    /// Puts messages in for the socket, and signals it.
    pub(super) fn push_inbound(&self, mut batch: VecDeque<Inbound>) {
        if batch.is_empty() {
            return pool::give(&INBOUND, batch);
        }
        let mut queues = self.lock();
        queues.inbound_bytes += batch.iter().map(size).sum::<usize>();
        if queues.inbound.is_empty() {
            std::mem::swap(&mut queues.inbound, &mut batch);
        } else {
            queues.inbound.append(&mut batch);
        }
        self.signal(queues);
        pool::give(&INBOUND, batch);
    }

    /// From here on messages may come [encoded](Outbound::Encoded) like this.
    pub(super) fn take_encoded(&self, encoding: Option<Encoding>) {
        self.lock().encoding = encoding;
    }

    /// Whether more should be read from the WebSocket now. If not, `waker` is woken when it should.
    pub(super) fn wants_input(&self, waker: &Waker) -> bool {
        let mut queues = self.lock();
        if queues.inbound_bytes < HIGH_WATER {
            return true;
        }
        queues.keep_waker(waker);
        false
    }

    /// Takes up to `limit` bytes of what is to be sent, at least one item if there is one. If there is none,
    /// `waker` is woken when there is. `take` is told besides how many bytes there still are, that item's
    /// included, and more than their frames' headers take.
    pub(super) fn take_outbound(&self, limit: usize, waker: &Waker, mut take: impl FnMut(Outbound, usize)) {
        let mut queues = self.lock();
        let mut taken = 0;
        while taken < limit
            && let Some(item) = queues.outbound.pop_front()
        {
            let left = queues.outbound_bytes - taken;
            taken += item.size();
            take(item, left);
        }
        queues.outbound_bytes -= taken;
        queues.keep_waker(waker);
        if queues.outbound.is_empty() {
            pool::give(&OUTBOUND, std::mem::take(&mut queues.outbound));
            if std::mem::take(&mut queues.wants_drained) {
                self.signal(queues);
            }
        }
    }

    /// The WebSocket is gone.
    pub(super) fn lose(&self, close: Close) {
        let mut queues = self.lock();
        if queues.lost.is_none() {
            queues.lost = Some(Box::new(close));
            queues.outbound.clear();
            queues.outbound_bytes = 0;
            self.signal(queues);
        }
    }

    /// One signal for many things.
    fn signal(&self, mut queues: MutexGuard<'_, Queues>) {
        if queues.adopted && !std::mem::replace(&mut queues.signalled, true) {
            drop(queues);
            self.socket.process().do_send(LinkSignal);
        }
    }

    // The socket's side.

    /// The session reads from this link from here on.
    pub(in crate::actor) fn adopt(&self) {
        self.lock().adopted = true;
    }

    /// Looks at the link; whatever happens from here on is signalled anew.
    pub(in crate::actor) fn glance(&self) -> Glance {
        self.lock().glance()
    }

    /// Whether the WebSocket is gone.
    pub(in crate::actor) fn is_lost(&self) -> bool {
        self.lock().lost.is_some()
    }

    /// Takes all that the WebSocket has brought; [`give_back`](Self::give_back) the queue. A loss that is seen
    /// besides comes behind it.
    pub(in crate::actor) fn take_inbound(&self) -> (VecDeque<Inbound>, Glance) {
        let mut queues = self.lock();
        let blocked = std::mem::take(&mut queues.inbound_bytes) >= HIGH_WATER;
        let inbound = std::mem::take(&mut queues.inbound);
        let waker = if blocked { queues.waker.take() } else { None };
        let glance = queues.glance();
        drop(queues);
        if let Some(waker) = waker {
            waker.wake();
        }
        (inbound, glance)
    }

    /// The memory of a queue that was taken.
    pub(in crate::actor) fn give_back(inbound: VecDeque<Inbound>) {
        pool::give(&INBOUND, inbound);
    }

    /// Puts items in as long as there is room and `next` has some; a signal comes when it is empty again, if
    /// there was not room enough or `notify` asks for it. Returns whether anything was put in.
    pub(in crate::actor) fn push_outbound(
        &self,
        notify: impl FnOnce() -> bool,
        mut next: impl FnMut() -> Option<Outbound>,
    ) -> bool {
        let mut queues = self.lock();
        if queues.lost.is_some() {
            // Nobody will send it; the session hears of the loss by the signal.
            return false;
        }
        if queues.outbound.capacity() == 0 {
            queues.outbound = pool::take(&OUTBOUND);
        }
        let before = queues.outbound.len();
        let full = loop {
            if queues.outbound_bytes >= HIGH_WATER {
                break true;
            }
            let Some(item) = next() else { break false };
            queues.outbound_bytes += item.size();
            queues.outbound.push_back(item);
        };
        let pushed = queues.outbound.len() > before;
        queues.wants_drained |= full || (pushed && notify());
        let waker = if pushed { queues.waker.take() } else { None };
        drop(queues);
        if let Some(waker) = waker {
            waker.wake();
        }
        pushed
    }

    /// A buffer for messages, if they may be [encoded](Outbound::Encoded) here and there is room for some.
    pub(in crate::actor) fn lend_output(&self) -> Option<Output> {
        let queues = self.lock();
        let encoding = queues.encoding?;
        let room = HIGH_WATER.checked_sub(queues.outbound_bytes)?;
        drop(queues);
        Some(Output {
            bytes: output::take(),
            encoding,
            bare: Bare::of(self.socket.server().config()),
            room,
        })
    }

    /// Puts in what was put there; a signal comes when it has left, if `notify` asks for it.
    pub(in crate::actor) fn take_output(&self, output: Output, notify: impl FnOnce() -> bool) {
        if output.bytes.is_empty() {
            return output::give(output.bytes);
        }
        let mut once = Some(Outbound::Encoded(output.into_bytes()));
        self.push_outbound(notify, || once.take());
        debug_assert!(
            once.is_none() || self.is_lost(),
            "there was room when it was lent"
        );
    }

    /// A signal comes when what waits to be sent is gone.
    pub(in crate::actor) fn notify_drained(&self) {
        let mut queues = self.lock();
        queues.wants_drained = !queues.outbound.is_empty();
    }

    /// Closes the WebSocket behind all that waits to be sent.
    pub(in crate::actor) fn close(&self, close: &Close) {
        let code = CloseCode::new(close.websocket_code()).unwrap_or(CloseCode::NORMAL);
        let mut once = Some(Outbound::Close(code, close.websocket_reason().into()));
        let mut queues = self.lock();
        if queues.lost.is_some() {
            return;
        }
        queues.outbound.extend(once.take());
        queues.wants_drained = true;
        queues.closed = true;
        let waker = queues.waker.take();
        drop(queues);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The socket is gone: closes the WebSocket, unless it has done so.
    pub(in crate::actor) fn abandon(&self) {
        if !self.lock().closed {
            self.close(&CloseReason::TransportClose.into());
        }
    }
}

impl Queues {
    fn glance(&mut self) -> Glance {
        self.signalled = false;
        Glance {
            drained: self.outbound.is_empty(),
            lost: self.lost.as_deref().cloned(),
        }
    }

    fn keep_waker(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(kept) if kept.will_wake(waker) => {}
            kept => *kept = Some(waker.clone()),
        }
    }
}

impl Outbound {
    fn size(&self) -> usize {
        match self {
            Outbound::Frame { frame, .. } => frame.data.len() + ITEM_OVERHEAD,
            Outbound::Encoded(bytes) => bytes.len(),
            Outbound::Close(..) => 0,
        }
    }
}

fn size((_, message): &Inbound) -> usize {
    ITEM_OVERHEAD + payload(message)
}

/// How many bytes a message has.
pub(super) fn payload(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
    }
}
