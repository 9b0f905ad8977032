//! What is handed to a socket by a message. If nobody takes it, because the socket has died meanwhile say, whoever
//! waits at the other end is told.

use std::sync::Arc;

use super::handed::Handed;
use super::link::Link;
use crate::proto::CloseReason;

/// A WebSocket that is offered to a socket.
#[derive(Debug)]
pub(crate) struct Offer<T: Refuse>(Option<T>);

/// What somebody waits for at the other end.
pub(crate) trait Refuse {
    /// Nobody takes it.
    fn refuse(self);
}

/// A WebSocket that becomes the transport of a session.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// Its connection stays where it is.
    Link(Arc<Link>),
    /// Its connection comes along.
    Wire(Box<Handed>),
}

impl<T: Refuse> Offer<T> {
    pub(super) fn new(offered: T) -> Self {
        Offer(Some(offered))
    }

    /// Takes it: what becomes of it is the taker's business now.
    pub(in crate::actor) fn take(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T: Refuse> Drop for Offer<T> {
    fn drop(&mut self) {
        if let Some(offered) = self.0.take() {
            offered.refuse();
        }
    }
}

impl Refuse for Arc<Link> {
    fn refuse(self) {
        self.close(&CloseReason::TransportClose.into());
    }
}

impl Refuse for Handed {
    fn refuse(self) {
        self.say_goodbye();
    }
}

impl Refuse for Carrier {
    fn refuse(self) {
        match self {
            Carrier::Link(link) => link.refuse(),
            Carrier::Wire(handed) => handed.refuse(),
        }
    }
}
