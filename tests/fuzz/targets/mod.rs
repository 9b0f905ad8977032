//! The fuzz targets: functions over bytes that must not panic, each with what must hold for every input.

mod codec;
mod deflate;
mod frames;
mod model;
mod requests;
mod session;
mod websocket;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

pub use codec::{packet, payload_v3, payload_v4};
pub use deflate::{extensions, inflate};
pub use frames::{frame, handshake};
pub use requests::query;
pub use session::session;
pub use websocket::websocket;

/// What an input made happen, in kinds: an input that does something new is worth going on from. (libFuzzer
/// sees more by itself, and does not look at it.)
#[derive(Debug, Default)]
pub struct Seen(BTreeSet<u64>);

impl Seen {
    /// Something of this kind has happened.
    pub fn note(&mut self, kind: impl Hash) {
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        self.0.insert(hasher.finish());
    }

    /// All that has.
    pub fn features(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }
}

/// Bytes as decisions: zeros once they have run out.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One of these.
    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()].clone()
    }

    /// As many bytes as the next one says, at most.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}
