//! The closures for all sessions, and who of them wants to hear what. Knows what to call, not when.

use super::handle::Socket;
use super::handshake::Handshake;
use crate::Data;
use crate::proto::{self, Close, Events, Packet, Transport};

/// A closure that is told of a socket, with what comes by value ...
type With<T> = Option<Box<dyn Fn(&Socket, T) + Send + Sync>>;
/// ... by reference ...
type WithRef<T> = Option<Box<dyn Fn(&Socket, &T) + Send + Sync>>;
/// ... or with nothing.
type Alone = Option<Box<dyn Fn(&Socket) + Send + Sync>>;

/// The closures for all sessions.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) connection: WithRef<Handshake>,
    pub(super) message: With<Data>,
    pub(super) close: With<Close>,
    pub(super) error: With<Close>,
    pub(super) flush: WithRef<[Packet]>,
    pub(super) drain: Alone,
    pub(super) packet: WithRef<Packet>,
    pub(super) packet_create: WithRef<Packet>,
    pub(super) heartbeat: Alone,
    pub(super) upgrading: With<Transport>,
    pub(super) upgrade: With<Transport>,
}

impl Hooks {
    pub(super) fn is_empty(&self) -> bool {
        self.connection.is_none() && self.interest().is_empty()
    }

    pub(super) fn interest(&self) -> Events {
        let set = [
            (self.message.is_some(), Events::MESSAGE),
            (self.close.is_some(), Events::CLOSE),
            (self.error.is_some(), Events::ERROR),
            (self.flush.is_some(), Events::FLUSH),
            (self.drain.is_some(), Events::DRAIN),
            (self.packet.is_some(), Events::PACKET),
            (self.packet_create.is_some(), Events::PACKET_CREATE),
            (self.heartbeat.is_some(), Events::HEARTBEAT),
            (self.upgrading.is_some(), Events::UPGRADING),
            (self.upgrade.is_some(), Events::UPGRADE),
        ];
        set.into_iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, event)| event)
            .collect()
    }

    pub(super) fn tell(&self, socket: &Socket, event: &proto::Event) {
        /// Calls a hook that is set.
        macro_rules! call {
            ($hook:ident $(, $argument:expr)*) => {
                if let Some(hook) = &self.$hook {
                    hook(socket $(, $argument)*);
                }
            };
        }
        match event {
            proto::Event::Message(data) => call!(message, data.clone()),
            proto::Event::Close(close) => call!(close, close.clone()),
            proto::Event::Error(close) => call!(error, close.clone()),
            proto::Event::Flush(packets) => call!(flush, packets),
            proto::Event::Drain => call!(drain),
            proto::Event::Packet(packet) => call!(packet, packet),
            proto::Event::PacketCreate(packet) => call!(packet_create, packet),
            proto::Event::Heartbeat => call!(heartbeat),
            proto::Event::Upgrading(transport) => call!(upgrading, *transport),
            proto::Event::Upgrade(transport) => call!(upgrade, *transport),
        }
    }
}
