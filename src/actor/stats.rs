//! What a server has done, counted. Each thread has counters of its own, which it alone writes: counting a message is
//! an addition, and no two processors fight for a line of memory. Whoever asks adds them up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use dashmap::DashMap;

use crate::proto::{CloseReason, Revision, Tally, Transport};

/// The upper bounds of the [`RoundTrips`]' buckets, in seconds. One more is for what took longer.
const BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// What a server is doing and has done since it started. Made by [`Server::stats`](crate::Server::stats).
///
/// Messages are what the application sends and receives; their bytes are counted without framing and compression.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages that came in.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages that were handed to a transport.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Upgrades that were tried: the client's probe was answered.
    pub upgrades_tried: u64,
    /// Those of them that came through.
    pub upgrades_done: u64,
    /// Those of them that came to nothing; the rest is under way.
    pub upgrades_failed: u64,
    /// Bytes that wait in write buffers for their transport, each packet counted with 64 bytes more than it has. What
    /// lies in mailboxes, or is on its way in a connection, is not among them.
    pub buffered_bytes: u64,
    /// Sends that were refused because the write buffer had no room for them.
    pub sends_refused: u64,
    /// Messages that were taken and, by a [`FullPolicy`](crate::FullPolicy) or for a newer one with the same
    /// [key](crate::Send::volatile), dropped before they left.
    pub sends_dropped: u64,
    /// Heartbeats (revision 4): from the ping, when it was put in the write buffer, to its pong.
    pub round_trips: RoundTrips,
    sessions: PerSession,
    opened: PerSession,
    closes: [u64; CloseReason::ALL.len()],
    refused: Vec<Refused>,
}

/// How many requests were refused for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The code in the answer.
    pub code: u32,
    /// What was refused, as [`Refusal::context`](crate::proto::Refusal::context) names it.
    pub context: &'static str,
    /// How many.
    pub count: u64,
}

/// How long heartbeats took.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RoundTrips {
    /// How many there were.
    pub count: u64,
    /// How long they took together.
    pub sum: Duration,
    buckets: [u64; BOUNDS.len() + 1],
}

impl RoundTrips {
    /// The upper bound of each bucket in seconds, the last one infinite, and how many took longer than the bound
    /// before and not longer than this one.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        bounds.zip(self.buckets)
    }
}

/// A number for each transport and revision.
type PerSession<T = u64> = [[T; 2]; 2];

/// Where in a [`PerSession`] a session counts.
fn place<T>(numbers: &PerSession<T>, transport: Transport, revision: Revision) -> &T {
    let of = match transport {
        Transport::Polling => &numbers[0],
        Transport::WebSocket => &numbers[1],
    };
    match revision {
        Revision::V4 => &of[0],
        Revision::V3 => &of[1],
    }
}

fn each(numbers: &PerSession) -> impl Iterator<Item = (Transport, Revision, u64)> {
    let all = [Transport::Polling, Transport::WebSocket]
        .map(|transport| [Revision::V4, Revision::V3].map(|revision| (transport, revision)));
    all.into_iter()
        .flatten()
        .map(|(transport, revision)| (transport, revision, *place(numbers, transport, revision)))
}

impl Stats {
    /// How many sessions there are on each transport and in each revision of the protocol.
    pub fn sessions(&self) -> impl Iterator<Item = (Transport, Revision, u64)> {
        each(&self.sessions)
    }

    /// How many sessions have begun on each transport and in each revision of the protocol.
    pub fn opened(&self) -> impl Iterator<Item = (Transport, Revision, u64)> {
        each(&self.opened)
    }

    /// How many sessions have ended for each reason.
    pub fn closes(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        CloseReason::ALL.into_iter().zip(self.closes)
    }

    /// How many requests were refused, for each reason that there was.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }
}

/// What one session has carried. Made by [`Socket::stats`](crate::Socket::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Bytes of the messages that came in.
    pub bytes_in: u64,
    /// Bytes of the messages that were handed to the transport.
    pub bytes_out: u64,
    /// The latest heartbeat (revision 4): from the ping to its pong.
    pub round_trip: Option<Duration>,
}

/// A number that one thread alone writes, so that no write need be atomic as a whole; everybody may read it.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    fn subtract(&self, count: u64) {
        self.add(count.wrapping_neg());
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a thread.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Shard {
    messages_in: Counter,
    bytes_in: Counter,
    messages_out: Counter,
    bytes_out: Counter,
    upgrades_tried: Counter,
    upgrades_done: Counter,
    upgrades_failed: Counter,
    /// Counts down as well: only the sum over all threads means anything.
    buffered_bytes: Counter,
    sessions: PerSession<Counter>,
    opened: PerSession<Counter>,
    closes: [Counter; CloseReason::ALL.len()],
    round_trips: [Counter; BOUNDS.len() + 1],
    round_trip_micros: Counter,
}

impl Shard {
    pub(super) fn add(&self, tally: &Tally) {
        self.messages_in.add(tally.messages_in.into());
        self.bytes_in.add(tally.bytes_in.into());
        self.messages_out.add(tally.messages_out.into());
        self.bytes_out.add(tally.bytes_out.into());
        if tally.upgrades_tried | tally.upgrades_done | tally.upgrades_failed != 0 {
            self.upgrades_tried.add(tally.upgrades_tried.into());
            self.upgrades_done.add(tally.upgrades_done.into());
            self.upgrades_failed.add(tally.upgrades_failed.into());
        }
        if let Some(round_trip) = tally.round_trip() {
            let seconds = round_trip.as_secs_f64();
            let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
            if let Some(bucket) = self.round_trips.get(bucket) {
                bucket.add(1);
            }
            let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
            self.round_trip_micros.add(micros);
        }
    }

