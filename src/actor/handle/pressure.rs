//! What holds senders and readers back: the bytes of a socket's write buffer, counted at the sender; who waits for
//! room in it; and the bytes of events that its application has not worked off yet.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};

use tokio::sync::{Mutex, Notify};

use super::Socket;
use crate::Data;
use crate::actor::fanout;
use crate::actor::messages::{Resume, Send};
use crate::proto::{CloseReason, FullPolicy, SendError, cost};

/// The counters of one socket.
#[derive(Debug)]
pub(super) struct Pressure {
    /// Bytes of the write buffer that are taken, those in the mailbox included.
    reserved: AtomicUsize,
    /// Those who wait for room, once somebody has.
    waiting: OnceLock<Box<Waiting>>,
    /// Bytes of events that the actor of the application was told of and has not worked off.
    unhandled: AtomicU32,
    /// Nothing is read until half of them are worked off.
    paused: AtomicBool,
    /// The [`FullPolicy`].
    policy: AtomicU8,
}

/// Those who wait for room. The first in the line has the turn, and it alone listens for room.
#[derive(Debug, Default)]
struct Waiting {
    turn: Mutex<()>,
    room: Notify,
}

impl Pressure {
    pub(super) fn new(policy: FullPolicy) -> Self {
        Pressure {
            reserved: AtomicUsize::new(0),
            waiting: OnceLock::new(),
            unhandled: AtomicU32::new(0),
            paused: AtomicBool::new(false),
            policy: AtomicU8::new(policy as u8),
        }
    }

    pub(super) fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Takes these bytes if no more than `limit` are taken then. Nobody sees a sum that does not fit: it might be refused
    /// for that.
    #[inline]
    fn take(&self, cost: usize, limit: usize) -> bool {
        let more = |taken: usize| taken.checked_add(cost).filter(|sum| *sum <= limit);
        self.reserved
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, more)
            .is_ok()
    }

    /// The same for the one who has the turn, and who will wait if it is refused.
    fn take_in_turn(&self, cost: usize, limit: usize) -> bool {
        loop {
            if self.take(cost, limit) {
                return true;
            }
            // A write, for the order of writes: whoever gives back after this sees that somebody waits.
            let taken = self.reserved.fetch_add(0, Ordering::AcqRel);
            if taken.saturating_add(cost) > limit {
                return false;
            }
        }
    }

    #[inline]
    fn give_back(&self, cost: usize) {
        self.reserved.fetch_sub(cost, Ordering::AcqRel);
        self.wake();
    }

    /// There is room, or will never be.
    #[inline]
    pub(super) fn wake(&self) {
        if let Some(waiting) = self.waiting.get() {
            waiting.room.notify_one();
        }
    }
}

impl Socket {
    /// What becomes of a message for which there is no room in the write buffer. From the start it is
    /// [`Config::full_policy`](crate::Config::full_policy).
    pub fn full_policy(&self) -> FullPolicy {
        FullPolicy::from_bits(self.pressure().policy.load(Ordering::Relaxed))
    }

    /// Decides what becomes, from here on, of a message for which there is no room in the write buffer.
    pub fn set_full_policy(&self, policy: FullPolicy) {
        self.pressure().policy.store(policy as u8, Ordering::Relaxed);
    }

    /// Sends a message as soon as there is room for it: resolves when it is taken, not when it has left. (When it
    /// has left is told by `socket.addr().send(..)`.)
    ///
    /// It waits whatever the [policy](Self::set_full_policy). Those who wait are served in the order in which they
    /// came; [`try_send`](Self::try_send) does not stand in line and may come first. Its place among
    /// [broadcasts](crate::Server::broadcast) is that of the moment at which it is taken.
    ///
    /// Dropped before it resolves it sends nothing.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] if there will never be room for it, by
    /// [`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes); [`SendError::Closed`] once the session is
    /// closing.
    pub async fn send(&self, message: impl Into<Send>) -> Result<(), SendError> {
        let mut send = message.into();
        let (cost, limit) = (cost(&send.data), self.limit());
        self.check_open()?;
        if cost > limit {
            self.shared().server.count_refused_send();
            return Err(SendError::TooLarge);
        }
        let pressure = self.pressure();
        let is_alone = pressure
            .waiting
            .get()
            .is_none_or(|waiting| waiting.turn.try_lock().is_ok());
        if !(is_alone && pressure.take(cost, limit)) {
            let waiting = pressure.waiting.get_or_init(Box::default);
            let _turn = waiting.turn.lock().await;
            while !pressure.take_in_turn(cost, limit) {
                self.check_open()?;
                waiting.room.notified().await;
            }
        }
        send.after = fanout::last();
        if let Err(error) = self.check_open() {
            self.release(cost);
            return Err(error);
        }
        self.post(send);
        Ok(())
    }

    pub(in crate::actor) fn limit(&self) -> usize {
        self.shared().server.config().max_buffered_bytes
    }

    /// Takes the bytes of a message for the mailbox, to be [released](Self::release) when it leaves. What gives way
    /// can be told in the socket's process alone: what waits for that is bounded by as much again.
    #[inline]
    pub(in crate::actor) fn reserve(&self, send: &Send) -> Result<(), SendError> {
        self.reserve_within(cost(&send.data), 2, send.key.is_some())
    }

    /// The same for several messages, as if they were one.
    pub(super) fn reserve_all(&self, messages: &[Data]) -> Result<(), SendError> {
        self.reserve_within(messages.iter().map(cost).sum(), 2, false)
    }

