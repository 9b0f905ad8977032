//! The handover, alone and below middleware.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Compress, DefaultHeaders, Logger};
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;

use crate::support::{Http, Running, WebSocket, patient, run};
use crate::{Accepted, DIRECT, both, echo, opened, request};

/// An `App` below these wraps.
macro_rules! start {
    ($accepted:expr, |$app:ident| $wrapped:expr) => {{
        let on_connect = $accepted.on_connect();
        run(move |listener| {
            let server = echo(patient());
            let engine = server.clone();
            let http = HttpServer::new(move || {
                let $app = App::new()
                    .route("/large", web::get().to(large))
                    .service(engineio::scope(&engine));
                $wrapped
            })
            .on_connect(on_connect)
            .h1_allow_half_closed(false)
            .disable_signals()
            .workers(1);
            (server, http.listen(listener).expect("listen").run())
        })
    }};
}

async fn large() -> HttpResponse {
    HttpResponse::Ok().body(vec![b'x'; 20_000])
}

fn plain(accepted: &Accepted) -> Running {
    start!(accepted, |app| app)
}

fn assert_works(running: &Running, accepted: &Accepted) {
    for (index, websocket) in both(running.address).iter_mut().enumerate() {
        accepted.assert_handed_over(&websocket.http);
        // Not a word has gone over the wire: neither side believes that the other has left.
        websocket.echo("still here");
        websocket.send_frame(9, b"ping");
        assert_eq!(websocket.frame(), Some((10, b"ping".to_vec())), "{index}");
        websocket.send("1");
        assert_eq!(websocket.close_code(), Some(1000));
    }
}

#[test]
fn plain_tcp() {
    let accepted = Accepted::default();
    assert_works(&plain(&accepted), &accepted);
}

#[test]
fn below_actix_own_middleware() {
    let accepted = Accepted::default();
    let running = start!(accepted, |app| app
        .wrap(Compress::default())
        .wrap(DefaultHeaders::new().add(("x-default", "yes")))
        .wrap(Logger::default()));
    assert_works(&running, &accepted);

    let mut http = Http::connect(running.address);
    http.send(request(DIRECT).replace("Host:", "Accept-Encoding: gzip, br\r\nHost:"));
    let (mut websocket, response) = opened(http);
    assert_eq!(response.header("x-default"), Some("yes"));
    assert_eq!(response.header("content-encoding"), None);
    accepted.assert_handed_over(&websocket.http);
    websocket.echo("hi");
}

/// A body around another.
struct Around(BoxBody);

impl MessageBody for Around {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.0.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

#[test]
fn below_middleware_that_wraps_the_body_and_adds_headers() {
    let accepted = Accepted::default();
    let running = start!(accepted, |app| app.wrap_fn(|req, service| {
        let response = service.call(req);
        async move {
            let mut response: ServiceResponse = response.await?;
            response.headers_mut().insert(
                HeaderName::from_static("x-request-id"),
                HeaderValue::from_static("42"),
            );
            Ok(response.map_body(|_, body| Around(body)))
        }
    }));
    assert_works(&running, &accepted);

    let mut http = Http::connect(running.address);
    http.send(request(DIRECT));
    let (websocket, response) = opened(http);
    assert_eq!(response.header("x-request-id"), Some("42"));
    assert_eq!(
        response.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(response.header("upgrade"), Some("websocket"));
    accepted.assert_handed_over(&websocket.http);
}

/// A middleware that turns the 101 into something else keeps the connection, and the session is told.
#[test]
fn below_middleware_that_answers_otherwise() {
    let accepted = Accepted::default();
    let running = start!(accepted, |app| app.wrap_fn(|req, service| {
        let replace = req.query_string().contains("replace");
        let response = service.call(req);
        async move {
            let response: ServiceResponse = response.await?;
            if replace {
                return Ok(response
                    .map_body(|_, _| ())
                    .into_response(HttpResponse::Forbidden().body("no")));
            }
            Ok(response)
        }
    }));
    let query = format!("{DIRECT}&replace=1");
    let (mut websocket, response) = WebSocket::request(running.address, &query);
    assert_eq!((response.status, response.text()), (403, "no"));
    accepted.assert_kept(&websocket.http);
    // The connection goes on as one of HTTP.
    websocket
        .http
        .send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // actix closes it if it believes that the request's body was not read.
    if let Some(response) = websocket.http.try_response() {
        assert_eq!(response.body.len(), 20_000);
    }
    crate::support::assert_clients(&running, 0);
}

#[test]
fn behind_requests_on_the_same_connection() {
    let accepted = Accepted::default();
    let running = plain(&accepted);
    // One after the other.
    let mut http = Http::connect(running.address);
    for _ in 0..3 {
        assert_eq!(http.get("EIO=4&transport=polling").status, 200);
    }
    http.send(request(DIRECT));
    let (mut websocket, _) = opened(http);
    accepted.assert_handed_over(&websocket.http);
    websocket.echo("hi");

    // All in one write.
    let mut http = Http::connect(running.address);
    let get = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
    http.send(format!("{get}{get}{get}{}", request(DIRECT)));
    for _ in 0..3 {
        assert_eq!(http.response().body.len(), 20_000);
    }
    let (mut websocket, _) = opened(http);
    accepted.assert_handed_over(&websocket.http);
    websocket.echo("hi");
}

/// The session lives on the thread that took its handshake, and its WebSocket may be accepted on another one.
#[test]
fn across_threads() {
    let accepted = Accepted::default();
    let on_connect = accepted.on_connect();
    let running = run(move |listener| {
        let server = echo(patient());
        let engine = server.clone();
        let http = HttpServer::new(move || App::new().service(engineio::scope(&engine)))
            .on_connect(on_connect)
            .h1_allow_half_closed(false)
            .disable_signals()
            .workers(3);
        (server, http.listen(listener).expect("listen").run())
    });
    let mut sockets: Vec<_> = (0..30).flat_map(|_| both(running.address)).collect();
    for (index, websocket) in sockets.iter_mut().enumerate() {
        accepted.assert_handed_over(&websocket.http);
        websocket.echo(&index.to_string());
    }
}
