//! How long is waited for a client, and how much is kept for it. Where deadlines matter time is virtual, and passes when
//! nothing is to be done: what the client sends lies in the connection before that.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use actix_http::ServiceConfig;
use tokio::io::AsyncWriteExt;

use super::super::{Connection, HEAD_DEADLINE, MAX_AHEAD, WRITE_DEADLINE};
use super::{EMPTY, GET, LARGE, LAST, Served, WAIT, accepted, app, bodies, connect, pair, stream};

/// A test in virtual time.
macro_rules! timed {
    ($name:ident, $test:expr) => {
        #[test]
        fn $name() {
            crate::test::run($test);
        }
    };
}

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

quick!(who_takes_a_part_has_time_for_the_next, async {
    let (io, stream, peer) = pair(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let served = Served::new(app(Rc::default()).await, None);
    let mut connection = Connection::new(stream, peer, ServiceConfig::default());
    let mut blocked_until = async || {
        poll_fn(|cx| Poll::Ready(connection.poll(cx, &served).is_pending())).await;
        tokio::task::yield_now().await;
        connection
            .deadline
            .as_ref()
            .map(|(_, deadline)| deadline.deadline())
    };
    let first = loop {
        if let Some(deadline) = blocked_until().await {
            break deadline;
        }
    };
    let mut taken = Vec::with_capacity(LARGE);
    let second = loop {
        // As soon as there is something; until then the server must have its turns.
        let _ = io.try_read_buf(&mut taken);
        let deadline = blocked_until().await;
        if deadline != Some(first) {
            break deadline;
        }
    };
    assert!(second.unwrap() > first);
});

timed!(each_head_has_its_own_time, async {
    let (begin, end) = GET.split_at(10);
    let mut client = connect(begin).await;
    for _ in 0..3 {
        tokio::time::sleep(HEAD_DEADLINE * 2 / 3).await;
        client.send_now(&[end, begin].concat()).await;
    }
    // The fourth is never complete.
    let answers = client.rest().await;
    assert_eq!(bodies(&answers), ["GET /a 0", "GET /a 0", "GET /a 0", ""]);
    assert!(answers.contains("HTTP/1.1 408"), "{answers}");
});

timed!(who_takes_nothing_of_what_it_is_sent_is_left, async {
    let client = connect(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let begin = tokio::time::Instant::now();
    client.server.await.unwrap();
    assert!(begin.elapsed() >= WRITE_DEADLINE);
});

quick!(
    requests_of_a_client_that_takes_no_answers_are_not_hoarded,
    async {
        let (mut io, accepted, peer) = accepted(b"").await;
        // Little room for answers, and not too much for requests.
        for (io, sent, received) in [(&io, 200_000, 10_000), (&accepted, 10_000, 200_000)] {
            let io = socket2::SockRef::from(io);
            io.set_send_buffer_size(sent).unwrap();
            io.set_recv_buffer_size(received).unwrap();
        }
        let stream = stream(accepted);
        let served = Served::new(app(Rc::default()).await, None);
        let mut connection = Connection::new(stream, peer, ServiceConfig::default());
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
        // The runtime looks at its sockets every 61 turns.
        for _ in 0..10_000 {
            poll_fn(|cx| Poll::Ready(connection.poll(cx, &served).is_pending())).await;
            tokio::task::yield_now().await;
        }
        // A buffer grows by doubling, and is read into as far as it goes.
        assert!(connection.input.len() < 3 * MAX_AHEAD);
    }
);
