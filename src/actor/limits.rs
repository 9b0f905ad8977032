//! How many are let in: the places that a server has, and who holds them. Knows addresses and counts, not requests.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::Limits;
use crate::proto::{Refusal, Transport};

/// The places of a server.
#[derive(Debug)]
pub(super) struct Places {
    limits: Limits,
    /// Whether any limit is set.
    are_any: bool,
    sessions: AtomicUsize,
    unpolled: AtomicUsize,
    by_ip: DashMap<IpAddr, usize>,
    handshakes: Mutex<Bucket>,
}

/// The place of one session; given up when dropped.
#[derive(Debug, Default)]
pub(crate) struct Permit(Option<Box<Held>>);

#[derive(Debug)]
struct Held {
    places: Arc<Places>,
    /// What it is counted by, if clients are.
    ip: Option<IpAddr>,
    /// Whether it counts as one that never polled.
    unpolled: bool,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        let unlimited = Limits {
            unpolled_timeout: limits.unpolled_timeout,
            ..Limits::default()
        };
        Places {
            are_any: limits != unlimited,
            limits,
            sessions: AtomicUsize::new(0),
            unpolled: AtomicUsize::new(0),
            by_ip: DashMap::new(),
            handshakes: Mutex::default(),
        }
    }

    /// A place for a session that begins on `transport`, for a client at `ip`.
    pub(super) fn take(
        self: &Arc<Self>,
        ip: Option<IpAddr>,
        transport: Transport,
        now: Instant,
    ) -> Result<Permit, Refusal> {
        let limits = &self.limits;
        if !self.are_any {
            return Ok(Permit::default());
        }
        if let Some(rate) = limits.max_handshakes_per_second
            && !self.lock_bucket().take(rate, now)
        {
            return Err(Refusal::TooManyHandshakes);
        }
        if !take_one(&self.sessions, limits.max_sessions) {
            return Err(Refusal::ServerFull);
        }
        let mut held = Held {
            places: self.clone(),
            ip: None,
            unpolled: false,
        };
        // From here on a refusal gives back what is held.
        if let Some(max) = limits.max_sessions_per_ip {
            let ip = ip.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), counted_by);
            let mut count = self.by_ip.entry(ip).or_default();
            *count += 1;
            let is_one_too_many = *count > max;
            drop(count);
            held.ip = Some(ip);
            if is_one_too_many {
                return Err(Refusal::TooManySessions);
            }
        }
        if limits.max_unpolled.is_some() && transport == Transport::Polling {
            if !take_one(&self.unpolled, limits.max_unpolled) {
                return Err(Refusal::TooManyUnpolled);
            }
            held.unpolled = true;
        }
        Ok(Permit(Some(Box::new(held))))
    }

    /// No code of others runs under the lock, so a poisoned one holds nothing half done.
    fn lock_bucket(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_one(count: &AtomicUsize, max: Option<usize>) -> bool {
    let max = max.unwrap_or(usize::MAX);
    let next = |taken: usize| (taken < max).then_some(taken + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
        .is_ok()
}

impl Permit {
    /// If its session counts as one that never polled: how long it may.
    pub(super) fn unpolled(&self) -> Option<Duration> {
        let held = self.0.as_ref().filter(|held| held.unpolled)?;
        Some(held.places.limits.unpolled_timeout)
    }

    /// Its session has polled, or is on a WebSocket.
    pub(super) fn polled(&mut self) {
        if let Some(held) = &mut self.0 {
            held.polled();
        }
    }
}

impl Held {
    fn polled(&mut self) {
        if std::mem::take(&mut self.unpolled) {
            self.places.unpolled.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.polled();
        self.places.sessions.fetch_sub(1, Ordering::Relaxed);
        if let Some(ip) = self.ip {
            self.places.by_ip.remove_if_mut(&ip, |_, count| {
                *count -= 1;
                *count == 0
            });
        }
    }
}

/// What an address is counted by: one of IPv6 by its /64.
fn counted_by(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// A bucket that holds what one second brings, and is full at first.
#[derive(Debug, Default)]
struct Bucket {
    /// How much is taken out, in handshakes.
    taken: f64,
    at: Option<Instant>,
}

impl Bucket {
    fn take(&mut self, rate: u32, now: Instant) -> bool {
        let rate = f64::from(rate);
        let elapsed = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        self.taken = (self.taken - elapsed.as_secs_f64() * rate).max(0.0);
        let has_one = self.taken + 1.0 <= rate;
        if has_one {
            self.taken += 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(change: impl FnOnce(&mut Limits)) -> Arc<Places> {
        let mut limits = Limits::default();
        change(&mut limits);
        Arc::new(Places::new(limits))
    }

    fn take(places: &Arc<Places>, ip: &str) -> Result<Permit, Refusal> {
        let ip = Some(ip.parse().expect("an address"));
        places.take(ip, Transport::Polling, Instant::now())
    }

    #[test]
    fn a_refusal_gives_back_what_it_took() {
        let places = places(|limits| {
            limits.max_sessions = Some(3);
            limits.max_sessions_per_ip = Some(2);
            limits.max_unpolled = Some(2);
        });
        let first = take(&places, "10.0.0.1").expect("there is room");
        let mut second = take(&places, "10.0.0.1").expect("there is room");
        assert_eq!(take(&places, "10.0.0.1").unwrap_err(), Refusal::TooManySessions);
        assert_eq!(take(&places, "10.0.0.2").unwrap_err(), Refusal::TooManyUnpolled);
        second.polled();
        second.polled();
        let third = take(&places, "10.0.0.2").expect("there is room");
        assert_eq!(take(&places, "10.0.0.3").unwrap_err(), Refusal::ServerFull);
        drop((first, second, third));
        assert_eq!(places.sessions.load(Ordering::Relaxed), 0);
        assert_eq!(places.unpolled.load(Ordering::Relaxed), 0);
        assert!(places.by_ip.is_empty());
    }

    #[test]
    fn a_second_brings_so_many_handshakes() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut bucket = Bucket::default();
        assert!((0..10).all(|_| bucket.take(10, start)));
        assert!(!bucket.take(10, at(99)));
        assert!(bucket.take(10, at(101)));
        assert!(!bucket.take(10, at(102)));
        assert!((0..10).all(|_| bucket.take(10, at(60_000))));
        assert!(!bucket.take(10, at(60_000)));
        assert!(!bucket.take(0, at(120_000)));
    }

    #[test]
    fn ipv6_counts_by_its_network() {
        let key = |text: &str| counted_by(text.parse().expect(text));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
        assert_eq!(key("10.0.0.1"), key("::ffff:10.0.0.1"));
    }
}
