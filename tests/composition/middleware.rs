//! Middleware around a scope: what it adds is on every answer, what it needs to see it sees.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use actix_cors::Cors;
use actix_web::dev::Service as _;
use actix_web::middleware::{Compress, DefaultHeaders, Logger};
use actix_web::{App, HttpMessage as _, HttpResponse, web};
use engineio::{Accept, Origins, Reject};

use crate::common::{Http, Polling, Response, WebSocket, echo, upgrade};
use crate::host;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";
const PAGE: (&str, &str) = ("origin", "http://page.example");

/// Every kind of answer that there is, with what it is.
async fn answers(addr: std::net::SocketAddr) -> Vec<(&'static str, Response)> {
    let mut client = Polling::open(addr).await;
    let mut http = Http::connect(addr).await;
    let mut answers = vec![("handshake", client.response.clone())];
    answers.push(("post", client.post("4hi").await));
    client.send_poll().await;
    answers.push(("poll", client.answer().await));
    answers.push(("upgrade's 101", client.websocket().await.response));
    answers.push(("101", WebSocket::connect(addr, WS, &[]).await.unwrap().response));
    answers.push((
        "refused handshake",
        http.get("/engine.io/?EIO=4&transport=tcp").await,
    ));
    answers.push(("refused WebSocket", http.get(WS).await));
    answers.push(("unknown session", http.get(&format!("{POLLING}&sid=x")).await));
    answers.push(("bad payload", client.post("9").await));
    let foreign = [("connection", "upgrade"), ("upgrade", "h2c")];
    answers.push(("foreign upgrade", http.get_with(WS, &foreign).await));
    answers
}

#[actix_web::test]
async fn a_header_is_on_every_answer() {
    let server = echo(|config| config.destroy_upgrade_timeout = crate::common::ms(10)).start();
    let host = host!(move || App::new()
        .wrap(DefaultHeaders::new().add(("x-mark", "yes")))
        .service(engineio::scope(&server)));
    for (what, response) in answers(host.addr).await {
        assert_eq!(response.header("x-mark"), Some("yes"), "{what}: {response:?}");
    }
}

