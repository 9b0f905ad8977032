//! `close(reason, description)`: each way in which a session ends, for the application and for the client.

use engineio::{Config, Events, Server, Socket};

use crate::common::{Frame, Host, Http, Kind, Polling, Record, WebSocket, config, ms, serve, until, upgrade};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

fn start_with(change: impl FnOnce(&mut Config)) -> (Server, Host, Record) {
    let record = Record::answering(|_, data| assert_ne!(data.as_text(), Some("panic"), "on purpose"));
    let builder = Server::builder().config(config(change));
    let server = record
        .attach(
            Kind::Behavior,
            Events::CLOSE | Events::ERROR | Events::MESSAGE,
            builder,
        )
        .start();
    let host = serve(&server);
    (server, host, record)
}

async fn polling() -> (Server, Host, Record, Polling, Socket) {
    let (server, host, record) = start_with(|_| ());
    let client = Polling::open(host.addr).await;
    let socket = server.client(&client.sid()).unwrap();
    record.expect(&["connection"]).await;
    (server, host, record, client, socket)
}

async fn websocket() -> (Server, Host, Record, WebSocket, Socket) {
    let (server, host, record) = start_with(|_| ());
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    ws.next_text().await;
    let socket = server.clients().remove(0);
    record.expect(&["connection"]).await;
    (server, host, record, ws, socket)
}

/// The session has ended, with these lines and no more, and is forgotten.
async fn ended(server: &Server, record: &Record, lines: &[&str]) {
    record.expect(lines).await;
    until(|| server.clients_count() == 0).await;
    record.is_empty().await;
}

#[actix_web::test]
async fn forced_close() {
    let (server, _host, record, mut client, socket) = polling().await;
    socket.try_send("last").unwrap();
    socket.close();
    // What was sent before arrives first; the session waits for the poll that takes it.
    assert_eq!(client.poll().await, ["4last", "1"]);
    ended(&server, &record, &["close forced close"]).await;

    let (server, _host, record, mut ws, socket) = websocket().await;
    socket.try_send("last").unwrap();
    socket.close();
    assert_eq!(ws.next_text().await, "4last");
    assert_eq!(ws.next().await, Frame::Close(1000, "forced close".to_owned()));
    ended(&server, &record, &["close forced close"]).await;
}

#[actix_web::test]
async fn forced_close_of_a_parked_poll() {
    let (server, _host, record, mut client, socket) = polling().await;
    client.send_poll().await;
    socket.close();
    assert_eq!(client.packets().await, ["1"]);
    ended(&server, &record, &["close forced close"]).await;
}

#[actix_web::test]
async fn discard_drops_what_has_not_left() {
    let (server, _host, record, mut client, socket) = polling().await;
    socket.try_send("dropped").unwrap();
    socket.discard();
    ended(&server, &record, &["close forced close"]).await;
    client.send_poll().await;
    assert_eq!(client.answer().await.code(), (400, 1));
}

#[actix_web::test]
async fn transport_close() {
    let (server, _host, record, mut client, _) = polling().await;
    client.send_poll().await;
    client.push(&["1"]).await;
    // Which of the two came first is the network's business.
    let answer = client.answer().await;
    match answer.status {
        200 => assert_eq!(answer.text(), "6"),
        _ => assert_eq!(answer.code(), (400, 1)),
    }
    ended(&server, &record, &["close transport close"]).await;

    let (server, _host, record, mut ws, _) = websocket().await;
    ws.text("1").await;
    assert_eq!(ws.next().await, Frame::Close(1000, "transport close".to_owned()));
    ended(&server, &record, &["close transport close"]).await;

    let (server, _host, record, mut ws, _) = websocket().await;
    ws.close(1000).await;
    assert!(matches!(ws.next().await, Frame::Close(1000, _)));
    assert_eq!(ws.next().await, Frame::End);
    ended(&server, &record, &["close transport close"]).await;

    let (server, _host, record, ws, _) = websocket().await;
    drop(ws);
    ended(&server, &record, &["close transport close"]).await;

    let (server, _host, record, mut client, _) = polling().await;
    let ws = client.websocket().await;
    let (ws, _) = upgrade(&mut client, ws).await;
    until(|| server.clients()[0].upgraded()).await;
    drop(ws);
    ended(&server, &record, &["close transport close"]).await;
}

#[actix_web::test]
async fn transport_error() {
    const OVERLAP: [&str; 2] = [
        "error transport error overlap from client",
        "close transport error overlap from client",
    ];
    let (server, host, record, mut client, _) = polling().await;
    let mut second = Http::connect(host.addr).await;
    client.send_poll().await;
    let answer = second.get(client.target()).await;
    // Which of the two came first is the network's business.
    let first = client.answer().await;
    let mut answers = [
        (answer.status, answer.text().to_owned()),
        (first.status, first.text().to_owned()),
    ];
    answers.sort_unstable();
    assert_eq!(answers[0], (200, "1".to_owned()));
    assert_eq!(answers[1].0, 400);
    ended(&server, &record, &OVERLAP).await;

    let (server, _host, record, mut ws, _) = websocket().await;
    ws.text("2").await; // in revision 4 it is the server who pings
    assert!(matches!(ws.next().await, Frame::Close(1002, _)));
    let lines =
        ["error", "close"].map(|event| format!("{event} transport error invalid heartbeat direction"));
    ended(&server, &record, &lines.each_ref().map(|line| &**line)).await;
}

#[actix_web::test]
async fn a_poll_that_leaves_is_a_transport_error() {
    let (server, _host, record, mut client, socket) = polling().await;
    client.send_poll().await;
    // Its answer proves that the poll was parked, so that it is a poll that leaves.
    socket.try_send("parked").unwrap();
    assert_eq!(client.packets().await, ["4parked"]);
    client.send_poll().await;
    client.push(&["4before"]).await;
    record.expect(&["message before"]).await;
    client.leave();
    let lines = record.through("close").await;
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("close transport error "), "{lines:?}");
    until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn parse_error() {
    let (server, _host, record, mut client, _) = polling().await;
    assert_eq!(client.post("9").await.code(), (400, 3));
    ended(&server, &record, &["error parse error", "close parse error"]).await;

    let (server, _host, record, mut ws, _) = websocket().await;
    ws.text("9").await;
    assert_eq!(ws.next().await, Frame::Close(1002, "parse error".to_owned()));
    ended(&server, &record, &["error parse error", "close parse error"]).await;
}

#[actix_web::test]
async fn ping_timeout() {
    let (server, host, record) = start_with(|config| {
        config.ping_interval = ms(20);
        // The second poll has to come in this time.
        config.ping_timeout = ms(500);
    });
    let mut client = Polling::open(host.addr).await;
    assert_eq!(client.poll().await, ["2"]);
    assert_eq!(client.poll().await, ["1"]);
    ended(&server, &record, &["connection", "close ping timeout"]).await;
}

#[actix_web::test]
async fn handler_panicked() {
    let (server, _host, record, mut ws, _) = websocket().await;
    ws.text("4panic").await;
    assert_eq!(ws.next().await, Frame::Close(1011, "handler panicked".to_owned()));
    let lines = [
        "message panic",
        "error handler panicked",
        "close handler panicked",
    ];
    ended(&server, &record, &lines).await;
}

#[actix_web::test]
async fn server_shutting_down() {
    let (server, _host, record, mut ws, _) = websocket().await;
    let ((), frame) = tokio::join!(server.close(ms(5000)), ws.next());
    assert_eq!(frame, Frame::Close(1001, "server shutting down".to_owned()));
    ended(&server, &record, &["close server shutting down"]).await;
}
