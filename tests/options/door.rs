//! What the handshake's answer carries, and what of its request is kept: `cookie`, `initial_packet`,
//! `keep_headers`.

use std::sync::{Arc, Mutex};

use engineio::{Cookie, Data, KeepHeaders, SameSite};

use crate::common::{Frame, Polling, Response, WebSocket, echo, open_packet, serve, upgrade};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

/// The cookies that a handshake on polling sets; `SID` stands for its sid.
async fn cookies(cookie: Option<Cookie>) -> Vec<String> {
    let server = echo(|config| config.cookie = cookie).start();
    let host = serve(&server);
    let client = Polling::open(host.addr).await;
    let sid = client.open["sid"].as_str().unwrap();
    let set = client.response.all("set-cookie");
    set.map(|cookie| cookie.replace(sid, "SID")).collect()
}

fn io(change: impl FnOnce(&mut Cookie)) -> Option<Cookie> {
    let mut cookie = Cookie::named("io");
    change(&mut cookie);
    Some(cookie)
}

#[actix_web::test]
async fn cookie_in_all_its_fields() {
    let default = engineio::Config::default().cookie;
    assert_eq!(cookies(default).await, ["io=SID; Path=/; HttpOnly; SameSite=Lax"]);
    assert!(cookies(None).await.is_empty());
    for (cookie, set) in [
        (Some(Cookie::named("n")), "n=SID; Path=/; HttpOnly; SameSite=Lax"),
        (
            io(|cookie| cookie.path = Some("/x".to_owned())),
            "io=SID; Path=/x; HttpOnly; SameSite=Lax",
        ),
        (io(|cookie| cookie.path = None), "io=SID; SameSite=Lax"),
        (
            io(|cookie| cookie.http_only = false),
            "io=SID; Path=/; SameSite=Lax",
        ),
        (io(|cookie| cookie.same_site = None), "io=SID; Path=/; HttpOnly"),
        (
            io(|cookie| cookie.same_site = Some(SameSite::Strict)),
            "io=SID; Path=/; HttpOnly; SameSite=Strict",
        ),
        (
            io(|cookie| (cookie.same_site, cookie.secure) = (Some(SameSite::None), true)),
            "io=SID; Path=/; HttpOnly; Secure; SameSite=None",
        ),
    ] {
        assert_eq!(cookies(cookie).await, [set]);
    }
}

#[actix_web::test]
async fn the_cookie_is_on_handshakes_only() {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let count = |response: &Response| response.all("set-cookie").count();
    let mut client = Polling::open(host.addr).await;
    assert_eq!(count(&client.response), 1);
    assert_eq!(count(&client.post("4hi").await), 0);
    client.send_poll().await;
    assert_eq!(count(&client.answer().await), 0);
    assert_eq!(count(&client.websocket().await.response), 0);
    let mut direct = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    let open = open_packet(&direct.next_text().await);
    let set = format!(
        "io={}; Path=/; HttpOnly; SameSite=Lax",
        open["sid"].as_str().unwrap()
    );
    assert_eq!(direct.response.header("set-cookie"), Some(&*set));
}

#[actix_web::test]
async fn initial_packet() {
    let server = echo(|config| config.initial_packet = Some(Data::from("welcome"))).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    assert_eq!(client.initial, ["4welcome"]);
    let ws = client.websocket().await;
    let (mut ws, packets) = upgrade(&mut client, ws).await;
    assert!(packets.is_empty(), "once is enough: {packets:?}");
    ws.text("4hi").await;
    assert_eq!(ws.next_text().await, "4hi");

    let mut direct = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    open_packet(&direct.next_text().await);
    assert_eq!(direct.next_text().await, "4welcome");
}

#[actix_web::test]
async fn initial_packet_may_be_binary_and_comes_before_what_the_factory_sends() {
    let server = echo(|config| config.initial_packet = Some(Data::from(vec![1, 2, 255])))
        .on_connection(|socket, _| socket.try_send("from the factory").unwrap())
        .start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    assert_eq!(client.initial, ["bAQL/"]);
    assert_eq!(client.poll().await, ["4from the factory"]);
    let mut direct = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    open_packet(&direct.next_text().await);
    assert_eq!(direct.next().await, Frame::Binary(vec![1, 2, 255]));
    assert_eq!(direct.next_text().await, "4from the factory");
}

#[actix_web::test]
async fn without_initial_packet_the_handshake_is_alone() {
    let server = echo(|_| ()).start();
    assert!(Polling::open(serve(&server).addr).await.initial.is_empty());
}

#[actix_web::test]
async fn keep_headers() {
    let seen = Arc::new(Mutex::new(0));
    let sink = seen.clone();
    let server = echo(|config| {
        config.keep_headers = KeepHeaders::Only(vec!["x-keep".to_owned(), "accept-language".to_owned()])
    })
    .on_connection(move |_, handshake| {
        assert_eq!(handshake.header("X-Keep"), Some("1"));
        assert_eq!(
            handshake.header("x-drop"),
            Some("2"),
            "the factory sees all of them"
        );
        *sink.lock().unwrap() += 1;
    })
    .start();
    let host = serve(&server);
    let headers = [
        ("X-Keep", "1"),
        ("X-Drop", "2"),
        ("x-keep", "3"),
        ("Accept-Language", "de"),
    ];
    let client = Polling::open_at(host.addr, "/engine.io/?name=a%20b", &headers).await;
    assert_eq!(*seen.lock().unwrap(), 1);
    let socket = server.client(&client.sid()).unwrap();
    let mut kept: Vec<_> = socket.request().headers().iter().collect();
    kept.sort_unstable();
    assert_eq!(
        kept,
        [
            ("accept-language", &b"de"[..]),
            ("x-keep", b"1"),
            ("x-keep", b"3")
        ]
    );
    assert_eq!(socket.request().header("x-keep"), Some("1"));
    // These stay in any case.
    assert_eq!(socket.request().path(), "/engine.io/");
    assert_eq!(socket.request().query("name").as_deref(), Some("a b"));
    assert!(socket.request().peer_addr().is_some());
}

#[actix_web::test]
async fn by_default_no_header_is_kept() {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let client = Polling::open_at(host.addr, "/engine.io/", &[("x-a", "1")]).await;
    let socket = server.client(&client.sid()).unwrap();
    assert_eq!(socket.request().headers().iter().count(), 0);
}
