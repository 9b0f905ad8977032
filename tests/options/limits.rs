//! How many a server lets in, and whom it counts: limits, and the word of proxies.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engineio::{Config, Limits, Origins, ProxyHeaders, Server};

use crate::common::{
    Frame, Host, Http, Polling, Response, WebSocket, echo, ms, serve, serve_with, until, upgrade, within,
};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

fn limited(change: impl FnOnce(&mut Limits)) -> (Server, Host) {
    configured(|config| change(&mut config.limits))
}

fn configured(change: impl FnOnce(&mut Config)) -> (Server, Host) {
    let server = echo(change).start();
    let host = serve(&server);
    (server, host)
}

async fn polling(host: &Host, headers: &[(&str, &str)]) -> Response {
    Http::connect(host.addr).await.get_with(POLLING, headers).await
}

async fn websocket(host: &Host) -> Result<WebSocket, Response> {
    WebSocket::connect(host.addr, WS, &[]).await
}

#[track_caller]
fn refused(response: &Response, status: u16, message: &str, retry_after: &str) {
    assert_eq!(response.refusal(), (status, 3, message.to_owned()));
    assert_eq!(response.header("retry-after"), Some(retry_after));
}

#[actix_web::test]
async fn max_sessions() {
    let server = echo(|config| config.limits.max_sessions = Some(2)).start();
    let contexts = Arc::new(Mutex::new(Vec::new()));
    let sink = contexts.clone();
    let host = serve_with(&server, move |scope| {
        let sink = sink.clone();
        scope.connection_error(move |_, refusal| sink.lock().unwrap().push(refusal.context()))
    });
    let mut first = Polling::open(host.addr).await;
    let mut second = websocket(&host).await.unwrap();
    refused(&polling(&host, &[]).await, 503, "Server full", "10");
    refused(&websocket(&host).await.err().unwrap(), 503, "Server full", "10");
    assert_eq!(*contexts.lock().unwrap(), ["SERVER_FULL"; 2]);

    // Who is in stays in, and a place that is given up is free.
    first.push(&["4still here"]).await;
    assert_eq!(first.poll().await, ["4still here"]);
    let mut ws = first.websocket().await;
    (ws, _) = upgrade(&mut first, ws).await;
    ws.text("4there").await;
    assert_eq!(ws.next_text().await, "4there");
    second.close(1000).await;
    until(|| server.clients_count() == 1).await;
    let mut third = within(async {
        loop {
            // Its place is free when its process has ended, a moment after its end was told.
            match websocket(&host).await {
                Ok(third) => break third,
                Err(refusal) => refused(&refusal, 503, "Server full", "10"),
            }
        }
    })
    .await;
    assert!(matches!(third.next().await, Frame::Text(_)));
}

#[actix_web::test]
async fn a_handshake_that_is_turned_away_takes_no_place() {
    let server = echo(|config| config.limits.max_sessions = Some(1)).start();
    let host = serve_with(&server, |scope| {
        scope.allow_request(|req| {
            let known = req.headers().contains_key("authorization");
            async move {
                if known {
                    Ok(engineio::Accept::new())
                } else {
                    Err(engineio::Reject::new(""))
                }
            }
        })
    });
    for _ in 0..3 {
        assert_eq!(polling(&host, &[]).await.code(), (403, 4));
    }
    assert_eq!(polling(&host, &[("authorization", "me")]).await.status, 200);
    refused(&polling(&host, &[]).await, 503, "Server full", "10");
}

#[actix_web::test]
async fn max_sessions_per_ip_and_no_escape_by_forged_headers() {
    let (_, host) = limited(|limits| limits.max_sessions_per_ip = Some(1));
    // Loopback is no exception.
    assert_eq!(
        polling(&host, &[("x-forwarded-for", "198.51.100.1")])
            .await
            .status,
        200
    );
    for forged in [
        [("x-forwarded-for", "198.51.100.2")],
        [("forwarded", "for=198.51.100.3")],
        [("x-real-ip", "198.51.100.4")],
    ] {
        refused(&polling(&host, &forged).await, 429, "Too many sessions", "10");
    }
    refused(
        &websocket(&host).await.err().unwrap(),
        429,
        "Too many sessions",
        "10",
    );
}

