//! The transport of a WebSocket: from its 101 on it turns bytes into messages for its socket and the socket's
//! frames into bytes. It has no task of its own: whoever owns the connection polls it.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::alarm::Alarm;
use super::attachment::{Attachment, Failed, limits};
use super::bare::Bare;
use super::linger::Linger;
use super::link::{HIGH_WATER, Link, Outbound, payload};
use crate::actor::clock;
use crate::actor::handle::Socket;
use crate::proto::{FrameRef, ProbeId};
use crate::ws::deflate::Agreement;
use crate::ws::{CloseCode, Connection};

/// How many bytes are handed to the connection in one go.
pub(crate) const CHUNK: usize = 32 * 1024;

/// The WebSocket layer of a socket's connection.
pub(super) fn connection(socket: &Socket, deflate: Option<Agreement>) -> Connection {
    let (server, limits) = (socket.server(), limits(socket));
    match (deflate, &server.config().per_message_deflate) {
        (Some(agreement), Some(compression)) => {
            Connection::with_deflate(limits, agreement, compression.threshold)
                .deflate_level(compression.level)
        }
        _ => Connection::new(limits),
    }
}

/// One WebSocket, from its 101 to its end.
#[derive(Debug)]
pub(crate) struct WebSocketTransport {
    connection: Connection,
    attachment: Attachment,
    /// Runs while something is awaited of the peer, until [`deadline`](Self::deadline).
    alarm: Alarm,
    /// Until when a peer that broke the protocol is listened to.
    linger: Option<Linger>,
    /// Some of what was received waits until the socket has taken what came before.
    rests: bool,
    ended: bool,
}

impl WebSocketTransport {
    /// The transport of a session that begins on a WebSocket.
    pub(crate) fn direct(link: Arc<Link>, deflate: Option<Agreement>) -> Self {
        Self::new(Attachment::direct(link), deflate)
    }

    /// A WebSocket that wants to become the transport of a session.
    pub(crate) fn upgrade(link: Arc<Link>, deflate: Option<Agreement>) -> Self {
        Self::new(Attachment::upgrade(link), deflate)
    }

    fn new(attachment: Attachment, deflate: Option<Agreement>) -> Self {
        let connection = connection(attachment.socket(), deflate);
        attachment.take_encoded(connection.encoding());
        WebSocketTransport {
            connection,
            attachment,
            alarm: Alarm::default(),
            linger: None,
            rests: false,
            ended: false,
        }
    }

    /// The same, whose connection goes to its socket when it is upgraded: see [`take_upgraded`](Self::take_upgraded).
    pub(super) fn handing_over(mut self) -> Self {
        self.attachment.hand_over();
        self
    }

    pub(super) fn socket(&self) -> &Socket {
        self.attachment.socket()
    }

    /// The connection, with what lies in it behind `5`, once that was read.
    pub(super) fn take_upgraded(&mut self) -> Option<(ProbeId, Connection)> {
        let id = self.attachment.handed_over()?;
        let fresh = connection(self.socket(), None);
        Some((id, std::mem::replace(&mut self.connection, fresh)))
    }

    /// Whether more should be read now; if not, the waker is woken when it should.
    pub(crate) fn wants_input(&self, cx: &Context<'_>) -> bool {
        self.attachment.wants_input(cx.waker())
    }

    /// Bytes came in.
    pub(crate) fn receive(&mut self, bytes: Bytes) {
        if let Some(linger) = &mut self.linger {
            linger.heard(clock::now());
        }
        // Only what was compressed can be more than that.
        let most = HIGH_WATER + bytes.len();
        self.connection.receive(bytes);
        self.take_apart(most);
    }

    /// Whether there is something to [`proceed`](Self::proceed) with.
    pub(crate) fn has_rest(&self) -> bool {
        self.rests
    }

