//! The events of a session's life, in order, with their arguments. Each story is told to all kinds of
//! applications, and all of them hear the same.

use engineio::{Config, Events, Server, Socket};

use crate::common::{Host, Kind, Polling, Record, WebSocket, config, ms, serve, upgrade};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";
const WS3: &str = "/engine.io/?EIO=3&transport=websocket";

/// A server that tells an application of this kind everything.
fn start(kind: Kind, change: impl FnOnce(&mut Config)) -> (Server, Host, Record) {
    eprintln!("{kind:?}"); // shown if the test fails
    let record = Record::new();
    let builder = Server::builder().config(config(change));
    let server = record.attach(kind, Events::all(), builder).start();
    let host = serve(&server);
    (server, host, record)
}

fn only(server: &Server) -> Socket {
    let mut clients = server.clients();
    assert_eq!(clients.len(), 1);
    clients.remove(0)
}

const OPENED: [&str; 4] = ["connection", "packetCreate 0", "flush 0", "drain"];

#[actix_web::test]
async fn polling() {
    for kind in Kind::ALL {
        let (server, host, record) = start(kind, |_| ());
        let mut client = Polling::open(host.addr).await;
        record.expect(&OPENED).await;

        client.push(&["4hi", "bAQI="]).await;
        record.expect(&["packet 4hi", "message hi"]).await;
        record.expect(&["packet 4[1, 2]", "message [1, 2]"]).await;

        let socket = only(&server);
        socket.try_send("a").unwrap();
        socket.try_send(vec![3, 4]).unwrap();
        record.expect(&["packetCreate 4a", "packetCreate 4[3, 4]"]).await;
        assert_eq!(client.poll().await, ["4a", "bAwQ="]);
        record.expect(&["flush 4a 4[3, 4]", "drain"]).await;

        client.push(&["1"]).await;
        record.expect(&["packet 1", "close transport close"]).await;
        record.is_empty().await;
    }
}

#[actix_web::test]
async fn websocket() {
    for kind in Kind::ALL {
        let (server, host, record) = start(kind, |_| ());
        let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        ws.next_text().await;
        record.expect(&OPENED).await;

        ws.text("4hi").await;
        ws.binary(&[1, 2]).await;
        record.expect(&["packet 4hi", "message hi"]).await;
        record.expect(&["packet 4[1, 2]", "message [1, 2]"]).await;

        only(&server).try_send("a").unwrap();
        record.expect(&["packetCreate 4a", "flush 4a", "drain"]).await;
        assert_eq!(ws.next_text().await, "4a");

        ws.close(1000).await;
        record.expect(&["close transport close"]).await;
        record.is_empty().await;
    }
}

#[actix_web::test]
async fn upgrading_and_upgrade() {
    for kind in Kind::ALL {
        let (_server, host, record) = start(kind, |_| ());
        let mut client = Polling::open(host.addr).await;
        record.expect(&OPENED).await;
        let ws = client.websocket().await;
        record.is_empty().await;
        let (mut ws, _) = upgrade(&mut client, ws).await;
        ws.text("4hi").await;
        record.expect(&["upgrading websocket", "upgrade websocket"]).await;
        record.expect(&["packet 4hi", "message hi"]).await;
    }
}

#[actix_web::test]
async fn a_probe_that_leads_nowhere_is_no_upgrade() {
    for kind in Kind::ALL {
        let (_server, host, record) = start(kind, |_| ());
        let mut client = Polling::open(host.addr).await;
        record.expect(&OPENED).await;
        let mut ws = client.websocket().await;
        ws.text("2probe").await;
        assert_eq!(ws.next_text().await, "3probe");
        drop(ws);
        client.push(&["4hi"]).await;
        record
            .expect(&["upgrading websocket", "packet 4hi", "message hi"])
            .await;
    }
}

