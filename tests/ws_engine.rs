//! `WsEngine::ActixWebActors`: what its codec does not do by itself holds all the same. With real clients it is
//! tested by `tests/run ws_engine`.

#[path = "common/mod.rs"]
mod common;

use engineio::{Server, ServerBuilder, WsEngine};

use common::{Frame, Host, Polling, WebSocket, config, echo, serve, until, upgrade};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

/// An echo server whose messages may have 100 bytes.
fn alternative() -> ServerBuilder {
    echo(|config| {
        config.ws_engine = WsEngine::ActixWebActors;
        config.max_http_buffer_size = 100;
    })
}

/// A session that begins on a WebSocket.
async fn open(host: &Host) -> WebSocket {
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    assert!(ws.next_text().await.starts_with('0'));
    ws
}

/// The WebSocket is closed with this code, and its session ends.
async fn expect_close(mut ws: WebSocket, code: u16, server: &Server) {
    match ws.next().await {
        Frame::Close(got, _) => assert_eq!(got, code),
        other => panic!("{other:?} instead of a close frame with {code}"),
    }
    until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn text_and_binary_come_back() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    for text in ["4", "4hello", "4häng"] {
        ws.text(text).await;
        assert_eq!(ws.next_text().await, text);
    }
    for bytes in [&[][..], &[0, 255, 4]] {
        ws.binary(bytes).await;
        assert_eq!(ws.next().await, Frame::Binary(bytes.to_vec()));
    }
}

#[actix_web::test]
async fn the_first_subprotocol_that_is_offered_is_agreed_on() {
    let server = alternative().start();
    let host = serve(&server);
    let offer = [("sec-websocket-protocol", "one, two")];
    let ws = WebSocket::connect(host.addr, WS, &offer).await.unwrap();
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some("one"));
}

#[actix_web::test]
async fn a_binary_message_of_revision_3_has_its_prefix() {
    let server = alternative().start();
    let host = serve(&server);
    let target = "/engine.io/?EIO=3&transport=websocket";
    let mut ws = WebSocket::connect(host.addr, target, &[]).await.unwrap();
    assert!(ws.next_text().await.starts_with('0'));
    ws.binary(&[4, 7, 8]).await;
    assert_eq!(ws.next().await, Frame::Binary(vec![4, 7, 8]));
}

#[actix_web::test]
async fn a_session_upgrades() {
    let server = alternative().start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4after").await;
    assert_eq!(ws.next_text().await, "4after");
}

#[actix_web::test]
async fn a_failed_upgrade_leaves_the_session() {
    let server = alternative().start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    let mut ws = client.websocket().await;
    ws.text("4too early").await;
    assert!(matches!(ws.next().await, Frame::Close(1002, _)));
    assert_eq!(ws.next().await, Frame::End);
    client.push(&["4still here"]).await;
    assert_eq!(client.poll().await, ["4still here"]);
}

#[actix_web::test]
async fn deflate_is_not_agreed_on() {
    let server = alternative().start();
    let host = serve(&server);
    let offer = [("sec-websocket-extensions", "permessage-deflate")];
    let ws = WebSocket::connect(host.addr, WS, &offer).await.unwrap();
    assert_eq!(ws.response.header("sec-websocket-extensions"), None);
}

#[actix_web::test]
async fn a_message_may_have_so_many_bytes_in_one_frame() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    ws.binary(&[7; 100]).await;
    assert_eq!(ws.next().await, Frame::Binary(vec![7; 100]));
    ws.binary(&[7; 101]).await;
    expect_close(ws, 1009, &server).await;
}

#[actix_web::test]
async fn a_message_may_have_so_many_bytes_in_many_frames() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    for last in [40, 41] {
        ws.frame(0x02, &[7; 60]).await;
        ws.frame(0x80, &vec![7; last]).await;
        if last == 40 {
            assert_eq!(ws.next().await, Frame::Binary(vec![7; 100]));
        }
    }
    expect_close(ws, 1009, &server).await;
}

#[actix_web::test]
async fn a_frame_that_never_ends_is_not_gathered() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    // A terabyte is announced.
    ws.bytes(&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    ws.bytes(&[0; 200]).await;
    expect_close(ws, 1009, &server).await;
}

#[actix_web::test]
async fn a_message_in_too_many_frames_ends_the_session() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    ws.frame(0x02, &[]).await;
    let empty = [0x00, 0x80, 0, 0, 0, 0].repeat(16 * 1024);
    ws.bytes(&empty).await;
    expect_close(ws, 1008, &server).await;
}

#[actix_web::test]
async fn pieces_make_a_message_and_a_ping_between_them_is_answered() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    let text = "4häng".as_bytes();
    ws.frame(0x01, &text[..3]).await;
    ws.frame(0x89, &[9; 125]).await;
    assert_eq!(ws.next().await, Frame::Pong(vec![9; 125]));
    ws.frame(0x00, &[]).await;
    ws.frame(0x80, &text[3..]).await;
    assert_eq!(ws.next_text().await, "4häng");
}

#[actix_web::test]
async fn what_breaks_the_protocol_is_answered_by_its_code() {
    for (frames, code) in [
        (&[(0x81, &[b'4', 0xff][..])][..], 1007),
        (&[(0x01, &[b'4', 0xc3]), (0x80, b"x")], 1007),
        (&[(0xc1, b"4")], 1002),
        (&[(0x83, b"")], 1002),
        (&[(0x80, b"")], 1002),
        (&[(0x01, b"4"), (0x81, b"4")], 1002),
        (&[(0x09, b"")], 1002),
        (&[(0x89, &[0; 126])], 1009),
        (&[(0x88, &[3])], 1002),
        (&[(0x88, &[3, 237])], 1002),
    ] {
        let server = alternative().start();
        let host = serve(&server);
        let mut ws = open(&host).await;
        for (first, payload) in frames {
            ws.frame(*first, payload).await;
        }
        expect_close(ws, code, &server).await;
    }
}

#[actix_web::test]
async fn an_unmasked_frame_is_answered_by_its_code() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    ws.bytes(&[0x81, 0x01, b'4']).await;
    expect_close(ws, 1002, &server).await;
}

#[actix_web::test]
async fn a_close_frame_is_answered_by_its_code() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    ws.close(4321).await;
    expect_close(ws, 4321, &server).await;
}

#[actix_web::test]
async fn the_server_closes() {
    let server = Server::builder()
        .config(config(|config| config.ws_engine = WsEngine::ActixWebActors))
        .on_message(|socket, data| {
            let _ = socket.try_send(data);
            socket.close();
        })
        .start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    ws.text("4last words").await;
    assert_eq!(ws.next_text().await, "4last words");
    expect_close(ws, 1000, &server).await;
}

#[actix_web::test]
async fn many_frames_in_one_read_come_back_in_order() {
    let server = alternative().start();
    let host = serve(&server);
    let mut ws = open(&host).await;
    let count = 5_000;
    let burst: Vec<u8> = (0..count)
        .flat_map(|number: u32| {
            let text = format!("4{number:05}");
            [&[0x81, 0x86, 0, 0, 0, 0][..], text.as_bytes()].concat()
        })
        .collect();
    ws.bytes(&burst).await;
    for number in 0..count {
        assert_eq!(ws.next_text().await, format!("4{number:05}"));
    }
}
