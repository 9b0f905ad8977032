//! How a WebSocket comes to own its TCP connection: from its 101 on it is handed to its socket's actor, at once if
//! the session begins on it, else when it is upgraded. Until then it is probed in a task of its own, which messages
//! the socket as every upgrade does.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio_util::io::poll_read_buf;

use super::handed::Handed;
use super::link::Link;
use super::stream::Stream;
use super::websocket::{WebSocketTransport, connection};
use crate::actor::handle::Socket;
use crate::actor::messages::{self, Adopt, WireLost};
use crate::actor::transport::{Carrier, Offer};
use crate::proto::ProbeId;
use crate::ws::Connection;
use crate::ws::deflate::Agreement;

/// How many bytes are read in one go while probing: `2probe` and `5`, and little behind them.
const READ_SIZE: usize = 1024;

/// A WebSocket whose 101 has not left. Dropped, its socket is told that it will not come.
#[derive(Debug)]
pub(crate) struct Handover(Option<For>);

#[derive(Debug)]
enum For {
    /// A session that begins on it.
    Session {
        socket: Socket,
        connection: Box<Connection>,
    },
    /// A session that may move to it.
    Upgrade(Box<WebSocketTransport>),
}

impl Handover {
    /// For a session that begins on this WebSocket.
    pub(crate) fn direct(socket: Socket, deflate: Option<Agreement>) -> Self {
        let connection = Box::new(connection(&socket, deflate));
        Handover(Some(For::Session { socket, connection }))
    }

    /// For a session that may move to this WebSocket.
    pub(crate) fn upgrade(socket: Socket, deflate: Option<Agreement>) -> Self {
        let transport = WebSocketTransport::upgrade(Arc::new(Link::new(socket)), deflate);
        Handover(Some(For::Upgrade(Box::new(transport.handing_over()))))
    }

    /// The 101 has left: `io` is the connection, and `early` what the client sent behind its request.
    pub(crate) fn complete(mut self, io: Stream, early: BytesMut) {
        match self.0.take() {
            Some(For::Session {
                socket,
                mut connection,
            }) => {
                log::debug!(target: "engineio::ws", "{:?}: handed over", socket.id());
                connection.receive_mut(early);
                let handed = Handed::new(io, *connection, BytesMut::new());
                socket.process().do_send(Adopt(Offer::new(handed)));
            }
            Some(For::Upgrade(transport)) => {
                log::debug!(target: "engineio::ws", "{:?}: handed over, to be probed", transport.socket().id());
                actix_rt::spawn(probe(transport, io, early));
            }
            None => {}
        }
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(For::Session { socket, .. }) = &self.0 {
            socket.process().do_send(WireLost);
        }
    }
}

/// Drives a WebSocket until it is upgraded, or ends.
async fn probe(transport: Box<WebSocketTransport>, mut io: Stream, early: BytesMut) {
    let socket = transport.socket().clone();
    if io.bring_here().is_err() {
        log::error!(target: "engineio::ws", "{:?}: the connection cannot be watched", socket.id());
        return;
    }
    let mut probing = Probing {
        transport,
        io,
        input: BytesMut::new(),
        unsent: BytesMut::new(),
    };
    probing.transport.receive(early.freeze());
    let Some((id, connection)) = poll_fn(|cx| probing.poll(cx)).await else {
        return;
    };
    // What the client does next, on whatever connection, comes behind this message, and what it has sent behind `5`
    // travels in it.
    let handed = Handed::new(probing.io, connection, probing.unsent);
    let offer = Offer::new(Carrier::Wire(Box::new(handed)));
    socket.process().do_send(messages::Upgrade { id, offer });
}

struct Probing {
    transport: Box<WebSocketTransport>,
    io: Stream,
    input: BytesMut,
    /// What the connection has not taken.
    unsent: BytesMut,
}

impl Probing {
    /// Ready with the connection when it is upgraded, without when it has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(ProbeId, Connection)>> {
        loop {
            if let Some(upgraded) = self.transport.take_upgraded() {
                return Poll::Ready(Some(upgraded));
            }
            // Asked even if the peer takes nothing: it knows when the attempt is over.
            let output = self.transport.poll_output(cx);
            let progress = output.is_ready();
            match output {
                Poll::Ready(Some(bytes)) => self.unsent.extend_from_slice(&bytes),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
            let done = [self.poll_write(cx), self.poll_read(cx)];
            if done.contains(&Poll::Ready(false)) {
                self.transport.disconnected();
                return Poll::Ready(None);
            }
            if !progress && done == [Poll::Pending; 2] {
                return Poll::Pending;
            }
        }
    }

    /// Whether the connection lives, once some bytes were written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.unsent.is_empty() {
            return match ready!(Pin::new(&mut self.io).poll_flush(cx)) {
                Ok(()) => Poll::Pending,
                Err(_) => Poll::Ready(false),
            };
        }
        match ready!(Pin::new(&mut self.io).poll_write(cx, &self.unsent)) {
            Ok(count) => {
                self.unsent.advance(count);
                Poll::Ready(count > 0)
            }
            Err(_) => Poll::Ready(false),
        }
    }

    /// Whether the connection lives, once some bytes were read. A peer that does not take its answers is not
    /// listened to.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.unsent.is_empty() {
            return Poll::Pending;
        }
        self.input.reserve(READ_SIZE);
        let count = ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input));
        let lives = count.is_ok_and(|count| count > 0);
        if lives {
            self.transport.receive(self.input.split().freeze());
        }
        Poll::Ready(lives)
    }
}
