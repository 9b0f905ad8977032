//! What a WebSocket is to its socket, whoever reads and writes its frames: an upgrade under way or the transport,
//! what it waits for as such, and what the socket hears of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::link::{Inbound, Link, Outbound};
use super::offer::{Carrier, Offer};
use crate::actor::clock;
use crate::actor::handle::Socket;
use crate::actor::messages;
use crate::proto::{self, Close, CloseReason, Detail, Packet, ProbeId, ProbeStep, Revision};
use crate::ws::{CloseCode, CloseFrame, Encoding, Limits, Message, ProtocolError};

/// How long after the 101 the open packet leaves. Clients that begin to listen for messages when they are told
/// that the WebSocket is open lose what comes in the same read as the 101; the public suite of revision 3 is one.
pub(in crate::actor) const OPEN_DELAY: Duration = Duration::from_millis(1);

/// A message in more frames than this is an attack (CVE-2026-48779 in `ws`).
const MAX_FRAGMENTS: usize = 16 * 1024;

/// What stands for the code of a close frame without one (RFC 6455 section 7.4.1).
const NO_CODE: u16 = 1005;

/// What stands for the code if there was no close frame (RFC 6455 section 7.4.1).
const NO_CLOSE_FRAME: u16 = 1006;

/// A WebSocket's tie to its socket, from its 101 to its end. While it is an upgrade that is not through yet it
/// speaks to the socket by `Probe`, `Upgrade` and `ProbeLost` only, then by its link.
#[derive(Debug)]
pub(crate) struct Attachment {
    link: Arc<Link>,
    revision: Revision,
    role: Role,
    /// Whether its connection goes to its socket with `5`.
    hands_over: bool,
}

#[derive(Debug)]
enum Role {
    /// An upgrade that is not through yet.
    Probing {
        id: ProbeId,
        probe: proto::Probe,
        timeout: Duration,
        deadline: Instant,
    },
    /// The session's transport, which keeps still for a moment.
    Opening { until: Instant },
    /// The session's transport.
    Session,
    /// What was to become the session's transport, and belongs to its socket now.
    HandedOver(ProbeId),
}

/// The upgrade has failed: the WebSocket is to be closed as one that broke the protocol, for this reason. The socket
/// knows; its session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) &'static str);

impl Attachment {
    /// Of the transport of a session that begins on a WebSocket.
    pub(crate) fn direct(link: Arc<Link>) -> Self {
        let until = clock::now() + OPEN_DELAY;
        Self::new(link, Role::Opening { until })
    }

    /// Of a WebSocket that wants to become the transport of a session.
    pub(crate) fn upgrade(link: Arc<Link>) -> Self {
        let timeout = link.socket().server().config().upgrade_timeout;
        let id = ProbeId(link.socket().next_id());
        link.socket()
            .process()
            .do_send(messages::Attempt(Offer::new(link.clone())));
        let role = Role::Probing {
            id,
            probe: proto::Probe::default(),
            timeout,
            deadline: clock::now() + timeout,
        };
        Self::new(link, role)
    }

