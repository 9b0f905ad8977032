//! Own listeners answer polls and POSTs the same, whether they come the short way, past the App, or the long one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engineio::{Config, Scope, Server, Stats};

use super::own::run;
use crate::common::{Http, Polling, Response, echo, open_packet, until};

/// What the short way leaves to the long one, and means the same.
const SHORT: (&str, &str) = ("connection", "keep-alive");
const LONG: (&str, &str) = ("connection", "keep-alive, x");

const V4: &str = "/engine.io/?EIO=4&transport=polling";
const V3: &str = "/engine.io/?EIO=3&transport=polling";

/// Echoes. Text that begins with `z` is not compressed.
fn server() -> Server {
    let mut config = Config::engine_io_6();
    config.allow_eio3 = true;
    config.max_http_buffer_size = 5000;
    let server = Server::builder().config(config).on_message(|socket, data| {
        let compress = !data.as_text().is_some_and(|text| text.starts_with('z'));
        socket
            .addr()
            .do_send(engineio::Send::new(data).compress(compress));
    });
    server.start()
}

/// A session, whose requests all go the same way.
struct Session {
    polls: Http,
    posts: Http,
    target: String,
    way: (&'static str, &'static str),
    /// What was answered, but for the date.
    seen: Vec<Response>,
}

impl Session {
    async fn open(server: &Server, target: &str, way: (&'static str, &'static str)) -> Session {
        let listener = engineio::listen(server, ("127.0.0.1", 0)).unwrap();
        let addr = run(listener.own_listeners(true).workers(1));
        let (mut polls, posts) = (Http::connect(addr).await, Http::connect(addr).await);
        let handshake = polls.get(target).await;
        let text = handshake.text();
        let open = open_packet(
            text.split_once(':')
                .filter(|_| target == V3)
                .map_or(text, |(_, rest)| rest.trim_end_matches("2:40")),
        );
        let sid = open["sid"].as_str().unwrap();
        Session {
            polls,
            posts,
            target: format!("{target}&sid={sid}"),
            way,
            seen: Vec::new(),
        }
    }

    async fn send_poll(&mut self, headers: &[(&str, &str)]) {
        let headers = [&[self.way], headers].concat();
        self.polls.send("GET", &self.target, &headers, None).await;
    }

    async fn poll(&mut self, headers: &[(&str, &str)]) {
        self.send_poll(headers).await;
        self.answer().await;
    }

    async fn answer(&mut self) {
        let response = self.polls.response().await;
        self.saw(response);
    }

    async fn post(&mut self, content_type: &str, body: &[u8]) {
        let headers = [self.way, ("content-type", content_type)];
        self.posts.send("POST", &self.target, &headers, Some(body)).await;
        let response = self.posts.response().await;
        self.saw(response);
    }

    fn saw(&mut self, mut response: Response) {
        response.headers.retain(|(name, _)| name != "date");
        response.headers.sort();
        self.seen.push(response);
    }
}

/// Runs `steps` both ways, and compares what was answered and counted.
async fn compare(target: &str, steps: impl AsyncFn(&mut Session)) -> Vec<Response> {
    let mut ways: Vec<(Vec<Response>, Stats)> = Vec::new();
    for way in [SHORT, LONG] {
        let server = server();
        let mut session = Session::open(&server, target, way).await;
        steps(&mut session).await;
        ways.push((session.seen, server.stats()));
    }
    let (long, short) = (ways.pop().unwrap(), ways.pop().unwrap());
    assert_eq!(short.0, long.0);
    assert_eq!(short.1.refused(), long.1.refused());
    short.0
}

#[actix_web::test]
async fn messages_in_revision_4() {
    let seen = compare(V4, async |session| {
        session
            .post("text/plain;charset=UTF-8", "4é\x1e4b\x1ebAAEC".as_bytes())
            .await;
        session.poll(&[("accept-encoding", "gzip")]).await;
        session.send_poll(&[]).await;
        session.post("text/plain", b"4late").await;
        session.answer().await;
    })
    .await;
    let bodies: Vec<_> = seen.iter().map(|seen| (seen.status, seen.text())).collect();
    let both = "4é\x1e4b\x1ebAAEC";
    assert_eq!(bodies, [(200, "ok"), (200, both), (200, "ok"), (200, "4late")]);
}

