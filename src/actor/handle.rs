//! What an application holds: `Server` and `Socket`, cheap to clone, to be used from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use actix::Addr;

use super::builder::{IdGenerator, ServerBuilder};
use super::current::{self, Command};
use super::handler::Application;
use super::handshake::Handshake;
use super::messages::{CloseSession, Deliver, Register, Send, Shutdown, ShutdownNow};
use super::registry::{RegisterError, Registry};
use super::server::ServerActor;
use super::socket::SocketActor;
use crate::proto::{CloseReason, ReadyState, Revision, SendError, Session, Sid, Transport, cost};
use crate::{Config, Data};

/// A server: the sessions of one application, whatever ports and scopes they come through.
///
/// ```no_run
/// # #[actix_web::main] async fn main() {
/// let server = engineio::Server::builder()
///     .on_message(|socket, data| { let _ = socket.try_send(data); })
///     .start();
/// assert_eq!(server.clients_count(), 0);
/// # }
/// ```
#[derive(Clone)]
pub struct Server(Arc<ServerShared>);

pub(super) struct ServerShared {
    pub(super) addr: Addr<ServerActor>,
    pub(super) registry: Registry,
    pub(super) config: Arc<Config>,
    pub(super) application: Application,
    pub(super) generate_id: Option<IdGenerator>,
    pub(super) living: AtomicUsize,
}

/// Why a session was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Its id is taken.
    Duplicate,
    /// The server shuts down, or is gone.
    Closing,
    /// The application panicked.
    Panicked,
}

impl Server {
    /// A server to be set up.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(super) fn new(shared: Arc<ServerShared>) -> Self {
        Server(shared)
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The sessions that are alive at this moment, in no order.
    pub fn clients(&self) -> Vec<Socket> {
        self.0.registry.sockets()
    }

    /// How many sessions are alive at this moment.
    pub fn clients_count(&self) -> usize {
        self.0.registry.len()
    }

    /// The session with this id, if it is alive.
    pub fn client(&self, id: &Sid) -> Option<Socket> {
        self.0.registry.get(id)
    }

    /// Sends a message to every session. Sessions whose write buffer is full do not get it.
    pub fn broadcast(&self, data: impl Into<Data>) {
        let data = data.into();
        for socket in self.clients() {
            let _ = socket.try_send(data.clone());
        }
    }

    /// Takes no new sessions from here on (503), and ends all that there are in good order: parked polls are
    /// answered, WebSockets closed with 1001, what is buffered leaves first. Resolves when the last one is
    /// gone; what is left after `deadline` is cut off. The only orderly way down: call it before the HTTP
    /// server stops.
    pub async fn close(&self, deadline: Duration) {
        let shutdown = self.0.addr.send(Shutdown);
        if actix_rt::time::timeout(deadline, shutdown).await.is_err() {
            self.0.addr.do_send(ShutdownNow);
            // Cutting off waits for nobody; this only lets the sockets' actors run.
            let _ = actix_rt::time::timeout(Duration::from_millis(100), self.0.addr.send(Shutdown)).await;
        }
    }

    /// The server's own process.
    pub fn addr(&self) -> &Addr<ServerActor> {
        &self.0.addr
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(super) fn application(&self) -> &Application {
        &self.0.application
    }

    pub(crate) fn shared_config(&self) -> Arc<Config> {
        self.0.config.clone()
    }

    pub(crate) fn id_generator(&self) -> Option<&IdGenerator> {
        self.0.generate_id.as_ref()
    }

    pub(super) async fn register(&self, socket: Socket) -> Result<(), OpenError> {
        match self.0.addr.send(Register(socket)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(RegisterError::Duplicate)) => Err(OpenError::Duplicate),
            Ok(Err(RegisterError::Closing)) | Err(_) => Err(OpenError::Closing),
        }
    }

    pub(super) fn enter(&self) {
        self.0.living.fetch_add(1, Ordering::Relaxed);
    }

    /// One socket less; returns how many are left.
    pub(super) fn leave(&self) -> usize {
        self.0.living.fetch_sub(1, Ordering::AcqRel) - 1
    }

    pub(super) fn living(&self) -> usize {
        self.0.living.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("clients_count", &self.clients_count())
            .finish_non_exhaustive()
    }
}

/// A client: one session, from handshake to close, whatever its transport.
///
/// Two handles are equal if they stand for the same session.
#[derive(Clone)]
pub struct Socket(Arc<SocketShared>);

pub(super) struct SocketShared {
    id: Sid,
    addr: Addr<SocketActor>,
    server: Server,
    request: Handshake,
    /// Ready state, transport and whether it was upgraded, as [`Status`] packs them.
    status: AtomicU8,
    /// Bytes of the write buffer that are taken, those in the mailbox included.
    reserved: AtomicUsize,
    /// How many messages lie in the mailbox, their bytes reserved.
    queued: AtomicUsize,
    next_id: AtomicU32,
}

impl Socket {
    pub(super) fn new(id: Sid, addr: Addr<SocketActor>, server: Server, request: Handshake) -> Self {
        let status = Status {
            state: ReadyState::Opening,
            transport: request.transport,
            upgraded: false,
        };
        Socket(Arc::new(SocketShared {
            id,
            addr,
            server,
            status: AtomicU8::new(status.pack()),
            request,
            reserved: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            next_id: AtomicU32::new(1),
        }))
    }

