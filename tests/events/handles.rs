//! `Socket` and `Server`: what they say of a session, from its factory to its end.

use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler};
use engineio::{Event, PROTOCOL, ReadyState, Revision, Server, Sid, Socket, Transport};

use crate::common::{Frame, Polling, WebSocket, echo, serve, until, upgrade};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";
const WS3: &str = "/engine.io/?EIO=3&transport=websocket";

fn state(socket: &Socket) -> (ReadyState, Transport, bool) {
    (socket.ready_state(), socket.transport(), socket.upgraded())
}

#[actix_web::test]
async fn a_socket_from_its_factory_to_its_end() {
    let first = Arc::new(Mutex::new(None));
    let sink = first.clone();
    let server = echo(|_| ())
        .on_connection(move |socket, handshake| {
            assert_eq!(state(socket), (ReadyState::Opening, Transport::Polling, false));
            assert_eq!((handshake.method(), handshake.path()), ("GET", "/engine.io/"));
            assert_eq!(
                (handshake.revision(), handshake.transport()),
                (Revision::V4, Transport::Polling)
            );
            assert!(handshake.query_string().contains("room=7"));
            assert_eq!(
                socket.remote_address(),
                handshake.peer_addr().map(|peer| peer.ip())
            );
            *sink.lock().unwrap() = Some(socket.clone());
        })
        .start();
    let host = serve(&server);
    let mut client = Polling::open_at(host.addr, "/engine.io/?room=7", &[]).await;
    let socket = server.client(&client.sid()).unwrap();
    assert_eq!(first.lock().unwrap().as_ref(), Some(&socket));

    assert_eq!(state(&socket), (ReadyState::Open, Transport::Polling, false));
    assert_eq!(socket.id(), client.sid());
    assert_eq!(socket.protocol(), Revision::V4);
    assert_eq!(socket.protocol().number(), PROTOCOL);
    assert_eq!(socket.request().query("room").as_deref(), Some("7"));
    assert_eq!(socket.request().transport(), Transport::Polling);
    assert!(socket.remote_address().unwrap().is_loopback());
    assert_eq!(socket.server().clients(), std::slice::from_ref(&socket));
    assert_eq!(socket.buffered_bytes(), 0);

    let mut ws = client.websocket().await;
    ws.text("2probe").await;
    assert_eq!(ws.next_text().await, "3probe");
    assert_eq!(
        state(&socket),
        (ReadyState::Open, Transport::Polling, false),
        "not yet"
    );
    drop(ws);
    let ws = loop {
        // The server hears of the lost attempt in its own time; a second one during the first is refused.
        let mut ws = client.websocket().await;
        ws.text("2probe").await;
        if let Frame::Text(pong) = ws.next().await {
            assert_eq!(pong, "3probe");
            break ws;
        }
    };
    let mut ws = ws;
    ws.text("5").await;
    ws.text("4hi").await;
    assert_eq!(ws.next_text().await, "4hi");
    assert_eq!(state(&socket), (ReadyState::Open, Transport::WebSocket, true));
    assert_eq!(
        socket.request().transport(),
        Transport::Polling,
        "the handshake stays what it was"
    );

    ws.close(1000).await;
    until(|| socket.ready_state() == ReadyState::Closed).await;
    assert_eq!(
        state(&socket),
        (ReadyState::Closed, Transport::WebSocket, true),
        "the last one"
    );
    client.send_poll().await;
    assert_eq!(client.answer().await.code(), (400, 1));
}

/// As in engine.io, where `upgraded` and `readyState` are set before their events are emitted.
#[actix_web::test]
async fn handlers_see_the_state_that_they_are_told() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = |what: &'static str| {
        let seen = seen.clone();
        move |socket: &Socket| seen.lock().unwrap().push((what, state(socket)))
    };
    let (message, upgrading, upgrade_sink) = (sink("message"), sink("upgrading"), sink("upgrade"));
    let (error, close) = (sink("error"), sink("close"));
    let server = Server::builder()
        .on_message(move |socket, _| message(socket))
        .on_upgrading(move |socket, _| upgrading(socket))
        .on_upgrade(move |socket, _| upgrade_sink(socket))
        .on_error(move |socket, _| error(socket))
        .on_close(move |socket, _| {
            assert_eq!(socket.try_send("late"), Err(engineio::SendError::Closed));
            close(socket);
        })
        .start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    client.push(&["4hi"]).await;
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4hi").await;
    ws.text("9").await;
    assert!(matches!(ws.next().await, Frame::Close(1002, _)));
    until(|| server.clients_count() == 0).await;
    let (polling, websocket) = (Transport::Polling, Transport::WebSocket);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            ("message", (ReadyState::Open, polling, false)),
            ("upgrading", (ReadyState::Open, polling, false)),
            ("upgrade", (ReadyState::Open, websocket, true)),
            ("message", (ReadyState::Open, websocket, true)),
            ("error", (ReadyState::Closed, websocket, true)),
            ("close", (ReadyState::Closed, websocket, true)),
        ]
    );
}

