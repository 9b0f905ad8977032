//! Ten thousand WebSockets come and go, in every way that there is: no descriptor of them stays, and no memory. A test
//! binary of its own, since it counts what its process has.

#![cfg(all(feature = "server", target_os = "linux"))]

#[path = "life/mod.rs"]
mod support;

use std::net::Shutdown;
use std::sync::mpsc::Receiver;

use support::{
    Polling, Running, Told, WebSocket, assert_clients, config, descriptors, ends, patient, rss, until,
    witnessed,
};

const ROUNDS: usize = 10;
const BATCH: usize = 125;

#[derive(Debug, Clone, Copy)]
enum Way {
    /// The client closes, and the server answers.
    Client,
    /// The server closes, and the client answers.
    Server,
    /// The client closes its half, and leaves the other open.
    HalfClosed,
    /// There are bytes that nobody has read.
    Reset,
}

fn open(running: &Running, upgraded: bool) -> WebSocket {
    let mut websocket = match upgraded {
        false => WebSocket::open(running.address),
        true => WebSocket::upgrade(&mut Polling::open(running.address)),
    };
    websocket.echo("hi");
    websocket
}

/// Opens a batch, ends it, and waits for the ends of all.
fn batch(running: &Running, told: &Receiver<Told>, way: Way, upgraded: bool) {
    let mut sockets: Vec<_> = (0..BATCH).map(|_| open(running, upgraded)).collect();
    for websocket in &mut sockets {
        match way {
            Way::Client => {
                websocket.send_frame(8, &1000u16.to_be_bytes());
                assert_eq!(websocket.close_code(), Some(1000));
                assert_eq!(websocket.frame(), None);
            }
            Way::Server => {
                websocket.send("4close");
                assert_eq!(websocket.close_code(), Some(1000));
                websocket.send_frame(8, &1000u16.to_be_bytes());
                assert_eq!(websocket.frame(), None);
            }
            Way::HalfClosed => websocket.http.stream.shutdown(Shutdown::Write).expect("shutdown"),
            Way::Reset => {
                websocket.send("4unread");
                websocket.http.stream.peek(&mut [0]).expect("an echo");
            }
        }
    }
    if let Way::Reset = way {
        sockets.clear();
    }
    ends(told, BATCH);
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("the descriptors")
        .count()
}

#[test]
fn ten_thousand_connections_leave_nothing() {
    let (running, told) = witnessed(2, patient());
    let round = || {
        for upgraded in [false, true] {
            for way in [Way::Client, Way::Server, Way::HalfClosed, Way::Reset] {
                batch(&running, &told, way, upgraded);
            }
        }
        assert_clients(&running, 0);
    };
    // Threads begin late, with descriptors of their own.
    round();
    let (before, resident) = (open_descriptors(), rss());
    for _ in 0..ROUNDS {
        round();
    }
    until("all descriptors are closed", || open_descriptors() <= before);
    let grown = rss().saturating_sub(resident);
    println!("{before} descriptors before, {} after", open_descriptors());
    println!("{resident} KiB resident before, {grown} KiB more after");
    assert!(grown < 8_000, "{grown} KiB more");

    // The client's end stays open; the server's does not.
    let (running, told) = witnessed(2, config(500, 500, 10_000));
    let sockets: Vec<_> = (0..BATCH).map(|index| open(&running, index % 2 == 0)).collect();
    ends(&told, BATCH);
    for websocket in &sockets {
        let client = websocket.http.stream.local_addr().expect("an address");
        until("its end", || descriptors(running.address, client).is_empty());
    }
}
