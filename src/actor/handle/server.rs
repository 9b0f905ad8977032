//! The handle to a server.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix::Addr;

use super::Socket;
use crate::Config;
use crate::actor::builder::{IdGenerator, ServerBuilder};
use crate::actor::clock;
use crate::actor::fanout::Branches;
use crate::actor::handler::Application;
use crate::actor::limits::{Permit, Places};
use crate::actor::messages::{Register, Send, Shutdown, ShutdownNow};
use crate::actor::registry::{RegisterError, Registry};
use crate::actor::room::Names;
use crate::actor::server::ServerActor;
use crate::actor::stats::{Counters, Shard, Stats};
use crate::proto::{Refusal, Sid, Transport};

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

pub(in crate::actor) struct ServerShared {
    pub(in crate::actor) addr: Addr<ServerActor>,
    pub(in crate::actor) registry: Registry,
    pub(in crate::actor) config: Arc<Config>,
    pub(in crate::actor) application: Application,
    pub(in crate::actor) generate_id: Option<IdGenerator>,
    pub(in crate::actor) places: Arc<Places>,
    pub(in crate::actor) counters: Arc<Counters>,
    pub(in crate::actor) branches: Arc<Branches>,
    pub(in crate::actor) names: Arc<Names>,
    /// No new sessions are taken.
    pub(in crate::actor) closing: AtomicBool,
    /// How many socket actors there are.
    pub(in crate::actor) living: AtomicUsize,
    /// How many sessions there are that have not ended.
    pub(in crate::actor) clients: AtomicUsize,
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

impl OpenError {
    /// What the client is told.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            OpenError::Closing => Refusal::ServerClosing,
            OpenError::Duplicate => {
                log::error!(target: "engineio::server", "generate_id made an id that is taken");
                Refusal::Internal
            }
            OpenError::Panicked => {
                log::error!(target: "engineio::server", "the application panicked at a connection");
                Refusal::Internal
            }
        }
    }
}

impl Server {
    /// A server to be set up.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(in crate::actor) fn new(shared: Arc<ServerShared>) -> Self {
        Server(shared)
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The sessions that are alive at this moment, in no order.
    pub fn clients(&self) -> Vec<Socket> {
        let mut sockets = self.0.registry.sockets();
        sockets.retain(Socket::is_alive);
        sockets
    }

    /// How many sessions are alive at this moment. One whose end is being told does not count any more.
    pub fn clients_count(&self) -> usize {
        self.0.clients.load(Ordering::Relaxed)
    }

    /// Whoever answers requests with this id.
    pub(crate) fn find(&self, id: &Sid) -> Option<Socket> {
        self.0.registry.get(id)
    }

    /// The session with this id, if it is alive.
    pub fn client(&self, id: &Sid) -> Option<Socket> {
        self.0.registry.get(id).filter(Socket::is_alive)
    }

    /// Sends a message to every session. Sessions whose write buffer is full do not get it.
    ///
    /// It is encoded once for each kind of connection, and posted once to each thread. Messages that one thread sends,
    /// this way and to single sockets, arrive in the order in which it sends them. While a thread is held up, at most
    /// [`Config::max_buffered_bytes`] for each of its sessions wait there for all of them together, and no more than 64 MiB
    /// (or that number, if it is more); they do not get what is beyond that. Who does not get a message is counted
    /// ([`Stats::sends_refused`]).
    ///
    /// ```no_run
    /// # fn example(server: &engineio::Server, socket: &engineio::Socket) {
    /// server.broadcast("for everybody");
    /// server.broadcast(engineio::Send::binary(vec![1, 2, 3]).compress(false));
    /// server.broadcast_except([socket], "for the others");
    /// server.broadcast_to([socket], "for some");
    /// # }
    /// ```
    pub fn broadcast(&self, message: impl Into<Send>) {
        self.0.branches.post(message.into(), &[]);
    }