#[actix_web::test]
async fn a_closing_socket() {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    let socket = server.client(&client.sid()).unwrap();
    socket.close();
    until(|| socket.ready_state() == ReadyState::Closing).await;
    assert_eq!(client.poll().await, ["1"]);
    until(|| socket.ready_state() == ReadyState::Closed).await;
}

#[actix_web::test]
async fn a_websocket_from_the_start_was_not_upgraded() {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    for (target, revision) in [(WS, Revision::V4), (WS3, Revision::V3)] {
        let mut ws = WebSocket::connect(host.addr, target, &[]).await.unwrap();
        ws.next_text().await;
        let socket = server.clients().remove(0);
        assert_eq!(state(&socket), (ReadyState::Open, Transport::WebSocket, false));
        assert_eq!(socket.protocol(), revision);
        ws.close(1000).await;
        until(|| server.clients_count() == 0).await;
    }
}

#[actix_web::test]
async fn a_server_knows_its_clients() {
    let server = echo(|_| ()).start();
    let other = echo(|_| ()).start();
    let host = serve(&server);
    assert_eq!((server.clients_count(), server.clients().len()), (0, 0));
    let mut polling = Polling::open(host.addr).await;
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    ws.next_text().await;
    assert_eq!((server.clients_count(), other.clients_count()), (2, 0));
    let socket = server.client(&polling.sid()).unwrap();
    assert!(server.clients().contains(&socket));
    assert_eq!(other.client(&polling.sid()), None);
    assert_eq!(server.client(&Sid::parse("nobody").unwrap()), None);
    polling.push(&["1"]).await;
    until(|| server.clients_count() == 1).await;
    assert_eq!(server.client(&polling.sid()), None);
    ws.close(1000).await;
    until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn broadcast_reaches_everybody_once() {
    let server: Server = echo(|_| ()).start();
    let host = serve(&server);
    let mut polling = Polling::open(host.addr).await;
    let mut upgraded = Polling::open(host.addr).await;
    let ws = upgraded.websocket().await;
    let (mut upgraded, _) = upgrade(&mut upgraded, ws).await;
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    ws.next_text().await;
    for index in 0..10 {
        server.broadcast(format!("all {index}"));
    }
    let expected: Vec<_> = (0..10).map(|index| format!("4all {index}")).collect();
    assert_eq!(polling.poll_for(10).await, expected);
    for packet in expected {
        assert_eq!(upgraded.next_text().await, packet);
        assert_eq!(ws.next_text().await, packet);
    }
    server.broadcast(vec![1, 2]);
    assert_eq!(polling.poll().await, ["bAQI="]);
    assert_eq!(ws.next().await, Frame::Binary(vec![1, 2]));
}

/// Answers with its own mark.
struct Marking(&'static str);

impl Actor for Marking {
    type Context = Context<Self>;
}

impl Handler<Event> for Marking {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        if let Event::Message { socket, .. } = event {
            socket.try_send(self.0).unwrap();
        }
    }
}

#[actix_web::test]
async fn an_actor_that_lives_already_is_chosen_for_each_session() {
    let (left, right) = (Marking("left").start(), Marking("right").start());
    let server = Server::builder()
        .recipient(move |_, handshake| match handshake.query("side").as_deref() {
            Some("left") => left.clone().recipient(),
            _ => right.clone().recipient(),
        })
        .start();
    let host = serve(&server);
    for side in ["left", "right", "left"] {
        let mut client = Polling::open_at(host.addr, &format!("/engine.io/?side={side}"), &[]).await;
        client.push(&["4which"]).await;
        assert_eq!(client.poll().await, [format!("4{side}")]);
    }
}
