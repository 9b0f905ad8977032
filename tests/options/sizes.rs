//! `max_http_buffer_size`: of a POST's body and of a WebSocket's message.

use engineio::{Events, Server};

use crate::common::{Frame, Http, Kind, Polling, Record, WebSocket, config, echo, open_packet, serve, until};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

#[actix_web::test]
async fn it_is_told() {
    let server = echo(|config| config.max_http_buffer_size = 100).start();
    let host = serve(&server);
    assert_eq!(Polling::open(host.addr).await.open["maxPayload"], 100);
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    assert_eq!(open_packet(&ws.next_text().await)["maxPayload"], 100);
}

#[actix_web::test]
async fn a_body_of_that_size_passes_and_one_byte_more_does_not() {
    let record = Record::new();
    let builder = Server::builder().config(config(|config| config.max_http_buffer_size = 100));
    let server = record.attach(Kind::Closures, Events::DEFAULT, builder).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    record.expect(&["connection"]).await;
    let fits = "x".repeat(99);
    client.push(&[&format!("4{fits}")]).await;
    record.expect(&[&format!("message {fits}")]).await;
    let response = client.post(&format!("4{fits}y")).await;
    assert_eq!(response.status, 413);
    record
        .expect(&[
            "error transport error payload too large",
            "close transport error payload too large",
        ])
        .await;
    until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn a_chunked_body_is_counted() {
    let server = echo(|config| config.max_http_buffer_size = 100).start();
    let host = serve(&server);
    for (chunks, status) in [
        (&["4", "y"][..], 200),
        (&["4xxxxxxxxx"; 10], 200),
        (&["4xxxxxxxxx"; 11], 413),
    ] {
        let client = Polling::open(host.addr).await;
        let mut http = Http::connect(host.addr).await;
        let headers = [("transfer-encoding", "chunked"), ("content-type", "text/plain")];
        http.send("POST", client.target(), &headers, None).await;
        for chunk in chunks {
            http.write(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes())
                .await;
        }
        http.write(b"0\r\n\r\n").await;
        assert_eq!(http.response().await.status, status, "{chunks:?}");
    }
}

#[actix_web::test]
async fn a_message_of_that_size_passes_and_one_byte_more_does_not() {
    let server = echo(|config| config.max_http_buffer_size = 100).start();
    let host = serve(&server);
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    ws.next_text().await;
    let fits = format!("4{}", "x".repeat(99));
    ws.text(&fits).await;
    assert_eq!(ws.next_text().await, fits);
    ws.binary(&[7; 100]).await;
    assert_eq!(ws.next().await, Frame::Binary(vec![7; 100]));
    ws.binary(&[7; 101]).await;
    assert!(matches!(ws.next().await, Frame::Close(1009, _)));
    until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn it_holds_on_a_websocket_that_was_an_upgrade() {
    let server = echo(|config| config.max_http_buffer_size = 100).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    let ws = client.websocket().await;
    let (mut ws, _) = crate::common::upgrade(&mut client, ws).await;
    ws.binary(&[7; 101]).await;
    assert!(matches!(ws.next().await, Frame::Close(1009, _)));
}
