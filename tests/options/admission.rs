//! `allow_request`, and the hooks for headers and refusals.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use engineio::{Accept, Reject, Scope, Server};

use crate::common::{Host, Http, Polling, WebSocket, echo, serve_with, upgrade};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

#[derive(Debug, PartialEq)]
struct User(&'static str);
#[derive(Debug, PartialEq)]
struct Level(u32);

/// A server that keeps what its factory saw.
fn seen() -> (Server, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let server = echo(|_| ())
        .on_connection(move |socket, handshake| {
            assert_eq!(
                socket.request().extensions().get(),
                handshake.extensions().get::<User>()
            );
            let (user, level) = (
                handshake.extensions().get::<User>(),
                handshake.extensions().get::<Level>(),
            );
            sink.lock().unwrap().push(format!("{user:?} {level:?}"));
        })
        .start();
    (server, seen)
}

#[actix_web::test]
async fn it_accepts_with_extensions() {
    let (server, seen) = seen();
    let host = serve_with(&server, |scope| {
        scope.allow_request(|_| async { Ok(Accept::with(User("ann")).and(Level(3))) })
    });
    let client = Polling::open(host.addr).await;
    WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    let expected = r#"Some(User("ann")) Some(Level(3))"#;
    assert_eq!(*seen.lock().unwrap(), [expected, expected]);
    let socket = server.client(&client.sid()).unwrap();
    assert_eq!(socket.request().extensions().get(), Some(&Level(3)));
}

#[actix_web::test]
async fn it_accepts_with_nothing() {
    let (server, seen) = seen();
    let host = serve_with(&server, |scope| {
        scope.allow_request(|_| async { Ok(Accept::new()) })
    });
    Polling::open(host.addr).await;
    assert_eq!(*seen.lock().unwrap(), ["None None"]);
}

#[actix_web::test]
async fn it_rejects() {
    let (server, seen) = seen();
    let host = serve_with(&server, |scope| {
        scope.allow_request(|_| async { Err(Reject::new("no \"way\"")) })
    });
    let response = Http::connect(host.addr).await.get(POLLING).await;
    assert_eq!(response.refusal(), (403, 4, "no \"way\"".to_owned()));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let response = WebSocket::connect(host.addr, WS, &[]).await.err().unwrap();
    assert_eq!(response.refusal(), (403, 4, "no \"way\"".to_owned()));
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(server.clients_count(), 0);
}

#[actix_web::test]
async fn it_rejects_with_status_code_and_headers() {
    let host = serve_with(&echo(|_| ()).start(), |scope| {
        scope.allow_request(|_| async {
            Err(Reject::new("")
                .status(StatusCode::UNAUTHORIZED)
                .code(77)
                .header(
                    HeaderName::from_static("www-authenticate"),
                    HeaderValue::from_static("Basic"),
                )
                .header(
                    HeaderName::from_static("x-why"),
                    HeaderValue::from_static("because"),
                ))
        })
    });
    for response in [
        Http::connect(host.addr).await.get(POLLING).await,
        WebSocket::connect(host.addr, WS, &[]).await.err().unwrap(),
    ] {
        assert_eq!(response.refusal(), (401, 77, "Forbidden".to_owned()));
        assert_eq!(response.header("www-authenticate"), Some("Basic"));
        assert_eq!(response.header("x-why"), Some("because"));
    }
}

#[actix_web::test]
async fn it_may_take_its_time_and_look_at_the_request() {
    let host = serve_with(&echo(|_| ()).start(), |scope| {
        scope.allow_request(|req| {
            let token = req.headers().get("authorization").cloned();
            async move {
                actix_rt::task::yield_now().await; // not ready when first asked
                match token {
                    Some(token) if token == "good" => Ok(Accept::new()),
                    _ => Err(Reject::new("who are you?")),
                }
            }
        })
    });
    let mut http = Http::connect(host.addr).await;
    assert_eq!(http.get(POLLING).await.code(), (403, 4));
    assert_eq!(
        http.get_with(POLLING, &[("authorization", "bad")]).await.code(),
        (403, 4)
    );
    let mut client = Polling::open_at(host.addr, "/engine.io/", &[("authorization", "good")]).await;
    // Only the handshake is asked about: what follows has no header.
    client.push(&["4hi"]).await;
    assert_eq!(client.poll().await, ["4hi"]);
    let ws = client.websocket().await;
    upgrade(&mut client, ws).await;
}

#[actix_web::test]
async fn it_is_asked_after_our_own_checks() {
    let host = serve_with(&echo(|_| ()).start(), |scope| {
        scope.allow_request(|_| async { Err(Reject::new("mine")) })
    });
    let mut http = Http::connect(host.addr).await;
    assert_eq!(http.get("/engine.io/?EIO=4&transport=tcp").await.code(), (400, 0));
    assert_eq!(
        http.get("/engine.io/?EIO=9&transport=polling").await.code(),
        (400, 5)
    );
    assert_eq!(http.get(POLLING).await.refusal(), (403, 4, "mine".to_owned()));
}

#[actix_web::test]
async fn a_panic_in_it_is_a_500() {
    let host = serve_with(&echo(|_| ()).start(), |scope| {
        scope.allow_request(|req| {
            let early = req.query_string().contains("early");
            assert!(!early, "on purpose");
            async move { panic!("on purpose") }
        })
    });
    let mut http = Http::connect(host.addr).await;
    assert_eq!(http.get(&format!("{POLLING}&early=1")).await.code(), (500, 3));
    assert_eq!(http.get(POLLING).await.code(), (500, 3));
    assert_eq!(
        http.get("/engine.io/?EIO=9&transport=polling").await.code(),
        (400, 5),
        "it goes on"
    );
}

/// `x-initial` on handshakes, `x-all` with a number on all answers.
fn marked(scope: Scope) -> Scope {
    let value = HeaderValue::from_static("yes");
    let other = value.clone();
    scope
        .initial_headers(move |headers, req| {
            assert!(!req.query_string().contains("sid="));
            headers.insert(HeaderName::from_static("x-initial"), value.clone());
            headers.insert(
                HeaderName::from_static("x-order"),
                HeaderValue::from_static("initial"),
            );
        })
        .headers(move |headers, _| {
            headers.insert(HeaderName::from_static("x-all"), other.clone());
            headers.insert(
                HeaderName::from_static("x-order"),
                HeaderValue::from_static("all"),
            );
        })
}

#[actix_web::test]
async fn header_hooks() {
    let server = echo(|_| ()).start();
    let host: Host = serve_with(&server, marked);
    let marks = |response: &crate::common::Response| {
        let name = |name| response.header(name).map(str::to_owned);
        (name("x-initial"), name("x-all"), name("x-order"))
    };
    let yes = || Some("yes".to_owned());
    let all = || Some("all".to_owned());

    let mut client = Polling::open(host.addr).await;
    assert_eq!(marks(&client.response), (yes(), yes(), all()));
    assert_eq!(marks(&client.post("4hi").await), (None, yes(), all()));
    client.send_poll().await;
    assert_eq!(marks(&client.answer().await), (None, yes(), all()));
    let upgrade = client.websocket().await;
    assert_eq!(marks(&upgrade.response), (None, yes(), all()));
    let direct = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    assert_eq!(marks(&direct.response), (yes(), yes(), all()));
    let refused = Http::connect(host.addr)
        .await
        .get("/engine.io/?EIO=9&transport=polling")
        .await;
    assert_eq!(marks(&refused), (None, None, None));
}

#[actix_web::test]
async fn connection_error_hears_of_refusals() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    let host = serve_with(&echo(|_| ()).start(), move |scope| {
        let sink = sink.clone();
        scope
            .allow_request(|_| async { Err(Reject::new("mine")) })
            .connection_error(move |req, refusal| {
                let line = format!(
                    "{} {} {} {}",
                    req.path(),
                    refusal.code(),
                    refusal,
                    refusal.context()
                );
                sink.lock().unwrap().push(line);
            })
    });
    let mut http = Http::connect(host.addr).await;
    http.get("/engine.io/?EIO=4&transport=tcp").await;
    http.get("/engine.io/?EIO=4&transport=polling&sid=nobody").await;
    http.get("/engine.io/?EIO=4&transport=websocket").await;
    http.get(POLLING).await;
    assert_eq!(
        *heard.lock().unwrap(),
        [
            "/engine.io/ 0 Transport unknown UNKNOWN_TRANSPORT",
            "/engine.io/ 1 Session ID unknown UNKNOWN_SID",
            "/engine.io/ 3 Bad request TRANSPORT_HANDSHAKE_ERROR",
            "/engine.io/ 4 mine FORBIDDEN",
        ]
    );
}