    /// The same in the socket's process, which makes room at once, whatever lies in the mailbox.
    #[inline]
    pub(in crate::actor) fn reserve_here(&self, send: &Send) -> Result<(), SendError> {
        self.reserve_within(cost(&send.data), 3, send.key.is_some())
    }

    #[inline]
    fn reserve_within(&self, cost: usize, buffers: usize, is_volatile: bool) -> Result<(), SendError> {
        let limit = self.limit();
        if cost <= limit && self.pressure().take(cost, limit) {
            return Ok(());
        }
        self.reserve_by_policy(cost, limit, buffers, is_volatile)
    }

    #[cold]
    fn reserve_by_policy(
        &self,
        cost: usize,
        limit: usize,
        buffers: usize,
        is_volatile: bool,
    ) -> Result<(), SendError> {
        let policy = self.full_policy();
        let error = match policy {
            _ if cost > limit => SendError::TooLarge,
            // Whether the one that it replaces makes room is known in the socket's process alone.
            _ if is_volatile && self.pressure().take(cost, limit.saturating_mul(buffers)) => return Ok(()),
            FullPolicy::Close => {
                self.end_as_slow_consumer();
                SendError::Closed
            }
            FullPolicy::DropOldest if self.pressure().take(cost, limit.saturating_mul(buffers)) => {
                return Ok(());
            }
            _ => SendError::Full,
        };
        self.shared().server.count_refused_send();
        Err(error)
    }

    /// Its client will take nothing more: who waits to send need not.
    pub(in crate::actor) fn give_up_sending(&self) {
        self.shared().closing.store(true, Ordering::Release);
        self.pressure().wake();
    }

    pub(in crate::actor) fn end_as_slow_consumer(&self) {
        if !self.shared().closing.swap(true, Ordering::AcqRel) {
            self.abandon(CloseReason::SlowConsumer);
        }
    }

    #[inline]
    pub(in crate::actor) fn release(&self, cost: usize) {
        if cost > 0 {
            self.pressure().give_back(cost);
        }
    }

    /// Whether the application keeps up with what comes in. If not, a [`Resume`] comes when it does again.
    #[inline]
    pub(in crate::actor) fn takes_input(&self) -> bool {
        self.pressure().unhandled.load(Ordering::Relaxed) == 0 || self.keeps_up()
    }

    fn keeps_up(&self) -> bool {
        let (pressure, limit) = (self.pressure(), self.unhandled_limit());
        if pressure.paused.load(Ordering::SeqCst) {
            return false;
        }
        if pressure.unhandled.load(Ordering::Relaxed) <= limit {
            return true;
        }
        // Whoever works off the last of it has seen this, or it is seen here.
        pressure.paused.store(true, Ordering::SeqCst);
        pressure.unhandled.load(Ordering::SeqCst) <= limit / 2
            && pressure.paused.swap(false, Ordering::SeqCst)
    }

    fn unhandled_limit(&self) -> u32 {
        let limit = self.shared().server.config().max_unhandled_bytes;
        u32::try_from(limit).unwrap_or(u32::MAX).min(u32::MAX / 2)
    }
}

/// The right of a message, or another event, to be worked on: nothing more is read from a client when its events have
/// taken more than [`Config::max_unhandled_bytes`](crate::Config::max_unhandled_bytes). Given back when it is dropped, which the end
/// of the handler does; keep it for what goes on after that.
#[derive(Debug, Default)]
pub struct Credit(Option<(Socket, u32)>);

impl Credit {
    pub(in crate::actor) fn new(socket: &Socket, cost: usize) -> Self {
        let cost = weigh(cost);
        socket.pressure().unhandled.fetch_add(cost, Ordering::SeqCst);
        Credit(Some((socket.clone(), cost)))
    }

    /// Counts more for it.
    pub(in crate::actor) fn add(&mut self, cost: usize) {
        let Some((socket, counted)) = &mut self.0 else {
            return;
        };
        let cost = weigh(cost);
        socket.pressure().unhandled.fetch_add(cost, Ordering::SeqCst);
        *counted += cost;
    }
}

/// No event has so many bytes that adding up some of them would not fit.
fn weigh(cost: usize) -> u32 {
    u32::try_from(cost).unwrap_or(u32::MAX).min(u32::MAX / 64)
}

impl Clone for Credit {
    fn clone(&self) -> Self {
        if let Some((socket, cost)) = &self.0 {
            socket.pressure().unhandled.fetch_add(*cost, Ordering::SeqCst);
        }
        Credit(self.0.clone())
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        let Some((socket, cost)) = &self.0 else { return };
        let pressure = socket.pressure();
        let left = pressure.unhandled.fetch_sub(*cost, Ordering::SeqCst) - cost;
        if pressure.paused.load(Ordering::SeqCst)
            && left <= socket.unhandled_limit() / 2
            && pressure.paused.swap(false, Ordering::SeqCst)
        {
            socket.process().do_send(Resume);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever asks for more than there is does not keep others from what there is.
    #[test]
    fn what_fits_is_taken_whoever_else_tries() {
        let pressure = Pressure::new(FullPolicy::Refuse);
        assert!(pressure.take(40, 100));
        std::thread::scope(|scope| {
            let tries = scope.spawn(|| (0..100_000).filter(|_| pressure.take_in_turn(90, 100)).count());
            while !tries.is_finished() {
                assert!(pressure.take(10, 100));
                pressure.give_back(10);
            }
        });
        assert_eq!(pressure.reserved(), 40);
    }
}
