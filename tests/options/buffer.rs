//! `max_buffered_bytes`: `Full`, `TooLarge`, and the end of a session when nobody can be told. Each message
//! counts 64 bytes more than it has.

use engineio::{Events, Send, SendError, Server, Socket};

use crate::common::{Host, Kind, Polling, Record, WebSocket, config, serve, until, within};

/// Room for ten messages of 36 bytes.
const LIMIT: usize = 1000;

async fn small() -> (Server, Host, Record, Polling, Socket) {
    let record = Record::new();
    let builder = Server::builder().config(config(|config| config.max_buffered_bytes = LIMIT));
    let server = record
        .attach(Kind::Closures, Events::CLOSE | Events::ERROR, builder)
        .start();
    let host = serve(&server);
    let client = Polling::open(host.addr).await;
    let socket = server.client(&client.sid()).unwrap();
    (server, host, record, client, socket)
}

fn message(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[actix_web::test]
async fn try_send_says_full_and_takes_again_after_a_poll() {
    let (_server, _host, record, mut client, socket) = small().await;
    for _ in 0..10 {
        assert_eq!(socket.try_send(message(36)), Ok(()));
    }
    assert_eq!(socket.buffered_bytes(), LIMIT);
    assert_eq!(socket.try_send(""), Err(SendError::Full));
    assert_eq!(client.poll_for(10).await.len(), 10);
    assert_eq!(socket.buffered_bytes(), 0);
    assert_eq!(socket.try_send(message(36)), Ok(()));
    assert_eq!(client.poll().await, [format!("4{}", message(36))]);
    record.is_empty().await;
}

#[actix_web::test]
async fn try_send_says_too_large() {
    let (_server, _host, _record, mut client, socket) = small().await;
    assert_eq!(socket.try_send(message(LIMIT - 63)), Err(SendError::TooLarge));
    assert_eq!(socket.try_send(message(LIMIT - 64)), Ok(()));
    assert_eq!(client.poll().await, [format!("4{}", message(LIMIT - 64))]);
}

#[actix_web::test]
async fn who_awaits_a_send_is_told() {
    let (_server, _host, record, mut client, socket) = small().await;
    let too_large = socket.addr().send(Send::text(message(LIMIT)));
    assert_eq!(within(too_large).await.unwrap(), Err(SendError::TooLarge));
    assert_eq!(socket.try_send(message(LIMIT - 64)), Ok(()));
    let full = socket.addr().send(Send::text("one more"));
    assert_eq!(within(full).await.unwrap(), Err(SendError::Full));
    assert_eq!(client.poll().await.len(), 1, "the session goes on");
    record.is_empty().await;
}

#[actix_web::test]
async fn when_nobody_can_be_told_the_session_ends() {
    for message in [message(LIMIT), message(36)] {
        let (server, _host, record, _client, socket) = small().await;
        for _ in 0..10 {
            assert_eq!(socket.try_send(message.clone()).is_ok(), message.len() == 36);
        }
        record.is_empty().await;
        socket.addr().do_send(Send::text(message));
        record.expect(&["error buffer full", "close buffer full"]).await;
        until(|| server.clients_count() == 0).await;
        assert_eq!(socket.try_send("late"), Err(SendError::Closed));
    }
}

#[actix_web::test]
async fn a_websocket_that_does_not_read_is_bounded_too() {
    let builder = Server::builder().config(config(|config| config.max_buffered_bytes = 1_000_000));
    let server = builder.start();
    let host = serve(&server);
    let ws = WebSocket::connect(host.addr, "/engine.io/?EIO=4&transport=websocket", &[])
        .await
        .unwrap();
    let socket = server.clients().remove(0);
    // The system's buffers take some megabytes, then ours is all there is.
    let mut taken = 0;
    until(|| match socket.try_send(message(100_000)) {
        Ok(()) => {
            taken += 1;
            assert!(taken < 1000, "100 MB were taken");
            false
        }
        Err(error) => {
            assert_eq!(error, SendError::Full);
            let buffered = socket.buffered_bytes();
            assert!(buffered <= 1_000_000, "{buffered}");
            buffered > 800_000
        }
    })
    .await;
    drop(ws);
}