    /// The session's id: a secret between server and client. Do not log it, do not show it to others.
    pub fn id(&self) -> Sid {
        self.0.id.clone()
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

    /// The address of the peer at the handshake: of the proxy, if there is one in front.
    pub fn remote_address(&self) -> Option<std::net::SocketAddr> {
        self.0.request.peer_addr
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

    /// The process of this session, for [`Send`] messages.
    pub fn addr(&self) -> &Addr<SocketActor> {
        &self.0.addr
    }

    /// How many bytes of the write buffer are taken, each message counted with 64 bytes more than it has.
    pub fn buffered_bytes(&self) -> usize {
        self.0.reserved.load(Ordering::Relaxed)
    }

    /// Sends a message, unless there is no room for it.
    ///
    /// Messages sent by this arrive in the order in which one thread sends them.
    ///
    /// # Errors
    /// [`SendError::Full`] if the write buffer has no room, [`SendError::TooLarge`] if it never will, both
    /// by [`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes); [`SendError::Closed`] once the
    /// session is closing.
    pub fn try_send(&self, data: impl Into<Data>) -> Result<(), SendError> {
        self.try_send_message(Send::new(data))
    }

    /// Like [`try_send`](Self::try_send), for a [`Send`] with options.
    ///
    /// # Errors
    /// Those of [`try_send`](Self::try_send).
    pub fn try_send_message(&self, send: Send) -> Result<(), SendError> {
        if matches!(self.ready_state(), ReadyState::Closing | ReadyState::Closed) {
            return Err(SendError::Closed);
        }
        self.reserve(cost(&send.data))?;
        match self.offer(Command::Send(send)) {
            Ok(()) => {}
            Err(Command::Send(send)) => {
                self.0.queued.fetch_add(1, Ordering::AcqRel);
                self.0.addr.do_send(Deliver(send));
            }
            Err(Command::Close(_)) => {}
        }
        Ok(())
    }

    /// Ends the session in good order: what was sent before arrives first.
    pub fn close(&self) {
        self.close_by(CloseSession {
            close: CloseReason::ForcedClose.into(),
            discard: false,
        });
    }

    /// Ends the session at once; what has not left yet is dropped.
    pub fn discard(&self) {
        self.close_by(CloseSession {
            close: CloseReason::ForcedClose.into(),
            discard: true,
        });
    }

    /// Ends the session at once, for this reason.
    pub(crate) fn abandon(&self, reason: CloseReason) {
        let close = reason.into();
        self.0.addr.do_send(CloseSession { close, discard: true });
    }

    fn close_by(&self, close: CloseSession) {
        if let Err(Command::Close(close)) = self.offer(Command::Close(close)) {
            self.0.addr.do_send(close);
        }
    }

    /// Runs a command without the mailbox, if this is the socket whose handler runs on this thread and
    /// nothing that came earlier lies in the mailbox still.
    fn offer(&self, command: Command) -> Result<(), Command> {
        if self.0.queued.load(Ordering::Acquire) > 0 {
            return Err(command);
        }
        current::offer(self.key(), command)
    }

    pub(super) fn key(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    pub(super) fn reserve(&self, cost: usize) -> Result<(), SendError> {
        let limit = self.0.server.0.config.max_buffered_bytes;
        if cost > limit {
            return Err(SendError::TooLarge);
        }
        if self.0.reserved.fetch_add(cost, Ordering::Relaxed) + cost > limit {
            self.release(cost);
            return Err(SendError::Full);
        }
        Ok(())
    }

    pub(super) fn release(&self, cost: usize) {
        self.0.reserved.fetch_sub(cost, Ordering::Relaxed);
    }

    /// A message has come out of the mailbox.
    pub(super) fn dequeued(&self) {
        self.0.queued.fetch_sub(1, Ordering::AcqRel);
    }

    /// An id for a poll, a push or a probe, unique in this session.
    pub(crate) fn next_id(&self) -> u32 {
        self.0.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn status(&self) -> Status {
        Status::unpack(self.0.status.load(Ordering::Acquire))
    }

    /// Shows the session's state to everybody.
    pub(super) fn publish(&self, session: &Session) {
        let before = self.status();
        let transport = session.transport().unwrap_or(before.transport);
        let upgraded = before.upgraded || transport != self.0.request.transport;
        let status = Status {
            state: session.ready_state(),
            transport,
            upgraded,
        };
        if status != before {
            self.0.status.store(status.pack(), Ordering::Release);
        }
    }

    pub(super) fn mark_closed(&self) {
        let status = Status {
            state: ReadyState::Closed,
            ..self.status()
        };
        self.0.status.store(status.pack(), Ordering::Release);
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

/// What of a session everybody may see, in one byte.
#[derive(Clone, Copy, PartialEq)]
struct Status {
    state: ReadyState,
    transport: Transport,
    upgraded: bool,
}

impl Status {
    fn pack(self) -> u8 {
        let transport = u8::from(self.transport == Transport::WebSocket);
        self.state as u8 | transport << 2 | u8::from(self.upgraded) << 3
    }

    fn unpack(bits: u8) -> Self {
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
        }
    }
}
