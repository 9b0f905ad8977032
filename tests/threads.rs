//! Sessions across threads: polls and upgrades that arrive on other threads than the session's, sends from
//! several threads at once, and the way down under load.

#[path = "life/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderName, HeaderValue};
use engineio::proto::PacketType;
use engineio::{Close, Data, Send as SendMessage, SendError, Server, Socket, SocketHandler};
use support::*;

/// How many messages each sending thread and each client sends in [`numbered`].
const MESSAGES: usize = 300;

/// How many threads send to one socket.
const SENDERS: usize = 4;

/// Tells which of its messages came in; on "go" lets threads send.
struct Numbered {
    tell: std::sync::mpsc::Sender<(usize, String)>,
    received: usize,
}

impl SocketHandler for Numbered {
    fn on_message(&mut self, socket: &Socket, data: Data) {
        let text = data.as_text().unwrap_or_default().to_owned();
        if text == "go" {
            for sender in 0..SENDERS {
                let socket = socket.clone();
                std::thread::spawn(move || {
                    for number in 0..MESSAGES {
                        socket.try_send(format!("{sender}:{number}")).expect("room");
                    }
                });
            }
        } else {
            assert_eq!(text, self.received.to_string());
            self.received += 1;
            // From inside as well: a sender of its own.
            socket.try_send(format!("{SENDERS}:{text}")).expect("room");
        }
    }

    fn on_close(&mut self, _: &Socket, close: Close) {
        let _ = self.tell.send((self.received, close.reason.to_string()));
    }
}

/// Checks what arrives at a client: each sender's numbers in order.
#[derive(Default)]
struct Ledger {
    next: HashMap<usize, usize>,
}

impl Ledger {
    fn note(&mut self, packet: &str) {
        let Some(message) = packet.strip_prefix('4') else {
            return assert!(matches!(packet, "6" | "2"), "{packet}");
        };
        let (sender, number) = message.split_once(':').expect("a number");
        let next = self.next.entry(sender.parse().expect("a sender")).or_default();
        assert_eq!(number, next.to_string(), "from sender {sender}");
        *next += 1;
    }

    fn total(&self) -> usize {
        self.next.values().sum()
    }
}

/// One client: each request on a connection of its own, so that they go round all threads; in the middle it
/// swaps. Returns the threads that answered.
fn numbered(address: SocketAddr) -> HashSet<String> {
    let mut session = Polling::open(address);
    let (mut ledger, mut threads, query) = (Ledger::default(), HashSet::new(), session.query());
    let mut request = |body: Option<&str>| {
        let mut http = Http::connect(address);
        let response = match body {
            Some(body) => http.post(&query, body),
            None => http.get(&query),
        };
        assert_eq!(response.status, 200);
        threads.insert(response.header("x-thread").expect("a thread").to_owned());
        response
    };
    request(Some("4go"));
    let mut sent = 0;
    while sent < MESSAGES / 2 {
        request(Some(&format!("4{sent}\x1e4{}", sent + 1)));
        sent += 2;
        if sent.is_multiple_of(16) {
            request(None)
                .text()
                .split('\x1e')
                .for_each(|packet| ledger.note(packet));
        }
    }
    let mut websocket = WebSocket::attempt(&session);
    websocket.send("2probe");
    assert_eq!(websocket.text(), "3probe");
    session.gets = Http::connect(address);
    session
        .poll()
        .text()
        .split('\x1e')
        .for_each(|packet| ledger.note(packet));
    // What comes behind `5` is sent at once.
    let mut burst = frame(1, b"5");
    for number in sent..MESSAGES {
        burst.extend(frame(1, format!("4{number}").as_bytes()));
    }
    websocket.http.send(burst);
    while ledger.total() < (SENDERS + 1) * MESSAGES {
        ledger.note(&websocket.text());
    }
    websocket.send("1");
    threads
}

/// Nothing is lost, doubled or reordered, from whatever thread it comes.
fn messages_stay_in_order(workers: usize) {
    let (tell, ends) = channel();
    let build = move || {
        Server::builder()
            .config(patient())
            .behavior(move |_, _| Numbered {
                tell: tell.clone(),
                received: 0,
            })
            .start()
    };
    let running = start_with(workers, build, |scope| {
        scope.headers(|headers, _| {
            let thread = format!("{:?}", std::thread::current().id());
            let value = HeaderValue::from_str(&thread).expect("a value");
            headers.insert(HeaderName::from_static("x-thread"), value);
        })
    });
    let address = running.address;
    let clients: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(move || (0..3).map(|_| numbered(address)).collect::<Vec<_>>()))
        .collect();
    for client in clients {
        for threads in client.join().expect("a client") {
            assert_eq!(threads.len(), workers);
        }
    }
    for _ in 0..24 {
        let end = ends.recv_timeout(PATIENCE).expect("an end");
        assert_eq!(end, (MESSAGES, "transport close".to_owned()));
    }
    assert_clients(&running, 0);
}

#[test]
fn messages_stay_in_order_on_two_threads() {
    messages_stay_in_order(2);
}

#[test]
fn messages_stay_in_order_on_four_threads() {
    messages_stay_in_order(4);
}

