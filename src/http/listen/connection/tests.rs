//! Connections over loopback, to an App that tells what it was asked. Where deadlines matter time is virtual, and passes
//! when nothing is to be done: what the client sends lies in the connection before it is served there.

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_http::{Request, ServiceConfig};
use actix_rt::net::{TcpListener, TcpStream};
use actix_rt::task::JoinHandle;
use actix_service::{Service, ServiceFactory, map_config};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::{App, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore};

use super::super::served::Served;
use super::{Connection, HEAD_DEADLINE, MAX_AHEAD, WRITE_DEADLINE};
use crate::actor::transport::Stream;

/// A test in virtual time.
macro_rules! timed {
    ($name:ident, $test:expr) => {
        #[test]
        fn $name() {
            crate::test::run($test);
        }
    };
}

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

/// More than is encoded at once, and more than a connection takes of a client that does not read.
const LARGE: usize = 20_000_000;

/// So many turns that the runtime has looked at its sockets several times: it does every 61.
const LOOKS: usize = 1000;

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
/// `/large` with [`LARGE`] bytes, `/empty` with none, `/unread` at once, and all else with the method, the path, and the
/// length of the body.
async fn connect(first: &[u8]) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut io = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    if !first.is_empty() {
        io.write_all(first).await.unwrap();
        accepted.readable().await.unwrap();
    }
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let seen = Rc::<Seen>::default();
    let served = Rc::new(Served::new(app(seen.clone()).await, None));
    let stop = {
        let served = served.clone();
        Box::new(move || served.stop())
    };
    let server = actix_rt::spawn(served.serve(Stream::accepted(accepted, place), peer));
    Client {
        io,
        server,
        seen,
        stop,
    }
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

    /// Sends, and lets the server read before any time passes.
    async fn send_now(&mut self, bytes: &[u8]) {
        self.send(bytes).await;
        for _ in 0..LOOKS {
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

quick!(a_large_answer_waits_for_a_slow_client, async {
    let requests = [b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n", LAST].concat();
    let answers = connect(&requests).await.rest().await;
    assert!(answers.ends_with("\r\n\r\nGET /last 0"));
    let body = answers.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(body.matches('x').count(), LARGE);
});

timed!(a_head_that_does_not_come_is_not_awaited_for_ever, async {
    for first in [b"".as_slice(), b"GET /a HT", &[GET, b"GET"].concat()] {
        let client = connect(first).await;
        let begin = tokio::time::Instant::now();
        let answers = client.rest().await;
        assert_eq!(begin.elapsed(), HEAD_DEADLINE);
        let last = answers.rfind("HTTP/1.1").map(|at| &answers[at..]).unwrap();
        assert!(last.starts_with("HTTP/1.1 408 Request Timeout"), "{answers}");
        assert!(last.contains("connection: close"), "{answers}");
    }
});

timed!(an_answer_may_take_its_time_and_so_may_the_next_request, async {
    let (begin, end) = WAIT.split_at(10);
    let mut client = connect(b"").await;
    client.send_now(begin).await;
    client.send_now(end).await;
    client.seen.asked.notified().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    client.seen.go_on.notify_one();
    client.until("waited").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let (begin, end) = LAST.split_at(10);
    client.send_now(begin).await;
    tokio::time::sleep(HEAD_DEADLINE / 2).await;
    client.send_now(end).await;
    assert_eq!(bodies(&client.rest().await), ["GET /last 0"]);
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

timed!(who_takes_nothing_of_what_it_is_sent_is_left, async {
    let client = connect(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let begin = tokio::time::Instant::now();
    client.server.await.unwrap();
    assert!(begin.elapsed() >= WRITE_DEADLINE);
});

quick!(
    requests_of_a_client_that_takes_no_answers_are_not_hoarded,
    async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut io = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, peer) = listener.accept().await.unwrap();
        // Little room for answers; enough for requests that they flow.
        for (io, sent, received) in [(&io, 200_000, 10_000), (&accepted, 10_000, 200_000)] {
            let io = socket2::SockRef::from(io);
            io.set_send_buffer_size(sent).unwrap();
            io.set_recv_buffer_size(received).unwrap();
        }
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let served = Served::new(app(Rc::default()).await, None);
        let mut connection =
            Connection::new(Stream::accepted(accepted, place), peer, ServiceConfig::default());
        let client = actix_rt::spawn(async move { io.write_all(&EMPTY.repeat(200_000)).await });
        poll_fn(|cx| {
            assert!(connection.poll(cx, &served).is_pending());
            cx.waker().wake_by_ref();
            assert!(!client.is_finished(), "it has sent all");
            match connection.input.len() >= MAX_AHEAD {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        for _ in 0..10 * LOOKS {
            poll_fn(|cx| Poll::Ready(connection.poll(cx, &served).is_pending())).await;
            tokio::task::yield_now().await;
        }
        // A buffer grows by doubling, and is read into as far as it goes.
        assert!(connection.input.len() < 3 * MAX_AHEAD);
    }
);
