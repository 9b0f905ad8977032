//! `generate_id`.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use engineio::{IdError, Sid};

use crate::common::{Http, Polling, WebSocket, echo, open_packet, serve};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

#[actix_web::test]
async fn by_default_24_characters_of_base64url() {
    let server = echo(|_| ()).start();
    let host = serve(&server);
    let mut last = String::new();
    for _ in 0..3 {
        let client = Polling::open(host.addr).await;
        let sid = client.open["sid"].as_str().unwrap();
        assert_eq!(sid.len(), 24);
        assert!(
            sid.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "{sid}"
        );
        assert_ne!(last, sid);
        last = sid.to_owned();
        std::mem::forget(client);
    }
}

#[actix_web::test]
async fn at_once_from_the_handshake() {
    let server = echo(|_| ())
        .generate_id(|handshake| {
            let name = handshake.query("name").unwrap_or_default().into_owned();
            let agent = handshake.header("User-Agent").unwrap_or("none").to_owned();
            ready(Ok(format!("{name}.{agent}~1-_Z")))
        })
        .start();
    let host = serve(&server);
    let mut client = Polling::open_at(host.addr, "/engine.io/?name=b%6fb", &[("user-agent", "curl")]).await;
    assert_eq!(client.open["sid"], "bob.curl~1-_Z");
    client.push(&["4hi"]).await;
    assert_eq!(client.poll().await, ["4hi"]);
    let mut ws = WebSocket::connect(host.addr, &format!("{WS}&name=eve"), &[])
        .await
        .unwrap();
    assert_eq!(open_packet(&ws.next_text().await)["sid"], "eve.none~1-_Z");
    assert!(server.client(&Sid::parse("eve.none~1-_Z").unwrap()).is_some());
}

#[actix_web::test]
async fn after_a_while() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let server = echo(|_| ())
        .generate_id(|_| async {
            actix_rt::task::yield_now().await; // not ready when first asked
            Ok(format!("id{}", COUNT.fetch_add(1, Ordering::Relaxed)))
        })
        .start();
    let host = serve(&server);
    assert_eq!(Polling::open(host.addr).await.open["sid"], "id0");
    assert_eq!(Polling::open(host.addr).await.open["sid"], "id1");
}

#[actix_web::test]
async fn an_error_is_code_3() {
    let server = echo(|_| ())
        .generate_id(|_| ready(Err(IdError("no ids today".to_owned()))))
        .start();
    let host = serve(&server);
    let refused = (400, 3, "Bad request".to_owned());
    assert_eq!(
        Http::connect(host.addr).await.get(POLLING).await.refusal(),
        refused
    );
    let response = WebSocket::connect(host.addr, WS, &[]).await.err().unwrap();
    assert_eq!(response.refusal(), refused);
}

#[actix_web::test]
async fn an_unusable_one_is_a_500() {
    let server = echo(|_| ())
        .generate_id(|handshake| ready(Ok(handshake.query("id").unwrap_or_default().into_owned())))
        .start();
    let host = serve(&server);
    let long = "x".repeat(65);
    let mut http = Http::connect(host.addr).await;
    for id in ["", "a%20b", "a%2Fb", "a%22", "%C3%A9", "a%0D%0Ab", &long] {
        assert_eq!(
            http.get(&format!("{POLLING}&id={id}")).await.code(),
            (500, 3),
            "{id}"
        );
    }
    let longest = &long[..64];
    assert_eq!(
        Polling::open_at(host.addr, &format!("/engine.io/?id={longest}"), &[])
            .await
            .open["sid"],
        longest
    );
    assert_eq!(server.clients_count(), 1);
}

#[actix_web::test]
async fn a_duplicate_is_refused_and_the_first_goes_on() {
    let server = echo(|_| ()).generate_id(|_| ready(Ok("twin".to_owned()))).start();
    let host = serve(&server);
    let mut client = Polling::open(host.addr).await;
    assert_eq!(Http::connect(host.addr).await.get(POLLING).await.code(), (500, 3));
    let response = WebSocket::connect(host.addr, WS, &[]).await.err().unwrap();
    assert_eq!(response.code(), (500, 3));
    client.push(&["4still"]).await;
    assert_eq!(client.poll().await, ["4still"]);
    // Once it is gone the id is free.
    client.push(&["1"]).await;
    crate::common::until(|| server.clients_count() == 0).await;
    assert_eq!(Polling::open(host.addr).await.open["sid"], "twin");
}

#[actix_web::test]
async fn a_panic_in_it_is_a_500() {
    let server = echo(|_| ())
        .generate_id(|_| async { panic!("on purpose") })
        .start();
    let host = serve(&server);
    assert_eq!(Http::connect(host.addr).await.get(POLLING).await.code(), (500, 3));
}