    /// Goes on with what was received, where it [wants input](Self::wants_input) and [has a rest](Self::has_rest).
    pub(crate) fn proceed(&mut self) {
        self.take_apart(HIGH_WATER);
    }

    /// Turns what was received into messages, until they have so many bytes: a few compressed ones may be many.
    fn take_apart(&mut self, most: usize) {
        let (bare, mut batch) = (Bare::of(self.socket().server().config()), Attachment::batch());
        let mut bytes = 0;
        self.rests = false;
        let end = loop {
            if bytes >= most {
                self.rests = true;
                break Ok(());
            }
            if self.attachment.handed_over().is_some() {
                break Ok(());
            }
            match bare.poll(&mut self.connection) {
                Ok(Some(message)) => {
                    let handled = self.attachment.handle_message(message, &mut batch);
                    bytes += batch.back().map_or(0, |(_, message)| payload(message));
                    self.close_if_failed(handled);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.attachment.push(batch);
        match end {
            Ok(()) if self.connection.is_closed() => self.attachment.lost(self.connection.close_received()),
            Ok(()) => {}
            Err(error) => {
                self.linger = Some(Linger::new(clock::now()));
                self.attachment.broken(error);
            }
        }
    }

    /// No more bytes will come: the connection is gone.
    pub(crate) fn disconnected(&mut self) {
        self.attachment.lost(self.connection.close_received());
        self.ended = true;
    }

    /// The next bytes to write. `None` when the connection should end.
    pub(crate) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.poll_deadline(cx);
        let mut out = BytesMut::new();
        if let Some(bytes) = self.take_outbound(cx, &mut out) {
            return Poll::Ready(Some(bytes));
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

    /// Turns what the socket wants sent into bytes. Returns them if they were encoded already, and are all there is.
    fn take_outbound(&mut self, cx: &Context<'_>, out: &mut BytesMut) -> Option<Bytes> {
        let bare = Bare::of(self.socket().server().config());
        let (connection, mut whole) = (&mut self.connection, None);
        self.attachment
            .take_outbound(CHUNK, cx.waker(), |item, left| match item {
                Outbound::Frame { frame, compress } => {
                    if out.capacity() == 0 {
                        out.reserve(left.min(CHUNK));
                    }
                    let frame = frame.borrow();
                    let Some(prefix) = bare.prefix(frame) else {
                        return;
                    };
                    let FrameRef { is_text, payload, .. } = frame;
                    if compress {
                        connection.send_compressed(is_text, prefix, payload, out);
                    } else {
                        connection.send(is_text, prefix, payload, out);
                    }
                }
                Outbound::Encoded(frames)
                    if frames.len() == left && out.is_empty() && connection.is_open() =>
                {
                    whole = Some(frames);
                }
                Outbound::Encoded(frames) => {
                    connection.send_encoded(&frames, out);
                }
                Outbound::Close(code, reason) => connection.close(clock::now(), code, &reason),
            });
        whole
    }

    /// Closes the WebSocket of a failed upgrade.
    fn close_if_failed(&mut self, result: Result<(), Failed>) {
        if let Err(Failed(reason)) = result {
            self.connection
                .close(clock::now(), CloseCode::PROTOCOL_ERROR, reason);
        }
    }

    /// When this transport stops waiting for what it waits for.
    fn deadline(&self) -> Option<Instant> {
        if self.connection.is_open() {
            return self.attachment.deadline();
        }
        let linger = self.linger.as_ref().map(Linger::deadline);
        self.connection.deadline().or(linger)
    }

    /// Acts on the deadline if it is there, else sees to it that `cx` is woken then. Returns whether it acted.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> bool {
        let Poll::Ready(deadline) = self.alarm.poll(self.deadline(), cx) else {
            return false;
        };
        if self.connection.is_open() {
            let handled = self.attachment.handle_timeout();
            self.close_if_failed(handled);
        } else {
            self.linger = None;
            self.connection.handle_timeout(deadline);
        }
        true
    }
}
