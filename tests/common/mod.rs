//! What the tests in Rust share: a server on a port that the system picks, an HTTP and a WebSocket client over
//! plain tokio sockets, a client of Engine.IO on top of both, and a record of what an application was told.
//! Everything that waits has a deadline.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod client;
mod http;
mod record;
mod ws;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use engineio::{Config, Scope, Server, ServerBuilder};

pub(crate) use self::client::{Polling, open_packet, upgrade};
pub(crate) use self::http::{Http, Io, Response};
pub(crate) use self::record::{Kind, Record};
pub(crate) use self::ws::{Frame, HEADERS as WS_HEADERS, WebSocket};

/// How long anything may take before the test fails. Far more than it needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(10);

/// Waits with a deadline.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    actix_rt::time::timeout(DEADLINE, future)
        .await
        .expect("nothing happened in time")
}

/// Lets everybody else run until `done`; for what the outside can only look at.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    within(async {
        while !done() {
            actix_rt::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Milliseconds.
pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A `Config` with changes, which struct syntax does not allow from outside.
pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

/// A server that echoes, with these options.
pub(crate) fn echo(change: impl FnOnce(&mut Config)) -> ServerBuilder {
    Server::builder()
        .config(config(change))
        .on_message(|socket, data| {
            let _ = socket.try_send(data);
        })
}

/// A port that the system picks.
pub(crate) fn port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("no free port");
    let addr = listener.local_addr().expect("it is bound");
    (listener, addr)
}

/// A running HTTP server; stopped when it is dropped.
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    handle: ServerHandle,
}

impl Host {
    /// Runs an HTTP server that listens on `addr` already.
    pub(crate) fn new(addr: SocketAddr, http: actix_web::dev::Server) -> Host {
        let handle = http.handle();
        actix_rt::spawn(http);
        Host { addr, handle }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The command is on its way when this returns; nobody need wait for it.
        drop(self.handle.stop(false));
    }
}

/// Whether WebSockets come to own their connections. They do, unless `ENGINEIO_FLAGS` says otherwise.
pub(crate) fn hands_over() -> bool {
    !std::env::var("ENGINEIO_FLAGS").is_ok_and(|flags| flags.contains("--no-handover"))
}

/// Runs an `App` of these services and wraps: `host!(|| App::new().service(..))`, with `workers` threads.
#[macro_export]
macro_rules! host {
    ($factory:expr) => {
        host!($factory, 1)
    };
    ($factory:expr, $workers:expr) => {{
        let (listener, addr) = $crate::common::port();
        let http = actix_web::HttpServer::new($factory)
            .h1_allow_half_closed(false)
            .disable_signals()
            .workers($workers);
        let http = match $crate::common::hands_over() {
            true => http.on_connect(engineio::on_connect),
            false => http,
        };
        let http = http.listen(listener).expect("the port is bound");
        $crate::common::Host::new(addr, http.run())
    }};
}

/// `server` at its path on a port of its own.
pub(crate) fn serve(server: &Server) -> Host {
    serve_with(server, |scope| scope)
}

/// `server` at its path on a port of its own, with hooks.
pub(crate) fn serve_with(server: &Server, set_up: impl Fn(Scope) -> Scope + Send + Clone + 'static) -> Host {
    let server = server.clone();
    host!(move || App::new().service(set_up(engineio::scope(&server))))
}
