//! Where a scope may stand in an `App`, and which paths are its own.

use actix_web::{App, HttpResponse, web};
use engineio::Server;

use super::own::run;
use crate::common::{Http, Polling, WebSocket, echo, open_packet, serve, upgrade};
use crate::host;

const QUERY: &str = "?EIO=4&transport=polling";

/// Polling, upgrade and a WebSocket from the start, at this path.
async fn works(addr: std::net::SocketAddr, path: &str) {
    let mut client = Polling::open_at(addr, path, &[]).await;
    client.push(&["4one", "bAQI="]).await;
    assert_eq!(client.poll().await, ["4one", "bAQI="]);
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4two").await;
    assert_eq!(ws.next_text().await, "4two");
    let target = format!("{path}?EIO=4&transport=websocket");
    let mut ws = WebSocket::connect(addr, &target, &[]).await.unwrap();
    ws.next_text().await;
    ws.text("4three").await;
    assert_eq!(ws.next_text().await, "4three");
}

#[actix_web::test]
async fn inside_a_scope() {
    let server = echo(|_| ()).start();
    let engine = server.clone();
    let host = host!(move || App::new().service(
        web::scope("/api")
            .route("/hello", web::get().to(|| async { "hello" }))
            .service(engineio::scope(&engine))
    ));
    works(host.addr, "/api/engine.io/").await;
    let mut http = Http::connect(host.addr).await;
    assert_eq!(http.get("/api/hello").await.text(), "hello");
    assert_eq!(http.get(&format!("/engine.io/{QUERY}")).await.status, 404);
    // A session is not bound to the path it began at, but to the server.
    let client = Polling::open_at(host.addr, "/api/engine.io/", &[]).await;
    assert_eq!(
        server.client(&client.sid()).unwrap().request().path(),
        "/api/engine.io/"
    );
}

#[actix_web::test]
async fn two_scopes_deep_with_a_path_of_its_own() {
    let server = echo(|config| config.path = "/rt".to_owned()).start();
    let host = host!(move || App::new()
        .service(web::scope("/a/{tenant}").service(web::scope("/b").service(engineio::scope(&server)))));
    works(host.addr, "/a/7/b/rt/").await;
}

#[actix_web::test]
async fn two_servers_in_one_app() {
    let start = |path: &str, mark: &'static str| {
        Server::builder()
            .config(crate::common::config(|config| config.path = path.to_owned()))
            .on_message(move |socket, data| {
                let answer = format!("{mark} {}", data.as_text().unwrap());
                socket.try_send(answer).unwrap();
            })
            .start()
    };
    let (chat, game) = (start("/chat/", "chat"), start("/game/", "game"));
    let (one, two) = (chat.clone(), game.clone());
    let host = host!(move || App::new()
        .service(engineio::scope(&one))
        .service(engineio::scope(&two)));
    let mut chatter = Polling::open_at(host.addr, "/chat/", &[]).await;
    let mut player = Polling::open_at(host.addr, "/game/", &[]).await;
    chatter.push(&["4hi"]).await;
    player.push(&["4hi"]).await;
    assert_eq!(chatter.poll().await, ["4chat hi"]);
    assert_eq!(player.poll().await, ["4game hi"]);
    assert_eq!((chat.clients_count(), game.clients_count()), (1, 1));
    // A session of the one is unknown to the other.
    let stolen = chatter.target().replace("/chat/", "/game/");
    assert_eq!(Http::connect(host.addr).await.get(&stolen).await.code(), (400, 1));
    chat.broadcast("news");
    assert_eq!(chatter.poll().await, ["4news"]);
    player.push(&["4still"]).await;
    assert_eq!(player.poll().await, ["4game still"]);
}

#[actix_web::test]
async fn one_server_at_two_places_of_one_app() {
    let server = echo(|_| ()).start();
    let engine = server.clone();
    let host = host!(move || App::new()
        .service(engineio::scope(&engine))
        .service(web::scope("/api").service(engineio::scope(&engine))));
    let mut client = Polling::open(host.addr).await;
    client.push(&["4hi"]).await;
    let other = format!("/api{}", client.target());
    assert_eq!(Http::connect(host.addr).await.get(&other).await.text(), "4hi");
}

