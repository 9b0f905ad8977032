//! The upgrade as its WebSocket sees it: which packets may come before the session takes over.

use super::{Packet, PacketType};
use crate::Data;

/// A WebSocket that wants to become a session's transport: `2probe`, then `5`, nothing else.
///
/// ```
/// use engineio::proto::{Packet, PacketType, Probe, ProbeStep};
///
/// let mut probe = Probe::default();
/// assert_eq!(probe.handle_packet(&Probe::ping()), ProbeStep::Probe);
/// assert_eq!(probe.handle_packet(&Packet::new(PacketType::Upgrade)), ProbeStep::Upgrade);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Probe {
    /// Nothing has come in yet.
    #[default]
    Waiting,
    /// `2probe` has come in, and the session was asked.
    Probing,
    /// `5` has come in, or something that should not.
    Done,
}

/// What a packet on such a WebSocket asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeStep {
    /// Ask the session (`Session::handle_probe`); if it accepts, answer [`Probe::pong`].
    Probe,
    /// Hand the WebSocket over (`Session::handle_upgrade`).
    Upgrade,
    /// Close this WebSocket. The session goes on without it.
    Fail,
}

impl Probe {
    /// `2probe`.
    pub fn ping() -> Packet {
        Packet {
            kind: PacketType::Ping,
            data: Data::from("probe"),
        }
    }

    /// `3probe`.
    pub fn pong() -> Packet {
        Packet {
            kind: PacketType::Pong,
            data: Data::from("probe"),
        }
    }

    /// A packet came in.
    pub fn handle_packet(&mut self, packet: &Packet) -> ProbeStep {
        let (next, step) = match (*self, packet.kind) {
            (Probe::Waiting, PacketType::Ping) if packet.data == Data::from("probe") => {
                (Probe::Probing, ProbeStep::Probe)
            }
            (Probe::Probing, PacketType::Upgrade) => (Probe::Done, ProbeStep::Upgrade),
            _ => (Probe::Done, ProbeStep::Fail),
        };
        *self = next;
        step
    }
}
