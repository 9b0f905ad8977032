//! Connections over loopback, to an App that tells what it was asked.

use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_http::{Request, ServiceConfig};
use actix_rt::net::{TcpListener, TcpStream};
use actix_rt::task::JoinHandle;
use actix_service::{Service, ServiceFactory, map_config};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore};

use super::super::served::Served;
use super::Connection;
use crate::Server;
use crate::actor::transport::Stream;
use crate::http::handover::Lent;
use crate::http::short::Shortcut;

/// A test that ends within ten seconds.
macro_rules! quick {
    ($name:ident, $test:expr) => {
        #[actix_web::test]
        async fn $name() {
            let within = tokio::time::timeout(Duration::from_secs(10), $test);
            within.await.expect("it ends");
        }
    };
}

mod pace;
mod upgrades;

/// More than is encoded at once, and more than a connection takes of a client that does not read.
const LARGE: usize = 20_000_000;

/// How long bytes may be on their way over loopback, on a busy machine.
const ARRIVAL: Duration = Duration::from_millis(50);

/// What the App and its test share.
#[derive(Default)]
struct Seen {
    asked: Notify,
    go_on: Notify,
    left: Notify,
}

/// Tells when it is dropped.
struct Guard(Rc<Seen>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.left.notify_one();
    }
}

struct Client {
    io: TcpStream,
    server: JoinHandle<()>,
    seen: Rc<Seen>,
    stop: Box<dyn Fn()>,
}

/// A connection on which the client has said `first`, and its App: `/wait` answers when it is told to, `/never` never,
/// `/large` with [`LARGE`] bytes, `/empty` with none, `/offer` with a 426, `/peer` with the client's address, `/switch` with
/// a 101, `/unread` at once, and all else with the method, the path, and the length of the body.
async fn connect(first: &[u8]) -> Client {
    connect_by(first, None).await
}

async fn connect_by(first: &[u8], shortcut: Option<Shortcut>) -> Client {
    let (io, stream, peer) = pair(first).await;
    let seen = Rc::<Seen>::default();
    let served = Rc::new(Served::new(app(seen.clone()).await, shortcut));
    let stop = {
        let served = served.clone();
        Box::new(move || served.stop())
    };
    let server = actix_rt::spawn(served.serve(stream, peer));
    Client {
        io,
        server,
        seen,
        stop,
    }
}

/// Both ends of a connection, on which the client has said `first`.
async fn pair(first: &[u8]) -> (TcpStream, Stream, SocketAddr) {
    let (io, accepted, peer) = accepted(first).await;
    (io, stream(accepted), peer)
}

fn stream(accepted: TcpStream) -> Stream {
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    Stream::accepted(accepted.into_std().unwrap(), place).unwrap()
}

async fn accepted(first: &[u8]) -> (TcpStream, TcpStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut io = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    if !first.is_empty() {
        io.write_all(first).await.unwrap();
        accepted.readable().await.unwrap();
    }
    (io, accepted, peer)
}

