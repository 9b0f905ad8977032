//! `listen` whose threads accept connections by themselves.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use engineio::{Listener, Server};

use crate::common::{Frame, Http, Polling, Response, WebSocket, echo, ms, open_packet, port, upgrade};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

pub(crate) fn run(listener: Listener) -> SocketAddr {
    let addr = listener.addresses().unwrap()[0];
    actix_rt::spawn(async move { listener.run().await.expect("it serves") });
    addr
}

fn serve(server: &Server, workers: usize) -> SocketAddr {
    let listener = engineio::listen(server, ("127.0.0.1", 0)).unwrap();
    run(listener.own_listeners(true).workers(workers))
}

/// Begins to close all sessions.
pub(crate) fn close(server: &Server) {
    let server = server.clone();
    actix_rt::spawn(async move { server.close(ms(5000)).await });
}

/// A server that echoes, and the threads on which it does.
fn on_threads() -> (Server, Arc<Mutex<HashSet<ThreadId>>>) {
    let threads = Arc::<Mutex<HashSet<ThreadId>>>::default();
    let seen = threads.clone();
    let server = Server::builder()
        .on_message(move |socket, data| {
            seen.lock().unwrap().insert(thread::current().id());
            let _ = socket.try_send(data);
        })
        .start();
    (server, threads)
}

#[test]
fn run_can_be_called_outside_a_runtime() {
    let system = actix_rt::System::new();
    let (server, _) = system.block_on(async { on_threads() });
    let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap();
    let addr = listener.addresses().unwrap()[0];
    let serving = listener.own_listeners(true).workers(1).run();
    system.block_on(async {
        actix_rt::spawn(async move { serving.await.expect("it serves") });
        Polling::open(addr).await;
    });
}

#[actix_web::test]
async fn sessions_live_on_all_threads_and_their_requests_come_by_any() {
    let (server, threads) = on_threads();
    let addr = serve(&server, 2);
    let mut sessions = Vec::new();
    for number in 0..24 {
        let mut client = Polling::open(addr).await;
        // New connections, which the system gives to either thread.
        for round in 0..4 {
            let (mut post, mut poll) = (Http::connect(addr).await, Http::connect(addr).await);
            let packet = format!("4{number}-{round}");
            assert_eq!(post.post(client.target(), packet.as_bytes()).await.text(), "ok");
            assert_eq!(poll.get(client.target()).await.text(), packet);
        }
        let ws = client.websocket().await;
        let (mut ws, _) = upgrade(&mut client, ws).await;
        let mut direct = WebSocket::connect(addr, WS, &[]).await.unwrap();
        open_packet(&direct.next_text().await);
        for ws in [&mut ws, &mut direct] {
            ws.text("4hi").await;
            assert_eq!(ws.next_text().await, "4hi");
        }
        sessions.push((ws, direct));
    }
    assert_eq!(server.clients_count(), 48);
    assert_eq!(threads.lock().unwrap().len(), 2);
    server.broadcast("all");
    for (ws, direct) in &mut sessions {
        assert_eq!(ws.next_text().await, "4all");
        assert_eq!(direct.next_text().await, "4all");
    }
    close(&server);
    for (ws, direct) in &mut sessions {
        assert!(matches!(ws.next().await, Frame::Close(1001, _)));
        assert!(matches!(direct.next().await, Frame::Close(1001, _)));
        assert_eq!((ws.next().await, direct.next().await), (Frame::End, Frame::End));
    }
}

#[actix_web::test]
async fn websockets_that_own_their_connections_count() {
    let server = echo(|_| ()).start();
    let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap();
    let addr = run(listener.own_listeners(true).workers(1).max_connections(2));
    let mut first = WebSocket::connect(addr, WS, &[]).await.unwrap();
    let mut second = WebSocket::connect(addr, WS, &[]).await.unwrap();
    let mut third = Http::connect(addr).await;
    third.send("GET", POLLING, &[], None).await;
    for ws in [&mut first, &mut second] {
        open_packet(&ws.next_text().await);
        for _ in 0..50 {
            ws.text("4hi").await;
            assert_eq!(ws.next_text().await, "4hi");
        }
    }
    assert_eq!(server.clients_count(), 2, "nobody else got in");
    second.close(1000).await;
    assert_eq!(third.response().await.status, 200);
    first.text("4still here").await;
    assert_eq!(first.next_text().await, "4still here");
}

#[actix_web::test]
async fn other_requests_are_answered_with_501() {
    let server = echo(|_| ()).start();
    let addr = serve(&server, 1);
    assert_eq!(Http::connect(addr).await.get("/").await.status, 501);
    assert_eq!(Http::connect(addr).await.get(POLLING).await.status, 200);
    let elsewhere = WebSocket::connect(addr, "/elsewhere", &[]).await;
    assert_eq!(elsewhere.err().expect("a refusal").status, 501);
}

#[actix_web::test]
async fn a_port_that_is_taken_is_an_error() {
    let (_taken, addr) = port();
    assert!(engineio::listen(&echo(|_| ()).start(), addr).is_err());
}

/// All clients of a server that begins again come at once.
#[actix_web::test]
async fn many_may_wait_to_be_accepted() {
    let listener = engineio::listen(&echo(|_| ()).start(), ("127.0.0.1", 0)).unwrap();
    let addr = listener.addresses().unwrap()[0];
    // Who finds no room is not refused, but has to ask again after a second, after two more, and so on.
    let connect = |_| std::net::TcpStream::connect_timeout(&addr, ms(10_000)).unwrap();
    let waiting: Vec<_> = (0..200).map(connect).collect();
    run(listener.own_listeners(true).workers(1));
    Polling::open(addr).await;
    drop(waiting);
}

/// `Connection: upgrade` alone, as proxies send polls by a line that is widely copied.
#[actix_web::test]
async fn an_upgrade_to_nothing_leaves_the_connection_as_it_is() {
    const VAIN: (&str, &str) = ("connection", "upgrade");
    let is_kept = |response: &Response| response.header("connection").is_none();
    // The long way, and the short one.
    for is_hooked in [true, false] {
        let server = echo(|_| {}).start();
        let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap();
        let listener = match is_hooked {
            true => listener.scope(|scope| scope.headers(|_, _| {})),
            false => listener,
        };
        let addr = run(listener.own_listeners(true).workers(1));
        let mut http = Http::connect(addr).await;
        let opened = http.get_with(POLLING, &[VAIN]).await;
        let sid = open_packet(opened.text())["sid"].as_str().unwrap().to_owned();
        let target = format!("{POLLING}&sid={sid}");
        assert!(is_kept(&opened), "{opened:?}");
        for round in 0..3 {
            let packet = format!("4{round}");
            http.send("POST", &target, &[VAIN], Some(packet.as_bytes())).await;
            let posted = http.response().await;
            let polled = http.get_with(&target, &[VAIN]).await;
            assert_eq!((posted.text(), polled.text()), ("ok", &*packet));
            assert!(is_kept(&posted) && is_kept(&polled), "{posted:?} {polled:?}");
        }
        for (target, status) in [("/engine.io/?EIO=4&transport=tcp", 400), ("/elsewhere", 501)] {
            let refused = http.get_with(target, &[VAIN]).await;
            assert_eq!(refused.status, status, "{refused:?}");
            assert!(is_kept(&refused), "{refused:?}");
        }
        // Whoever refuses a WebSocket cannot tell where the next request begins.
        let headers = [VAIN, ("upgrade", "websocket")];
        let refused = http.get_with(WS, &headers).await;
        assert_eq!(
            (refused.status, refused.header("connection")),
            (400, Some("close"))
        );
        http.closed().await;
    }
}