#[actix_web::test]
async fn neighbours_of_the_path_are_not_ours() {
    let server = echo(|_| ()).start();
    let engine = server.clone();
    let host = host!(move || App::new()
        .service(engineio::scope(&engine))
        .route("/engine.io-admin", web::get().to(|| async { "admin" }))
        .route("/engine.io/x", web::get().to(|| async { "x" }))
        .default_service(web::to(|| async { HttpResponse::NotFound().body("mine") })));
    let mut http = Http::connect(host.addr).await;
    assert_eq!(
        http.get(&format!("/engine.io-admin{QUERY}")).await.text(),
        "admin"
    );
    assert_eq!(http.get(&format!("/engine.io/x{QUERY}")).await.text(), "x");
    for path in [
        "/engine.io",
        "/engine.io/y",
        "/engine.io//",
        "/Engine.io/",
        "/x/engine.io/",
        "/engineXio/",
    ] {
        let response = http.get(&format!("{path}{QUERY}")).await;
        assert_eq!((response.status, response.text()), (404, "mine"), "{path}");
    }
    // An upgrade under a path that is not ours is not ours to answer.
    let headers = [("connection", "upgrade"), ("upgrade", "h2c")];
    assert_eq!(http.get_with("/engine.io-admin", &headers).await.text(), "admin");
    assert_eq!(server.clients_count(), 0);
    // actix ends a connection on which it saw an upgrade.
    let mut http = Http::connect(host.addr).await;
    assert_eq!(http.get(&format!("/engine.io/{QUERY}")).await.status, 200);
}

/// `Connection: upgrade` alone, as proxies send polls by a line that is widely copied: actix ends the connection.
#[actix_web::test]
async fn an_upgrade_to_nothing_is_told_that_its_connection_ends() {
    const VAIN: (&str, &str) = ("connection", "upgrade");
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let client = Polling::open(host.addr).await;
    let (own, target) = (format!("/engine.io/{QUERY}"), client.target());
    let requests = [
        ("GET", &*own, None, 200),
        ("POST", target, Some(b"4hi".as_slice()), 200),
        ("GET", target, None, 200),
        ("GET", "/engine.io/?EIO=4&transport=tcp", None, 400),
        ("POST", target, Some(b"9"), 400),
    ];
    for (method, target, body, status) in requests {
        let mut http = Http::connect(host.addr).await;
        http.send(method, target, &[VAIN], body).await;
        let response = http.response().await;
        assert_eq!(response.status, status, "{method} {target}: {response:?}");
        assert_eq!(response.header("connection"), Some("close"), "{method} {target}");
        http.closed().await;
    }
    let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap().workers(1);
    let addr = listener.addresses().unwrap()[0];
    actix_rt::spawn(listener.run());
    let mut http = Http::connect(addr).await;
    let response = http.get_with("/elsewhere", &[VAIN]).await;
    assert_eq!(
        (response.status, response.header("connection")),
        (501, Some("close"))
    );
    http.closed().await;
}

/// As Java's client and `curl --http2` ask for whatever they ask for.
#[actix_web::test]
async fn a_poll_may_offer_another_protocol() {
    let offer = [
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
    ];
    for destroy_upgrade in [true, false] {
        let server = echo(|config| config.destroy_upgrade = destroy_upgrade).start();
        let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap();
        let host = serve(&server);
        for addr in [host.addr, run(listener.own_listeners(true).workers(1))] {
            let ask = async |method: &str, target: &str, body: Option<&[u8]>| {
                let mut http = Http::connect(addr).await;
                http.send(method, target, &offer, body).await;
                http.response().await
            };
            let opened = ask("GET", &format!("/engine.io/{QUERY}"), None).await;
            let open = open_packet(opened.text());
            let target = format!("/engine.io/{QUERY}&sid={}", open["sid"].as_str().unwrap());
            assert_eq!(ask("POST", &target, Some(b"4hi")).await.text(), "ok");
            assert_eq!(ask("GET", &target, None).await.text(), "4hi");
        }
    }
}

#[actix_web::test]
async fn without_half_closed_connections_a_poll_that_leaves_is_seen() {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    client.send_poll().await;
    client.push(&["4parked?"]).await;
    assert_eq!(client.packets().await, ["4parked?"]);
    client.send_poll().await;
    client.leave();
    crate::common::until(|| server.clients_count() == 0).await;
}

/// `tests/composition` is about plain HTTP servers; this one sentence is for who has none at all.
#[test]
fn start_outside_a_system_says_what_to_do() {
    let panic = std::thread::spawn(|| drop(Server::builder().start()))
        .join()
        .unwrap_err();
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap();
    assert!(message.contains("#[actix_web::main]"), "{message}");
    assert_eq!(message.lines().count(), 1);
}
