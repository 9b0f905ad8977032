//! What is answered the same by every door: actix's HTTP server, and own listeners.

use std::net::SocketAddr;

use actix_web::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use engineio::{Config, Scope, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::own::run;
use crate::common::{
    Host, Http, Polling, Response, WS_HEADERS, WebSocket, echo, open_packet, serve_with, within,
};

const V3: &str = "/engine.io/?EIO=3&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

/// A server behind actix's HTTP server, and behind a listener of its own.
struct Doors {
    actix: Host,
    own: SocketAddr,
}

impl Doors {
    fn open(change: impl FnOnce(&mut Config)) -> Doors {
        Doors::with(change, |scope| scope)
    }

    fn with(
        change: impl FnOnce(&mut Config),
        set_up: impl Fn(Scope) -> Scope + Clone + Send + Sync + 'static,
    ) -> Doors {
        let server: Server = echo(change).start();
        let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap();
        Doors {
            actix: serve_with(&server, set_up.clone()),
            own: run(listener.own_listeners(true).workers(1).scope(set_up)),
        }
    }

    fn each(&self) -> [SocketAddr; 2] {
        [self.actix.addr, self.own]
    }
}

/// The answer to an upgrade request whose `Upgrade` is `upgrade`, with another header.
async fn upgraded(addr: SocketAddr, upgrade: &str, more: Option<(&str, &str)>) -> Response {
    let mut headers = WS_HEADERS.map(|(name, value)| (name, if name == "upgrade" { upgrade } else { value }));
    headers.sort();
    let headers: Vec<_> = headers.into_iter().chain(more).collect();
    let mut http = Http::connect(addr).await;
    http.send("GET", WS, &headers, None).await;
    http.response().await
}

#[actix_web::test]
async fn a_websocket_is_what_passes_on_bytes_as_they_are() {
    let doors = Doors::open(|_| ());
    let chunked = Some(("transfer-encoding", "chunked"));
    for (addr, refused) in doors.each().into_iter().zip([400, 501]) {
        for upgrade in ["foo, websocket", "websocket, foo", "websocket/13", "foo"] {
            let status = upgraded(addr, upgrade, None).await.status;
            assert_eq!(status, refused, "{upgrade}");
        }
        assert_eq!(upgraded(addr, "websocket", chunked).await.status, refused);
        for upgrade in ["websocket", " WebSocket "] {
            assert_eq!(upgraded(addr, upgrade, None).await.status, 101, "{upgrade}");
        }
        // Two lines, one of which says it.
        let more = Some(("upgrade", "foo"));
        assert_eq!(upgraded(addr, "websocket", more).await.status, 101);
    }
}

/// The subprotocol that is agreed on over a connection, on which messages then pass.
async fn agreed(http: Http, target: &str, offers: &[&str]) -> Vec<String> {
    let headers: Vec<_> = offers
        .iter()
        .map(|offer| ("sec-websocket-protocol", *offer))
        .collect();
    let mut ws = WebSocket::over(http, target, &headers).await.expect("a 101");
    if target == WS {
        open_packet(&ws.next_text().await);
        ws.text("4hi").await;
        assert_eq!(ws.next_text().await, "4hi");
    } else {
        ws.text("2probe").await;
        assert_eq!(ws.next_text().await, "3probe");
    }
    let agreed = ws.response.all("sec-websocket-protocol");
    agreed.map(str::to_owned).collect()
}

#[actix_web::test]
async fn the_first_subprotocol_that_is_offered_is_agreed_on() {
    for handover in [true, false] {
        let doors = Doors::open(|config| config.handover = handover);
        for addr in doors.each() {
            let agreed = async |offers: &[&str]| agreed(Http::connect(addr).await, WS, offers).await;
            assert_eq!(agreed(&["one"]).await, ["one"]);
            assert_eq!(agreed(&["one, two"]).await, ["one"]);
            assert_eq!(agreed(&[" , v1.chat+x ,two"]).await, ["v1.chat+x"]);
            assert_eq!(agreed(&["one", "two"]).await, ["one"]);
            for odd in [&[][..], &[""], &["one two, three"], &["\"one\""], &["é"], &[",,"]] {
                assert!(agreed(odd).await.is_empty(), "{odd:?}");
            }
            let client = Polling::open(addr).await;
            let http = Http::connect(addr).await;
            let upgrade = super::doors::agreed(http, &client.ws_target(), &["one, two"]).await;
            assert_eq!(upgrade, ["one"]);
        }
    }
}

#[actix_web::test]
async fn a_hook_may_agree_on_another_subprotocol() {
    let doors = Doors::with(
        |_| (),
        |scope| {
            scope
                .headers(|headers, _| headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("two")))
        },
    );
    for addr in doors.each() {
        let agreed = agreed(Http::connect(addr).await, WS, &["one, two"]).await;
        assert_eq!(agreed, ["two"]);
    }
}

#[actix_web::test]
async fn who_sends_too_much_can_read_so_and_send_the_rest() {
    const SENT: usize = 2_000_000;
    let doors = Doors::open(|config| config.max_http_buffer_size = 1_000_000);
    for addr in doors.each() {
        let client = Polling::open(addr).await;
        let mut http = Http::connect(addr).await;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: {SENT}\r\n\r\n",
            client.target()
        );
        http.write(head.as_bytes()).await;
        let response = http.response().await;
        assert_eq!((response.status, response.text()), (413, ""));
        assert_eq!(response.header("content-length"), Some("0"));
        assert_eq!(response.header("transfer-encoding"), None);
        let (mut io, _) = http.into_parts();
        for _ in 0..SENT / 10_000 {
            within(io.write_all(&[b'4'; 10_000])).await.expect("it is read");
        }
        // Neither was the connection reset then.
        within(io.shutdown()).await.expect("it lives");
        let mut rest = Vec::new();
        within(io.read_to_end(&mut rest)).await.expect("no reset");
        assert!(rest.is_empty(), "{rest:?}");
    }
}

#[actix_web::test]
async fn the_last_b64_of_a_handshake_counts_for_scripts_too() {
    let doors = Doors::open(|config| config.allow_eio3 = true);
    for addr in doors.each() {
        for (query, status) in [
            ("", 400),
            ("&b64=1", 200),
            ("&b64=1&b64=", 400),
            ("&b64=&b64=1", 200),
            ("&j=0", 200),
        ] {
            let mut http = Http::connect(addr).await;
            let handshake =
                String::from_utf8_lossy(&http.get(&format!("{V3}{query}")).await.body).into_owned();
            let (_, rest) = handshake.split_once("sid").expect("a sid");
            let sid: String = rest
                .trim_start_matches(['\\', '"', ':'])
                .chars()
                .take_while(|char| char.is_ascii_alphanumeric() || "-_".contains(*char))
                .collect();
            let target = format!("{V3}&sid={sid}");
            let headers = [("content-type", "text/plain")];
            http.send("POST", &target, &headers, Some(b"2:4a")).await;
            assert_eq!(http.response().await.status, 200);
            let response = http.get(&format!("{target}&j=0")).await;
            assert_eq!(response.status, status, "{query}");
        }
    }
}
