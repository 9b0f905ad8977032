//! `addr.send(Send).await` resolves when the message was flushed, or says that it never will be; `try_send`
//! says why not.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use engineio::{Send, SendError, Server, Socket};

use crate::common::{Frame, Host, Polling, WebSocket, config, echo, serve, until, upgrade, within};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

async fn polling() -> (Server, Host, Polling, Socket) {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let client = Polling::open(host.addr).await;
    let socket = server.client(&client.sid()).unwrap();
    (server, host, client, socket)
}

async fn websocket(server: &Server) -> (Host, WebSocket, Socket) {
    let host = serve(server);
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    ws.next_text().await;
    let socket = server.clients().remove(0);
    (host, ws, socket)
}

/// Starts a future and looks whether it is done.
fn is_done<F: Future>(future: Pin<&mut F>) -> bool {
    matches!(
        future.poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(_)
    )
}

#[actix_web::test]
async fn it_resolves_when_a_poll_has_taken_it() {
    let (_server, _host, mut client, socket) = polling().await;
    let mut send = pin!(socket.addr().send(Send::text("a")));
    assert!(!is_done(send.as_mut()));
    // What comes later has been handled; the send has not left, for nobody has polled.
    client.push(&["4b"]).await;
    assert!(!is_done(send.as_mut()));
    assert_eq!(client.poll().await, ["4a", "4b"]);
    assert_eq!(within(send).await.unwrap(), Ok(()));
}

#[actix_web::test]
async fn it_resolves_with_a_parked_poll() {
    let (_server, _host, mut client, socket) = polling().await;
    client.send_poll().await;
    assert_eq!(
        within(socket.addr().send(Send::binary(vec![1]))).await.unwrap(),
        Ok(())
    );
    assert_eq!(client.packets().await, ["bAQ=="]);
}

#[actix_web::test]
async fn it_resolves_on_a_websocket() {
    let server = echo(|_| ()).start();
    let (_host, mut ws, socket) = websocket(&server).await;
    for index in 0..20 {
        let send = socket.addr().send(Send::text(index.to_string()).compress(false));
        assert_eq!(within(send).await.unwrap(), Ok(()));
        assert_eq!(ws.next_text().await, format!("4{index}"));
    }
    // As many as the mailbox takes from those who wait: the next one would be sent when it is awaited.
    let many: Vec<_> = (0..10)
        .map(|index| socket.addr().send(Send::text(index.to_string())))
        .collect();
    for send in many {
        assert_eq!(within(send).await.unwrap(), Ok(()));
    }
    for index in 0..10 {
        assert_eq!(ws.next_text().await, format!("4{index}"));
    }
}

#[actix_web::test]
async fn it_resolves_across_the_swap() {
    let (_server, _host, mut client, socket) = polling().await;
    let ws = client.websocket().await;
    let mut send = pin!(socket.addr().send(Send::text("waits")));
    assert!(!is_done(send.as_mut()));
    let (mut ws, packets) = upgrade(&mut client, ws).await;
    let mut all = packets;
    if all.is_empty() {
        all.push(ws.next_text().await);
    }
    assert_eq!(all, ["4waits"]);
    assert_eq!(within(send).await.unwrap(), Ok(()));
    assert_eq!(
        within(socket.addr().send(Send::text("after"))).await.unwrap(),
        Ok(())
    );
    assert_eq!(ws.next_text().await, "4after");
}

#[actix_web::test]
async fn it_is_closed_when_the_session_ends_first() {
    let (_server, _host, mut client, socket) = polling().await;
    let mut send = pin!(socket.addr().send(Send::text("never")));
    assert!(!is_done(send.as_mut()));
    client.push(&["1"]).await;
    assert_eq!(within(send).await.unwrap(), Err(SendError::Closed));

    let (_server, _host, _client, socket) = polling().await;
    let mut send = pin!(socket.addr().send(Send::text("never")));
    assert!(!is_done(send.as_mut()));
    socket.discard();
    assert_eq!(within(send).await.unwrap(), Err(SendError::Closed));
}

#[actix_web::test]
async fn it_is_flushed_though_a_close_follows_at_once() {
    let (_server, _host, mut client, socket) = polling().await;
    client.send_poll().await;
    client.push(&["4parked"]).await;
    assert_eq!(client.packets().await, ["4parked"]);
    client.send_poll().await;
    let sends = ["a", "b"].map(|text| socket.addr().send(Send::text(text)));
    socket.close();
    let mut packets = client.packets().await;
    while packets.last().is_some_and(|last| last != "1") {
        packets.extend(client.poll().await);
    }
    for send in sends {
        assert_eq!(within(send).await.unwrap(), Ok(()));
    }
    assert_eq!(packets, ["4a", "4b", "1"]);

    let server = echo(|_| ()).start();
    let (_host, mut ws, socket) = websocket(&server).await;
    let sends = ["a", "b"].map(|text| socket.addr().send(Send::text(text)));
    socket.close();
    for send in sends {
        assert_eq!(within(send).await.unwrap(), Ok(()));
    }
    assert_eq!(ws.next_text().await, "4a");
    assert_eq!(ws.next_text().await, "4b");
    assert!(matches!(ws.next().await, Frame::Close(1000, _)));
}

#[actix_web::test]
async fn it_is_closed_when_a_websocket_goes_with_it() {
    let server = Server::builder()
        .config(config(|config| config.max_buffered_bytes = 100_000_000))
        .start();
    let (_host, ws, socket) = websocket(&server).await;
    // More than the system's buffers take of somebody who does not read.
    let sends: Vec<_> = (0..40)
        .map(|_| socket.addr().send(Send::binary(vec![0; 1_000_000])))
        .collect();
    drop(ws);
    let mut last = Ok(());
    for send in sends {
        // Those that its process has never come to see that it is gone.
        last = within(send).await.unwrap_or(Err(SendError::Closed));
    }
    assert_eq!(last, Err(SendError::Closed));
}

#[actix_web::test]
async fn it_is_closed_after_the_end() {
    let (server, _host, mut client, socket) = polling().await;
    client.push(&["1"]).await;
    until(|| server.clients_count() == 0).await;
    match within(socket.addr().send(Send::text("late"))).await {
        // Its process may be gone already.
        Ok(Err(SendError::Closed)) | Err(actix::MailboxError::Closed) => {}
        other => panic!("{other:?}"),
    }
    socket.addr().do_send(Send::text("late"));
    assert_eq!(socket.try_send("late"), Err(SendError::Closed));
    socket.close();
    socket.discard();
}

#[actix_web::test]
async fn try_send_is_closed_while_closing() {
    let (server, _host, mut client, socket) = polling().await;
    socket.try_send("before").unwrap();
    socket.close();
    until(|| socket.try_send("after") == Err(SendError::Closed)).await;
    let packets = client.poll().await;
    assert_eq!(
        (
            packets.first().map(|packet| &**packet),
            packets.last().map(|packet| &**packet)
        ),
        (Some("4before"), Some("1"))
    );
    until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn text_and_binary_keep_their_kind() {
    let server = echo(|_| ()).start();
    let (_host, mut ws, socket) = websocket(&server).await;
    socket.addr().do_send(Send::text("text"));
    socket.addr().do_send(Send::binary(vec![0, 255]));
    socket.addr().do_send(Send::new("new"));
    socket
        .try_send_message(Send::text("option").compress(false))
        .unwrap();
    assert_eq!(ws.next_text().await, "4text");
    assert_eq!(ws.next().await, Frame::Binary(vec![0, 255]));
    assert_eq!(ws.next_text().await, "4new");
    assert_eq!(ws.next_text().await, "4option");
}
