//! What gives way when the write buffer has no room, and what is replaced before it has left.

use super::{Outgoing, Session, cost};
use crate::Data;
use crate::proto::close::SendError;
use crate::proto::state::State;
use crate::proto::{Packet, PacketType};

/// What becomes of a message for which a socket's write buffer has no room
/// ([`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes)).
///
/// A message larger than the whole buffer is [`SendError::TooLarge`] under each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FullPolicy {
    /// It is refused with [`SendError::Full`].
    #[default]
    Refuse,
    /// It is taken, and the oldest messages that wait are dropped until there is room.
    DropOldest,
    /// If it is [volatile](Terms::key) it is taken, and volatile messages that wait are dropped until there is room,
    /// the oldest first; if all of them were not enough, it is dropped itself. Any other message is refused with
    /// [`SendError::Full`].
    NewestWins,
    /// The session ends at once with [`CloseReason::SlowConsumer`](crate::CloseReason::SlowConsumer), and the message
    /// is refused with [`SendError::Closed`].
    Close,
}

impl FullPolicy {
    #[cfg(feature = "server")]
    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits {
            1 => FullPolicy::DropOldest,
            2 => FullPolicy::NewestWins,
            3 => FullPolicy::Close,
            _ => FullPolicy::Refuse,
        }
    }
}

/// How [`Session::send_by`] takes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Set if the message is volatile: while it waits in the write buffer, the next one with the same key replaces
    /// it.
    pub key: Option<u64>,
    /// What becomes of it if there is no room. Ending the session ([`FullPolicy::Close`]) is the driver's; here that
    /// is the same as to refuse.
    pub full: FullPolicy,
}

/// A message that was taken and will not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// Its number. If it was replaced at its place, the message there has it now.
    pub number: u64,
    /// How many of the bytes that [`Session::send`] took are free by that ([`cost`]).
    pub released: usize,
}

impl Session {
    /// What [`send`](Self::send) does, on [`Terms`]; `gone` is told of each message that gives way.
    ///
    /// A volatile message takes the place of the one with its key, and its number, unless a message that is not
    /// volatile was sent since: then it comes last, so that it never overtakes what is not volatile.
    ///
    /// # Errors
    /// Those of [`send`](Self::send). Nothing has given way then.
    pub fn send_by(
        &mut self,
        data: Data,
        compress: bool,
        terms: Terms,
        mut gone: impl FnMut(Gone),
    ) -> Result<u64, SendError> {
        if !matches!(self.state, State::Opening { close: None } | State::Open(_)) {
            return Err(SendError::Closed);
        }
        let (cost, max) = (cost(&data), self.config.max_buffered_bytes);
        if cost > max {
            return Err(SendError::TooLarge);
        }
        let older = terms.key.and_then(|key| self.older(key));
        let freed = older.map_or(0, |(at, _)| self.buffer.get(at).map_or(0, Outgoing::released));
        let fits = self.taken - freed + cost <= max;
        if !fits && !self.can_give_way(cost, terms.full) {
            return Err(SendError::Full);
        }
        match older {
            Some((at, true)) if fits => return Ok(self.replace(at, data, compress, gone)),
            Some((at, _)) => self.give_up(at, &mut gone),
            None => {}
        }
        while self.taken + cost > max
            && let Some(at) = self.first_to_go(terms.full)
        {
            self.give_up(at, &mut gone);
        }
        self.sent += 1;
        self.taken += cost;
        self.volatile += u32::from(terms.key.is_some());
        self.queue(Packet::message(data), compress, terms.key);
        Ok(self.sent)
    }

    /// Where the message with this key waits, and whether nothing that is not volatile was sent since.
    fn older(&self, key: u64) -> Option<(usize, bool)> {
        if self.volatile == 0 {
            return None;
        }
        let mut at_its_place = true;
        for (at, outgoing) in (0..self.buffer.len()).rev().zip(self.buffer.iter().rev()) {
            match &outgoing.key {
                Some(other) if **other == key => return Some((at, at_its_place)),
                None if outgoing.is_sent() => at_its_place = false,
                _ => {}
            }
        }
        None
    }

    fn can_give_way(&self, cost: usize, full: FullPolicy) -> bool {
        match full {
            FullPolicy::Refuse | FullPolicy::Close => false,
            FullPolicy::DropOldest => true,
            FullPolicy::NewestWins => {
                let volatile = self.buffer.iter().filter(|outgoing| outgoing.is_volatile());
                let volatile: usize = volatile.map(Outgoing::released).sum();
                self.taken - volatile + cost <= self.config.max_buffered_bytes
            }
        }
    }

    fn first_to_go(&self, full: FullPolicy) -> Option<usize> {
        self.buffer.iter().position(|outgoing| match full {
            FullPolicy::NewestWins => outgoing.is_volatile(),
            _ => outgoing.is_sent(),
        })
    }

    fn give_up(&mut self, at: usize, gone: &mut impl FnMut(Gone)) {
        let Some(outgoing) = self.buffer.remove(at) else {
            return;
        };
        if at < self.flushing as usize {
            self.flushing -= 1;
        }
        self.left(&outgoing);
        gone(Gone {
            number: outgoing.number,
            released: outgoing.released(),
        });
    }

    fn replace(&mut self, at: usize, data: Data, compress: bool, mut gone: impl FnMut(Gone)) -> u64 {
        let packet = Packet::message(data);
        self.created(&packet);
        let cost = cost(&packet.data);
        let Some(outgoing) = self.buffer.get_mut(at) else {
            return self.sent;
        };
        let (number, released) = (outgoing.number, outgoing.released());
        (outgoing.packet, outgoing.compress) = (packet, compress);
        self.taken = self.taken - released + cost;
        self.buffered = self.buffered - released + cost;
        gone(Gone { number, released });
        number
    }

    /// A packet is in the write buffer no more.
    pub(super) fn left(&mut self, outgoing: &Outgoing) {
        self.buffered -= super::cost(&outgoing.packet.data);
        self.taken -= outgoing.released();
        self.volatile -= u32::from(outgoing.is_volatile());
    }
}

impl Outgoing {
    /// Whether `send` took it, and so bounds it: a message, and not the initial packet.
    fn is_sent(&self) -> bool {
        self.packet.kind == PacketType::Message && self.number > 0
    }

    /// How many of the bytes that `send` took leave with it.
    pub(super) fn released(&self) -> usize {
        match self.is_sent() {
            true => cost(&self.packet.data),
            false => 0,
        }
    }

    fn is_volatile(&self) -> bool {
        self.key.is_some()
    }
}
