//! A sid is a secret: whoever reads it in a log can take the session over. No line of ours has one, at no level.

use std::sync::{Mutex, OnceLock};

use engineio::Reject;

use crate::common::{Frame, Http, Polling, WebSocket, echo, ms, serve_with, until, upgrade};

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

/// Keeps every line whose target is ours.
struct Capture(Mutex<Vec<String>>);

impl log::Log for Capture {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("engineio")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {} {}", record.level(), record.target(), record.args());
            self.0.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

fn capture() -> &'static Capture {
    static CAPTURE: OnceLock<&'static Capture> = OnceLock::new();
    CAPTURE.get_or_init(|| {
        let capture: &'static Capture = Box::leak(Box::new(Capture(Mutex::default())));
        log::set_logger(capture).expect("the only one");
        log::set_max_level(log::LevelFilter::Trace);
        capture
    })
}

#[actix_web::test]
async fn no_line_of_ours_has_a_sid_or_a_query() {
    let capture = capture();
    let server = echo(|config| {
        config.ping_interval = ms(50);
        config.upgrade_timeout = ms(50);
        config.max_buffered_bytes = 2000;
    })
    .on_packet(|_, packet| assert_ne!(packet.data.as_text(), Some("panic"), "on purpose"))
    .start();
    let host = serve_with(&server, |scope| {
        scope.allow_request(|req| {
            let refuse = req.query_string().contains("refuse");
            let panic = req.query_string().contains("panic");
            async move {
                assert!(!panic, "on purpose");
                if refuse {
                    Err(Reject::new("no"))
                } else {
                    Ok(engineio::Accept::new())
                }
            }
        })
    });
    let mut sids = Vec::new();
    let mut http = Http::connect(host.addr).await;

    // An ordinary life.
    let mut client = Polling::open(host.addr).await;
    sids.push(client.sid());
    client.push(&["4hi"]).await;
    client.poll().await;
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4there").await;
    while ws.next_text().await != "4there" {}
    // Refusals that name it.
    http.get(client.target()).await;
    http.get(&client.target().replace("EIO=4", "EIO=3")).await;
    http.get(&client.target().replace("polling", "tcp")).await;
    http.get(&client.ws_target()).await;
    let second = WebSocket::connect(host.addr, &client.ws_target(), &[]).await;
    ws.close(1000).await;
    drop(second);
    // A failed upgrade, then the end by nonsense.
    let mut client = Polling::open(host.addr).await;
    sids.push(client.sid());
    let mut ws = client.websocket().await;
    ws.text("2probe").await;
    while !matches!(ws.next().await, Frame::Close(..) | Frame::End) {}
    client.post("nonsense").await;
    // Panics, a full buffer, a poll that leaves, a close.
    for end in 0..4 {
        let mut client = Polling::open(host.addr).await;
        sids.push(client.sid());
        let socket = server.client(&client.sid()).unwrap();
        match end {
            0 => drop(client.post("4panic").await),
            1 => socket.addr().do_send(engineio::Send::text("x".repeat(5000))),
            2 => {
                client.send_poll().await;
                client.leave();
            }
            _ => socket.discard(),
        }
    }
    let mut ws = WebSocket::connect(host.addr, WS, &[]).await.unwrap();
    let open = crate::common::open_packet(&ws.next_text().await);
    let sid = open["sid"].as_str().unwrap();
    sids.push(engineio::Sid::parse(sid).unwrap());
    ws.text("9").await;
    while !matches!(ws.next().await, Frame::Close(..) | Frame::End) {}
    // Handshakes that are not let in.
    let evil = [("origin", "http://evil.example"), ("cookie", "a=b")];
    http.get_with("/engine.io/?EIO=4&transport=polling&secret=1", &evil)
        .await;
    http.get("/engine.io/?EIO=4&transport=polling&refuse=1").await;
    http.get("/engine.io/?EIO=4&transport=polling&panic=1").await;
    until(|| server.clients_count() == 0).await;
    server.close(ms(1000)).await;

    let lines = capture.0.lock().unwrap();
    for level in ["ERROR engineio", "WARN engineio", "DEBUG engineio"] {
        assert!(
            lines.iter().any(|line| line.starts_with(level)),
            "no {level}: {lines:#?}"
        );
    }
    for line in lines.iter() {
        for sid in &sids {
            assert!(!line.contains(sid.as_str()), "a sid: {line}");
        }
        assert!(
            !line.contains("EIO=") && !line.contains("sid=") && !line.contains("secret"),
            "a query: {line}"
        );
    }
}

#[actix_web::test]
async fn what_is_shown_for_debugging_has_no_sid_either() {
    let server = echo(|_| ()).start();
    let host = serve_with(&server, |scope| scope);
    let client = Polling::open(host.addr).await;
    let sid = client.sid();
    let socket = server.client(&sid).unwrap();
    for shown in [
        format!("{sid:?}"),
        format!("{socket:?}"),
        format!("{server:?}"),
        format!("{:?}", socket.request()),
    ] {
        assert!(!shown.contains(sid.as_str()), "{shown}");
    }
}
