//! What an application is told of an end besides its reason: codes, sizes and times.

use std::sync::{Arc, Mutex};

use engineio::{Close, CloseReason, Config, Detail, Server, Side};

use crate::common::{Frame, Host, Polling, WebSocket, config, ms, serve, until};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

struct Ends {
    server: Server,
    host: Host,
    closes: Arc<Mutex<Vec<Close>>>,
}

impl Ends {
    fn of(change: impl FnOnce(&mut Config)) -> Ends {
        let closes = Arc::new(Mutex::new(Vec::new()));
        let sink = closes.clone();
        let server = Server::builder()
            .config(config(change))
            .on_close(move |_, close| sink.lock().unwrap().push(close))
            .start();
        let host = serve(&server);
        Ends { server, host, closes }
    }

    async fn websocket(&self) -> WebSocket {
        let mut ws = WebSocket::connect(self.host.addr, WS, &[]).await.unwrap();
        ws.next_text().await;
        ws
    }

    /// The one end that there was since.
    async fn next(&self) -> Close {
        until(|| !self.closes.lock().unwrap().is_empty()).await;
        self.closes.lock().unwrap().remove(0)
    }
}

#[actix_web::test]
async fn the_code_of_the_clients_websocket() {
    let ends = Ends::of(|_| ());
    for code in [1000, 1001, 3001, 4999] {
        ends.websocket().await.close(code).await;
        let close = ends.next().await;
        assert_eq!(close.reason, CloseReason::TransportClose);
        assert_eq!(close.detail, Some(Detail::WebSocketCode(code)));
        assert_eq!(close.reason.side(), Side::Client);
        assert_eq!(close.to_string(), format!("transport close (close code {code})"));
    }
    drop(ends.websocket().await);
    assert_eq!(ends.next().await.detail, Some(Detail::WebSocketCode(1006)));
}

#[actix_web::test]
async fn when_a_silent_client_was_last_seen() {
    let ends = Ends::of(|config| {
        config.ping_interval = ms(20);
        config.ping_timeout = ms(40);
    });
    let _ws = ends.websocket().await;
    let close = ends.next().await;
    assert_eq!(close.reason, CloseReason::PingTimeout);
    let Some(Detail::LastSeen { ago_ms }) = close.detail else {
        panic!("{close:?}");
    };
    assert!((60..10_000).contains(&ago_ms), "{close}");
}

#[actix_web::test]
async fn the_size_and_the_limit_of_what_was_too_large() {
    let ends = Ends::of(|config| config.max_http_buffer_size = 100);
    let mut client = Polling::open(ends.host.addr).await;
    assert_eq!(client.post(&"4".repeat(101)).await.status, 413);
    let close = ends.next().await;
    assert_eq!(close.reason, CloseReason::TransportError);
    let too_large = |size| {
        Some(Detail::TooLarge {
            size: Some(size),
            limit: 100,
        })
    };
    assert_eq!(close.detail, too_large(101));

    let mut ws = ends.websocket().await;
    ws.text(&"4".repeat(102)).await;
    let close = ends.next().await;
    let expected = (CloseReason::TransportError, too_large(102));
    assert_eq!((close.reason, close.detail), expected);
    let text = "transport error: payload too large (102 bytes, limit 100)";
    assert_eq!(close.to_string(), text);
}

#[actix_web::test]
async fn this_side() {
    let ends = Ends::of(|_| ());
    let _ws = ends.websocket().await;
    ends.server.clients()[0].close();
    let close = ends.next().await;
    assert_eq!((close.reason.side(), close.detail), (Side::Server, None));
    assert_eq!(close.to_string(), "forced close");
}

#[actix_web::test]
async fn an_application_ends_a_session_in_its_own_words() {
    for handover in [true, false] {
        let ends = Ends::of(|config| config.handover = handover);
        let mut ws = ends.websocket().await;
        let socket = ends.server.clients().remove(0);
        socket.try_send("last").unwrap();
        socket.close_with(Close::from("kicked by alice").with(Detail::WebSocketCode(4001)));
        socket.close_with("too late: it has been said");
        assert_eq!(ws.next_text().await, "4last");
        assert_eq!(ws.next().await, Frame::Close(4001, "kicked by alice".to_owned()));
        let close = ends.next().await;
        assert_eq!(
            (close.reason, close.reason.side()),
            (CloseReason::ForcedClose, Side::Server)
        );
        assert_eq!(
            close.to_string(),
            "forced close: kicked by alice (close code 4001)"
        );

        // A code that no frame may have, and more text than fits in one.
        let mut ws = ends.websocket().await;
        let text = "long ".repeat(40);
        let close = Close::from(text.clone()).with(Detail::WebSocketCode(1006));
        ends.server.clients()[0].discard_with(close.clone());
        assert_eq!(ws.next().await, Frame::Close(1000, text[..123].to_owned()));
        assert_eq!(ends.next().await, close);
    }
    // By polling the protocol says that it has ended, and no more.
    let ends = Ends::of(|_| ());
    let mut client = Polling::open(ends.host.addr).await;
    ends.server.clients()[0].close_with("bye".to_owned());
    assert_eq!(client.poll().await, ["1"]);
    assert_eq!(ends.next().await.to_string(), "forced close: bye");
}
