//! `transports`, `allow_upgrades`, `allow_eio3`, `path`, and what does not act yet.

use engineio::{Transport, Transports, WsEngine};

use crate::common::{Frame, Http, Polling, WebSocket, echo, open_packet, serve, upgrade};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

#[actix_web::test]
async fn polling_only() {
    let server = echo(|config| config.transports = Transport::Polling.into()).start();
    let host = serve(&server);
    let refused = WebSocket::connect(host.addr, WS, &[]).await.err().unwrap();
    assert_eq!(refused.code(), (400, 0));
    let client = Polling::open(host.addr).await;
    assert_eq!(client.open["upgrades"], serde_json::json!([]));
    let refused = WebSocket::connect(host.addr, &client.ws_target(), &[])
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), (400, 0));
}

#[actix_web::test]
async fn websocket_only() {
    let server = echo(|config| config.transports = Transport::WebSocket.into()).start();
    let host = serve(&server);
    let mut http = Http::connect(host.addr).await;
    assert_eq!(
        http.get(POLLING).await.refusal(),
        (400, 0, "Transport unknown".to_owned())
    );
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    open_packet(&ws.next_text().await);
    ws.text("4hi").await;
    assert_eq!(ws.next_text().await, "4hi");
}

#[actix_web::test]
async fn no_transports() {
    let server = echo(|config| config.transports = Transports::none()).start();
    let host = serve(&server);
    assert_eq!(Http::connect(host.addr).await.get(POLLING).await.code(), (400, 0));
}

#[actix_web::test]
async fn allow_upgrades() {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    assert_eq!(client.open["upgrades"], serde_json::json!(["websocket"]));
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4hi").await;
    assert_eq!(ws.next_text().await, "4hi");
    assert!(server.client(&client.sid()).unwrap().upgraded());
}

#[actix_web::test]
async fn no_upgrades() {
    let server = echo(|config| config.allow_upgrades = false).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    assert_eq!(client.open["upgrades"], serde_json::json!([]));
    // Whether by a status or by a close: there is no upgrade, and polling goes on.
    if let Ok(mut ws) = WebSocket::connect(host.addr, &client.ws_target(), &[]).await {
        ws.text("2probe").await;
        assert!(matches!(ws.next().await, Frame::Close(..)));
    }
    client.push(&["4still"]).await;
    assert_eq!(client.poll().await, ["4still"]);
    assert_eq!(
        server.client(&client.sid()).unwrap().transport(),
        Transport::Polling
    );
}

#[actix_web::test]
async fn allow_eio3() {
    const POLLING3: &str = "/engine.io/?EIO=3&transport=polling&b64=1";
    const WS3: &str = "/engine.io/?EIO=3&transport=websocket";

    let host = serve(&echo(|_| ()).start());
    let response = Http::connect(host.addr).await.get(POLLING3).await;
    let (length, packet) = response.text().split_once(':').unwrap();
    assert_eq!(length.parse(), Ok(packet.len()));
    open_packet(packet);
    let mut ws = WebSocket::connect(host.addr, WS3, &[]).await.unwrap();
    open_packet(&ws.next_text().await);

    let host = serve(&echo(|config| config.allow_eio3 = false).start());
    let refused = (400, 5, "Unsupported protocol version".to_owned());
    assert_eq!(
        Http::connect(host.addr).await.get(POLLING3).await.refusal(),
        refused
    );
    let response = WebSocket::connect(host.addr, WS3, &[]).await.err().unwrap();
    assert_eq!(response.refusal(), refused);
    Polling::open(host.addr).await;
}

#[actix_web::test]
async fn path_ends_with_a_slash_however_it_is_written() {
    for path in ["/a/rt", "/a/rt/"] {
        let server = echo(|config| config.path = path.to_owned()).start();
        assert_eq!(server.config().path, "/a/rt/");
        let host = serve(&server);
        let mut client = Polling::open_at(host.addr, "/a/rt/", &[]).await;
        client.push(&["4hi"]).await;
        assert_eq!(client.poll().await, ["4hi"]);
        let mut http = Http::connect(host.addr).await;
        for path in ["/a/rt", "/a/rt//", "/a/rt/x"] {
            let response = http.get(&format!("{path}?EIO=4&transport=polling")).await;
            assert_eq!(response.status, 404, "{path}");
        }
    }
}

#[actix_web::test]
async fn path_is_exact() {
    let server = echo(|config| {
        config.path = "/a/rt/".to_owned();
        config.add_trailing_slash = false;
    })
    .start();
    let host = serve(&server);
    let query = "?EIO=4&transport=polling";
    let mut client = Polling::open_at(host.addr, "/a/rt", &[]).await;
    client.push(&["4hi"]).await;
    assert_eq!(client.poll().await, ["4hi"]);
    let mut http = Http::connect(host.addr).await;
    for path in [
        "/engine.io/",
        "/a/rt/",
        "/a/rtx",
        "/a/rt/x",
        "/a/",
        "/a/RT",
        "/x/a/rt",
    ] {
        assert_eq!(http.get(&format!("{path}{query}")).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn compression_and_engine_are_accepted() {
    for on in [true, false] {
        let server = echo(|config| {
            config.per_message_deflate = on.then(Default::default);
            config.http_compression = on.then(Default::default);
            config.ws_engine = WsEngine::BuiltIn;
        })
        .start();
        let host = serve(&server);
        let large = format!("4{}", "x".repeat(5000));
        let mut client = Polling::open(host.addr).await;
        client.push(&[&large]).await;
        assert_eq!(client.poll().await, [&*large]);
        let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
        ws.next_text().await;
        ws.text(&large).await;
        assert_eq!(ws.next_text().await, large);
    }
}