#[actix_web::test]
async fn messages_in_revision_3() {
    let seen = compare(V3, async |session| {
        session.post("text/plain", "3:4é2".as_bytes()).await;
        session
            .post("application/octet-stream", b"\x01\x04\xff\x04\x00\x01\x02")
            .await;
        session.poll(&[]).await;
    })
    .await;
    assert!(seen.iter().all(|seen| seen.status == 200), "{seen:?}");
}

#[actix_web::test]
async fn compression() {
    let seen = compare(V4, async |session| {
        let browser = ("accept-encoding", "br, gzip;q=0.5, deflate");
        for (letter, headers) in [("x", [browser].as_slice()), ("x", &[]), ("z", &[browser])] {
            let message = format!("4{}", letter.repeat(3000));
            session.post("text/plain", message.as_bytes()).await;
            session.poll(headers).await;
        }
    })
    .await;
    assert_eq!(seen[1].header("content-encoding"), Some("deflate"));
    assert_eq!(seen[3].header("content-encoding"), None);
    assert_eq!(seen[5].header("content-encoding"), None);
}

#[actix_web::test]
async fn refusals() {
    let nonsense = compare(V4, async |session| session.post("text/plain", b"nonsense").await).await;
    assert_eq!(nonsense[0].status, 400);

    let large = compare(V4, async |session| {
        session.post("text/plain", &[b'4'; 5001]).await
    })
    .await;
    assert_eq!(large[0].status, 413);

    let unknown = compare(V4, async |session| {
        session.target.push('x');
        session.poll(&[]).await;
        session.post("text/plain", b"4a").await;
    })
    .await;
    assert_eq!([unknown[0].status, unknown[1].status], [400, 400]);

    let twice = compare(V4, async |session| {
        session.send_poll(&[]).await;
        std::mem::swap(&mut session.polls, &mut session.posts);
        session.poll(&[]).await;
        std::mem::swap(&mut session.polls, &mut session.posts);
        session.answer().await;
    })
    .await;
    assert_eq!([twice[0].status, twice[1].status], [400, 200]);
    assert_eq!(twice[1].text(), "1");
}

#[actix_web::test]
async fn a_body_in_broken_chunks_is_no_payload() {
    for chunks in ["zz\r\n4a\r\n", "2\r\n4azz\r\n"] {
        let server = server();
        let mut session = Session::open(&server, V4, SHORT).await;
        let headers = [("transfer-encoding", "chunked"), ("content-type", "text/plain")];
        session.posts.send("POST", &session.target, &headers, None).await;
        session.posts.write(chunks.as_bytes()).await;
        let response = session.posts.response().await;
        assert_eq!(response.code(), (400, 3), "{chunks}");
        assert_eq!(response.header("connection"), Some("close"));
        session.posts.closed().await;
        until(|| server.clients_count() == 0).await;
    }
}

#[actix_web::test]
async fn who_leaves_a_poll_ends_its_session() {
    for way in [SHORT, LONG] {
        let server = server();
        let mut session = Session::open(&server, V4, way).await;
        session.send_poll(&[]).await;
        session.post("text/plain", b"6").await;
        assert_eq!(server.clients_count(), 1);
        drop(session.polls);
        until(|| server.clients_count() == 0).await;
    }
}

#[actix_web::test]
async fn hooks_see_all_that_they_ask_for() {
    let (headers, refused) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
    let hooks: [Box<dyn Fn(Scope) -> Scope + Send + Sync>; 2] = [
        Box::new({
            let headers = headers.clone();
            move |scope| {
                let headers = headers.clone();
                scope.headers(move |_, req| {
                    assert_eq!(req.path(), "/engine.io/");
                    headers.fetch_add(1, Ordering::Relaxed);
                })
            }
        }),
        Box::new({
            let refused = refused.clone();
            move |scope| {
                let refused = refused.clone();
                scope.connection_error(move |_, _| {
                    refused.fetch_add(1, Ordering::Relaxed);
                })
            }
        }),
    ];
    for hook in hooks {
        let server = echo(|_| {}).start();
        let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap();
        let addr = run(listener.own_listeners(true).workers(1).scope(hook));
        let mut client = Polling::open(addr).await;
        client.push(&["4a"]).await;
        assert_eq!(client.poll().await, ["4a"]);
        assert_eq!(client.post("nonsense").await.status, 400);
    }
    assert_eq!(headers.load(Ordering::Relaxed), 3);
    assert_eq!(refused.load(Ordering::Relaxed), 1);
}
