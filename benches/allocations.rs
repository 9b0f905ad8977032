//! Counts the allocations of a server: per echoed message, per poll cycle, per session. `cargo bench --bench
//! allocations` prints a table.
//!
//! The server runs in this process, set as `examples/echo` is. Its client is the main thread, by blocking reads and
//! writes; all threads but that one are counted. One worker, no compression.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use engineio::{Config, Data, Handshake, Server, Socket, SocketHandler};

#[path = "allocations/client.rs"]
mod client;

use client::{Connection, Polling, WebSocket};

/// The system's allocator, with a count of what the server's threads do.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static IS_CLIENT: Cell<bool> = const { Cell::new(false) };
}

fn count(new: usize, old: usize) {
    if !IS_CLIENT.get() {
        if new > 0 {
            ALLOCATIONS.fetch_add(1, Relaxed);
            BYTES.fetch_add(new as u64, Relaxed);
        }
        LIVE.fetch_add(new as i64 - old as i64, Relaxed);
    }
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be written without; each call goes on as it came"
)]
// SAFETY: all calls are handed on to `System` with the caller's arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Echo;

impl SocketHandler for Echo {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        socket.try_send(data).expect("the buffer has room");
    }
}

/// Serves on a thread of its own, for ever; with `handover`, WebSockets leave actix's HTTP connections.
fn serve(handover: bool) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let mut config = Config::engine_io_6();
            config.per_message_deflate = None;
            config.http_compression = None;
            config.handover = handover;
            // The client does not answer pings.
            config.ping_interval = Duration::from_secs(3600);
            let server = Server::builder()
                .config(config)
                .behavior(|_: &Socket, _: &Handshake| Echo)
                .start();
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr();
            let serving = HttpServer::new(move || App::new().service(engineio::scope(&server)))
                .h1_allow_half_closed(false)
                .keep_alive(KeepAlive::Os)
                .client_disconnect_timeout(Duration::ZERO)
                .on_connect(engineio::on_connect)
                .workers(1)
                .listen(listener)
                .expect("the listener is ours")
                .run();
            tell.send(address).expect("the client waits");
            serving.await.expect("the server serves");
        });
    });
    told.recv()
        .expect("the server starts")
        .expect("the listener has an address")
}

/// What the server's threads did so far: allocations, bytes allocated, bytes in use.
fn counts() -> [f64; 3] {
    [
        ALLOCATIONS.load(Relaxed) as f64,
        BYTES.load(Relaxed) as f64,
        LIVE.load(Relaxed) as f64,
    ]
}

/// Prints a line: what `times` runs of `each` cost the server, of `units` things a run.
fn line(name: &str, times: usize, units: usize, mut each: impl FnMut()) {
    for _ in 0..times.div_ceil(10) {
        each();
    }
    let before = counts();
    for _ in 0..times {
        each();
    }
    let after = counts();
    let of = |at: usize| (after[at] - before[at]) / (times * units) as f64;
    println!("| {name} | {:.2} | {:.0} | {:.0} |", of(0), of(1), of(2));
}

fn main() {
    IS_CLIENT.set(true);
    println!("| per | allocations | bytes allocated | bytes kept |");
    println!("| --- | ---: | ---: | ---: |");
    let address = serve(true);
    websockets("", address);
    polling(address);
    websockets("body path: ", serve(false));
}

/// Messages and sessions on WebSocket.
fn websockets(path: &str, address: SocketAddr) {
    for (name, count, size) in [
        ("32 B, 1 in flight", 1, 32),
        ("32 B, 16 in flight", 16, 32),
        ("1 KiB, 1 in flight", 1, 1024),
        ("16 KiB, 1 in flight", 1, 16 * 1024),
    ] {
        let mut websocket = WebSocket::open(address, count, size);
        let name = format!("{path}WebSocket message, {name}");
        line(&name, 10_000, count, || websocket.echo());
    }
    let mut kept: Vec<Connection> = Vec::new();
    let open = || {
        let mut websocket = WebSocket::open(address, 1, 32);
        websocket.echo();
        websocket
    };
    line(
        &format!("{path}open WebSocket session, after an echo"),
        1_000,
        1,
        || {
            kept.push(open().into_connection());
        },
    );
    kept.clear();
    let name = format!("{path}WebSocket session from handshake to close");
    line(&name, 1_000, 1, || open().close());
}

/// Cycles and sessions on polling.
fn polling(address: SocketAddr) {
    for (name, count) in [
        ("poll cycle (a GET, a POST) of 1 message", 1),
        ("poll cycle of 16 messages", 16),
    ] {
        let mut polling = Polling::open(address, count);
        line(name, 5_000, 1, || polling.cycle());
    }
    let mut kept: Vec<Connection> = Vec::new();
    line("parked polling session, after an echo", 1_000, 1, || {
        let mut polling = Polling::open(address, 1);
        polling.cycle();
        kept.push(polling.park());
    });
}