    fn new(link: Arc<Link>, role: Role) -> Self {
        Attachment {
            revision: link.socket().protocol(),
            link,
            role,
            hands_over: false,
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.link.socket()
    }

    /// What a peer may send.
    #[cfg(feature = "ws_engine")]
    pub(crate) fn limits(&self) -> Limits {
        limits(self.socket())
    }

    /// The connection of an upgrade goes to its socket with `5`: see [`handed_over`](Self::handed_over).
    pub(super) fn hand_over(&mut self) {
        self.hands_over = true;
    }

    /// Whether `5` was read, and nothing is left to do but to give the connection to the socket.
    pub(super) fn handed_over(&self) -> Option<ProbeId> {
        match self.role {
            Role::HandedOver(id) => Some(id),
            _ => None,
        }
    }

    /// Whether more should be read now; if not, `waker` is woken when it should.
    pub(crate) fn wants_input(&self, waker: &Waker) -> bool {
        self.link.wants_input(waker)
    }

    /// An empty queue for [`push`](Self::push).
    pub(crate) fn batch() -> VecDeque<Inbound> {
        Link::batch()
    }

    /// A message came: it goes to `batch` if it is one for the session.
    pub(crate) fn handle_message(
        &mut self,
        message: Inbound,
        batch: &mut VecDeque<Inbound>,
    ) -> Result<(), Failed> {
        let Role::Probing {
            id,
            probe,
            timeout,
            deadline,
        } = &mut self.role
        else {
            batch.push_back(message);
            return Ok(());
        };
        let id = *id;
        let step = match decode(message, self.revision) {
            Ok(packet) => probe.handle_packet(&packet),
            Err(_) => ProbeStep::Fail,
        };
        let socket = self.link.socket().process();
        match step {
            ProbeStep::Probe => {
                *deadline = clock::now() + *timeout;
                socket.do_send(messages::Probe {
                    id,
                    offer: Offer::new(self.link.clone()),
                });
            }
            // Nothing asynchronous lies between reading `5` and the swap: what the client does next, on
            // whatever connection, comes behind this message.
            ProbeStep::Upgrade => {
                log::debug!(target: "engineio::ws", "{:?}: upgraded", self.socket().id());
                if self.hands_over {
                    self.role = Role::HandedOver(id);
                    return Ok(());
                }
                let offer = Offer::new(Carrier::Link(self.link.clone()));
                socket.do_send(messages::Upgrade { id, offer });
                self.role = Role::Session;
            }
            ProbeStep::Fail => return Err(self.fail("unexpected packet during upgrade")),
        }
        Ok(())
    }

    /// Gives messages to the session.
    pub(crate) fn push(&self, batch: VecDeque<Inbound>) {
        self.link.push_inbound(batch);
    }

    /// The socket may send messages encoded like this: see [`Outbound::Encoded`].
    pub(super) fn take_encoded(&self, encoding: Option<Encoding>) {
        self.link.take_encoded(encoding);
    }

    /// Takes what the socket wants sent, as [`Link::take_outbound`] does.
    pub(crate) fn take_outbound(&self, limit: usize, waker: &Waker, take: impl FnMut(Outbound, usize)) {
        if !matches!(self.role, Role::Opening { .. }) {
            self.link.take_outbound(limit, waker, take);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), while the WebSocket is open.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.role {
            Role::Opening { until: deadline } | Role::Probing { deadline, .. } => Some(deadline),
            Role::Session | Role::HandedOver(_) => None,
        }
    }

    /// The deadline is there.
    pub(crate) fn handle_timeout(&mut self) -> Result<(), Failed> {
        match self.role {
            Role::Opening { .. } => self.role = Role::Session,
            Role::Probing { .. } => return Err(self.fail("upgrade timeout")),
            Role::Session | Role::HandedOver(_) => {}
        }
        Ok(())
    }

    /// The peer broke the protocol of WebSocket.
    pub(crate) fn broken(&self, error: ProtocolError) {
        log::debug!(target: "engineio::ws", "{:?}: {error}", self.socket().id());
        self.tell_lost(broken(error, &limits(self.socket())));
    }

    /// The peer has closed the WebSocket by this frame, or the connection is gone.
    pub(crate) fn lost(&self, frame: Option<&CloseFrame>) {
        self.tell_lost(ended(frame));
    }

    /// Gives up on an upgrade.
    fn fail(&self, reason: &'static str) -> Failed {
        log::debug!(target: "engineio::ws", "{:?}: {reason}", self.socket().id());
        self.tell_lost(Close::because(CloseReason::TransportError, reason));
        Failed(reason)
    }

    /// Only the first time is heard.
    fn tell_lost(&self, close: Close) {
        match &self.role {
            Role::HandedOver(_) => {}
            Role::Opening { .. } | Role::Session => self.link.lose(close),
            Role::Probing { id, probe, .. } => {
                if *probe != proto::Probe::Waiting {
                    self.socket().process().do_send(messages::ProbeLost(*id));
                }
            }
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.lost(None);
    }
}

/// What the peer of a socket may send.
pub(super) fn limits(socket: &Socket) -> Limits {
    let server = socket.server();
    let config = server.config();
    Limits {
        max_message: config.max_http_buffer_size,
        max_fragments: match Bare::of(config).is_on() {
            true => usize::MAX,
            false => MAX_FRAGMENTS,
        },
    }
}

/// What a broken frame means for the session, by the limits that its WebSocket has.
pub(super) fn broken(error: ProtocolError, limits: &Limits) -> Close {
    let description = match error {
        ProtocolError::MessageTooBig { .. } => "payload too large",
        ProtocolError::InvalidUtf8 => "invalid UTF-8",
        ProtocolError::InvalidDeflate => "invalid compressed message",
        _ => "invalid WebSocket frame",
    };
    let close = Close::because(CloseReason::TransportError, description);
    match error {
        ProtocolError::MessageTooBig { size } => close.with(Detail::too_large(size, limits.max_message)),
        _ => close,
    }
}

/// What it means for the session that its WebSocket has ended, by a close frame or without.
pub(super) fn ended(frame: Option<&CloseFrame>) -> Close {
    let code = match frame {
        Some(frame) => frame.code.map_or(NO_CODE, CloseCode::number),
        None => NO_CLOSE_FRAME,
    };
    Close::new(CloseReason::TransportClose).with(Detail::WebSocketCode(code))
}

/// A WebSocket message as a packet.
pub(crate) fn decode(message: Inbound, revision: Revision) -> Result<Packet, proto::DecodeError> {
    match message {
        (Some(prefix), Message::Text(text)) => Packet::from_parts(prefix, text, revision),
        (None, Message::Text(text)) => Packet::from_text(text, revision),
        (_, Message::Binary(bytes)) => Packet::from_binary(bytes, revision),
    }
}
