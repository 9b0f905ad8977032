//! Whether a client that does not read slows the others down. `cargo bench --bench pressure` prints a table: for each
//! way to connect and each policy, the latency of another session's echo without and with 10 MB/s (50 MB in all)
//! offered to a client that does not read, in microseconds.
//!
//! Short rounds of both kinds take turns in one process, and what is judged is the difference within each pair, by a
//! rank test: a busy machine slows both kinds alike. In the quiet rounds the offering thread makes its messages as
//! well, and drops them. Server, clients and the offering thread are one process; one worker.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use engineio::{Config, FullPolicy, Send, Server, Socket};

#[path = "allocations/client.rs"]
#[expect(dead_code, reason = "the other benchmark needs more of it")]
mod client;

use client::{Polling, WebSocket};

/// Pairs of rounds for each line, and how long a round is.
const PAIRS: usize = 100;
const ROUND: Duration = Duration::from_millis(50);

/// What is offered: so many bytes each millisecond.
const SIZE: usize = 10_000;
const PACE: Duration = Duration::from_millis(1);

/// The bound of the write buffer.
const BUFFER: usize = 1_000_000;

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Polling,
    /// A WebSocket with a connection of its own.
    Wire,
    /// A WebSocket that passes through actix's dispatcher.
    Link,
}

/// What becomes of what has no room.
#[derive(Debug, Clone, Copy)]
enum Way {
    Policy(FullPolicy),
    VolatileBroadcast,
}

const WAYS: [Way; 5] = [
    Way::Policy(FullPolicy::Refuse),
    Way::Policy(FullPolicy::DropOldest),
    Way::Policy(FullPolicy::NewestWins),
    Way::Policy(FullPolicy::Close),
    Way::VolatileBroadcast,
];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Policy(FullPolicy::Refuse) => "refuse",
            Way::Policy(FullPolicy::DropOldest) => "drop oldest",
            Way::Policy(FullPolicy::NewestWins) => "newest wins",
            Way::Policy(FullPolicy::Close) => "close",
            Way::Policy(_) => "another",
            Way::VolatileBroadcast => "volatile broadcast",
        }
    }
}

/// A client that does not read.
enum Stuck {
    Polling { _client: Polling },
    WebSocket { _client: WebSocket },
}

fn main() {
    println!(
        "| by | policy | p50 quiet | p50 offered | p99 quiet | p99 offered | difference of p99, 95 % | p |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for by in [By::Wire, By::Link, By::Polling] {
        let (address, sockets) = serve(by);
        for way in WAYS {
            let (mut quiet, mut offered) = (Vec::new(), Vec::new());
            let mut other = WebSocket::open(address, 1, 32);
            sockets.recv().expect("the other session");
            let mut stuck = connect(by, address, &sockets);
            for pair in 0..PAIRS {
                if stuck.1.ready_state() != engineio::ReadyState::Open {
                    stuck = connect(by, address, &sockets);
                }
                // Which of the two comes first changes, lest one has the better place.
                for turn in [pair % 2 == 0, pair % 2 != 0] {
                    let socket = turn.then(|| stuck.1.clone());
                    let of = if turn { &mut offered } else { &mut quiet };
                    of.push(round(&mut other, socket, way));
                }
            }
            report(by, way, &quiet, &offered);
        }
    }
}

/// Serves on a thread of its own, for ever. Tells each socket that begins.
fn serve(by: By) -> (SocketAddr, Receiver<Socket>) {
    let (tell, told) = channel();
    let (tell_socket, sockets) = channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let mut config = Config::default();
            config.per_message_deflate = None;
            config.max_buffered_bytes = BUFFER;
            config.handover = by != By::Link;
            // The clients do not answer pings.
            config.ping_interval = Duration::from_secs(3600);
            let server = Server::builder()
                .config(config)
                .on_connection(move |socket, _| tell_socket.send(socket.clone()).expect("the client waits"))
                .on_message(|socket, data| socket.try_send(data).expect("the buffer has room"))
                .start();
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr();
            let serving = HttpServer::new(move || App::new().service(engineio::scope(&server)))
                .h1_allow_half_closed(false)
                .keep_alive(KeepAlive::Os)
                .on_connect(engineio::on_connect)
                .workers(1)
                .listen(listener)
                .expect("the listener is ours")
                .run();
            tell.send(address).expect("the client waits");
            serving.await.expect("the server serves");
        });
    });
    let address = told.recv().expect("the server starts");
    (address.expect("the listener has an address"), sockets)
}