/// A message that `try_send` took arrives while the session is open, however full the buffer is.
#[test]
fn the_last_message_that_fits_arrives() {
    let (tell, pings) = channel();
    let running = start(1, move || {
        let mut config = config(100, 600_000, 1_000);
        config.max_buffered_bytes = 10_000;
        Server::builder()
            .config(config)
            .on_packet_create(move |_, packet| {
                if packet.kind == PacketType::Ping {
                    let _ = tell.send(());
                }
            })
            .start()
    });
    let mut session = Polling::open(running.address);
    // A ping lies in the buffer from here on, and counts for nothing.
    pings.recv_timeout(PATIENCE).expect("a ping");
    let socket = running.server.clients().pop().expect("the session");
    let mut taken = 0;
    while socket.try_send(vec![0; 36]).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 100);
    assert_eq!(socket.try_send(""), Err(SendError::Full));
    let body = session.poll();
    assert_eq!(
        body.text()
            .split('\x1e')
            .filter(|packet| packet.starts_with('b'))
            .count(),
        taken
    );
}

/// What still lay in the queue when its WebSocket broke was not flushed.
#[test]
fn a_send_that_never_left_is_not_reported_as_flushed() {
    let running = start(1, || {
        let mut config = patient();
        config.max_buffered_bytes = 100_000_000;
        Server::builder().config(config).start()
    });
    let websocket = WebSocket::open(running.address);
    let socket = running.server.clients().pop().expect("the session");
    block_on(async {
        // More than the kernel takes.
        let mut first = Some(socket.addr().send(SendMessage::binary(vec![0; 40_000_000])));
        if !hands_over() {
            // The HTTP server's own buffer holds the rest.
            let first = first.take().expect("not awaited").await;
            assert!(matches!(first, Ok(Ok(()))));
        }
        let second = socket.addr().send(SendMessage::text("never read"));
        drop(websocket);
        assert!(!matches!(second.await, Ok(Ok(()))));
        if let Some(first) = first {
            assert!(!matches!(first.await, Ok(Ok(()))));
        }
    });
}

/// The way down: every parked poll gets a close packet, every WebSocket 1001, every awaited send an answer.
fn close_under_load(workers: usize) {
    let running = start(workers, || {
        Server::builder()
            .config(patient())
            .on_message(|socket, data| {
                let _ = socket.try_send(data);
            })
            .start()
    });
    let address = running.address;
    let mut clients = Vec::new();
    let (ready, is_ready) = channel();
    for index in 0..60 {
        let ready = ready.clone();
        clients.push(std::thread::spawn(move || {
            let mut session = Polling::open(address);
            let mut websocket = match index % 3 {
                0 => None,
                1 => Some(WebSocket::open(address)),
                _ => Some(WebSocket::upgrade(&mut session)),
            };
            if index % 3 == 1 {
                session.post("1");
            }
            if let Some(websocket) = &mut websocket {
                websocket.echo("ready");
                ready.send(()).expect("ready");
                assert_eq!(websocket.close_code(), Some(1001));
                websocket.send_frame(8, &1001u16.to_be_bytes());
                assert_eq!(websocket.frame(), None);
            } else {
                ready.send(()).expect("ready");
                loop {
                    let body = session.poll();
                    assert_eq!(body.status, 200);
                    if body.text().split('\x1e').next_back() == Some("1") {
                        break;
                    }
                }
            }
        }));
    }
    for _ in 0..60 {
        is_ready.recv_timeout(PATIENCE).expect("ready");
    }
    // Every socket is sent to all the time, each send awaited, from threads that are not theirs.
    let (loaded, is_loaded) = channel();
    let senders: Vec<_> = running
        .server
        .clients()
        .chunks(15)
        .map(<[Socket]>::to_vec)
        .map(|sockets| {
            let loaded = loaded.clone();
            std::thread::spawn(move || {
                block_on(async move {
                    let (mut flushed, mut sockets) = (0usize, sockets);
                    while !sockets.is_empty() {
                        let sends: Vec<_> = sockets
                            .iter()
                            .map(|socket| socket.addr().send(SendMessage::text("load")))
                            .collect();
                        let mut open = Vec::new();
                        for (socket, send) in sockets.into_iter().zip(sends) {
                            match actix_web::rt::time::timeout(PATIENCE, send)
                                .await
                                .expect("an answer")
                            {
                                Ok(Ok(())) => {
                                    flushed += 1;
                                    open.push(socket);
                                }
                                Ok(Err(SendError::Closed)) | Err(_) => {}
                                Ok(Err(error)) => panic!("{error}"),
                            }
                        }
                        sockets = open;
                        if flushed >= 300 {
                            let _ = loaded.send(());
                        }
                    }
                    flushed
                })
            })
        })
        .collect();
    for _ in 0..senders.len() {
        is_loaded.recv_timeout(PATIENCE).expect("load");
    }
    let start = Instant::now();
    block_on(running.server.close(PATIENCE));
    let took = start.elapsed();
    assert!(took < PATIENCE / 2, "{took:?}");
    assert_eq!(running.server.clients_count(), 0);
    for client in clients {
        client.join().expect("a client");
    }
    let flushed: usize = senders
        .into_iter()
        .map(|sender| sender.join().expect("a sender"))
        .sum();
    println!("closed in {took:?}, {flushed} sends flushed meanwhile");
    for query in ["EIO=4&transport=polling", "EIO=3&transport=polling"] {
        let response = Http::connect(address).get(query);
        assert_eq!(response.status, 503);
        assert!(response.header("retry-after").is_some());
    }
    let (_, response) = WebSocket::request(address, "EIO=4&transport=websocket");
    assert_eq!(response.status, 503);
}