async fn app(
    seen: Rc<Seen>,
) -> impl Service<Request, Response = ServiceResponse, Error = actix_web::Error, Future: Unpin> {
    let (waits, never) = (seen.clone(), seen);
    let app = App::new()
        .route(
            "/wait",
            web::to(move || {
                let seen = waits.clone();
                async move {
                    seen.asked.notify_one();
                    seen.go_on.notified().await;
                    "waited"
                }
            }),
        )
        .route(
            "/never",
            web::to(move || {
                let guard = Guard(never.clone());
                async move {
                    guard.0.asked.notify_one();
                    pending::<()>().await;
                    drop(guard);
                    ""
                }
            }),
        )
        .route("/large", web::to(|| async { vec![b'x'; LARGE] }))
        .route("/unread", web::to(|| async { "unread" }))
        .route("/empty", web::to(|| async { "" }))
        .route(
            "/offer",
            web::to(|| async {
                HttpResponse::UpgradeRequired()
                    .insert_header(("upgrade", "x"))
                    .finish()
            }),
        )
        .route(
            "/peer",
            web::to(|req: HttpRequest| async move { req.peer_addr().unwrap().to_string() }),
        )
        .route(
            "/switch",
            web::to(|req: HttpRequest| async move {
                let is_lent = req.extensions().get::<Lent>().is_some();
                let mut response = HttpResponse::SwitchingProtocols();
                response
                    .upgrade("websocket")
                    .insert_header(("lent", is_lent.to_string()))
                    .finish()
            }),
        )
        .default_service(web::to(
            |req: HttpRequest, body: Result<Bytes, actix_web::Error>| async move {
                match body {
                    Ok(body) => {
                        HttpResponse::Ok().body(format!("{} {} {}", req.method(), req.path(), body.len()))
                    }
                    Err(_) => HttpResponse::BadRequest().body("half"),
                }
            },
        ));
    map_config(app, |()| AppConfig::default())
        .new_service(())
        .await
        .unwrap()
}

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// Sends, and lets the server read before any virtual time passes: it stands while there is something to do.
    async fn send_now(&mut self, bytes: &[u8]) {
        self.send(bytes).await;
        let end = Instant::now() + ARRIVAL;
        while Instant::now() < end {
            tokio::task::yield_now().await;
        }
    }

    /// All that comes until the server ends the connection.
    async fn rest(mut self) -> String {
        let mut all = Vec::new();
        self.io.read_to_end(&mut all).await.unwrap();
        self.server.await.unwrap();
        String::from_utf8(all).unwrap()
    }

    /// What comes until `end` has come.
    async fn until(&mut self, end: &str) -> String {
        let mut all = String::new();
        while !all.ends_with(end) {
            all.push(char::from(self.io.read_u8().await.unwrap()));
        }
        all
    }
}

/// A request with a body.
fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
const EMPTY: &[u8] = b"GET /empty HTTP/1.1\r\nhost: x\r\n\r\n";
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const WAIT: &[u8] = b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n";

/// The bodies of answers that have neither line ends nor headers behind them.
fn bodies(answers: &str) -> Vec<&str> {
    let parts = answers.split("\r\n\r\n").skip(1);
    parts.map(|part| part.split("HTTP/1.1").next().unwrap()).collect()
}

quick!(requests_that_came_together_are_answered_in_order, async {
    let requests = [GET, &post("/b", b"four"), WAIT, GET, LAST].concat();
    let client = connect(&requests).await;
    client.seen.asked.notified().await;
    client.seen.go_on.notify_one();
    let answers = client.rest().await;
    let expected = ["GET /a 0", "POST /b 4", "waited", "GET /a 0", "GET /last 0"];
    assert_eq!(bodies(&answers), expected);
});

