//! `http_compression`: which answers are compressed, and what they say of it.

use std::io::Read as _;

use actix_web::http::header::{self, HeaderValue};
use engineio::{Data, Send, Server};
use flate2::read::{GzDecoder, ZlibDecoder};

use crate::common::{Http, Polling, Response, WebSocket, echo, serve, serve_with};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const GZIP: [(&str, &str); 1] = [("accept-encoding", "gzip")];

/// What a body was, by its `Content-Encoding`.
fn plain(response: &Response) -> Vec<u8> {
    let mut body = &*response.body;
    let mut plain = Vec::new();
    let read = match coding(response) {
        None => body.read_to_end(&mut plain),
        Some("gzip") => GzDecoder::new(body).read_to_end(&mut plain),
        Some("deflate") => ZlibDecoder::new(body).read_to_end(&mut plain),
        Some(other) => panic!("{other}?"),
    };
    read.expect("a whole stream");
    plain
}

fn coding(response: &Response) -> Option<&str> {
    response.header("content-encoding")
}

/// The answer to a poll for the echo of `packet`.
async fn poll(client: &mut Polling, http: &mut Http, packet: &str, headers: &[(&str, &str)]) -> Response {
    client.push(&[packet]).await;
    let response = http.get_with(client.target(), headers).await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(String::from_utf8(plain(&response)).as_deref(), Ok(packet));
    response
}

#[actix_web::test]
async fn the_threshold_is_the_fewest_bytes() {
    for threshold in [None, Some(0), Some(10), Some(5000), Some(usize::MAX)] {
        let server = echo(|config| {
            if let (Some(threshold), Some(compression)) = (threshold, &mut config.http_compression) {
                compression.threshold = threshold;
            }
        });
        let host = serve(&server.start());
        let mut client = Polling::open(host.addr).await;
        let mut http = Http::connect(host.addr).await;
        let edge = threshold.unwrap_or(1024);
        for bytes in [2, 9, 10, 1023, 1024, 4999, 5000, 100_000] {
            let packet = format!("4{}", "x".repeat(bytes - 1));
            let response = poll(&mut client, &mut http, &packet, &GZIP).await;
            assert_eq!(
                coding(&response),
                (bytes >= edge).then_some("gzip"),
                "{bytes} of {edge}"
            );
        }
    }
}

#[actix_web::test]
async fn without_it_nothing_is_compressed() {
    let host = serve(&echo(|config| config.http_compression = None).start());
    let mut client = Polling::open(host.addr).await;
    let mut http = Http::connect(host.addr).await;
    let response = poll(&mut client, &mut http, &format!("4{}", "x".repeat(5000)), &GZIP).await;
    assert_eq!((coding(&response), response.header("vary")), (None, None));
}

#[actix_web::test]
async fn the_request_that_is_answered_says_how() {
    let host = serve(&echo(|_| ()).start());
    let mut client = Polling::open_at(host.addr, "/engine.io/", &GZIP).await;
    let mut http = Http::connect(host.addr).await;
    let large = format!("4{}", "x".repeat(5000));
    for (accept, expected) in [
        ("gzip, deflate, br", Some("gzip")),
        ("deflate", Some("deflate")),
        ("gzip;q=0.1, deflate;q=0.2", Some("deflate")),
        ("br", None),
        ("identity;q=0, br", None),
        ("*", Some("gzip")),
        ("*;q=0", None),
    ] {
        let response = poll(&mut client, &mut http, &large, &[("accept-encoding", accept)]).await;
        assert_eq!(coding(&response), expected, "{accept}");
        assert_eq!(response.header("vary"), Some("Accept-Encoding"), "{accept}");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let length = response.header("content-length").map(str::parse);
        assert_eq!(length, Some(Ok(response.body.len())), "{accept}");
    }
    let lines = [("accept-encoding", "br"), ("accept-encoding", "deflate")];
    let response = poll(&mut client, &mut http, &large, &lines).await;
    assert_eq!(coding(&response), Some("deflate"));
    // Silence is no consent.
    let response = poll(&mut client, &mut http, &large, &[]).await;
    assert_eq!(coding(&response), None);
    // A poll that waits.
    http.send("GET", client.target(), &GZIP, None).await;
    client.push(&[&large]).await;
    let response = http.response().await;
    assert_eq!(coding(&response), Some("gzip"));
    assert_eq!(plain(&response), large.as_bytes());
}