#[actix_web::test]
async fn heartbeat_of_revision_4() {
    for kind in Kind::ALL {
        let (_server, host, record) = start(kind, |config| config.ping_interval = ms(30));
        let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        ws.next_text().await;
        record.expect(&OPENED).await;
        for _ in 0..2 {
            assert_eq!(ws.next_text().await, "2");
            record.expect(&["packetCreate 2", "flush 2", "drain"]).await;
            ws.text("3").await;
            record.expect(&["packet 3", "heartbeat"]).await;
        }
    }
}

#[actix_web::test]
async fn heartbeat_of_revision_3() {
    for kind in Kind::ALL {
        let (_server, host, record) = start(kind, |_| ());
        let mut ws = WebSocket::connect(host.addr, WS3, &[]).await.unwrap();
        ws.next_text().await;
        record.expect(&OPENED).await;
        ws.text("2").await;
        assert_eq!(ws.next_text().await, "3");
        record
            .expect(&["packet 2", "packetCreate 3", "heartbeat", "flush 3", "drain"])
            .await;
    }
}

#[actix_web::test]
async fn error_comes_before_close_and_says_the_same() {
    for kind in Kind::ALL {
        let (_server, host, record) = start(kind, |_| ());
        let mut client = Polling::open(host.addr).await;
        record.expect(&OPENED).await;
        assert_eq!(client.post("no packet").await.status, 400);
        record.expect(&["error parse error", "close parse error"]).await;
        record.is_empty().await;
    }
}

#[actix_web::test]
async fn what_a_handler_does_is_told_too() {
    for kind in Kind::ALL {
        eprintln!("{kind:?}");
        let record = Record::answering(|socket, data| {
            socket.try_send(data).unwrap();
            socket.close();
        });
        let server = record.attach(kind, Events::all(), Server::builder()).start();
        let host = serve(&server);
        let mut client = Polling::open(host.addr).await;
        record.expect(&OPENED).await;
        client.push(&["4hi"]).await;
        record
            .expect(&["packet 4hi", "message hi", "packetCreate 4hi"])
            .await;
        assert_eq!(client.poll().await, ["4hi", "1"]);
        record.expect(&["flush 4hi", "drain", "close forced close"]).await;
    }
}

#[actix_web::test]
async fn only_what_was_asked_for_is_told() {
    for kind in Kind::ALL {
        eprintln!("{kind:?}");
        for (events, lines) in [
            (
                Events::DEFAULT,
                &["connection", "message hi", "close transport close"][..],
            ),
            (Events::CLOSE, &["close transport close"]),
            (Events::PACKET, &["packet 4hi", "packet 1"]),
            (Events::FLUSH | Events::DRAIN, &["flush 0", "drain"]),
        ] {
            let record = Record::new();
            let server = record.attach(kind, events, Server::builder()).start();
            let host = serve(&server);
            let mut client = Polling::open(host.addr).await;
            client.push(&["4hi", "1"]).await;
            crate::common::until(|| server.clients_count() == 0).await;
            // A factory is called whatever the events are.
            if kind == Kind::Behavior && !events.contains(Events::CONNECTION) {
                record.expect(&["connection"]).await;
            }
            record.expect(lines).await;
            record.is_empty().await;
        }
    }
}

/// The frames travel with the request that asks for the WebSocket: no client can be faster.
#[actix_web::test]
async fn nothing_is_handled_before_the_connection() {
    for kind in Kind::ALL {
        let (_server, host, record) = start(kind, |_| ());
        let mut http = crate::common::Http::connect(host.addr).await;
        let mut early = format!("GET {WS} HTTP/1.1\r\nhost: x\r\n");
        for (name, value) in crate::common::WS_HEADERS {
            early += &format!("{name}: {value}\r\n");
        }
        let mut early = (early + "\r\n").into_bytes();
        // "4hi", masked by zeroes.
        early.extend(b"\x81\x83\0\0\0\x004hi");
        http.write(&early).await;
        assert_eq!(http.response().await.status, 101);
        record.expect(&OPENED).await;
        record.expect(&["packet 4hi", "message hi"]).await;
    }
}
