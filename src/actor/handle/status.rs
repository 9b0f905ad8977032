//! What a handle tells of its session, packed for an atomic.

use crate::proto::{ReadyState, Transport};

/// What of a session everybody may see, in one byte.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Status {
    pub(super) state: ReadyState,
    pub(super) transport: Transport,
    pub(super) upgraded: bool,
    /// A WebSocket was probed, and its `5` may come.
    pub(super) upgrading: bool,
}

impl Status {
    pub(super) fn pack(self) -> u8 {
        let transport = u8::from(self.transport == Transport::WebSocket);
        self.state as u8 | transport << 2 | u8::from(self.upgraded) << 3 | u8::from(self.upgrading) << 4
    }

    pub(super) fn unpack(bits: u8) -> Self {
        let state = match bits & 3 {
            0 => ReadyState::Opening,
            1 => ReadyState::Open,
            2 => ReadyState::Closing,
            _ => ReadyState::Closed,
        };
        let transport = if bits & 4 == 0 {
            Transport::Polling
        } else {
            Transport::WebSocket
        };
        Status {
            state,
            transport,
            upgraded: bits & 8 != 0,
            upgrading: bits & 16 != 0,
        }
    }
}
