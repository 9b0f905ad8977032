//! Which deadlines a session has beside those in its state: the heartbeat. Time comes in as an argument.

use std::time::{Duration, Instant};

use super::Revision;

/// A timer that fires later than this was held up by our own process; the client is not to blame.
const STALL: Duration = Duration::from_secs(1);

/// The longest interval and the longest timeout. Clients in JavaScript wait for both together by a timer that rings at
/// once if it is set to more than 2^31 - 1 ms (24.8 days).
pub(crate) const LONGEST_PING: Duration = Duration::from_secs(12 * 24 * 60 * 60);

/// How fast the heart beats: the same for all sessions of a server, so that none of them keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

/// The heartbeat of a session, in both directions.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Heartbeat {
    last_seen: Instant,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(test, derive(Hash))]
enum Phase {
    /// Revision 4: a ping is due.
    Ping { due: Instant },
    /// Revision 4: a ping was sent, a sign of life is due.
    Pong {
        sent: Instant,
        due: Instant,
        /// How many microseconds later than `sent` it really was.
        late: u32,
    },
    /// Revision 3: any sign of life is due.
    Silence { due: Instant },
}

/// What a heartbeat wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Send a ping.
    Ping,
    /// The client is gone.
    Dead,
}

impl Heartbeat {
    pub(super) fn new(revision: Revision, pace: Pace, now: Instant) -> Self {
        let phase = match revision {
            Revision::V4 => Phase::Ping {
                due: now + pace.interval,
            },
            Revision::V3 => Phase::Silence {
                due: now + pace.interval + pace.timeout,
            },
        };
        Heartbeat {
            last_seen: now,
            phase,
        }
    }

    /// A packet came in: any packet is life.
    pub(super) fn seen(&mut self, now: Instant) {
        self.last_seen = now;
    }

    /// A pong came in. If one was awaited, returns how long ago the ping was sent.
    pub(super) fn pong(&mut self, pace: Pace, now: Instant) -> Option<Duration> {
        let Phase::Pong { sent, late, .. } = self.phase else {
            return None;
        };
        self.phase = Phase::Ping {
            due: now + pace.interval,
        };
        Some((now - sent).saturating_sub(Duration::from_micros(late.into())))
    }

