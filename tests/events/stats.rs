//! `Server::stats` and `Socket::stats`: the figures equal what clients did.

use engineio::{CloseReason, Config, Revision, SendError, Server, Stats, Transport};

use crate::common::{Frame, Host, Http, Polling, WebSocket, echo, ms, serve, until, upgrade};

const POLLING: Transport = Transport::Polling;
const WEBSOCKET: Transport = Transport::WebSocket;
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

fn start(change: impl FnOnce(&mut Config)) -> (Server, Host) {
    let server = echo(change).start();
    let host = serve(&server);
    (server, host)
}

/// What is not zero among the sessions that are alive.
fn sessions(server: &Server) -> Vec<(Transport, Revision, u64)> {
    server
        .stats()
        .sessions()
        .filter(|(.., count)| *count > 0)
        .collect()
}

fn closes(stats: &Stats) -> Vec<(CloseReason, u64)> {
    stats.closes().filter(|(_, count)| *count > 0).collect()
}

#[actix_web::test]
async fn sessions_messages_and_upgrades() {
    let (server, host) = start(|_| ());
    let mut client = Polling::open(host.addr).await;
    let socket = server.client(&client.sid()).unwrap();
    let mut direct = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    direct.next_text().await;
    let old = Http::connect(host.addr)
        .await
        .get("/engine.io/?EIO=3&transport=polling")
        .await;
    assert_eq!(old.status, 200);
    let expected = [
        (POLLING, Revision::V4, 1),
        (POLLING, Revision::V3, 1),
        (WEBSOCKET, Revision::V4, 1),
    ];
    assert_eq!(sessions(&server), expected);
    assert_eq!(server.stats().opened().map(|(.., count)| count).sum::<u64>(), 3);

    client.push(&["4hello", "4äöü", "4"]).await;
    client.poll_for(3).await;
    direct.binary(&[0; 1000]).await;
    assert_eq!(direct.next().await, Frame::Binary(vec![0; 1000]));
    until(|| server.stats().messages_out == 4).await;
    let stats = server.stats();
    assert_eq!((stats.messages_in, stats.bytes_in), (4, 1011));
    assert_eq!((stats.messages_out, stats.bytes_out), (4, 1011));
    assert_eq!((socket.stats().bytes_in, socket.stats().bytes_out), (11, 11));
    assert_eq!(stats.buffered_bytes, 0);

    // An upgrade that fails, and one that comes through.
    let mut ws = client.websocket().await;
    ws.text("2probe").await;
    ws.next_text().await;
    drop(ws);
    until(|| server.stats().upgrades_failed == 1).await;
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4up").await;
    assert_eq!(ws.next_text().await, "4up");
    until(|| server.stats().messages_out == 5).await;
    let stats = server.stats();
    let upgrades = (stats.upgrades_tried, stats.upgrades_done, stats.upgrades_failed);
    assert_eq!(upgrades, (2, 1, 1));
    assert_eq!(
        sessions(&server),
        [(POLLING, Revision::V3, 1), (WEBSOCKET, Revision::V4, 2)]
    );

    ws.close(1000).await;
    direct.text("4").await;
    direct.text("x").await;
    until(|| server.clients_count() == 1).await;
    server.close(ms(10)).await;
    until(|| sessions(&server).is_empty()).await;
    let ends = [
        CloseReason::TransportClose,
        CloseReason::ParseError,
        CloseReason::ServerClosing,
    ];
    assert_eq!(closes(&server.stats()), ends.map(|reason| (reason, 1)));
    assert_eq!(server.stats().opened().map(|(.., count)| count).sum::<u64>(), 3);
}

#[actix_web::test]
async fn what_waits_and_what_has_no_room() {
    let (server, host) = start(|config| config.max_buffered_bytes = 1000);
    let mut client = Polling::open(host.addr).await;
    let socket = server.client(&client.sid()).unwrap();
    socket.try_send("x".repeat(500)).unwrap();
    assert_eq!(socket.try_send("x".repeat(500)), Err(SendError::Full));
    assert_eq!(socket.try_send("x".repeat(2000)), Err(SendError::TooLarge));
    until(|| server.stats().buffered_bytes == 564).await;
    assert_eq!(server.stats().sends_refused, 2);
    client.poll().await;
    until(|| server.stats().buffered_bytes == 0).await;
    // An end empties a buffer too.
    socket.try_send("x").unwrap();
    until(|| server.stats().buffered_bytes == 65).await;
    socket.discard();
    until(|| server.stats().buffered_bytes == 0).await;
    assert_eq!(server.stats().messages_out, 1);
}

#[actix_web::test]
async fn round_trips() {
    let (server, host) = start(|config| config.ping_interval = ms(20));
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    ws.next_text().await;
    let socket = server.clients().remove(0);
    assert_eq!(socket.stats().round_trip, None);
    assert_eq!(ws.next_text().await, "2");
    ws.text("3").await;
    until(|| server.stats().round_trips.count == 1).await;
    assert_eq!(socket.stats().round_trip, Some(server.stats().round_trips.sum));
}

#[actix_web::test]
async fn refusals_by_code() {
    let (server, host) = start(|_| ());
    let mut http = Http::connect(host.addr).await;
    for target in [
        "?EIO=4&transport=tobi",
        "?EIO=4&transport=polling&sid=nobody",
        "?EIO=9&transport=polling",
    ] {
        http.get(&format!("/engine.io/{target}")).await;
    }
    http.get("/engine.io/?EIO=4&transport=polling&sid=nobody").await;
    let stats = server.stats();
    let refused: Vec<_> = stats
        .refused()
        .iter()
        .map(|refused| (refused.code, refused.context, refused.count))
        .collect();
    let expected = [
        (0, "UNKNOWN_TRANSPORT", 1),
        (1, "UNKNOWN_SID", 2),
        (5, "UNSUPPORTED_PROTOCOL_VERSION", 1),
    ];
    assert_eq!(refused, expected);
}
