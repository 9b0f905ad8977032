//! How long a peer that broke the protocol is listened to: reading on for a moment keeps the close frame that says what
//! was wrong from being lost to a reset.

use std::time::{Duration, Instant};

/// How long at most.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// How long it is silent when it has nothing more to say, and waits for the connection's end.
const SILENCE: Duration = Duration::from_millis(100);

/// Until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linger {
    silent: Instant,
    end: Instant,
}

impl Linger {
    /// It broke the protocol now.
    pub(super) fn new(now: Instant) -> Self {
        Linger {
            silent: now + SILENCE,
            end: now + LINGER,
        }
    }

    /// It still sends.
    pub(super) fn heard(&mut self, now: Instant) {
        self.silent = now + SILENCE;
    }

    /// When it is over, unless more is heard.
    pub(super) fn deadline(&self) -> Instant {
        self.silent.min(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_listened_to_while_it_sends_but_not_for_ever() {
        let start = Instant::now();
        let mut linger = Linger::new(start);
        assert_eq!(linger.deadline(), start + SILENCE);
        linger.heard(start + SILENCE / 2);
        assert_eq!(linger.deadline(), start + SILENCE + SILENCE / 2);
        linger.heard(start + LINGER - SILENCE / 2);
        assert_eq!(linger.deadline(), start + LINGER);
    }
}