    /// Sends a message to every session but these; like [`broadcast`](Self::broadcast) else.
    pub fn broadcast_except<'a>(
        &self,
        except: impl IntoIterator<Item = &'a Socket>,
        message: impl Into<Send>,
    ) {
        let except: Vec<_> = except.into_iter().map(Socket::seat).collect();
        self.0.branches.post(message.into(), &except);
    }

    /// Sends a message to these sessions, whatever server they belong to, and once to a session that is named twice; like
    /// [`broadcast`](Self::broadcast) else.
    pub fn broadcast_to<'a>(&self, sockets: impl IntoIterator<Item = &'a Socket>, message: impl Into<Send>) {
        Branches::post_to(message.into(), sockets.into_iter().map(Socket::seat).collect());
    }

    pub(in crate::actor) fn counters(&self) -> &Arc<Counters> {
        &self.0.counters
    }

    pub(in crate::actor) fn branches(&self) -> &Arc<Branches> {
        &self.0.branches
    }

    pub(in crate::actor) fn names(&self) -> &Arc<Names> {
        &self.0.names
    }

    /// Takes no new sessions from here on (503), and ends all that there are in good order: parked polls are
    /// answered, WebSockets closed with 1001, what is buffered leaves first. Resolves when the last one is
    /// gone; what is left after `deadline` is cut off. This and [`drain`](Self::drain) are the only orderly ways
    /// down: call one before the HTTP server stops.
    pub async fn close(&self, deadline: Duration) {
        self.drain(Duration::ZERO, deadline).await;
    }

    /// Like [`close`](Self::close), but spreads the ends over `window`, each at a random moment, lest all clients come
    /// back at once to the servers that are left. Until its turn comes a session goes on as ever; new ones are refused
    /// from the call on. Resolves when the last one is gone; what is left after `deadline` is cut off. Both are counted
    /// from the call, where [`Config::drain_deadline`] is what comes after the window: so for a rest of that length it
    /// is `drain(window, window + rest)`.
    ///
    /// Called again, by [`close`](Self::close) say, it ends what is left sooner.
    pub async fn drain(&self, window: Duration, deadline: Duration) {
        self.0.closing.store(true, Ordering::Release);
        let shutdown = |window| self.0.addr.send(Shutdown { window });
        if actix_rt::time::timeout(deadline, shutdown(window)).await.is_err() {
            self.0.addr.do_send(ShutdownNow);
            // Cutting off waits for nobody; this only lets the sockets' actors run.
            let _ = actix_rt::time::timeout(Duration::from_millis(100), shutdown(Duration::ZERO)).await;
        }
    }

    /// The server's own process.
    pub fn addr(&self) -> &Addr<ServerActor> {
        &self.0.addr
    }

    pub(in crate::actor) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(in crate::actor) fn application(&self) -> &Application {
        &self.0.application
    }

    pub(crate) fn shared_config(&self) -> Arc<Config> {
        self.0.config.clone()
    }

    pub(in crate::actor) fn id_generator(&self) -> Option<&IdGenerator> {
        self.0.generate_id.as_ref()
    }

    /// Whether it takes new sessions: not any more once [`close`](Self::close) or [`drain`](Self::drain) was called,
    /// or its process has ended. What a load balancer should be told.
    pub fn is_ready(&self) -> bool {
        !self.0.closing.load(Ordering::Acquire) && self.0.addr.connected()
    }

    /// What it is doing, and has done since it started. Costs the same whether there are ten sessions or a million.
    pub fn stats(&self) -> Stats {
        self.0.counters.stats()
    }

    /// The counters of this thread.
    pub(in crate::actor) fn shard(&self) -> Arc<Shard> {
        self.0.counters.shard()
    }

    /// A request was refused.
    pub(crate) fn count_refusal(&self, code: u32, context: &'static str) {
        self.0.counters.refused(code, context);
    }

    /// A message was refused for want of room.
    pub(in crate::actor) fn count_refused_send(&self) {
        self.0.counters.sends_refused(1);
    }

    /// Messages that were taken were dropped or replaced before they left.
    pub(in crate::actor) fn count_dropped_sends(&self, count: u64) {
        self.0.counters.sends_dropped(count);
    }

    /// A place for a session that begins on `transport`, for a client at `ip`.
    pub(crate) fn admit(&self, ip: Option<IpAddr>, transport: Transport) -> Result<Permit, Refusal> {
        if !self.is_ready() {
            return Err(Refusal::ServerClosing);
        }
        self.0.places.take(ip, transport, clock::now())
    }

    pub(in crate::actor) async fn register(&self, socket: Socket) -> Result<(), OpenError> {
        match self.0.addr.send(Register(socket)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(RegisterError::Duplicate)) => Err(OpenError::Duplicate),
            Ok(Err(RegisterError::Closing)) | Err(_) => Err(OpenError::Closing),
        }
    }

    pub(in crate::actor) fn enter(&self) {
        self.0.living.fetch_add(1, Ordering::Relaxed);
    }

    /// One socket less; returns how many are left.
    pub(in crate::actor) fn leave(&self) -> usize {
        self.0.living.fetch_sub(1, Ordering::AcqRel) - 1
    }

    pub(in crate::actor) fn count_client(&self) {
        self.0.clients.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::actor) fn uncount_client(&self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }

    pub(in crate::actor) fn living(&self) -> usize {
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
