//! The transport of a WebSocket: from its 101 on it turns bytes into messages for its socket and the socket's
//! frames into bytes. While it is an upgrade that is not through yet it speaks to the socket by `Probe`,
//! `Upgrade` and `ProbeLost` only. It has no task of its own: whoever owns the connection polls it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_rt::time::{Sleep, sleep_until};
use bytes::{Bytes, BytesMut};

use super::link::{Link, Outbound};
use super::offer::{Carrier, Offer};
use crate::actor::handle::Socket;
use crate::actor::messages;
use crate::proto::{self, Close, CloseReason, Detail, Packet, ProbeId, ProbeStep, Revision};
use crate::ws::deflate::Agreement;
use crate::ws::{CloseCode, Connection, Limits, Message};

/// How many bytes are handed to the connection in one go.
const CHUNK: usize = 32 * 1024;

/// How long a peer that broke the protocol is listened to, so that it can hear what was wrong.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// How long after the 101 the open packet leaves. Clients that begin to listen for messages when they are told
/// that the WebSocket is open lose what comes in the same read as the 101; the public suite of revision 3 is one.
pub(in crate::actor) const OPEN_DELAY: Duration = Duration::from_millis(1);

/// What stands for the code of a close frame without one (RFC 6455 section 7.4.1).
const NO_CODE: u16 = 1005;

/// What stands for the code if there was no close frame (RFC 6455 section 7.4.1).
const NO_CLOSE_FRAME: u16 = 1006;

/// A message in more frames than this is an attack (CVE-2026-48779 in `ws`).
const MAX_FRAGMENTS: usize = 16 * 1024;

/// One WebSocket, from its 101 to its end.
#[derive(Debug)]
pub(crate) struct WebSocketTransport {
    connection: Connection,
    link: Arc<Link>,
    revision: Revision,
    role: Role,
    /// Runs while something is awaited of the peer, until [`deadline`](Self::deadline).
    sleep: Option<Pin<Box<Sleep>>>,
    /// Until when a peer that broke the protocol is listened to.
    linger: Option<Instant>,
    /// Whether its connection goes to its socket with `5`.
    hands_over: bool,
    ended: bool,
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

/// The WebSocket layer of a socket's connection.
pub(super) fn connection(socket: &Socket, deflate: Option<Agreement>) -> Connection {
    let server = socket.server();
    let config = server.config();
    let limits = Limits {
        max_message: config.max_http_buffer_size,
        max_fragments: MAX_FRAGMENTS,
    };
    match (deflate, &config.per_message_deflate) {
        (Some(agreement), Some(compression)) => {
            Connection::with_deflate(limits, agreement, compression.threshold)
                .deflate_level(compression.level)
        }
        _ => Connection::new(limits),
    }
}

impl WebSocketTransport {
    /// The transport of a session that begins on a WebSocket.
    pub(crate) fn direct(link: Arc<Link>, deflate: Option<Agreement>) -> Self {
        let until = Instant::now() + OPEN_DELAY;
        Self::new(link, deflate, Role::Opening { until })
    }

    /// A WebSocket that wants to become the transport of a session.
    pub(crate) fn upgrade(link: Arc<Link>, deflate: Option<Agreement>) -> Self {
        let timeout = link.socket().server().config().upgrade_timeout;
        let id = ProbeId(link.socket().next_id());
        link.socket()
            .addr()
            .do_send(messages::Attempt(Offer::new(link.clone())));
        let role = Role::Probing {
            id,
            probe: proto::Probe::default(),
            timeout,
            deadline: Instant::now() + timeout,
        };
        Self::new(link, deflate, role)
    }

    fn new(link: Arc<Link>, deflate: Option<Agreement>, role: Role) -> Self {
        WebSocketTransport {
            connection: connection(link.socket(), deflate),
            revision: link.socket().protocol(),
            link,
            role,
            sleep: None,
            linger: None,
            hands_over: false,
            ended: false,
        }
    }

    /// The same, whose connection goes to its socket when it is upgraded: see [`take_upgraded`](Self::take_upgraded).
    pub(super) fn handing_over(mut self) -> Self {
        self.hands_over = true;
        self
    }

    pub(super) fn socket(&self) -> &Socket {
        self.link.socket()
    }

    /// The connection, with what lies in it behind `5`, once that was read.
    pub(super) fn take_upgraded(&mut self) -> Option<(ProbeId, Connection)> {
        let Role::HandedOver(id) = self.role else {
            return None;
        };
        let connection = std::mem::replace(&mut self.connection, connection(self.link.socket(), None));
        Some((id, connection))
    }

    /// Whether more should be read now; if not, the waker is woken when it should.
    pub(crate) fn wants_input(&self, cx: &Context<'_>) -> bool {
        self.link.wants_input(cx.waker())
    }

    /// Bytes came in.
    pub(crate) fn receive(&mut self, bytes: Bytes) {
        self.connection.receive(bytes);
        let mut batch = Link::batch();
        let end = loop {
            if let Role::HandedOver(_) = self.role {
                break None;
            }
            match self.connection.poll_message() {
                Ok(Some(message)) => self.handle_message(message, &mut batch),
                Ok(None) if self.connection.is_closed() => {
                    break Some(ended(&self.connection));
                }
                Ok(None) => break None,
                Err(error) => {
                    log::debug!(target: "engineio::ws", "{:?}: {error}", self.link.socket().id());
                    // Reading on for a moment keeps the close frame from being lost to a reset.
                    self.linger = Some(Instant::now() + LINGER);
                    break Some(broken(error));
                }
            }
        };
        self.link.push_inbound(batch);
        if let Some(close) = end {
            self.lost(close);
        }
    }

