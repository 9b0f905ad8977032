//! Sessions that are abandoned, in each state that a session can be abandoned in: each is gone after its
//! deadline, its actor with it, and the registry is empty.

#[path = "life/mod.rs"]
mod support;

use std::net::Shutdown;
use std::time::{Duration, Instant};

use engineio::{CloseReason, Server};
use support::*;

/// Everything ended for this reason.
fn assert_all(ends: &[(CloseReason, String)], reason: CloseReason) {
    for end in ends {
        assert_eq!(end.0, reason, "{end:?}");
    }
}

#[test]
fn two_thousand_handshakes_that_never_poll() {
    const SESSIONS: usize = 2000;
    let (running, told) = witnessed(2, config(300, 200, 300));
    let round = || {
        let mut http = Http::connect(running.address);
        for _ in 0..SESSIONS {
            http = Polling::open_on(http, running.address).gets;
        }
        assert_all(&ends(&told, SESSIONS), CloseReason::PingTimeout);
        assert_clients(&running, 0);
    };
    let before = rss();
    for _ in 0..3 {
        round();
        println!(
            "RSS: {before} KiB before, {} KiB after {SESSIONS} abandoned handshakes",
            rss()
        );
    }
}

#[test]
fn polls_whose_connection_is_cut() {
    let (running, told) = witnessed(2, patient());
    let mut sessions: Vec<Polling> = (0..100).map(|_| Polling::open(running.address)).collect();
    for (index, session) in sessions.iter_mut().enumerate() {
        // A poll that is surely parked: an echo is answered by the first, then the second waits.
        session.echo("here");
        session.send_poll();
        // Half of them say good-bye to TCP, half are reset.
        if index % 2 == 0 {
            session.gets.stream.shutdown(Shutdown::Both).expect("shutdown");
        }
    }
    drop(sessions);
    let ends = ends(&told, 100);
    assert_all(&ends, CloseReason::TransportError);
    assert!(
        ends.iter()
            .all(|end| end.1 == "poll connection closed prematurely"),
        "{ends:?}"
    );
    assert_clients(&running, 0);
}

#[test]
fn parked_polls_of_silent_clients() {
    let (running, told) = witnessed(2, config(200, 200, 300));
    let mut sessions: Vec<Polling> = (0..50).map(|_| Polling::open(running.address)).collect();
    sessions.iter_mut().for_each(Polling::send_poll);
    for session in &mut sessions {
        assert_eq!(session.gets.response().text(), "2");
    }
    // Nobody answers the pings; those who poll again are told of the end.
    for session in sessions.iter_mut().take(25) {
        session.send_poll();
    }
    assert_all(&ends(&told, 50), CloseReason::PingTimeout);
    for session in sessions.iter_mut().take(25) {
        assert!(
            matches!(session.gets.response(), response if response.text() == "1" || response.status == 400)
        );
    }
    assert_clients(&running, 0);
}

#[test]
fn upgrades_that_are_never_finished() {
    let (running, told) = witnessed(2, config(2_000, 1_000, 300));
    let mut sessions: Vec<Polling> = (0..60).map(|_| Polling::open(running.address)).collect();
    let mut sockets: Vec<WebSocket> = sessions.iter().map(WebSocket::attempt).collect();
    for (index, websocket) in sockets.iter_mut().enumerate() {
        match index % 3 {
            // Opened, and nothing more.
            0 => {}
            // Stuck behind the probe.
            1 => {
                websocket.send("2probe");
                assert_eq!(websocket.text(), "3probe");
            }
            // Gone behind the probe.
            _ => {
                websocket.send("2probe");
                assert_eq!(websocket.text(), "3probe");
                websocket.http.stream.shutdown(Shutdown::Both).expect("shutdown");
            }
        }
    }
    // At the timeout the WebSocket ends, and polling goes on.
    for (index, websocket) in sockets.iter_mut().enumerate() {
        if index % 3 != 2 {
            assert!(websocket.close_code().is_some());
        }
    }
    sessions[0].echo("still here");
    sessions[1].echo("still here");
    drop(sockets);
    assert_all(&ends(&told, 60), CloseReason::PingTimeout);
    assert_clients(&running, 0);
}

#[test]
fn upgrades_that_are_refused() {
    let mut config = config(1_500, 500, 600_000);
    config.allow_upgrades = false;
    let (running, told) = witnessed(2, config);
    let sessions: Vec<Polling> = (0..20).map(|_| Polling::open(running.address)).collect();
    let mut refused = 0;
    for session in &sessions {
        let query = format!("EIO=4&transport=websocket&sid={}", session.sid);
        let (mut websocket, response) = WebSocket::request(running.address, &query);
        refused += usize::from(response.status == 400 || websocket.close_code().is_some());
    }
    assert_eq!(refused, 20);
    assert_all(&ends(&told, 20), CloseReason::PingTimeout);
    assert_clients(&running, 0);
}