/// While a poll waits its headers lie elsewhere: nobody shall notice.
#[actix_web::test]
async fn the_headers_of_a_poll_that_waited_are_all_there() {
    let server = echo(|_| {}).start();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let engine = server.clone();
    let host = host!(move || {
        let sink = sink.clone();
        let inner = web::scope("").wrap_fn(move |req, service| {
            let headers = |req: &actix_web::HttpRequest| {
                let mut all: Vec<_> = (req.headers().iter())
                    .map(|(name, value)| (name.to_string(), value.clone()))
                    .collect();
                all.sort_by(|a, b| a.0.cmp(&b.0));
                all
            };
            let (before, call, sink) = (headers(req.request()), service.call(req), sink.clone());
            async move {
                let response = call.await?;
                let after = headers(response.request());
                sink.lock().unwrap().push((before, after));
                Ok(response)
            }
        });
        App::new().service(inner.service(engineio::scope(&engine)))
    });
    let client = Polling::open(host.addr).await;
    let several = [
        ("x-one", "1"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-bytes", "\u{fc}"),
    ];
    let target = client.target().to_owned();
    let mut other = Http::connect(host.addr).await;
    for text in ["first", "second"] {
        let mut http = Http::connect(host.addr).await;
        http.send("GET", &target, &several, None).await;
        // The thread turns to others meanwhile: the poll waits in earnest.
        for _ in 0..5 {
            assert_eq!(other.get(&format!("{POLLING}&sid=x")).await.status, 400);
        }
        seen.lock().unwrap().clear();
        server.broadcast(text);
        assert_eq!(http.response().await.text(), format!("4{text}"));
        let (before, after) = seen.lock().unwrap().pop().unwrap();
        assert_eq!(before, after);
        assert!(
            before.iter().filter(|(name, _)| name == "cookie").count() == 2,
            "{before:?}"
        );
    }
}

/// That headers may be put away rests on this: actix does not route a request that middleware holds on to.
#[actix_web::test]
async fn a_request_that_somebody_holds_is_not_routed() {
    let server = echo(|_| {}).start();
    let host = host!(move || App::new()
        .wrap_fn(|req, service| {
            let held = req.request().clone();
            let call = service.call(req);
            async move {
                let response = call.await;
                drop(held);
                response
            }
        })
        .service(engineio::scope(&server)));
    let mut http = Http::connect(host.addr).await;
    http.send("GET", POLLING, &[], None).await;
    http.closed().await;
}

#[actix_web::test]
async fn refusals_are_responses_and_no_errors() {
    let server = echo(|config| config.destroy_upgrade_timeout = crate::common::ms(10)).start();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let host = host!(move || {
        let sink = sink.clone();
        let inner = web::scope("").wrap_fn(move |req, service| {
            let (call, sink) = (service.call(req), sink.clone());
            async move {
                let result = call.await;
                let line = result
                    .as_ref()
                    .map(|response| response.status().as_u16())
                    .map_err(|_| "error");
                sink.lock().unwrap().push(line);
                result
            }
        });
        App::new().service(inner.service(engineio::scope(&server)))
    });
    let statuses: Vec<_> = answers(host.addr)
        .await
        .iter()
        .map(|(_, response)| Ok(response.status))
        .collect();
    assert_eq!(*seen.lock().unwrap(), statuses);
    assert_eq!(
        statuses,
        [200, 200, 200, 101, 101, 400, 400, 400, 400, 400].map(Ok)
    );
}

#[actix_web::test]
async fn cors_is_on_preflights_answers_and_refusals() {
    let server = echo(|config| config.origins = Origins::List(vec![PAGE.1.to_owned()])).start();
    let host = host!(move || App::new()
        .wrap(
            Cors::default()
                .allowed_origin(PAGE.1)
                .allowed_methods(["GET", "POST"])
                .supports_credentials()
        )
        .service(engineio::scope(&server)));
    let allowed = |response: &Response| {
        let name = |name| response.header(name).map(str::to_owned);
        (
            name("access-control-allow-origin"),
            name("access-control-allow-credentials"),
        )
    };
    let yes = (Some(PAGE.1.to_owned()), Some("true".to_owned()));
    let mut http = Http::connect(host.addr).await;
    let preflight = [PAGE, ("access-control-request-method", "POST")];
    http.send("OPTIONS", POLLING, &preflight, None).await;
    let response = http.response().await;
    assert_eq!((response.status, allowed(&response)), (200, yes.clone()));
    let client = Polling::open_at(host.addr, "/engine.io/", &[PAGE]).await;
    assert_eq!(allowed(&client.response), yes);
    http.send("POST", client.target(), &[PAGE], Some(b"4hi")).await;
    assert_eq!(allowed(&http.response().await), yes);
    assert_eq!(allowed(&http.get_with(client.target(), &[PAGE]).await), yes);
    let refused = http.get_with("/engine.io/?EIO=4&transport=tcp", &[PAGE]).await;
    assert_eq!((refused.code(), allowed(&refused)), ((400, 0), yes.clone()));
    let unknown = http.get_with(&format!("{POLLING}&sid=gone"), &[PAGE]).await;
    assert_eq!((unknown.code(), allowed(&unknown)), ((400, 1), yes));
    // Without it around us a preflight is code 2.
    let host = crate::common::serve(&echo(|_| ()).start());
    let mut http = Http::connect(host.addr).await;
    http.send("OPTIONS", POLLING, &preflight, None).await;
    assert_eq!(http.response().await.code(), (400, 2));
}

#[actix_web::test]
async fn compress_and_logger_around_it() {
    let server = echo(|_| ()).start();
    let host = host!(move || App::new()
        .wrap(Compress::default())
        .wrap(Logger::new("%s %b %T"))
        .service(engineio::scope(&server)));
    let mut client = Polling::open(host.addr).await;
    let large = format!("4{}", "large ".repeat(2000));
    client.push(&[&large]).await;
    let mut http = Http::connect(host.addr).await;
    let response = http
        .get_with(client.target(), &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert!(response.body.len() < large.len() / 10);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*response.body)
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, large);
    client.push(&["4plain"]).await;
    assert_eq!(client.poll().await, ["4plain"]);

    let gzip = [("accept-encoding", "gzip")];
    let ws = WebSocket::connect(host.addr, &client.ws_target(), &gzip)
        .await
        .unwrap();
    assert_eq!(ws.response.header("content-encoding"), None);
    let (mut ws, _) = upgrade(&mut client, ws).await;
    let mut direct = WebSocket::connect(host.addr, WS, &gzip).await.unwrap();
    direct.next_text().await;
    for ws in [&mut ws, &mut direct] {
        ws.text(&large).await;
        assert_eq!(ws.next_text().await, large);
        ws.text("4small").await;
        assert_eq!(ws.next_text().await, "4small");
    }
}

