//! What a session has done, for statistics. Counts only.

use std::time::Duration;

use super::Session;
use crate::Data;
use crate::proto::{Packet, PacketType};

/// What a session has done since it was last asked by [`Session::take_tally`]. Counts stop at their largest value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Messages that came in.
    pub messages_in: u32,
    /// Their bytes, without framing or compression.
    pub bytes_in: u32,
    /// Messages that were handed to the transport.
    pub messages_out: u32,
    /// Their bytes, without framing or compression.
    pub bytes_out: u32,
    /// Microseconds from the latest ping to its pong; 0 if none came.
    round_trip: u32,
    /// Upgrades that were tried: a probe that was accepted.
    pub upgrades_tried: u8,
    /// Those of them that came through.
    pub upgrades_done: u8,
    /// Those of them that came to nothing.
    pub upgrades_failed: u8,
}

impl Tally {
    /// From the latest ping, when it was put in the write buffer, to its pong.
    pub fn round_trip(&self) -> Option<Duration> {
        (self.round_trip > 0).then(|| Duration::from_micros(self.round_trip.into()))
    }

    pub(super) fn came_in(&mut self, messages: Messages) {
        self.messages_in = self.messages_in.saturating_add(messages.count);
        self.bytes_in = self.bytes_in.saturating_add(messages.bytes);
    }

    pub(super) fn went_out(&mut self, messages: Messages) {
        self.messages_out = self.messages_out.saturating_add(messages.count);
        self.bytes_out = self.bytes_out.saturating_add(messages.bytes);
    }

    pub(super) fn beat(&mut self, round_trip: Duration) {
        self.round_trip = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX).max(1);
    }

    pub(super) fn upgrade_tried(&mut self) {
        self.upgrades_tried = self.upgrades_tried.saturating_add(1);
    }

    pub(super) fn upgrade_done(&mut self) {
        self.upgrades_done = self.upgrades_done.saturating_add(1);
    }

    pub(super) fn upgrade_failed(&mut self) {
        self.upgrades_failed = self.upgrades_failed.saturating_add(1);
    }
}

/// Some messages, counted: they, and their bytes. Counts stop at their largest value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Messages {
    pub(super) count: u32,
    pub(super) bytes: u32,
}

impl Messages {
    /// Counts one more.
    #[inline]
    pub fn add(&mut self, data: &Data) {
        let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Counts this packet, if it is a message.
    pub(super) fn of(packet: &Packet) -> Self {
        let mut messages = Messages::default();
        if packet.kind == PacketType::Message {
            messages.add(&packet.data);
        }
        messages
    }
}

impl Session {
    /// What it has done since this was last called.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}
