//! `listen`: a server on ports of its own, with everything set as it should be, and the orderly way down.

mod connection;
mod inlet;
mod own;
mod served;

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::http::{KeepAlive, StatusCode, header};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use socket2::SockRef;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use self::own::{Setting, Threads};
use super::handover::on_connect;
use super::linger::close_after;
use super::scope::{Scope, scope};
use super::serving::announce_end;
use crate::actor::Server;

/// How long connections have to end when the sessions have ended.
const STOP_DEADLINE: Duration = Duration::from_millis(500);

/// How many connections each thread has at most, unless told otherwise: as actix has it.
const MAX_CONNECTIONS: usize = 25_000;

/// How many connections wait to be accepted, as far as the system allows.
const BACKLOG: i32 = 2048;

type SetUp = dyn Fn(Scope) -> Scope + Send + Sync;

/// Binds `addresses` for a server that serves nothing else: other requests are answered with `501 Not
/// Implemented`. Call [`Listener::run`] then.
///
/// ```no_run
/// # #[actix_web::main] async fn main() -> std::io::Result<()> {
/// let server = engineio::Server::builder()
///     .on_message(|socket, data| { let _ = socket.try_send(data); })
///     .start();
/// engineio::listen(&server, ("127.0.0.1", 3000))?.run().await
/// # }
/// ```
///
/// # Errors
/// When an address cannot be bound.
pub fn listen(server: &Server, addresses: impl ToSocketAddrs) -> io::Result<Listener> {
    let listeners = addresses
        .to_socket_addrs()?
        .map(bind)
        .collect::<io::Result<_>>()?;
    Ok(Listener {
        server: server.clone(),
        listeners,
        workers: None,
        own_listeners: false,
        setting: Setting {
            max_connections: MAX_CONNECTIONS,
            #[cfg(feature = "rustls")]
            tls: None,
        },
        set_up: Arc::new(|scope| scope),
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // std lets 128 wait: too few when all clients of a server that has begun again come at once.
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

/// [`listen`] with TLS: HTTP/1.1 alone, with [own listeners](Listener::own_listeners). WebSockets own their connections
/// here too. `ConnectionInfo::scheme` does not know of the TLS.
///
/// # Errors
/// When an address cannot be bound.
#[cfg(feature = "rustls")]
pub fn listen_rustls(
    server: &Server,
    addresses: impl ToSocketAddrs,
    mut config: tokio_rustls::rustls::ServerConfig,
) -> io::Result<Listener> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut listener = listen(server, addresses)?;
    listener.setting.tls = Some(Arc::new(config).into());
    Ok(listener)
}

/// Bound ports. Made by [`listen`].
pub struct Listener {
    server: Server,
    listeners: Vec<TcpListener>,
    workers: Option<usize>,
    own_listeners: bool,
    setting: Setting,
    set_up: Arc<SetUp>,
}

impl Listener {
    /// How many threads serve. Default: one for each processor core.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Whether each thread accepts and serves connections by itself, the one that [runs](Self::run) this among them,
    /// instead of being given them by actix's accepting thread. Polls and POSTs then go straight to their session, unless
    /// a [hook](Self::scope) sees the answers' headers or the refusals, and a connection keeps no buffers while nothing
    /// happens: clients that poll, and clients that come and go, cost less
    /// ([figures](crate::guide::deploying#listeners-of-its-own)).
    ///
    /// Under Linux each thread has a socket of its own (`SO_REUSEPORT`, which lets other processes of this user bind the
    /// port too), and the system picks one for each connection by a hash of its addresses; elsewhere the threads share a
    /// socket. Default: off.
    pub fn own_listeners(mut self, own: bool) -> Self {
        self.own_listeners = own;
        self
    }

    /// How many connections each thread has at most; more wait until one ends. Default: 25,000. With
    /// [own listeners](Self::own_listeners) a WebSocket's connection always counts; else it does not, once the
    /// WebSocket owns it: [`Limits::max_sessions`](crate::Limits::max_sessions) does then.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.setting.max_connections = connections;
        self
    }

    /// Sets hooks of the scope, such as [`Scope::allow_request`]. Called once on each thread.
    pub fn scope(mut self, set_up: impl Fn(Scope) -> Scope + Send + Sync + 'static) -> Self {
        self.set_up = Arc::new(set_up);
        self
    }

    /// The addresses that are bound, with the ports that the system picked.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Serves until SIGTERM or Ctrl-C, then closes all sessions in good order, as [`run_until_signal`] does, and
    /// returns. Called inside a runtime, it catches signals from the call on, else from the first poll.
    ///
    /// # Errors
    /// When signals cannot be caught, and those of actix's server.
    pub fn run(self) -> impl Future<Output = io::Result<()>> {
        let caught = Handle::try_current().is_ok().then(signals);
        async move { self.serve(caught.unwrap_or_else(signals)?).await }
    }

    async fn serve(self, signals: Signals) -> io::Result<()> {
        let Listener {
            server,
            listeners,
            workers,
            own_listeners,
            setting,
            set_up,
        } = self;
        let engine = server.clone();
        let app = move || {
            let timeout = engine.config().destroy_upgrade_timeout;
            let scope = set_up(scope(&engine)).unhandled(StatusCode::NOT_IMPLEMENTED);
            let shortcut = scope.shortcut();
            let app =
                App::new()
                    .service(scope)
                    .default_service(web::to(move |req: HttpRequest| async move {
                        not_implemented(&req, timeout)
                    }));
            (app, shortcut)
        };
        #[cfg(feature = "rustls")]
        let own_listeners = own_listeners || setting.tls.is_some();
        if own_listeners {
            let threads = workers.or_else(|| Some(available_parallelism().ok()?.get()));
            let sets = own::bind(listeners, threads.unwrap_or(1))?;
            let (stop, ended) = Threads::start(sets, &setting, &app)?.split();
            let stop = async move || {
                stop();
                // A thread that an application blocks is not waited for.
                actix_rt::time::sleep(2 * STOP_DEADLINE).await;
            };
            return until_signal(&server, ended, stop, signals).await;
        }
        let mut http = HttpServer::new(move || app().0)
            .on_connect(on_connect)
            .h1_allow_half_closed(false)
            // Clients send in bursts; a new connection for each would cost both sides more than an idle one.
            .keep_alive(KeepAlive::Os)
            .client_disconnect_timeout(Duration::ZERO)
            .max_connections(setting.max_connections)
            .disable_signals();
        if let Some(workers) = workers {
            http = http.workers(workers);
        }
        for listener in listeners {
            http = http.listen(listener)?;
        }
        let http = http.run();
        let stop = stop(&http);
        until_signal(&server, http, stop, signals).await
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

fn not_implemented(req: &HttpRequest, timeout: Duration) -> HttpResponse {
    if req.headers().contains_key(header::UPGRADE) {
        return close_after(HttpResponse::NotImplemented().body("Not Implemented"), timeout);
    }
    let mut response = HttpResponse::NotImplemented().finish();
    announce_end(req, &mut response);
    response
}

/// Runs an HTTP server until SIGTERM or Ctrl-C, then [drains](Server::drain) `server`, by
/// [`Config::drain_window`](crate::Config::drain_window) and
/// [`Config::drain_deadline`](crate::Config::drain_deadline), and only then stops the HTTP server (half a second is
/// given to that). A second signal ends what is left at once. Build it with `disable_signals()`, else actix stops
/// its threads first and the sessions end without a word.
///
/// Signals are caught from the call on, not from the first poll.
///
/// # Errors
/// When signals cannot be caught; the future's are those of actix's server.
pub fn run_until_signal(
    server: &Server,
    http: actix_web::dev::Server,
) -> io::Result<impl Future<Output = io::Result<()>> + use<>> {
    let (stop, signals) = (stop(&http), signals()?);
    Ok(until_signal(server, http, stop, signals))
}

/// What stops an HTTP server.
fn stop(http: &actix_web::dev::Server) -> impl AsyncFnOnce() + use<> {
    let handle = http.handle();
    async move || {
        // Who does not answer our close frame is not waited for.
        let _ = actix_rt::time::timeout(STOP_DEADLINE, handle.stop(true)).await;
    }
}

/// Runs `http` until it ends, or a signal has come, the server is drained, and `stop` is done.
fn until_signal<H, S>(
    server: &Server,
    http: H,
    stop: S,
    mut signals: Signals,
) -> impl Future<Output = io::Result<()>> + use<H, S>
where
    H: Future<Output = io::Result<()>>,
    S: AsyncFnOnce() + 'static,
{
    let server = server.clone();
    async move {
        let (stopped, stopping) = oneshot::channel::<()>();
        actix_rt::spawn(async move {
            poll_fn(&mut signals).await;
            log::info!(target: "engineio::server", "closing {} sessions", server.clients_count());
            drain(&server, signals).await;
            stop().await;
            drop(stopped);
        });
        let mut http = pin!(http);
        let mut stop = pin!(stopping);
        poll_fn(|cx| match http.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => stop.as_mut().poll(cx).map(|_| Ok(())),
        })
        .await
    }
}

/// Drains the server; a signal makes it quick.
async fn drain(server: &Server, mut signals: Signals) {
    let config = server.config();
    let (window, rest) = (config.drain_window, config.drain_deadline);
    let mut drained = pin!(server.drain(window, window + rest));
    let is_done = poll_fn(|cx| match drained.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => signals(cx).map(|()| false),
    });
    if !is_done.await {
        server.close(rest).await;
    }
}

/// Ready once for each SIGTERM and Ctrl-C.
type Signals = Box<dyn FnMut(&mut Context<'_>) -> Poll<()>>;

#[cfg(unix)]
fn signals() -> io::Result<Signals> {
    use actix_rt::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(Box::new(move |cx| {
        match terminate.poll_recv(cx).is_ready() || interrupt.poll_recv(cx).is_ready() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }))
}

#[cfg(not(unix))]
fn signals() -> io::Result<Signals> {
    let next = || Box::pin(actix_rt::signal::ctrl_c());
    let mut signal = next();
    Ok(Box::new(move |cx| match signal.as_mut().poll(cx) {
        Poll::Ready(Ok(())) => {
            signal = next();
            Poll::Ready(())
        }
        // Nothing can be caught here.
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
    }))
}