#[actix_web::test]
async fn compress_around_it_does_not_compress_again() {
    let large = format!("4{}", "large ".repeat(2000));
    for ours in [true, false] {
        let server = echo(|config| config.http_compression = ours.then(Default::default)).start();
        let host = host!(move || App::new()
            .wrap(Compress::default())
            .service(engineio::scope(&server)));
        let mut client = Polling::open(host.addr).await;
        let mut http = Http::connect(host.addr).await;
        for accept in ["gzip", "deflate"] {
            client.push(&[&large]).await;
            let response = http
                .get_with(client.target(), &[("accept-encoding", accept)])
                .await;
            let codings: Vec<_> = response.all("content-encoding").collect();
            assert_eq!(codings, [accept], "ours: {ours}");
            // Ours is complete at once, the middleware's comes in chunks.
            let length = response.header("content-length").map(str::parse);
            assert_eq!(length, ours.then_some(Ok(response.body.len())), "ours: {ours}");
            let mut text = String::new();
            match accept {
                "gzip" => flate2::read::GzDecoder::new(&*response.body).read_to_string(&mut text),
                _ => flate2::read::ZlibDecoder::new(&*response.body).read_to_string(&mut text),
            }
            .unwrap();
            assert_eq!(text, large);
        }
    }
}

#[actix_web::test]
async fn cors_around_it_keeps_what_the_answer_varies_by() {
    let server = echo(|_| ()).start();
    let host = host!(move || App::new()
        .wrap(Cors::default().allowed_origin(PAGE.1))
        .service(engineio::scope(&server)));
    let mut client = Polling::open(host.addr).await;
    client.push(&[&format!("4{}", "large ".repeat(2000))]).await;
    let headers = [PAGE, ("accept-encoding", "gzip")];
    let response = Http::connect(host.addr)
        .await
        .get_with(client.target(), &headers)
        .await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let vary: Vec<_> = response.all("vary").flat_map(|line| line.split(", ")).collect();
    assert!(vary.contains(&"Accept-Encoding"), "{vary:?}");
    assert!(vary.contains(&"Origin"), "{vary:?}");
}

#[derive(Clone)]
struct Claims(&'static str);

#[actix_web::test]
async fn allow_request_sees_what_middleware_and_app_have_put_there() {
    let server = echo(|_| ()).start();
    let engine = server.clone();
    let host = host!(move || App::new()
        .app_data(web::Data::new(7_u32))
        .wrap_fn(|req, service| {
            req.extensions_mut().insert(Claims("ann"));
            service.call(req)
        })
        .service(engineio::scope(&engine).allow_request(|req| {
            let claims = req.extensions().get::<Claims>().cloned();
            let number = req.app_data::<web::Data<u32>>().map(|number| ***number);
            async move {
                match (claims, number) {
                    (Some(claims), Some(7)) => Ok(Accept::with(claims)),
                    _ => Err(Reject::new("nothing there")),
                }
            }
        })));
    let client = Polling::open(host.addr).await;
    let socket = server.client(&client.sid()).unwrap();
    assert_eq!(
        socket
            .request()
            .extensions()
            .get::<Claims>()
            .map(|claims| claims.0),
        Some("ann")
    );
}

#[actix_web::test]
async fn middleware_may_answer_in_our_place() {
    let server = echo(|_| ()).start();
    let engine = server.clone();
    let host = host!(move || App::new()
        .wrap(actix_web::middleware::from_fn(
            |req: actix_web::dev::ServiceRequest,
             next: actix_web::middleware::Next<actix_web::body::BoxBody>| async move {
                if req.headers().contains_key("authorization") {
                    next.call(req).await
                } else {
                    Ok(req.into_response(HttpResponse::Unauthorized().body("who are you?")))
                }
            }
        ))
        .service(engineio::scope(&engine)));
    let mut http = Http::connect(host.addr).await;
    assert_eq!(http.get(POLLING).await.status, 401);
    assert_eq!(
        WebSocket::connect(host.addr, WS, &[]).await.err().unwrap().status,
        401
    );
    assert_eq!(server.clients_count(), 0);
    let key = [("authorization", "yes")];
    Polling::open_at(host.addr, "/engine.io/", &key).await;
    assert!(WebSocket::connect(host.addr, WS, &key).await.is_ok());
}
