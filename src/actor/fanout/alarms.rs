//! When the sockets of a thread want to be woken: one timer for all of them. A timer for each would be a tenth of the
//! memory of an idle session.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::rc::Weak;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::SeatId;
use super::branch::LocalBranch;
use crate::actor::clock;
use crate::actor::transport::Alarm;

/// How many alarms there may be before those are looked for that nobody waits for any more.
const MIN_LIMIT: usize = 64;

/// The alarms of a thread's sockets.
#[derive(Debug)]
pub(super) struct Alarms {
    /// The earliest one on top. One that a socket has followed by an earlier one, or has left behind, stays in.
    all: BinaryHeap<Reverse<(Instant, SeatId)>>,
    limit: usize,
    /// The task that waits for the earliest one.
    waker: Option<Waker>,
}

impl Default for Alarms {
    fn default() -> Self {
        Alarms {
            all: BinaryHeap::new(),
            limit: MIN_LIMIT,
            waker: None,
        }
    }
}

impl Alarms {
    /// A socket is to be woken at `due`. `is_taken` tells whether somebody still sits on a seat.
    pub(super) fn set(&mut self, due: Instant, id: SeatId, is_taken: impl Fn(SeatId) -> bool) {
        if self.all.len() >= self.limit {
            self.all.retain(|Reverse((_, id))| is_taken(*id));
            self.limit = MIN_LIMIT.max(2 * self.all.len());
        }
        let is_first = self.all.peek().is_none_or(|Reverse((first, _))| due < *first);
        self.all.push(Reverse((due, id)));
        if is_first && let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// The next one that is due.
    pub(super) fn next(&mut self, now: Instant) -> Option<SeatId> {
        let is_due = self.first().is_some_and(|first| first <= now);
        let Reverse((_, id)) = if is_due { self.all.pop()? } else { return None };
        Some(id)
    }

    fn first(&self) -> Option<Instant> {
        self.all.peek().map(|Reverse((first, _))| *first)
    }

    /// When the earliest one is due; `waker` is woken when another one becomes that.
    pub(super) fn wait(&mut self, waker: &Waker) -> Option<Instant> {
        if !self.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
        self.first()
    }

    /// The last socket has left: the task has nothing left to do.
    pub(super) fn close(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Rings for the sockets of a branch as long as it lives.
pub(super) async fn ring(branch: Weak<LocalBranch>) {
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        loop {
            let Some(branch) = branch.upgrade() else {
                return Poll::Ready(());
            };
            let next = branch.ring(clock::now(), cx.waker());
            drop(branch);
            if alarm.poll(next, cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_comes_first_and_what_nobody_waits_for_is_forgotten() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut alarms = Alarms::default();
        for ms in [30, 10, 20] {
            alarms.set(at(ms), SeatId::test(ms as u32), |_| true);
        }
        assert_eq!(alarms.next(at(9)), None);
        assert_eq!(alarms.next(at(20)), Some(SeatId::test(10)));
        assert_eq!(alarms.next(at(20)), Some(SeatId::test(20)));
        assert_eq!(alarms.next(at(20)), None);
        assert_eq!(alarms.wait(Waker::noop()), Some(at(30)));

        for index in 0..10_000 {
            alarms.set(at(1000), SeatId::test(index), |id| id == SeatId::test(index));
            assert!(alarms.all.len() <= MIN_LIMIT);
        }
        for index in 0..10_000 {
            alarms.set(at(1000), SeatId::test(index), |_| true);
        }
        assert!(alarms.all.len() >= 10_000);
    }
}
