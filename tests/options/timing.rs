//! `ping_interval`, `ping_timeout`, `upgrade_timeout`, `destroy_upgrade_timeout`: what happens when time has
//! passed, and that it does not happen before.

use std::time::Instant;

use actix_web::App;
use engineio::{Events, Server};

use crate::common::{Frame, Http, Kind, Polling, Record, WebSocket, config, echo, ms, open_packet, serve};
use crate::host;

const WS: &str = "/engine.io/?EIO=4&transport=websocket";
const WS3: &str = "/engine.io/?EIO=3&transport=websocket";

#[actix_web::test]
async fn ping_interval_is_told_and_kept() {
    let server = echo(|config| config.ping_interval = ms(80)).start();
    let host = serve(&server);
    let before = Instant::now();
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    let open = open_packet(&ws.next_text().await);
    assert_eq!(
        (&open["pingInterval"], &open["pingTimeout"]),
        (&80.into(), &60_000.into())
    );
    for ping in 1..=3 {
        assert_eq!(ws.next_text().await, "2");
        assert!(before.elapsed() >= ms(80) * ping, "too early");
        ws.text("3").await;
    }
}

#[actix_web::test]
async fn ping_interval_over_polling() {
    let server = echo(|config| config.ping_interval = ms(50)).start();
    let host = serve(&server);
    let before = Instant::now();
    let mut client = Polling::open(host.addr).await;
    assert_eq!(client.poll().await, ["2"]);
    assert!(before.elapsed() >= ms(50), "too early");
    client.push(&["3"]).await;
    assert_eq!(client.poll().await, ["2"]);
    assert!(before.elapsed() >= ms(100), "too early");
}

#[actix_web::test]
async fn ping_timeout_ends_a_silent_session() {
    let record = Record::new();
    let builder = Server::builder().config(config(|config| {
        config.ping_interval = ms(50);
        config.ping_timeout = ms(100);
    }));
    let server = record.attach(Kind::Closures, Events::CLOSE, builder).start();
    let host = serve(&server);
    let before = Instant::now();
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    assert_eq!(open_packet(&ws.next_text().await)["pingTimeout"], 100);
    assert_eq!(ws.next_text().await, "2");
    assert_eq!(ws.next().await, Frame::Close(1000, "ping timeout".to_owned()));
    assert!(before.elapsed() >= ms(150), "too early");
    record.expect(&["close ping timeout"]).await;
}

#[actix_web::test]
async fn revision_3_may_be_silent_for_interval_and_timeout() {
    let record = Record::new();
    let builder = Server::builder().config(config(|config| {
        config.ping_interval = ms(60);
        config.ping_timeout = ms(60);
    }));
    let server = record.attach(Kind::Closures, Events::CLOSE, builder).start();
    let host = serve(&server);
    let before = Instant::now();
    let mut ws = WebSocket::connect(host.addr, WS3, &[]).await.unwrap();
    ws.next_text().await;
    ws.text("2").await;
    assert_eq!(ws.next_text().await, "3");
    assert_eq!(ws.next().await, Frame::Close(1000, "ping timeout".to_owned()));
    assert!(before.elapsed() >= ms(120), "too early");
    record.expect(&["close ping timeout"]).await;
}

#[actix_web::test]
async fn ping_timeout_is_the_time_for_a_body() {
    let server = echo(|config| config.ping_timeout = ms(100)).start();
    let host = serve(&server);
    let client = Polling::open(host.addr).await;
    let mut slow = Http::connect(host.addr).await;
    let before = Instant::now();
    slow.send("POST", client.target(), &[("content-length", "5")], None)
        .await;
    slow.write(b"4").await;
    assert_eq!(slow.response().await.code(), (408, 3));
    assert!(before.elapsed() >= ms(100), "too early");
    crate::common::until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn upgrade_timeout_without_a_probe() {
    let server = echo(|config| config.upgrade_timeout = ms(60)).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    let before = Instant::now();
    let mut ws = client.websocket().await;
    assert!(matches!(ws.next().await, Frame::Close(..)));
    assert!(before.elapsed() >= ms(60), "too early");
    assert!(before.elapsed() < ms(5000), "that was the default");
    client.push(&["4still"]).await;
    assert_eq!(client.poll().await, ["4still"]);
}

#[actix_web::test]
async fn upgrade_timeout_without_the_swap() {
    let server = echo(|config| config.upgrade_timeout = ms(60)).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    let mut ws = client.websocket().await;
    let before = Instant::now();
    ws.text("2probe").await;
    assert_eq!(ws.next_text().await, "3probe");
    assert!(matches!(ws.next().await, Frame::Close(..)));
    assert!(before.elapsed() >= ms(60), "too early");
    assert!(before.elapsed() < ms(5000), "that was the default");
    client.push(&["4still"]).await;
    assert_eq!(client.poll_for(1).await, ["4still"]);
    // Another attempt is welcome.
    let mut ws = client.websocket().await;
    ws.text("2probe").await;
    assert_eq!(ws.next_text().await, "3probe");
}

#[actix_web::test]
async fn destroy_upgrade_timeout_is_when_the_connection_closes() {
    let server = echo(|config| config.destroy_upgrade_timeout = ms(80)).start();
    let host = serve(&server);
    let mut http = Http::connect(host.addr).await;
    let before = Instant::now();
    let headers = [("connection", "upgrade"), ("upgrade", "h2c")];
    let response = http
        .get_with("/engine.io/?EIO=4&transport=websocket", &headers)
        .await;
    assert_eq!(response.status, 400);
    http.closed().await;
    assert!(before.elapsed() >= ms(80), "too early");
    assert!(before.elapsed() < ms(900), "that was the default");
}

#[actix_web::test]
async fn destroy_upgrade_false_leaves_it_to_the_default_service() {
    let server = echo(|config| config.destroy_upgrade = false).start();
    let engine = server.clone();
    let host = host!(move || App::new()
        .service(engineio::scope(&engine))
        .default_service(actix_web::web::to(|| async { "mine" })));
    let mut http = Http::connect(host.addr).await;
    let target = "/engine.io/?EIO=4&transport=websocket";
    let headers = [("connection", "upgrade"), ("upgrade", "h2c")];
    assert_eq!(http.get_with(target, &headers).await.text(), "mine");
    let mut client = Polling::open(host.addr).await;
    client.push(&["4ours"]).await;
    assert_eq!(client.poll().await, ["4ours"]);
}

/// `listen` has the system's signals as its only end, so it ends with the test's thread.
#[actix_web::test]
async fn destroy_upgrade_in_listen_is_501() {
    for (destroy, status) in [(true, 501), (false, 501)] {
        let server = echo(|config| {
            config.destroy_upgrade = destroy;
            config.destroy_upgrade_timeout = ms(30);
        })
        .start();
        let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap().workers(1);
        let addr = listener.addresses().unwrap()[0];
        actix_rt::spawn(listener.run());
        let mut http = Http::connect(addr).await;
        let before = Instant::now();
        let headers = [("connection", "upgrade"), ("upgrade", "h2c")];
        let response = http
            .get_with("/engine.io/?EIO=4&transport=websocket", &headers)
            .await;
        assert_eq!(response.status, status);
        let answered = Instant::now();
        http.closed().await;
        assert!(before.elapsed() >= ms(30), "too early");
        assert!(answered.elapsed() < ms(900), "that was the default");
    }
}