#[actix_web::test]
async fn a_message_may_ask_not_to_be_compressed() {
    let server = Server::builder()
        .on_message(|socket, data| {
            let compress = matches!(&data, Data::Text(text) if text.starts_with("yes"));
            let _ = socket.try_send_message(Send::new(data).compress(compress));
        })
        .start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    let mut http = Http::connect(host.addr).await;
    let filler = "x".repeat(2000);
    for (starts, expected) in [
        (&["no"][..], None),
        (&["yes"], Some("gzip")),
        (&["no", "no"], None),
        (&["no", "yes", "no"], Some("gzip")),
        (&["no"], None),
    ] {
        let packets: Vec<_> = starts.iter().map(|start| format!("4{start}{filler}")).collect();
        client
            .push(&packets.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
        let response = http.get_with(client.target(), &GZIP).await;
        assert_eq!(coding(&response), expected, "{starts:?}");
        assert_eq!(plain(&response), packets.join("\x1e").as_bytes());
    }
}

#[actix_web::test]
async fn hooks_are_heard_first() {
    let host = serve_with(&echo(|_| ()).start(), |scope| {
        scope.headers(|headers, req| {
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
            if req.headers().contains_key("x-plain") {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
            }
        })
    });
    let mut client = Polling::open(host.addr).await;
    let mut http = Http::connect(host.addr).await;
    let large = format!("4{}", "x".repeat(5000));
    let response = poll(&mut client, &mut http, &large, &GZIP).await;
    assert_eq!(coding(&response), Some("gzip"));
    assert_eq!(
        response.all("vary").collect::<Vec<_>>(),
        ["Origin, Accept-Encoding"]
    );
    let response = poll(&mut client, &mut http, "4small", &GZIP).await;
    assert_eq!(response.header("vary"), Some("Origin"));
    // It has its coding.
    client.push(&[&large]).await;
    let headers = [GZIP[0], ("x-plain", "yes")];
    let response = http.get_with(client.target(), &headers).await;
    assert_eq!((coding(&response), response.text()), (Some("identity"), &*large));
}

#[actix_web::test]
async fn nothing_but_answers_to_polls() {
    let server = echo(|config| {
        config.initial_packet = Some("x".repeat(5000).into());
        if let Some(compression) = &mut config.http_compression {
            compression.threshold = 0;
        }
    });
    let host = serve(&server.start());
    let mut http = Http::connect(host.addr).await;
    let handshake = http.get_with(POLLING, &GZIP).await;
    assert_eq!(coding(&handshake), Some("gzip"), "the first poll");
    let packets = plain(&handshake);
    assert!(packets.ends_with(format!("\x1e4{}", "x".repeat(5000)).as_bytes()));
    let mut client = Polling::open(host.addr).await;
    let mut plain_ones = Vec::new();
    http.send("POST", client.target(), &GZIP, Some(b"4hi")).await;
    plain_ones.push(http.response().await);
    assert_eq!(plain_ones[0].text(), "ok");
    for target in [
        "/engine.io/?EIO=4&transport=tcp".to_owned(),
        format!("{POLLING}&sid=x"),
        "/engine.io/?EIO=4&transport=websocket".to_owned(),
    ] {
        plain_ones.push(http.get_with(&target, &GZIP).await);
    }
    http.send("POST", client.target(), &GZIP, Some(b"9")).await;
    plain_ones.push(http.response().await);
    let ws = "/engine.io/?EIO=4&transport=websocket";
    plain_ones.push(WebSocket::connect(host.addr, ws, &GZIP).await.unwrap().response);
    for response in plain_ones {
        assert_eq!(
            (coding(&response), response.header("vary")),
            (None, None),
            "{response:?}"
        );
    }
    // The transport's own noop asks for nothing.
    client = Polling::open(host.addr).await;
    let mut ws = client.websocket().await;
    http.send("GET", client.target(), &GZIP, None).await;
    ws.text("2probe").await;
    let noop = http.response().await;
    assert_eq!((coding(&noop), noop.text()), (None, "6"));
}

#[actix_web::test]
async fn scripts_are_compressed_as_a_whole() {
    let host = serve(&echo(|_| ()).start());
    let mut client = Polling::open(host.addr).await;
    let mut http = Http::connect(host.addr).await;
    let script = format!("{}&j=0", client.target());
    // `___eio[0]("4");` are 15 bytes, of which the packet has 1.
    for (bytes, expected) in [(1023, None), (1024, Some("gzip"))] {
        let packet = format!("4{}", "x".repeat(bytes - 15));
        client.push(&[&packet]).await;
        let response = http.get_with(&script, &GZIP).await;
        assert_eq!(coding(&response), expected, "{bytes}");
        assert_eq!(
            response.header("content-type"),
            Some("text/javascript; charset=UTF-8")
        );
        let body = plain(&response);
        assert_eq!(
            (body.len(), body),
            (bytes, format!("___eio[0](\"{packet}\");").into_bytes())
        );
    }
}

#[actix_web::test]
async fn binary_payloads_of_revision_3() {
    let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let (answer, data) = (bytes.clone(), Data::from(bytes));
    let server = Server::builder()
        .on_message(move |socket, _| {
            let _ = socket.try_send(data.clone());
        })
        .start();
    let host = serve(&server);
    let mut http = Http::connect(host.addr).await;
    let handshake = http.get("/engine.io/?EIO=3&transport=polling").await;
    let sid = handshake.text().split('"').nth(3).expect("a sid").to_owned();
    let target = format!("/engine.io/?EIO=3&transport=polling&sid={sid}");
    for accept in ["gzip", "deflate"] {
        assert_eq!(http.post(&target, b"3:4go").await.text(), "ok");
        let response = http.get_with(&target, &[("accept-encoding", accept)]).await;
        assert_eq!(coding(&response), Some(accept));
        assert_eq!(response.header("content-type"), Some("application/octet-stream"));
        assert!(response.body.len() < answer.len() / 2);
        let expected = [&[1, 3, 0, 0, 1, 255, 4], &*answer].concat();
        assert!(plain(&response) == expected, "{:?}", &plain(&response)[..20]);
    }
}
