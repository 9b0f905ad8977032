//! `listen_rustls`: WebSockets that own their connections, over TLS.

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::common::{Frame, Http, Polling, WS_HEADERS, WebSocket, echo, open_packet, until, upgrade};
use crate::own::{close, run};
use crate::tls::Secure;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

#[actix_web::test]
async fn all_transports() {
    let server = echo(|_| ()).start();
    let secure = Secure::start_with(|config| {
        let listener = engineio::listen_rustls(&server, ("127.0.0.1", 0), config).unwrap();
        run(listener.workers(2).scope(|scope| {
            scope.headers(|headers, _| {
                headers.insert(
                    HeaderName::from_static("x-hook"),
                    HeaderValue::from_static("kept"),
                );
            })
        }))
    });
    let large = format!("4{}", "x".repeat(300_000));
    // Who does not speak TLS is in nobody's way.
    let mut plain = Http::connect(secure.addr()).await;
    plain.send("GET", POLLING, &[], None).await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        let (polls, posts) = (secure.http1().await, secure.http1().await);
        let mut client = Polling::over(secure.addr(), polls, posts, "/engine.io/", &[]).await;
        client.push(&[&large]).await;
        assert_eq!(client.poll().await, [&*large]);
        let ws = WebSocket::over(secure.http1().await, &client.ws_target(), &[])
            .await
            .unwrap();
        assert_eq!(ws.response.header("x-hook"), Some("kept"));
        sockets.push(upgrade(&mut client, ws).await.0);
        let offer = [("sec-websocket-protocol", "one, two")];
        let mut direct = WebSocket::over(secure.http1().await, WS, &offer).await.unwrap();
        assert_eq!(direct.response.header("sec-websocket-protocol"), Some("one"));
        assert_eq!(direct.response.header("x-hook"), Some("kept"));
        open_packet(&direct.next_text().await);
        sockets.push(direct);
    }
    for ws in &mut sockets {
        // More than the system buffers, before any of it is read.
        for index in 0..100 {
            ws.text(&format!("4{index}")).await;
        }
        for _ in 0..3 {
            ws.text(&large).await;
        }
        for index in 0..100 {
            assert_eq!(ws.next_text().await, format!("4{index}"));
        }
        for _ in 0..3 {
            assert_eq!(ws.next_text().await, large);
        }
    }
    close(&server);
    for ws in &mut sockets {
        assert!(matches!(ws.next().await, Frame::Close(1001, _)));
        assert_eq!(ws.next().await, Frame::End);
    }
    until(|| server.clients_count() == 0).await;
}

/// A masked text frame.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[actix_web::test]
async fn frames_behind_the_request() {
    let server = echo(|_| ()).start();
    let secure = Secure::start_with(|config| {
        run(engineio::listen_rustls(&server, ("127.0.0.1", 0), config)
            .unwrap()
            .workers(1))
    });
    let mut head = format!("GET {WS} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in WS_HEADERS {
        head += &format!("{name}: {value}\r\n");
    }
    let mut bytes = (head + "\r\n").into_bytes();
    for index in 0..1_000 {
        bytes.extend(frame(&format!("4{index}")));
    }
    let mut http = secure.http1().await;
    http.write(&bytes).await;
    let mut ws = WebSocket::opened(http).await;
    open_packet(&ws.next_text().await);
    for index in 0..1_000 {
        assert_eq!(ws.next_text().await, format!("4{index}"));
    }
}