#[test]
fn posts_that_never_complete() {
    // No ping comes before the POST is overdue.
    let (running, told) = witnessed(2, config(60_000, 500, 300));
    let mut posts = Vec::new();
    for index in 0..20 {
        let session = Polling::open(running.address);
        let mut post = Http::connect(running.address);
        let body = if index % 2 == 0 { "" } else { "4half" };
        post.send(format!(
            "POST /engine.io/?{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{body}",
            session.query()
        ));
        posts.push(post);
    }
    for post in &mut posts {
        assert_eq!(post.response().status, 408);
    }
    let ends = ends(&told, 20);
    assert_all(&ends, CloseReason::TransportError);
    assert!(ends.iter().all(|end| end.1 == "data request timeout"), "{ends:?}");
    assert_clients(&running, 0);
}

#[test]
fn websockets_that_vanish() {
    let (running, told) = witnessed(2, patient());
    let mut sockets: Vec<WebSocket> = (0..50).map(|_| WebSocket::open(running.address)).collect();
    for _ in 0..50 {
        let mut session = Polling::open(running.address);
        let mut websocket = WebSocket::upgrade(&mut session);
        websocket.echo("swapped");
        sockets.push(websocket);
    }
    for (index, websocket) in sockets.iter_mut().enumerate() {
        if index % 2 == 0 {
            // Unread input makes the kernel say good-bye by a reset.
            websocket.send("4unread");
        }
    }
    drop(sockets);
    assert_all(&ends(&told, 100), CloseReason::TransportClose);
    assert_clients(&running, 0);
}

#[test]
fn websockets_that_fall_silent() {
    let (running, told) = witnessed(2, config(200, 200, 300));
    let mut sockets: Vec<WebSocket> = (0..50).map(|_| WebSocket::open(running.address)).collect();
    assert_all(&ends(&told, 50), CloseReason::PingTimeout);
    for websocket in &mut sockets {
        assert_eq!(websocket.text(), "2");
        assert_eq!(websocket.close_code(), Some(1000));
    }
    assert_clients(&running, 0);
}

/// A connection that is the socket's own ends with its session. The dispatcher, if it still has it, keeps it: it does
/// not poll a body while its write buffer is full.
#[test]
fn websockets_that_stop_reading() {
    let (running, told) = witnessed(2, config(500, 500, 300));
    let before = rss();
    let mut sockets: Vec<WebSocket> = (0..5).map(|_| WebSocket::open(running.address)).collect();
    for websocket in &mut sockets {
        websocket.send("4flood");
    }
    let ends = ends(&told, 5);
    assert_all(&ends, CloseReason::PingTimeout);
    println!(
        "RSS: {before} KiB before, {} KiB with 5 peers that do not read",
        rss()
    );
    assert_clients(&running, 0);
    #[cfg(target_os = "linux")]
    for websocket in &sockets {
        let stream = &websocket.http.stream;
        let (server, client) = (running.address, stream.local_addr().expect("an address"));
        match hands_over() {
            true => until("its end", || descriptors(server, client).is_empty()),
            false => assert_eq!(descriptors(server, client).len(), 1),
        }
    }
    // Whoever reads on after all comes to an end.
    for websocket in &mut sockets {
        while websocket.frame().is_some_and(|frame| frame.0 != 8) {}
    }
}

#[test]
fn closing_sessions_that_never_fetch_their_last_packets() {
    let (running, told) = witnessed(2, config(400, 400, 300));
    let mut sessions: Vec<Polling> = (0..20).map(|_| Polling::open(running.address)).collect();
    for session in &mut sessions {
        assert_eq!(session.post("4close").status, 200);
    }
    ends(&told, 20);
    assert_clients(&running, 0);
}

/// The session is gone at once, its connection when the peer has had its time (5 s) for a close frame.
#[test]
fn websockets_that_do_not_answer_the_close_frame() {
    let (running, told) = witnessed(2, patient());
    let mut sockets: Vec<WebSocket> = (0..20).map(|_| WebSocket::open(running.address)).collect();
    let start = Instant::now();
    for websocket in &mut sockets {
        websocket.send("4close");
        assert_eq!(websocket.close_code(), Some(1000));
    }
    assert_all(&ends(&told, 20), CloseReason::ForcedClose);
    assert_clients(&running, 0);
    for websocket in &mut sockets {
        assert_eq!(websocket.frame(), None);
    }
    assert!(
        start.elapsed() > Duration::from_secs(4),
        "they had no time to answer"
    );
}

/// There is nobody who could close its WebSocket later.
#[test]
fn a_websocket_session_that_is_discarded_by_its_factory() {
    let running = start(1, || {
        Server::builder()
            .config(patient())
            .on_connection(|socket, _| {
                if socket.transport() == engineio::Transport::WebSocket {
                    socket.discard();
                }
            })
            .start()
    });
    let mut websocket = WebSocket::connect(running.address, "EIO=4&transport=websocket");
    assert_eq!(websocket.close_code(), Some(1000));
    assert_clients(&running, 0);
}