quick!(requests_may_come_byte_by_byte, async {
    let mut client = connect(b"").await;
    for byte in [&post("/b", b"four"), LAST].concat() {
        client.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(bodies(&client.rest().await), ["POST /b 4", "GET /last 0"]);
});

quick!(a_body_may_be_longer_than_what_is_read_at_once, async {
    let mut client = connect(&post("/b", &[b'x'; 200_000])).await;
    client.send(LAST).await;
    assert_eq!(bodies(&client.rest().await), ["POST /b 200000", "GET /last 0"]);
});

quick!(a_body_may_come_in_chunks, async {
    let head = b"POST /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".as_slice();
    let client = connect(&[head, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", LAST].concat()).await;
    assert_eq!(bodies(&client.rest().await), ["POST /b 5", "GET /last 0"]);
});

quick!(a_body_is_asked_for_if_the_client_waits_for_that, async {
    let head = b"POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n";
    let mut client = connect(head).await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"four").await;
    client.send(LAST).await;
    assert_eq!(bodies(&client.rest().await), ["POST /b 4", "GET /last 0"]);
});

quick!(a_body_that_is_there_is_not_asked_for, async {
    let request = b"POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\nfour";
    let answers = connect(&[request, LAST].concat()).await.rest().await;
    assert_eq!(bodies(&answers), ["POST /b 4", "GET /last 0"]);
});

quick!(the_app_knows_the_peer, async {
    let mut client = connect(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let peer = client.io.local_addr().unwrap().to_string();
    client.until(&peer).await;
});

quick!(a_connection_is_lent_to_a_websocket_alone, async {
    let request = "GET /switch HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: WHAT\r\n\r\n";
    for (what, is_lent) in [("websocket", "lent: true"), ("h2c", "lent: false")] {
        let request = request.replace("WHAT", what);
        let answer = connect(request.as_bytes()).await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert!(answer.contains("connection: upgrade"), "{answer}");
        assert!(answer.contains(is_lent), "{answer}");
    }
});

quick!(what_comes_the_short_way_ends_with_its_answer_too, async {
    let server = Server::builder().start();
    let session = crate::test::polling(&server).await.unwrap();
    let sid = session.socket().id();
    let request = format!(
        "GET /engine.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nhost: x\r\n\r\n",
        sid.as_str()
    );
    let (mut io, stream, peer) = pair(request.as_bytes()).await;
    let served = Served::new(app(Rc::default()).await, Some(Shortcut::new(server)));
    let mut connection = Connection::new(stream, peer, ServiceConfig::default());
    poll_fn(|cx| Poll::Ready(connection.poll(cx, &served).is_pending())).await;
    served.stop();
    poll_fn(|cx| connection.poll(cx, &served)).await;
    drop(connection);
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    // It polls already.
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
});

quick!(http_1_0_ends_with_its_answer, async {
    let client = connect(&[b"GET /a HTTP/1.0\r\n\r\n", GET].concat()).await;
    let answers = client.rest().await;
    assert!(answers.starts_with("HTTP/1.0 200 OK"), "{answers}");
    assert_eq!(bodies(&answers), ["GET /a 0"]);
});

quick!(
    what_is_no_request_is_answered_with_400_behind_the_answers_before_it,
    async {
        let client = connect(&[GET, b"nonsense\r\n\r\n", GET].concat()).await;
        let answers = client.rest().await;
        let (first, second) = answers.split_once("GET /a 0").unwrap();
        assert!(first.starts_with("HTTP/1.1 200 OK"), "{first}");
        assert!(second.starts_with("HTTP/1.1 400 Bad Request"), "{second}");
        assert!(second.contains("connection: close"), "{second}");
        assert!(second.ends_with("\r\n\r\n"), "{second}");
    }
);

quick!(a_head_has_a_bound, async {
    let long = format!("GET /a HTTP/1.1\r\nhost: x\r\nlong: {}", "x".repeat(200_000));
    let mut client = connect(b"").await;
    // The server may end the connection before it has all.
    let _ = client.io.write_all(long.as_bytes()).await;
    let status = client.until("\r\n").await;
    assert_eq!(status, "HTTP/1.1 431 Request Header Fields Too Large\r\n");
});

quick!(
    a_body_that_nobody_reads_ends_the_connection_with_the_answer,
    async {
        let head = b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
        let answers = connect(head).await.rest().await;
        assert!(answers.contains("connection: close"), "{answers}");
        assert!(answers.ends_with("\r\n\r\nunread"), "{answers}");
    }
);

quick!(a_body_that_breaks_is_told_to_who_reads_it, async {
    let head = b"POST /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".as_slice();
    let answers = connect(&[head, b"no size\r\n"].concat()).await.rest().await;
    assert!(answers.starts_with("HTTP/1.1 400"), "{answers}");
    assert!(answers.contains("connection: close"), "{answers}");
    assert!(answers.ends_with("\r\n\r\nhalf"), "{answers}");

    let mut client = connect(&post("/b", b"four")[..50]).await;
    client.io.shutdown().await.unwrap();
    let answers = client.rest().await;
    assert!(answers.ends_with("\r\n\r\nhalf"), "{answers}");
});

quick!(who_leaves_is_not_served_any_more, async {
    let mut client = connect(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.seen.asked.notified().await;
    client.io.shutdown().await.unwrap();
    client.seen.left.notified().await;
    assert_eq!(client.rest().await, "");
});

quick!(
    a_stop_ends_idle_connections_at_once_and_others_with_their_answer,
    async {
        let mut idle = connect(GET).await;
        idle.until("GET /a 0").await;
        (idle.stop)();
        assert_eq!(idle.rest().await, "");

        let busy = connect(&[WAIT, GET].concat()).await;
        busy.seen.asked.notified().await;
        (busy.stop)();
        busy.seen.go_on.notify_one();
        let answers = busy.rest().await;
        assert!(answers.contains("connection: close"), "{answers}");
        assert_eq!(bodies(&answers), ["waited"]);
    }
);
