//! Helpers of the tests about life and death (`life`, `panics`, `threads`): a server on threads of its own,
//! an application that tells what becomes of its sessions, and clients of plain blocking sockets, so that
//! nothing of the library under test, and no runtime, stands between a test and the wire.

#![allow(dead_code, reason = "each of the test files uses a part of it")]

mod client;

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer};
use engineio::{Close, CloseReason, Config, Data, Handshake, Scope, Server, Socket, SocketHandler};

#[allow(unused_imports, reason = "each of the test files uses a part of it")]
pub(crate) use client::{Http, Polling, Response, WebSocket, frame};

/// How long a test waits for anything before it fails. Long, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server, stopped when dropped.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    http: actix_web::dev::ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// Starts `build`'s server with so many threads.
pub(crate) fn start(workers: usize, build: impl FnOnce() -> Server + Send + 'static) -> Running {
    start_with(workers, build, |scope| scope)
}

/// The same, with hooks of the scope.
pub(crate) fn start_with(
    workers: usize,
    build: impl FnOnce() -> Server + Send + 'static,
    set_up: impl Fn(Scope) -> Scope + Send + Clone + 'static,
) -> Running {
    run(move |listener| {
        let server = build();
        let engine = server.clone();
        let http = HttpServer::new(move || App::new().service(set_up(engineio::scope(&engine))))
            .h1_allow_half_closed(false)
            .disable_signals()
            .workers(workers)
            .backlog(4096);
        let http = if hands_over() {
            http.on_connect(engineio::on_connect)
        } else {
            http
        };
        (server, http.listen(listener).expect("listen").run())
    })
}

/// Whether WebSockets come to own their connections. They do, unless `ENGINEIO_FLAGS` says otherwise.
pub(crate) fn hands_over() -> bool {
    !std::env::var("ENGINEIO_FLAGS").is_ok_and(|flags| flags.contains("--no-handover"))
}

/// Runs an HTTP server that listens where it is told.
pub(crate) fn run(
    build: impl FnOnce(TcpListener) -> (Server, actix_web::dev::Server) + Send + 'static,
) -> Running {
    let (tell, started) = channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
            let address = listener.local_addr().expect("address");
            let (server, http) = build(listener);
            tell.send((server, address, http.handle())).expect("tell");
            http.await.expect("run");
        });
    });
    let (server, address, http) = started.recv_timeout(PATIENCE).expect("the server starts");
    Running {
        server,
        address,
        http,
        thread: Some(thread),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.http.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Ids of sessions only by what they were, so that nothing here prints a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// A session has ended.
    Closed(CloseReason, String),
    /// The actor of a session is gone.
    Gone,
}

/// An application that echoes, and tells of the end of each session and of each actor.
pub(crate) struct Witness(Option<Sender<Told>>);

impl Witness {
    /// A guest of [`assert_clients`] is not told of.
    pub(crate) fn new(tell: &Sender<Told>, handshake: &Handshake) -> Self {
        Witness(handshake.query("guest").is_none().then(|| tell.clone()))
    }

    fn tell(&self, told: Told) {
        if let Some(tell) = &self.0 {
            let _ = tell.send(told);
        }
    }
}

impl SocketHandler for Witness {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        match data.as_text() {
            // As much as the write buffer takes.
            Some("flood") => while socket.try_send(Data::from(vec![7; 16 * 1024])).is_ok() {},
            Some("close") => socket.close(),
            _ => drop(socket.try_send(data)),
        }
    }

    fn on_close(&mut self, _: &Socket, close: Close) {
        self.tell(Told::Closed(close.reason, close.description.into_owned()));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.tell(Told::Gone);
    }
}

/// A server whose sessions are handled by [`Witness`]es.
pub(crate) fn witnessed(workers: usize, config: Config) -> (Running, Receiver<Told>) {
    let (tell, told) = channel();
    let running = start(workers, move || {
        Server::builder()
            .config(config)
            .behavior(move |_, handshake| Witness::new(&tell, handshake))
            .start()
    });
    (running, told)
}

/// Today's clients' settings with these times in milliseconds.
pub(crate) fn config(ping_interval: u64, ping_timeout: u64, upgrade_timeout: u64) -> Config {
    let mut config = Config::engine_io_6();
    config.allow_eio3 = true;
    config.ping_interval = Duration::from_millis(ping_interval);
    config.ping_timeout = Duration::from_millis(ping_timeout);
    config.upgrade_timeout = Duration::from_millis(upgrade_timeout);
    config
}

/// A heartbeat that no test lives to see.
pub(crate) fn patient() -> Config {
    config(600_000, 600_000, 600_000)
}

/// Waits until so many sessions have ended *and* their actors are gone; returns the ends.
pub(crate) fn ends(told: &Receiver<Told>, count: usize) -> Vec<(CloseReason, String)> {
    let deadline = Instant::now() + PATIENCE;
    let (mut ends, mut gone) = (Vec::new(), 0);
    while ends.len() < count || gone < count {
        let left = deadline.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(Told::Closed(reason, description)) => ends.push((reason, description)),
            Ok(Told::Gone) => gone += 1,
            Err(_) => panic!("{} of {count} sessions ended, {gone} actors are gone", ends.len()),
        }
    }
    ends
}

/// Fails unless exactly `others` sessions are registered, at once or in a moment: each look is behind a handshake,
/// which passes through the `ServerActor` behind all that was sent to it before. It also shows that the server
/// still takes clients.
pub(crate) fn assert_clients(running: &Running, others: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let guest = Polling::open_with(Http::connect(running.address), running.address, "&guest=1");
        let count = running.server.clients_count() - 1;
        guest.close();
        if count == others {
            return;
        }
        assert!(Instant::now() < deadline, "{count} sessions instead of {others}");
    }
}

/// The numbers of the descriptors that this process has for the server's end of a connection: of a server in this
/// process, that is.
#[cfg(target_os = "linux")]
pub(crate) fn descriptors(server: SocketAddr, client: SocketAddr) -> Vec<i32> {
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("the table of connections");
    let (local, remote) = (
        format!(":{:04X}", server.port()),
        format!(":{:04X}", client.port()),
    );
    let Some(inode) = table.lines().find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let ours = columns.next()?.ends_with(&local) && columns.next()?.ends_with(&remote);
        ours.then(|| columns.nth(6)).flatten()
    }) else {
        return Vec::new();
    };
    let wanted = format!("socket:[{inode}]");
    std::fs::read_dir("/proc/self/fd")
        .expect("the descriptors")
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let target = std::fs::read_link(entry.path()).ok()?;
            (target.as_os_str() == &*wanted).then(|| entry.file_name().to_str()?.parse().ok())?
        })
        .collect()
}

/// Waits for something that the outside can only look at.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Resident memory of this process in KiB.
pub(crate) fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Keeps panics that are made on purpose out of the output.
pub(crate) fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>().copied().unwrap_or_default();
            if text != "on purpose" {
                usual(info);
            }
        }));
    });
}

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    actix_web::rt::Runtime::new().expect("runtime").block_on(future)
}