    /// For how long nothing has come in.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_seen)
    }

    /// Whether the client is to show that it lives: it was pinged (revision 4), or should have pinged (revision 3).
    pub(super) fn awaits_life(&self, pace: Pace, now: Instant) -> bool {
        match self.phase {
            Phase::Ping { .. } => false,
            Phase::Pong { sent, .. } => self.last_seen <= sent,
            Phase::Silence { .. } => self.silence(now) >= pace.interval,
        }
    }

    pub(super) fn due(&self) -> Instant {
        match self.phase {
            Phase::Ping { due } | Phase::Pong { due, .. } | Phase::Silence { due } => due,
        }
    }

    /// The client cannot be heard: what is overdue is put off. It is pinged again all the same, lest it take the
    /// silence for ours.
    pub(super) fn excuse(&mut self, pace: Pace, now: Instant) {
        if now < self.due() {
            return;
        }
        match &mut self.phase {
            Phase::Ping { .. } => {}
            Phase::Pong { .. } => self.phase = Phase::Ping { due: now },
            Phase::Silence { due } => *due = now + pace.timeout,
        }
    }

    /// Brings the heartbeat up to `now`.
    pub(super) fn handle_timeout(&mut self, pace: Pace, now: Instant) -> Option<Beat> {
        if now < self.due() {
            return None;
        }
        match self.phase {
            Phase::Ping { due } => {
                // Counted from when it was due, so that the timer's grain does not add up; unless this
                // process was held up, for which the client shall not pay: it must have time to answer.
                let late = STALL.min(pace.timeout / 4);
                let sent = if now - due < late { due } else { now };
                self.phase = Phase::Pong {
                    sent,
                    due: sent + pace.timeout,
                    // Less than a second, by what stands above.
                    late: (now - sent).subsec_micros(),
                };
                Some(Beat::Ping)
            }
            Phase::Pong { sent, .. } if self.last_seen > sent => {
                self.phase = Phase::Ping {
                    due: (self.last_seen + pace.interval).max(now),
                };
                None
            }
            Phase::Silence { .. } if self.last_seen + pace.interval + pace.timeout > now => {
                self.phase = Phase::Silence {
                    due: self.last_seen + pace.interval + pace.timeout,
                };
                None
            }
            // What the client sent while we were held up lies unread: look at it first.
            Phase::Pong { sent, due, late } if now - due >= STALL => {
                self.phase = Phase::Pong {
                    sent,
                    due: now + STALL,
                    late,
                };
                None
            }
            Phase::Silence { due } if now - due >= STALL => {
                self.phase = Phase::Silence { due: now + STALL };
                None
            }
            Phase::Pong { .. } | Phase::Silence { .. } => Some(Beat::Dead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        interval: Duration::from_millis(300),
        timeout: Duration::from_millis(200),
    };

    fn heartbeat(revision: Revision) -> (Heartbeat, Instant) {
        let start = Instant::now();
        (Heartbeat::new(revision, PACE, start), start)
    }

    #[test]
    fn revision_4_pings_and_gives_up_after_the_timeout() {
        let (mut beat, start) = heartbeat(Revision::V4);
        let ms = |n| start + Duration::from_millis(n);
        assert_eq!(beat.handle_timeout(PACE, ms(299)), None);
        assert_eq!(beat.handle_timeout(PACE, ms(302)), Some(Beat::Ping));
        // 500 and not 502: a late timer does not lengthen the deadline.
        assert_eq!(beat.due(), ms(500));
        assert_eq!(beat.handle_timeout(PACE, ms(500)), Some(Beat::Dead));
    }

    #[test]
    fn a_pong_starts_the_next_interval_and_another_one_changes_nothing() {
        let (mut beat, start) = heartbeat(Revision::V4);
        let ms = |n| start + Duration::from_millis(n);
        assert_eq!(beat.pong(PACE, ms(10)), None);
        assert_eq!(beat.due(), ms(300));
        assert_eq!(beat.handle_timeout(PACE, ms(300)), Some(Beat::Ping));
        assert_eq!(beat.pong(PACE, ms(310)), Some(Duration::from_millis(10)));
        assert_eq!(beat.due(), ms(610));
        assert_eq!(beat.pong(PACE, ms(320)), None);
        assert_eq!(beat.due(), ms(610));
    }

    #[test]
    fn any_packet_is_life() {
        let (mut beat, start) = heartbeat(Revision::V4);
        let ms = |n| start + Duration::from_millis(n);
        assert_eq!(beat.handle_timeout(PACE, ms(300)), Some(Beat::Ping));
        beat.seen(ms(450));
        assert_eq!(beat.handle_timeout(PACE, ms(500)), None);
        assert_eq!(beat.due(), ms(750));

        let (mut beat, start) = heartbeat(Revision::V3);
        let ms = |n| start + Duration::from_millis(n);
        beat.seen(ms(100));
        assert_eq!(beat.handle_timeout(PACE, ms(500)), None);
        assert_eq!(beat.handle_timeout(PACE, ms(600)), Some(Beat::Dead));
    }

    #[test]
    fn the_servers_own_stall_is_forgiven() {
        let (mut beat, start) = heartbeat(Revision::V4);
        let s = |n| start + Duration::from_secs(n);
        assert_eq!(beat.handle_timeout(PACE, s(60)), Some(Beat::Ping));
        assert_eq!(beat.due(), s(60) + PACE.timeout);
        assert_eq!(beat.handle_timeout(PACE, s(90)), None);
        assert_eq!(beat.handle_timeout(PACE, s(91)), Some(Beat::Dead));
    }
}
