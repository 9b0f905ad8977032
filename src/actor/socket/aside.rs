//! What a socket has no use for while messages flow on a connection of its own: most of them have none of it most of
//! the time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::SocketActor;
use super::tickets::Tickets;
use crate::actor::transport::{Inbound, Link};
use crate::proto::{PollId, ProbeId, PushId, Refusal, Reply};

/// Who waits for the socket elsewhere, and how it ends.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) poll: Option<(PollId, oneshot::Sender<Result<Reply, Refusal>>)>,
    pub(super) push: Option<(PushId, oneshot::Sender<Result<(), Refusal>>)>,
    /// The WebSocket that is the transport, if its connection is not ours.
    pub(super) link: Option<Arc<Link>>,
    /// The WebSocket that wants to become it.
    pub(super) probe: Option<(ProbeId, Arc<Link>)>,
    /// What was taken from the link and not handled in the last turn.
    pub(super) inbound: VecDeque<Inbound>,
    pub(super) tickets: Tickets,
    /// Set when the session has ended: when to stop waiting for the WebSocket.
    pub(super) linger: Option<Instant>,
}

impl Aside {
    fn is_empty(&self) -> bool {
        self.poll.is_none()
            && self.push.is_none()
            && self.link.is_none()
            && self.probe.is_none()
            && self.inbound.is_empty()
            && self.tickets.are_none()
            && self.linger.is_none()
    }
}

impl SocketActor {
    pub(super) fn aside(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// Gives back its memory, if nothing is in it.
    #[inline]
    pub(super) fn tidy(&mut self) {
        self.aside.take_if(|aside| aside.is_empty());
    }

    /// The WebSocket that is the transport, if its connection is not ours.
    pub(super) fn link(&self) -> Option<&Arc<Link>> {
        self.aside.as_ref()?.link.as_ref()
    }

    pub(super) fn linger(&self) -> Option<Instant> {
        self.aside.as_ref()?.linger
    }

    /// Who waits for messages to be flushed, if somebody may.
    #[inline]
    pub(super) fn tickets(&self) -> Option<&Tickets> {
        self.aside.as_ref().map(|aside| &aside.tickets)
    }
}
