//! `Server::close`: the only orderly way down.

use std::time::Instant;

use engineio::{Events, Server};

use crate::common::{Frame, Host, Http, Kind, Polling, Record, WebSocket, ms, serve, within};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

fn start(kind: Kind) -> (Server, Host, Record) {
    eprintln!("{kind:?}");
    let record = Record::new();
    let server = record.attach(kind, Events::CLOSE, Server::builder()).start();
    let host = serve(&server);
    (server, host, record)
}

#[actix_web::test]
async fn everybody_sees_the_end() {
    for kind in Kind::ALL {
        let (server, host, record) = start(kind);
        let mut parked = Polling::open(host.addr).await;
        let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        ws.next_text().await;
        for socket in server.clients() {
            socket.try_send("last words").unwrap();
        }
        assert_eq!(parked.poll().await, ["4last words"]);
        parked.send_poll().await;

        let closing = actix_rt::spawn({
            let server = server.clone();
            async move { server.close(ms(8000)).await }
        });
        assert_eq!(parked.packets().await, ["1"]);
        assert_eq!(ws.next_text().await, "4last words");
        assert_eq!(
            ws.next().await,
            Frame::Close(1001, "server shutting down".to_owned())
        );
        within(closing).await.unwrap();
        assert_eq!(server.clients_count(), 0);
        if kind == Kind::Behavior {
            record.expect(&["connection", "connection"]).await;
        }
        record.expect(&["close server shutting down"; 2]).await;
    }
}

#[actix_web::test]
async fn what_is_buffered_waits_for_its_poll() {
    let (server, host, record) = start(Kind::Closures);
    let mut client = Polling::open(host.addr).await;
    server.clients()[0].try_send("last words").unwrap();
    let closing = actix_rt::spawn({
        let server = server.clone();
        async move { server.close(ms(8000)).await }
    });
    crate::common::until(|| server.clients()[0].ready_state() == engineio::ReadyState::Closing).await;
    assert_eq!(client.poll().await, ["4last words", "1"]);
    within(closing).await.unwrap();
    record.expect(&["close server shutting down"]).await;
}

#[actix_web::test]
async fn who_does_not_come_back_is_cut_off_at_the_deadline() {
    let (server, host, record) = start(Kind::Closures);
    let _client = Polling::open(host.addr).await;
    let before = Instant::now();
    within(server.close(ms(60))).await;
    assert!(before.elapsed() >= ms(60));
    assert!(before.elapsed() < ms(5000));
    record.expect(&["close server shutting down"]).await;
    assert_eq!(server.clients_count(), 0);
}

#[actix_web::test]
async fn no_new_sessions() {
    let (server, host, _record) = start(Kind::Closures);
    within(server.close(ms(100))).await;
    let response = Http::connect(host.addr).await.get(POLLING).await;
    assert_eq!(response.refusal(), (503, 3, "Server closing".to_owned()));
    assert!(response.header("retry-after").is_some());
    let response = WebSocket::connect(host.addr, WS, &[]).await.err().unwrap();
    assert_eq!(response.code(), (503, 3));
    within(server.close(ms(100))).await;
}
