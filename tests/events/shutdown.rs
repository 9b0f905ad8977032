//! `Server::close` and `Server::drain`: the only orderly ways down.

use std::time::Instant;

use engineio::{Events, Server};

use crate::common::{Frame, Host, Http, Kind, Polling, Record, WebSocket, ms, serve, until, within};

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

#[actix_web::test]
async fn a_drain_ends_one_after_the_other() {
    let (server, host, _) = start(Kind::Closures);
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        ws.next_text().await;
        clients.push(ws);
    }
    let mut parked = Polling::open(host.addr).await;
    parked.send_poll().await;
    assert!(server.is_ready());
    let begun = Instant::now();
    let window = ms(1000);
    let draining = actix_rt::spawn({
        let server = server.clone();
        async move { server.drain(window, ms(8000)).await }
    });
    until(|| !server.is_ready()).await;

    let mut ends = Vec::new();
    for mut ws in clients {
        ends.push(actix_rt::spawn(async move {
            assert_eq!(
                ws.next().await,
                Frame::Close(1001, "server shutting down".to_owned())
            );
            begun.elapsed()
        }));
    }
    let mut times = Vec::new();
    for end in ends {
        times.push(within(end).await.unwrap());
    }
    assert_eq!(parked.packets().await, ["1"]);
    within(draining).await.unwrap();
    times.sort();
    // Each has a share of 50 ms; the rest is for a machine that is busy.
    assert!(times[19] - times[0] >= window / 2, "{times:?}");
    assert_eq!(server.clients_count(), 0);
}

#[actix_web::test]
async fn a_drain_ends_sooner_by_close_and_at_its_deadline() {
    for hurried in [true, false] {
        let (server, host, record) = start(Kind::Closures);
        let mut client = Polling::open(host.addr).await;
        let _other = Polling::open(host.addr).await;
        let deadline = if hurried { ms(3_600_000) } else { ms(20) };
        let draining = actix_rt::spawn({
            let server = server.clone();
            async move { server.drain(ms(3_600_000), deadline).await }
        });
        if hurried {
            until(|| !server.is_ready()).await;
            // Nobody comes in any more, and those who are in go on until their turn.
            let refused = Http::connect(host.addr).await.get(POLLING).await;
            assert_eq!(refused.refusal(), (503, 3, "Server closing".to_owned()));
            assert_eq!(refused.header("retry-after"), Some("5"));
            server.client(&client.sid()).unwrap().try_send("news").unwrap();
            assert_eq!(client.poll().await, ["4news"]);
            client.push(&["4hello"]).await;
            server.close(ms(20)).await;
        }
        within(draining).await.unwrap();
        assert_eq!(server.clients_count(), 0);
        record.expect(&["close server shutting down"; 2]).await;
    }
}