    /// The write buffer of a session has so many bytes now.
    pub(super) fn buffered(&self, before: usize, now: usize) {
        self.buffered_bytes.add(now as u64);
        self.buffered_bytes.subtract(before as u64);
    }

    pub(super) fn opened(&self, transport: Transport, revision: Revision) {
        place(&self.opened, transport, revision).add(1);
        place(&self.sessions, transport, revision).add(1);
    }

    pub(super) fn moved(&self, from: Transport, to: Transport, revision: Revision) {
        place(&self.sessions, from, revision).subtract(1);
        place(&self.sessions, to, revision).add(1);
    }

    pub(super) fn closed(&self, transport: Transport, revision: Revision, reason: CloseReason) {
        place(&self.sessions, transport, revision).subtract(1);
        if let Some(counter) = self.closes.get(reason as usize) {
            counter.add(1);
        }
    }
}

/// The counters of a server.
#[derive(Debug, Default)]
pub(super) struct Counters {
    shards: DashMap<ThreadId, Arc<Shard>>,
    /// Refusals come from any thread, and seldom.
    refused: DashMap<(u32, &'static str), u64>,
    sends_refused: AtomicU64,
    sends_dropped: AtomicU64,
}

impl Counters {
    /// The counters of this thread.
    pub(super) fn shard(&self) -> Arc<Shard> {
        self.shards
            .entry(std::thread::current().id())
            .or_default()
            .clone()
    }

    pub(super) fn refused(&self, code: u32, context: &'static str) {
        *self.refused.entry((code, context)).or_default() += 1;
    }

    pub(super) fn sends_refused(&self, count: u64) {
        self.sends_refused.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn sends_dropped(&self, count: u64) {
        self.sends_dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        let shards: Vec<_> = self.shards.iter().map(|shard| shard.clone()).collect();
        let sum = |counter: &dyn Fn(&Shard) -> u64| {
            shards
                .iter()
                .fold(0_u64, |sum, shard| sum.wrapping_add(counter(shard)))
        };
        let per_session = |counters: fn(&Shard) -> &PerSession<Counter>| {
            std::array::from_fn(|transport| {
                std::array::from_fn(|revision| sum(&|shard| counters(shard)[transport][revision].get()))
            })
        };
        let round_trips: [u64; BOUNDS.len() + 1] =
            std::array::from_fn(|bucket| sum(&|shard| shard.round_trips[bucket].get()));
        let mut refused: Vec<_> = self
            .refused
            .iter()
            .map(|entry| Refused {
                code: entry.key().0,
                context: entry.key().1,
                count: *entry.value(),
            })
            .collect();
        refused.sort_unstable_by_key(|refused| (refused.code, refused.context));
        Stats {
            messages_in: sum(&|shard| shard.messages_in.get()),
            bytes_in: sum(&|shard| shard.bytes_in.get()),
            messages_out: sum(&|shard| shard.messages_out.get()),
            bytes_out: sum(&|shard| shard.bytes_out.get()),
            upgrades_tried: sum(&|shard| shard.upgrades_tried.get()),
            upgrades_done: sum(&|shard| shard.upgrades_done.get()),
            upgrades_failed: sum(&|shard| shard.upgrades_failed.get()),
            buffered_bytes: sum(&|shard| shard.buffered_bytes.get()),
            sends_refused: self.sends_refused.load(Ordering::Relaxed),
            sends_dropped: self.sends_dropped.load(Ordering::Relaxed),
            round_trips: RoundTrips {
                count: round_trips.iter().sum(),
                sum: Duration::from_micros(sum(&|shard| shard.round_trip_micros.get())),
                buckets: round_trips,
            },
            sessions: per_session(|shard| &shard.sessions),
            opened: per_session(|shard| &shard.opened),
            closes: std::array::from_fn(|reason| sum(&|shard| shard.closes[reason].get())),
            refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place() {
        for (index, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }

    #[test]
    fn threads_add_up() {
        let counters = Arc::new(Counters::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let counters = counters.clone();
                std::thread::spawn(move || {
                    let shard = counters.shard();
                    for _ in 0..10 {
                        shard.opened(Transport::Polling, Revision::V4);
                    }
                    shard.moved(Transport::Polling, Transport::WebSocket, Revision::V4);
                    shard.closed(Transport::Polling, Revision::V4, CloseReason::PingTimeout);
                    shard.buffered(0, 7);
                    counters.refused(4, "FORBIDDEN");
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("it counts");
        }
        // What one thread has counted up another may count down.
        counters.shard().buffered(7, 0);
        let stats = counters.stats();
        assert_eq!(stats.sessions, [[24, 0], [3, 0]]);
        assert_eq!(stats.opened, [[30, 0], [0, 0]]);
        assert_eq!(stats.buffered_bytes, 14);
        assert_eq!(stats.closes().next(), Some((CloseReason::PingTimeout, 3)));
        assert_eq!(stats.refused()[0].count, 3);
    }
}