#[test]
fn close_under_load_on_two_threads() {
    close_under_load(2);
}

#[test]
fn close_under_load_on_four_threads() {
    close_under_load(4);
}

/// Peers that will never take their last packets are cut off at the deadline.
#[test]
fn close_does_not_wait_beyond_its_deadline() {
    let (running, told) = witnessed(2, patient());
    let _never_polls = Polling::open(running.address);
    let mut never_reads = WebSocket::open(running.address);
    never_reads.send("4flood");
    let start = Instant::now();
    block_on(running.server.close(Duration::from_millis(700)));
    let took = start.elapsed();
    assert!(
        (Duration::from_millis(700)..Duration::from_secs(3)).contains(&took),
        "{took:?}"
    );
    ends(&told, 2);
}

/// One client whose WebSocket is on another thread than its session can bring more than a slow handler gets
/// through. The others on the session's thread must have their turns.
#[test]
fn a_flood_from_another_thread_starves_nobody() {
    let (tell, threads) = channel();
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    let running = start(2, move || {
        Server::builder()
            .config(patient())
            .on_connection(move |_, _| {
                let _ = tell.send(std::thread::current().id());
            })
            .on_message(move |socket, data| {
                if data.as_text() != Some("x") {
                    let _ = socket.try_send(data);
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
                let start = Instant::now();
                while start.elapsed() < Duration::from_micros(20) {}
            })
            .start()
    });
    let address = running.address;
    let home = || threads.recv_timeout(PATIENCE).expect("a connection");
    // Connections go to the threads in turn.
    let mut flooder = Polling::open(address);
    let flooded = home();
    let mut neighbour = loop {
        let websocket = WebSocket::open(address);
        if home() == flooded {
            break websocket;
        }
    };
    let mut websocket = WebSocket::upgrade(&mut flooder);
    websocket.echo("swapped");
    let mut stream = websocket.http.stream.try_clone().expect("a clone");
    let flood = std::thread::spawn(move || {
        let chunk = frame(1, b"4x").repeat(5_000);
        while stream.write_all(&chunk).is_ok() {}
    });
    let (mut worst, mut echoes) = (Duration::ZERO, 0);
    while handled.load(Ordering::Relaxed) < 50_000 {
        let start = Instant::now();
        neighbour.echo("still here");
        worst = worst.max(start.elapsed());
        echoes += 1;
    }
    println!("{echoes} echoes during the flood, the slowest took {worst:?}");
    assert!(worst < PATIENCE / 4, "{worst:?}");
    websocket.http.stream.shutdown(Shutdown::Both).expect("shutdown");
    flood.join().expect("the flood");
}

const CHILD: &str = "ENGINEIO_TEST_CHILD";

/// This test is its own server: it runs itself as a child and sends that a signal.
#[test]
fn a_signal_ends_the_process_in_good_order() {
    if std::env::var_os(CHILD).is_some() {
        return serve_until_signal();
    }
    for signal in ["INT", "TERM"] {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "a_signal_ends_the_process_in_good_order",
                "--nocapture",
            ])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address: SocketAddr = loop {
            let line = lines.next().expect("a line").expect("a line");
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.parse().expect("an address");
            }
        };
        let mut polls: Vec<Polling> = (0..100).map(|_| Polling::open(address)).collect();
        let mut sockets: Vec<WebSocket> = (0..100).map(|_| WebSocket::open(address)).collect();
        for session in &mut polls {
            session.echo("ready");
            session.send_poll();
        }
        sockets.iter_mut().for_each(|websocket| websocket.echo("ready"));
        let start = Instant::now();
        let kill = Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        for session in &mut polls {
            assert_eq!(session.gets.response().text(), "1");
        }
        for websocket in &mut sockets {
            assert_eq!(websocket.close_code(), Some(1001));
        }
        // Nobody answers the close frames, nobody ends his connection.
        let status = child.wait().expect("an end");
        let took = start.elapsed();
        assert!(status.success(), "{status}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        println!("SIG{signal}: ended within {took:?}");
    }
}

fn serve_until_signal() {
    actix_web::rt::System::new().block_on(async {
        let server = Server::builder()
            .config(patient())
            .on_message(|socket, data| {
                let _ = socket.try_send(data);
            })
            .start();
        let listener = engineio::listen(&server, ("127.0.0.1", 0))
            .expect("listen")
            .workers(2);
        let address = listener.addresses().expect("addresses")[0];
        let serving = listener.run();
        println!("listening on {address}");
        serving.await.expect("run");
    });
}