fn connect(by: By, address: SocketAddr, sockets: &Receiver<Socket>) -> (Stuck, Socket) {
    let client = match by {
        By::Polling => Stuck::Polling {
            _client: Polling::open(address, 1),
        },
        By::Wire | By::Link => Stuck::WebSocket {
            _client: WebSocket::open(address, 1, 32),
        },
    };
    (client, sockets.recv().expect("the socket that does not read"))
}

/// How long echoes took while this socket, if any, was sent to: their median and their 99th percentile in
/// microseconds.
fn round(other: &mut WebSocket, socket: Option<Socket>, way: Way) -> [f64; 2] {
    let end = Instant::now() + ROUND;
    let offering = std::thread::spawn(move || {
        let mut number = 0;
        while Instant::now() < end {
            let send = Send::text(format!("{number:0SIZE$}"));
            if let Some(socket) = &socket {
                offer(socket, way, send, number);
            }
            number += 1;
            std::thread::sleep(PACE);
        }
    });
    let mut micros = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        other.echo();
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    offering.join().expect("it offers");
    micros.sort_by(f64::total_cmp);
    [50, 99].map(|percent| micros[micros.len() * percent / 100])
}

fn offer(socket: &Socket, way: Way, send: Send, number: u64) {
    let key = number % 10;
    match way {
        Way::VolatileBroadcast => socket.server().broadcast_to([socket], send.volatile(key)),
        Way::Policy(policy) => {
            socket.set_full_policy(policy);
            let is_keyed = policy == FullPolicy::NewestWins;
            let send = if is_keyed { send.volatile(key) } else { send };
            // What becomes of it is the tests' concern.
            let _ = socket.try_send_message(send);
        }
    }
}

fn report(by: By, way: Way, quiet: &[[f64; 2]], offered: &[[f64; 2]]) {
    let of = |rounds: &[[f64; 2]], at: usize| median(rounds.iter().map(|round| round[at]).collect());
    let differences: Vec<f64> = offered.iter().zip(quiet).map(|(a, b)| a[1] - b[1]).collect();
    let [low, high] = interval(differences.clone());
    println!(
        "| {by:?} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {low:+.1} to {high:+.1} | {:.2} |",
        way.name(),
        of(quiet, 0),
        of(offered, 0),
        of(quiet, 1),
        of(offered, 1),
        rank_test(&differences),
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Where the median of what these were drawn from lies, with 95 % confidence: between two of them, by the binomial
/// distribution.
fn interval(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let half = values.len() as f64 / 2.0;
    let reach = 0.98 * (values.len() as f64).sqrt();
    [half - reach, half + reach].map(|at| values[(at as usize).min(values.len() - 1)])
}

/// Wilcoxon's signed-rank test, by its normal approximation: how likely differences so lopsided are, if there is none.
fn rank_test(differences: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = differences.to_vec();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranked = (1..).zip(&sorted);
    let above: f64 = ranked
        .filter(|(_, value)| **value > 0.0)
        .map(|(rank, _)| f64::from(rank))
        .sum();
    let count = sorted.len() as f64;
    let expected = count * (count + 1.0) / 4.0;
    let deviation = (count * (count + 1.0) * (2.0 * count + 1.0) / 24.0).sqrt();
    tails((above - expected) / deviation)
}

/// The two tails of the normal distribution (Abramowitz and Stegun, 26.2.17).
fn tails(z: f64) -> f64 {
    let z = z.abs();
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let terms = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    2.0 * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
}