    /// No more bytes will come: the connection is gone.
    pub(crate) fn disconnected(&mut self) {
        self.lost(ended(&self.connection));
        self.ended = true;
    }

    /// The next bytes to write. `None` when the connection should end.
    pub(crate) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.poll_deadline(cx);
        let mut out = BytesMut::new();
        if !matches!(self.role, Role::Opening { .. }) {
            self.take_outbound(cx, &mut out);
        }
        self.connection.transmit(&mut out);
        if !out.is_empty() {
            return Poll::Ready(Some(out.freeze()));
        }
        if self.ended || (self.connection.is_closed() && self.linger.is_none()) {
            return Poll::Ready(None);
        }
        if self.poll_deadline(cx) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Turns what the socket wants sent into bytes.
    fn take_outbound(&mut self, cx: &Context<'_>, out: &mut BytesMut) {
        let connection = &mut self.connection;
        self.link
            .take_outbound(CHUNK, cx.waker(), |item, left| match item {
                Outbound::Frame { frame, compress } => {
                    if out.capacity() == 0 {
                        out.reserve(left.min(CHUNK));
                    }
                    let (is_text, payload) = (frame.data.is_text(), frame.data.as_bytes());
                    if compress {
                        connection.send_compressed(is_text, frame.prefix, payload, out);
                    } else {
                        connection.send(is_text, frame.prefix, payload, out);
                    }
                }
                Outbound::Close(code, reason) => connection.close(Instant::now(), code, reason),
            });
    }

    fn handle_message(&mut self, message: Message, batch: &mut VecDeque<Message>) {
        let Role::Probing {
            id,
            probe,
            timeout,
            deadline,
        } = &mut self.role
        else {
            batch.push_back(message);
            return;
        };
        let id = *id;
        let step = match decode(message, self.revision) {
            Ok(packet) => probe.handle_packet(&packet),
            Err(_) => ProbeStep::Fail,
        };
        let socket = self.link.socket().addr();
        match step {
            ProbeStep::Probe => {
                *deadline = Instant::now() + *timeout;
                socket.do_send(messages::Probe {
                    id,
                    offer: Offer::new(self.link.clone()),
                });
            }
            // Nothing asynchronous lies between reading `5` and the swap: what the client does next, on
            // whatever connection, comes behind this message.
            ProbeStep::Upgrade => {
                log::debug!(target: "engineio::ws", "{:?}: upgraded", self.link.socket().id());
                if self.hands_over {
                    self.role = Role::HandedOver(id);
                    return;
                }
                let offer = Offer::new(Carrier::Link(self.link.clone()));
                socket.do_send(messages::Upgrade { id, offer });
                self.role = Role::Session;
            }
            ProbeStep::Fail => self.fail("unexpected packet during upgrade"),
        }
    }

    /// Gives up on an upgrade: this WebSocket is closed, the session goes on.
    fn fail(&mut self, reason: &'static str) {
        log::debug!(target: "engineio::ws", "{:?}: {reason}", self.link.socket().id());
        self.connection
            .close(Instant::now(), CloseCode::PROTOCOL_ERROR, reason);
        self.lost(Close::because(CloseReason::TransportError, reason));
    }

    /// Tells the socket, once.
    fn lost(&mut self, close: Close) {
        match &self.role {
            Role::HandedOver(_) => {}
            Role::Opening { .. } | Role::Session => self.link.lose(close),
            Role::Probing { id, probe, .. } => {
                if *probe != proto::Probe::Waiting {
                    self.link.socket().addr().do_send(messages::ProbeLost(*id));
                }
            }
        }
    }

    /// When this transport stops waiting for what it waits for.
    fn deadline(&self) -> Option<Instant> {
        if self.connection.is_open() {
            return match self.role {
                Role::Opening { until: deadline } | Role::Probing { deadline, .. } => Some(deadline),
                Role::Session | Role::HandedOver(_) => None,
            };
        }
        self.connection.deadline().or(self.linger)
    }

    /// Acts on the deadline if it is there, else sees to it that `cx` is woken then. Returns whether it acted.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline() else {
            self.sleep = None;
            return false;
        };
        let at = deadline.into();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        if sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.sleep = None;
        match self.role {
            _ if !self.connection.is_open() => {
                self.linger = None;
                self.connection.handle_timeout(deadline);
            }
            Role::Opening { .. } => self.role = Role::Session,
            Role::Probing { .. } => self.fail("upgrade timeout"),
            Role::Session | Role::HandedOver(_) => {}
        }
        true
    }
}

impl Drop for WebSocketTransport {
    fn drop(&mut self) {
        self.lost(Close::new(CloseReason::TransportClose));
    }
}

/// A WebSocket message as a packet.
pub(in crate::actor) fn decode(message: Message, revision: Revision) -> Result<Packet, proto::DecodeError> {
    match message {
        Message::Text(text) => Packet::from_text(text, revision),
        Message::Binary(bytes) => Packet::from_binary(bytes, revision),
    }
}

/// What it means for the session that its WebSocket has ended, or its connection.
pub(super) fn ended(connection: &Connection) -> Close {
    let code = match connection.close_received() {
        Some(frame) => frame.code.map_or(NO_CODE, CloseCode::number),
        None => NO_CLOSE_FRAME,
    };
    Close::new(CloseReason::TransportClose).with(Detail::WebSocketCode(code))
}

/// What a broken frame means for the session.
pub(super) fn broken(error: crate::ws::ProtocolError) -> Close {
    let description = match error {
        crate::ws::ProtocolError::MessageTooBig => "payload too large",
        crate::ws::ProtocolError::InvalidUtf8 => "invalid UTF-8",
        crate::ws::ProtocolError::InvalidDeflate => "invalid compressed message",
        _ => "invalid WebSocket frame",
    };
    Close::because(CloseReason::TransportError, description)
}
