//! The handle to a socket, and what all its holders share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use actix::Addr;

use super::Server;
use super::mail::Mail;
use super::pressure::Pressure;
use super::status::Status;
use crate::actor::current::{self, Command};
use crate::actor::fanout::{Branch, SeatId};
use crate::actor::handshake::Handshake;
use crate::actor::hooks::Hooks;
use crate::actor::messages::{CloseSession, Send};
use crate::actor::room::Joined;
use crate::actor::socket::SocketActor;
use crate::actor::stats::{Counter, SocketStats};
use crate::proto::{Close, CloseReason, ReadyState, Revision, Session, Sid, Tally, Transport};

/// A client: one session, from handshake to close, whatever its transport.
///
/// Two handles are equal if they stand for the same session.
#[derive(Clone)]
pub struct Socket(Arc<SocketShared>);

pub(in crate::actor) struct SocketShared {
    id: Sid,
    pub(super) addr: Addr<SocketActor>,
    pub(super) server: Server,
    /// Where broadcasts find it.
    seat: (Arc<Branch>, SeatId),
    rooms: Joined,
    request: Handshake,
    /// Ready state, transport, and whether it was or is being upgraded, as [`Status`] packs them.
    status: AtomicU8,
    pressure: Pressure,
    pub(super) mail: Mail,
    next_id: AtomicU32,
    /// Bytes of its messages, and its latest round trip in microseconds (0: none). Its process alone writes them.
    bytes_in: Counter,
    bytes_out: Counter,
    round_trip: AtomicU32,
    /// Somebody has asked it to close: nothing that is sent from here on would arrive.
    pub(super) closing: AtomicBool,
    /// How it has ended: what a test waits for.
    #[cfg(feature = "test")]
    end: tokio::sync::watch::Sender<Option<Close>>,
}

impl Socket {
    pub(in crate::actor) fn new(
        id: Sid,
        addr: Addr<SocketActor>,
        server: Server,
        seat: (Arc<Branch>, SeatId),
        request: Handshake,
    ) -> Self {
        let status = Status {
            state: ReadyState::Opening,
            transport: request.transport,
            upgraded: false,
            upgrading: false,
        };
        Socket(Arc::new(SocketShared {
            id,
            addr,
            pressure: Pressure::new(server.config().full_policy),
            server,
            seat,
            rooms: Joined::default(),
            status: AtomicU8::new(status.pack()),
            request,
            mail: Mail::default(),
            next_id: AtomicU32::new(1),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            round_trip: AtomicU32::new(0),
            closing: AtomicBool::new(false),
            #[cfg(feature = "test")]
            end: Default::default(),
        }))
    }

    /// The session's id: a secret between server and client. Do not log it, do not show it to others.
    pub fn id(&self) -> Sid {
        self.0.id.clone()
    }

    /// The closures that are told of all sockets of its server.
    #[inline]
    pub(in crate::actor) fn hooks(&self) -> Option<&Hooks> {
        self.0.server.application().hooks.as_ref()
    }

    pub(in crate::actor) fn sid(&self) -> &Sid {
        &self.0.id
    }

    /// The server that this socket belongs to.
    pub fn server(&self) -> Server {
        self.0.server.clone()
    }

    /// The request that began this session, with such headers as
    /// [`Config::keep_headers`](crate::Config::keep_headers) names.
    pub fn request(&self) -> &Handshake {
        &self.0.request
    }

    /// The address of the client at the handshake: as the [trusted proxies](crate::Config::trusted_proxies) tell
    /// it, else the peer's, so that of the proxy if there is one that is not trusted. None for a Unix socket.
    pub fn remote_address(&self) -> Option<std::net::IpAddr> {
        self.0.request.remote_address()
    }

    /// The revision of the protocol that this session speaks.
    pub fn protocol(&self) -> Revision {
        self.0.request.revision
    }

    /// Where the session is in its life.
    pub fn ready_state(&self) -> ReadyState {
        self.status().state
    }

    /// The transport: the current one, or the last one once the session is closed.
    pub fn transport(&self) -> Transport {
        self.status().transport
    }

    /// Whether the session has moved from polling to WebSocket.
    pub fn upgraded(&self) -> bool {
        self.status().upgraded
    }

    pub(in crate::actor) fn seat(&self) -> (Arc<Branch>, SeatId) {
        self.0.seat.clone()
    }

    pub(in crate::actor) fn joined(&self) -> &Joined {
        &self.0.rooms
    }

    /// The process of this session, for [`Send`] messages. What its own handler sends by
    /// [`try_send`](Self::try_send) may overtake them. Ask for it only if you need it: from then on each message that
    /// is sent to this socket by other means, but from its own handler, costs a message in the mailbox as well, so that
    /// all keep their order.
    pub fn addr(&self) -> &Addr<SocketActor> {
        self.0.mail.keep_apart();
        &self.0.addr
    }

    /// The same, for messages that may come before or behind what applications send.
    pub(crate) fn process(&self) -> &Addr<SocketActor> {
        &self.0.addr
    }

    /// How many bytes of the write buffer are taken, each message counted with 64 bytes more than it has.
    pub fn buffered_bytes(&self) -> usize {
        self.0.pressure.reserved()
    }

