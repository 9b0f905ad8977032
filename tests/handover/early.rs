//! What a client sends behind its request before it has seen the 101: none of it is lost, doubled or out of order.

use std::io::Write as _;
use std::net::Shutdown;
use std::time::Duration;

use crate::support::{
    Http, Polling, Running, WebSocket, assert_clients, ends, frame, patient, run, start_with, witnessed,
};
use crate::{Accepted, DIRECT, echo, opened, request};
use actix_web::{App, HttpServer};

fn start(accepted: &Accepted) -> Running {
    let on_connect = accepted.on_connect();
    run(move |listener| {
        let server = echo(patient());
        let engine = server.clone();
        let http = HttpServer::new(move || App::new().service(engineio::scope(&engine)))
            .on_connect(on_connect)
            .h1_allow_half_closed(false)
            .disable_signals()
            .workers(1);
        (server, http.listen(listener).expect("listen").run())
    })
}

/// Numbered messages of this length, as frames.
fn frames(count: usize, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 0..count {
        bytes.extend(frame(1, message(index, length).as_bytes()));
    }
    bytes
}

fn message(index: usize, length: usize) -> String {
    let number = index.to_string();
    format!("4{}{number}", "0".repeat(length.saturating_sub(number.len())))
}

fn assert_echoed(websocket: &mut WebSocket, count: usize, length: usize) {
    for index in 0..count {
        assert_eq!(websocket.text(), message(index, length));
    }
    websocket.echo("and no more");
}

#[test]
fn glued_to_the_request() {
    let accepted = Accepted::default();
    let running = start(&accepted);
    // A little; more than a payload of actix takes (32 KiB); more than it reads in one go (128 KiB).
    for (count, length) in [(1, 1), (20, 10), (2_000, 30), (30, 10_000), (3, 200_000)] {
        let mut http = Http::connect(running.address);
        let early = frames(count, length);
        http.send([request(DIRECT).into_bytes(), early].concat());
        let (mut websocket, _) = opened(http);
        assert_echoed(&mut websocket, count, length);
        accepted.assert_handed_over(&websocket.http);
    }
}

/// Wherever the bytes are cut, and whatever the server is doing when the rest comes.
#[test]
fn in_pieces() {
    let accepted = Accepted::default();
    let running = start(&accepted);
    let head = request(DIRECT);
    let bytes = [head.clone().into_bytes(), frames(400, 500)].concat();
    let around_the_end_of_the_head = (-3..40).map(|offset| head.len().saturating_add_signed(offset));
    for cut in around_the_end_of_the_head {
        let mut http = Http::connect(running.address);
        let (first, rest) = bytes.split_at(cut);
        http.send(first);
        for piece in rest.chunks(7_000) {
            http.send(piece);
            std::thread::yield_now();
        }
        let (mut websocket, _) = opened(http);
        assert_echoed(&mut websocket, 400, 500);
    }
}

/// Byte by byte from the head's last ones on.
#[test]
fn trickled() {
    let accepted = Accepted::default();
    let running = start(&accepted);
    let head = request(DIRECT).into_bytes();
    let (first, last) = head.split_at(head.len() - 2);
    let mut http = Http::connect(running.address);
    http.send(first);
    for byte in [last, &frames(40, 3)].concat() {
        http.send([byte]);
        std::thread::sleep(Duration::from_micros(200));
    }
    let (mut websocket, _) = opened(http);
    assert_echoed(&mut websocket, 40, 3);
    accepted.assert_handed_over(&websocket.http);
}

/// The application makes up its mind slowly: meanwhile actix stops reading at some point, and goes on later.
#[test]
fn while_the_handshake_is_pending() {
    let running = start_with(
        1,
        || echo(patient()),
        |scope| {
            scope.allow_request(|_| async {
                actix_web::rt::time::sleep(Duration::from_millis(50)).await;
                Ok(engineio::Accept::new())
            })
        },
    );
    for (count, length) in [(3, 5), (100, 5_000)] {
        let mut http = Http::connect(running.address);
        http.send(request(DIRECT));
        let mut stream = http.stream.try_clone().expect("a second handle");
        let writer = std::thread::spawn(move || stream.write_all(&frames(count, length)));
        let (mut websocket, _) = opened(http);
        assert_echoed(&mut websocket, count, length);
        writer.join().expect("no panic").expect("all was taken");
    }
}

#[test]
fn glued_to_an_upgrade() {
    let accepted = Accepted::default();
    let running = start(&accepted);
    for (count, length) in [(0, 0), (20, 10), (30, 10_000)] {
        let polling = Polling::open(running.address);
        let mut http = Http::connect(running.address);
        let head = request(&format!("{DIRECT}&sid={}", polling.sid));
        let probe = [frame(1, b"2probe"), frame(1, b"5")].concat();
        http.send([head.into_bytes(), probe, frames(count, length)].concat());
        let response = http.response();
        assert_eq!(response.status, 101);
        let mut websocket = WebSocket { http };
        assert_eq!(websocket.text(), "3probe");
        assert_echoed(&mut websocket, count, length);
        accepted.assert_handed_over(&websocket.http);
    }
}

/// Gone, one way or another, before or while the connection is handed over: the session is, too.
#[test]
fn clients_that_leave_at_any_moment() {
    const SESSIONS: usize = 200;
    let (running, told) = witnessed(1, patient());
    for index in 0..SESSIONS {
        let mut http = Http::connect(running.address);
        http.send(request(DIRECT));
        match index % 4 {
            0 => http.stream.shutdown(Shutdown::Write).expect("shutdown"),
            1 => http.stream.shutdown(Shutdown::Both).expect("shutdown"),
            // Unread bytes make the kernel reset the connection.
            2 => drop(http.response()),
            _ => std::thread::sleep(Duration::from_micros(index as u64 * 10)),
        }
    }
    // Some were gone before they had a session.
    let mut last = WebSocket::open(running.address);
    last.send("1");
    assert_eq!(last.close_code(), Some(1000));
    ends(&told, SESSIONS / 4 + 1);
    assert_clients(&running, 0);
}