#[actix_web::test]
async fn clients_behind_a_trusted_proxy_are_counted_one_by_one() {
    let (server, host) = configured(|config| {
        config.limits.max_sessions_per_ip = Some(1);
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    });
    let opens = async |forwarded| polling(&host, &[("x-forwarded-for", forwarded)]).await.status == 200;
    let client = Polling::open_at(host.addr, "/engine.io/", &[("x-forwarded-for", "198.51.100.1")]).await;
    let socket = server.client(&client.sid()).unwrap();
    assert_eq!(socket.remote_address(), Some("198.51.100.1".parse().unwrap()));
    assert!(socket.request().peer_addr().unwrap().ip().is_loopback());
    assert!(!opens("198.51.100.1").await);
    // What stands left of what the proxies have written is the client's own.
    assert!(!opens("203.0.113.1, 198.51.100.1").await);
    assert!(!opens("203.0.113.1, 198.51.100.1, 10.0.0.2").await);
    assert!(opens("198.51.100.2").await);
    // One household of IPv6.
    assert!(opens("2001:db8::1").await);
    assert!(!opens("2001:db8::ffff:0:0:2").await);
    assert!(opens("2001:db8:0:1::1").await);
    // Another's header is not looked at.
    let forged = [
        ("forwarded", "for=203.0.113.9"),
        ("x-forwarded-for", "198.51.100.2"),
    ];
    assert_eq!(polling(&host, &forged).await.status, 429);
}

#[actix_web::test]
async fn forwarded_as_rfc_7239_has_it() {
    let (server, host) = configured(|config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        config.proxy_headers = ProxyHeaders::Forwarded;
    });
    let headers = [(
        "forwarded",
        r#"for=1.2.3.4, for="[2001:db8::7]:4711";proto=https"#,
    )];
    let client = Polling::open_at(host.addr, "/engine.io/", &headers).await;
    let socket = server.client(&client.sid()).unwrap();
    assert_eq!(socket.remote_address(), Some("2001:db8::7".parse().unwrap()));
}

#[actix_web::test]
async fn the_host_of_a_trusted_proxy_counts_for_the_origin() {
    let page = [
        ("origin", "https://chat.example"),
        ("cookie", "session=1"),
        ("host", "inner:3000"),
        ("x-forwarded-host", "chat.example"),
    ];
    let other = [page[0], page[1], page[2], ("x-forwarded-host", "evil.example")];
    for (proxies, expected) in [(vec![], 403), (vec!["127.0.0.1".parse().unwrap()], 200)] {
        let (server, host) = configured(|config| config.trusted_proxies = proxies);
        assert_eq!(server.config().origins, Origins::SameHost);
        assert_eq!(polling(&host, &page).await.status, expected);
        assert_eq!(polling(&host, &other).await.status, 403);
        let upgraded = WebSocket::connect(host.addr, WS, &page).await;
        assert_eq!(upgraded.map_or_else(|refused| refused.status, |_| 200), expected);
    }
}

#[actix_web::test]
async fn max_handshakes_per_second() {
    let (server, host) = limited(|limits| limits.max_handshakes_per_second = Some(1));
    let (start, mut opened, mut refusals) = (Instant::now(), 0, 0);
    for _ in 0..30 {
        let response = polling(&host, &[]).await;
        if response.status == 200 {
            opened += 1;
        } else {
            refused(&response, 429, "Too many handshakes", "1");
            refusals += 1;
        }
    }
    let seconds = start.elapsed().as_secs() as usize;
    assert!((1..=seconds + 2).contains(&opened), "{opened} in {seconds} s");
    assert!(refusals > 0);
    assert_eq!(server.clients_count(), opened);
}

#[actix_web::test]
async fn max_unpolled() {
    let (_, host) = limited(|limits| limits.max_unpolled = Some(1));
    let mut first = Polling::open(host.addr).await;
    refused(&polling(&host, &[]).await, 503, "Server full", "10");
    // A WebSocket has nothing to poll.
    drop(websocket(&host).await.unwrap());
    // A POST is no poll.
    first.push(&["4hello"]).await;
    refused(&polling(&host, &[]).await, 503, "Server full", "10");
    assert_eq!(first.poll().await, ["4hello"]);

    // An end frees the place too.
    let mut second = Polling::open(host.addr).await;
    refused(&polling(&host, &[]).await, 503, "Server full", "10");
    second.push(&["1"]).await;
    until_open(&host).await;
}

#[actix_web::test]
async fn unpolled_timeout() {
    let (server, host) = limited(|limits| {
        limits.max_unpolled = Some(2);
        limits.unpolled_timeout = ms(100);
    });
    let mut live = Polling::open(host.addr).await;
    live.send_poll().await;
    let before = Instant::now();
    let silent = Polling::open(host.addr).await;
    until(|| server.client(&silent.sid()).is_none()).await;
    assert!(before.elapsed() >= ms(100), "too early");
    assert!(before.elapsed() < ms(5000), "that was the default");
    until_open(&host).await;
    live.push(&["4me"]).await;
    assert_eq!(live.packets().await, ["4me"]);
}

/// Until a handshake by polling is let in.
async fn until_open(host: &Host) {
    let start = Instant::now();
    while polling(host, &[]).await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10), "no place was freed");
        actix_rt::time::sleep(ms(1)).await;
    }
}