    /// What this session has carried, and how far its client is.
    pub fn stats(&self) -> SocketStats {
        let micros = self.0.round_trip.load(Ordering::Relaxed);
        SocketStats {
            bytes_in: self.0.bytes_in.get(),
            bytes_out: self.0.bytes_out.get(),
            round_trip: (micros > 0).then(|| Duration::from_micros(micros.into())),
        }
    }

    /// Counts what its session has done.
    pub(in crate::actor) fn add(&self, tally: &Tally) {
        self.0.bytes_in.add(tally.bytes_in.into());
        self.0.bytes_out.add(tally.bytes_out.into());
        if let Some(round_trip) = tally.round_trip() {
            let micros = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
            self.0.round_trip.store(micros, Ordering::Relaxed);
        }
    }

    /// Ends the session in good order: what was sent before leaves first, for which it has up to 30 seconds. What is
    /// sent afterwards is refused.
    pub fn close(&self) {
        self.close_with(CloseReason::ForcedClose);
    }

    /// Like [`close`](Self::close), and says why: by a text of the application's own, or a [`Close`] with more. Whoever
    /// is told of the end here is told it. A client by WebSocket is as well, by
    /// [code](Close::websocket_code) and [text](Close::websocket_reason) of the close frame; to a client that polls
    /// the protocol tells no more than that its session is closed.
    ///
    /// ```no_run
    /// # fn example(socket: &engineio::Socket) {
    /// use engineio::{Close, Detail};
    ///
    /// socket.close_with("kicked by a moderator");
    /// socket.close_with(Close::from("kicked by a moderator").with(Detail::WebSocketCode(4001)));
    /// # }
    /// ```
    pub fn close_with(&self, close: impl Into<Close>) {
        self.close_by(close.into(), false);
    }

    /// Ends the session at once; what has not left yet is dropped.
    pub fn discard(&self) {
        self.discard_with(CloseReason::ForcedClose);
    }

    /// Like [`discard`](Self::discard), and says why, as [`close_with`](Self::close_with) does.
    pub fn discard_with(&self, close: impl Into<Close>) {
        self.close_by(close.into(), true);
    }

    /// Ends the session at once, for this reason.
    pub(crate) fn abandon(&self, reason: CloseReason) {
        let close = reason.into();
        self.0.addr.do_send(CloseSession { close, discard: true });
    }

    fn close_by(&self, close: Close, discard: bool) {
        let close = CloseSession { close, discard };
        self.give_up_sending();
        match self.is_running() {
            true => current::queue(Command::Close(close)),
            false => self.0.addr.do_send(close),
        }
    }

    /// Whether commands need no mailbox: its own handler runs on this thread, and nothing that came earlier lies in the
    /// mailbox still.
    #[inline]
    pub(super) fn is_running(&self) -> bool {
        current::runs(self.key()) && !self.0.mail.is_any()
    }

    /// Whether its end has not been told yet.
    pub(crate) fn is_alive(&self) -> bool {
        self.ready_state() != ReadyState::Closed
    }

    pub(in crate::actor) fn key(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    pub(super) fn shared(&self) -> &SocketShared {
        &self.0
    }

    pub(super) fn pressure(&self) -> &Pressure {
        &self.0.pressure
    }

    /// The messages that were put together for it.
    pub(in crate::actor) fn take_mail(&self) -> Vec<Send> {
        self.0.mail.take()
    }

    /// A message has come out of the mailbox, or all of them.
    pub(in crate::actor) fn delivered(&self) {
        self.0.mail.delivered();
    }

    /// An id for a poll, a push or a probe, unique in this session.
    pub(crate) fn next_id(&self) -> u32 {
        self.0.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a WebSocket was probed, so that its `5` may come.
    pub(in crate::actor) fn is_upgrading(&self) -> bool {
        self.status().upgrading
    }

    fn status(&self) -> Status {
        Status::unpack(self.0.status.load(Ordering::Acquire))
    }

    /// Shows the session's state to everybody.
    pub(in crate::actor) fn publish(&self, session: &Session) {
        let before = self.status();
        let transport = session.transport().unwrap_or(before.transport);
        let upgraded = before.upgraded || transport != self.0.request.transport;
        let status = Status {
            state: session.ready_state(),
            transport,
            upgraded,
            upgrading: session.is_upgrading(),
        };
        if status != before {
            self.0.status.store(status.pack(), Ordering::Release);
            self.0.pressure.wake();
        }
    }

    /// How it has ended, once that is told.
    #[cfg(feature = "test")]
    pub(crate) fn end(&self) -> &tokio::sync::watch::Sender<Option<Close>> {
        &self.0.end
    }

    pub(in crate::actor) fn mark_closed(&self) {
        let status = Status {
            state: ReadyState::Closed,
            ..self.status()
        };
        self.0.status.store(status.pack(), Ordering::Release);
        self.0.pressure.wake();
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Socket {}

impl std::hash::Hash for Socket {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.0.id)
            .field("ready_state", &self.ready_state())
            .field("transport", &self.transport())
            .finish_non_exhaustive()
    }
}
