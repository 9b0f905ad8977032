//! Connections that were handed over, and peers that do not make it easy.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engineio::{CloseReason, Data, Server};

use crate::support::{
    PATIENCE, Polling, WebSocket, assert_clients, config, descriptors, ends, frame, patient, start, until,
    witnessed,
};

/// The reset is seen by a write before it is seen by a read, since the thread was busy when it came.
#[test]
fn a_loss_that_a_write_sees_first() {
    let (heard, hears) = channel();
    let (go, wait) = channel::<()>();
    let (closed, told) = channel();
    let wait = Mutex::new(wait);
    let running = start(1, move || {
        Server::builder()
            .config(patient())
            .on_message(move |socket, data| {
                if data.as_text() == Some("wait") {
                    heard.send(()).expect("the test waits");
                    wait.lock().expect("no panic").recv().expect("the test goes on");
                }
                let _ = socket.try_send(data);
            })
            .on_close(move |_, close| {
                let _ = closed.send(close.reason);
            })
            .start()
    });
    for _ in 0..10 {
        let mut websocket = WebSocket::open(running.address);
        websocket.send("4unread");
        websocket.http.stream.peek(&mut [0]).expect("an echo, unread");
        websocket.send("4wait");
        hears.recv_timeout(PATIENCE).expect("it is heard");
        // There are bytes that nobody has read, so this is a reset.
        drop(websocket);
        go.send(()).expect("the handler waits");
        assert_eq!(told.recv_timeout(PATIENCE), Ok(CloseReason::TransportClose));
    }
    assert_clients(&running, 0);
}

/// Its close frame is not lost to a reset, though there is more to be read.
#[test]
fn a_peer_that_breaks_the_protocol_and_goes_on() {
    let (running, told) = witnessed(1, patient());
    let mut websocket = WebSocket::open(running.address);
    let mut stream = websocket.http.stream.try_clone().expect("a second handle");
    // A reserved bit.
    let mut bytes = frame(0x40 | 1, b"4wrong");
    bytes.extend(frame(2, &vec![7; 900_000]));
    let writer = std::thread::spawn(move || stream.write_all(&bytes));
    assert_eq!(websocket.close_code(), Some(1002));
    writer.join().expect("no panic").expect("all was taken");
    let mut byte = [0];
    let end = websocket.http.stream.read(&mut byte);
    assert!(matches!(end, Ok(0)), "{end:?}");
    assert_eq!(ends(&told, 1)[0].0, CloseReason::TransportError);
}

/// Pongs do not wait behind the answers to what came after their pings.
#[test]
fn a_ping_in_front_of_a_message() {
    let (running, _told) = witnessed(1, patient());
    let mut websocket = WebSocket::open(running.address);
    let bytes = [frame(9, b"first"), frame(1, b"4second")].concat();
    websocket.http.stream.write_all(&bytes).expect("it is taken");
    let frames = [websocket.frame(), websocket.frame()];
    let frames = frames.map(|frame| frame.expect("the connection lives"));
    assert_eq!(frames, [(10, b"first".to_vec()), (1, b"4second".to_vec())]);
}

/// An attempt ends at its timeout, whatever its peer takes.
#[test]
fn an_upgrade_whose_peer_floods_it_and_reads_nothing() {
    let (running, _told) = witnessed(1, config(600_000, 600_000, 400));
    let polling = Polling::open(running.address);
    let websocket = WebSocket::attempt(&polling);
    let (server, client) = super::ends(&websocket.http);
    let mut stream = websocket.http.stream.try_clone().expect("a second handle");
    let pings = frame(9, &[b'p'; 120]).repeat(1000);
    let writer = std::thread::spawn(move || while stream.write_all(&pings).is_ok() {});
    until("its end", || descriptors(server, client).is_empty());
    writer.join().expect("no panic");
    assert_clients(&running, 1);
}

/// Who sends faster than it reads is slowed down, and nothing of it is refused.
#[test]
fn a_peer_that_sends_all_before_it_reads() {
    sends_all_before_it_reads(true);
}

#[test]
fn the_same_where_nothing_is_handed_over() {
    sends_all_before_it_reads(false);
}

fn sends_all_before_it_reads(handover: bool) {
    const MESSAGES: usize = 300;
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let running = start(1, move || {
        let mut config = patient();
        config.max_buffered_bytes = 1_000_000;
        config.handover = handover;
        Server::builder()
            .config(config)
            .on_message(move |socket, data: Data| {
                count.fetch_add(usize::from(socket.try_send(data).is_err()), Ordering::Relaxed);
            })
            .start()
    });
    let mut websocket = WebSocket::open(running.address);
    let mut stream = websocket.http.stream.try_clone().expect("a second handle");
    let message = [&b"4"[..], &[b'm'; 100_000]].concat();
    let bytes = frame(1, &message);
    let (progress, written) = channel();
    let writer = std::thread::spawn(move || {
        for _ in 0..MESSAGES {
            stream.write_all(&bytes).expect("it is taken, at last");
            progress.send(()).expect("the test counts");
        }
    });
    // Until it is stuck: both ways are full, and so is what the server keeps.
    while written.recv_timeout(Duration::from_millis(500)).is_ok() {}
    for _ in 0..MESSAGES {
        let (opcode, payload) = websocket.frame().expect("the connection lives");
        assert!(opcode == 1 && payload == message);
    }
    writer.join().expect("no panic");
    websocket.echo("and goes on");
    assert_eq!(refused.load(Ordering::Relaxed), 0);
}

/// A connection ends with its session, even if its peer takes nothing.
#[test]
fn a_peer_that_stops_reading() {
    let (running, told) = witnessed(1, config(400, 400, 300));
    let mut websocket = WebSocket::open(running.address);
    websocket.send("4flood");
    assert_eq!(ends(&told, 1)[0].0, CloseReason::PingTimeout);
    let (server, client) = super::ends(&websocket.http);
    until("its end", || descriptors(server, client).is_empty());
    let mut bytes = vec![0; 1 << 20];
    loop {
        match websocket.http.stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                break;
            }
        }
    }
    assert_clients(&running, 0);
}

/// What is told of sends and what is told of messages meet in one wake.
#[test]
fn events_of_sends_and_messages_at_once() {
    const MESSAGES: usize = 2_000;
    let drains = Arc::new(AtomicUsize::new(0));
    let count = drains.clone();
    let running = start(1, move || {
        Server::builder()
            .config(patient())
            .on_drain(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
            .on_message(|socket, data| {
                let _ = socket.try_send(data);
            })
            .start()
    });
    let mut websocket = WebSocket::open(running.address);
    let socket = running.server.clients().pop().expect("the session");
    let sender = std::thread::spawn(move || {
        for _ in 0..MESSAGES {
            socket.try_send("sent").expect("there is room");
            std::thread::yield_now();
        }
    });
    for _ in 0..MESSAGES {
        websocket.send("4echoed");
    }
    for _ in 0..2 * MESSAGES {
        assert!(matches!(&*websocket.text(), "4sent" | "4echoed"));
    }
    sender.join().expect("no panic");
    assert!(drains.load(Ordering::Relaxed) > 0);
}
