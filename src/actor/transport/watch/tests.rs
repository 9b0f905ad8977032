//! Connections of a thread's own set, with real sockets and the runtime that the set is a source to.

use std::future::{Future, poll_fn};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use actix_rt::System;
use actix_rt::time::timeout;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// The client's end, and ours, which nobody watches yet.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (io, _) = listener.accept().unwrap();
    io.set_nonblocking(true).unwrap();
    (client, io)
}

fn watched() -> (TcpStream, Watched) {
    let (client, io) = pair();
    (client, Watched::new(io).unwrap())
}

/// What does not happen within a while will not.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("it hangs")
}

async fn read(io: &mut Watched) -> io::Result<Vec<u8>> {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    soon(poll_fn(|cx| io.poll_read_into(cx, &mut buffer))).await?;
    Ok(buffer.into())
}

/// What has happened until now is told of then.
async fn turn() {
    let (mut client, mut io) = watched();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        io.poll_read_into(&mut cx, &mut BytesMut::with_capacity(8))
            .is_pending()
    );
    client.write_all(b"x").unwrap();
    assert_eq!(read(&mut io).await.unwrap(), b"x");
}

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wakes {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[actix_web::test]
async fn what_comes_is_told_of_and_the_end_behind_it() {
    let (mut client, mut io) = watched();
    client.write_all(b"one").unwrap();
    assert_eq!(read(&mut io).await.unwrap(), b"one");
    client.write_all(b"two").unwrap();
    drop(client);
    assert_eq!(read(&mut io).await.unwrap(), b"two");
    assert_eq!(read(&mut io).await.unwrap(), b"");
    assert_eq!(read(&mut io).await.unwrap(), b"");
}

#[actix_web::test]
async fn a_reset_is_an_error() {
    let (client, mut io) = watched();
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert!(read(&mut io).await.is_err());
}

#[actix_web::test]
async fn what_is_written_waits_for_room() {
    let (mut client, mut io) = watched();
    let all: Vec<u8> = (0..16_000_000_u32).map(|byte| byte as u8).collect();
    let mut cx = Context::from_waker(Waker::noop());
    let mut written = 0;
    while let Poll::Ready(count) = Pin::new(&mut io).poll_write(&mut cx, &all[written..]) {
        written += count.unwrap();
    }
    assert!(written > 0 && written < all.len());
    let reader = thread::spawn(move || {
        let mut read = Vec::new();
        client.read_to_end(&mut read).unwrap();
        read
    });
    soon(io.write_all(&all[written..])).await.unwrap();
    soon(io.shutdown()).await.unwrap();
    assert!(reader.join().unwrap() == all);
}

#[actix_web::test]
async fn nothing_is_lost_between_little_and_much() {
    let (mut client, mut io) = watched();
    let all: Vec<u8> = (0..4_000_000_u32).map(|index| (index / 7) as u8).collect();
    let sent = all.clone();
    let writer = thread::spawn(move || {
        let (mut rest, mut size) = (&sent[..], 1);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(size.min(rest.len()));
            client.write_all(now).unwrap();
            (rest, size) = (later, (size * 5) % 99_991);
        }
    });
    let (mut buffer, mut kept, mut read) = (BytesMut::new(), Vec::new(), Vec::new());
    let (mut directly, mut copied) = (0, 0);
    while read.len() < all.len() {
        if !buffer.try_reclaim(64 * 1024) {
            buffer = BytesMut::with_capacity(64 * 1024);
        }
        match io.brings_much {
            true => directly += 1,
            false => copied += 1,
        }
        let count = soon(poll_fn(|cx| io.poll_read_into(cx, &mut buffer)))
            .await
            .unwrap();
        assert_eq!(count, buffer.len());
        let bytes = buffer.split().freeze();
        read.extend_from_slice(&bytes);
        // Now and then somebody keeps a part of the memory.
        if read.len() % 3 == 0 {
            kept.push((read.len(), bytes));
        }
    }
    writer.join().unwrap();
    assert!(read == all && directly > 0 && copied > 0);
    for (end, bytes) in kept {
        assert!(bytes == all[end - bytes.len()..end]);
    }
}

#[actix_web::test]
async fn memory_that_somebody_else_holds_is_left_to_him() {
    let (mut client, mut io) = watched();
    client.write_all(&[b'x'; MUCH]).unwrap();
    assert_eq!(read(&mut io).await.unwrap().len(), MUCH);
    assert!(io.brings_much);
    let mut buffer = BytesMut::from(b"abcd".as_slice());
    let held = buffer.split_to(2);
    client.write_all(b"ef").unwrap();
    let count = soon(poll_fn(|cx| io.poll_read_into(cx, &mut buffer)))
        .await
        .unwrap();
    assert_eq!(
        (count, &held[..], &buffer[..]),
        (2, b"ab".as_slice(), b"cdef".as_slice())
    );
}

#[actix_web::test]
async fn who_never_has_to_wait_lets_others_have_their_turn() {
    let (mut client, io) = pair();
    let mut io = Watched::accepted(io).unwrap();
    client.write_all(&[0; 4096]).unwrap();
    let mut read = 0;
    soon(poll_fn(|cx| {
        while io.poll_read_into(cx, &mut BytesMut::with_capacity(1)).is_ready() {
            read += 1;
        }
        Poll::Ready(())
    }))
    .await;
    assert!((1..4096).contains(&read), "{read}");
}

#[actix_web::test]
async fn each_of_more_than_a_turn_takes_is_told() {
    let mut all: Vec<_> = (0..3 * set::TURN).map(|_| watched()).collect();
    for (index, (client, io)) in all.iter_mut().enumerate() {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            io.poll_read_into(&mut cx, &mut BytesMut::with_capacity(8))
                .is_pending()
        );
        client.write_all(&[index as u8]).unwrap();
    }
    for (index, (_, io)) in all.iter_mut().enumerate() {
        assert_eq!(read(io).await.unwrap(), [index as u8]);
    }
}

#[actix_web::test]
async fn who_waits_to_read_is_not_woken_by_room() {
    let (mut client, mut io) = watched();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut buffer = BytesMut::with_capacity(8);
    assert!(io.poll_read_into(&mut cx, &mut buffer).is_pending());
    turn().await;
    assert_eq!(wakes.count(), 0);
    for _ in 0..2 {
        client.write_all(b"x").unwrap();
        turn().await;
        // Once is enough, until it waits again.
        assert_eq!(wakes.count(), 1);
    }
    assert!(io.poll_read_into(&mut cx, &mut buffer).is_ready());
}

#[actix_web::test]
async fn who_waits_for_both_is_woken_by_each() {
    let (mut client, mut io) = watched();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let much = vec![0; 1 << 20];
    while Pin::new(&mut io).poll_write(&mut cx, &much).is_ready() {}
    assert!(
        io.poll_read_into(&mut cx, &mut BytesMut::with_capacity(8))
            .is_pending()
    );
    client.write_all(b"x").unwrap();
    turn().await;
    assert_eq!(wakes.count(), 1);

    // It looks for nothing meanwhile.
    let reader = thread::spawn(move || io::copy(&mut client, &mut io::sink()));
    let woken = async {
        while wakes.count() == 1 {
            turn().await;
        }
    };
    soon(woken).await;
    drop(io);
    let _ = reader.join().unwrap();
}

#[actix_web::test]
async fn a_connection_leaves_its_place_wherever_it_ends() {
    let (_client, io) = watched();
    assert_eq!(set::size(), 1);
    // As long as there is another descriptor, the system tells of it.
    let (mut client, second) = pair();
    let kept = second.try_clone().unwrap();
    drop(Watched::new(second).unwrap());
    assert_eq!(set::size(), 1);
    client.write_all(b"x").unwrap();
    let (mut client, mut heir) = watched();
    client.write_all(b"y").unwrap();
    assert_eq!(read(&mut heir).await.unwrap(), b"y");
    drop(heir);

    thread::spawn(move || drop(io)).join().unwrap();
    assert_eq!(set::size(), 1);
    let (mut client, mut io) = watched();
    assert_eq!(set::size(), 1);
    client.write_all(b"x").unwrap();
    assert_eq!(read(&mut io).await.unwrap(), b"x");
    drop(kept);
}

#[actix_web::test]
async fn another_thread_has_to_watch_it_anew() {
    let (mut client, mut io) = watched();
    assert!(io.is_here());
    let elsewhere = move || {
        System::new().block_on(async {
            // It has the place here that the other has there.
            let (mut own_client, mut own) = watched();
            assert!(own.is_here() && !io.is_here());
            let error = read(&mut io).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotConnected);
            let mut io = Watched::new(io.into_loose().unwrap()).unwrap();
            assert!(io.is_here());
            client.write_all(b"x").unwrap();
            assert_eq!(read(&mut io).await.unwrap(), b"x");
            own_client.write_all(b"y").unwrap();
            assert_eq!(read(&mut own).await.unwrap(), b"y");
        });
    };
    thread::spawn(elsewhere).join().unwrap();
}

#[actix_web::test]
async fn nobody_hears_of_a_connection_that_is_not_watched_any_more() {
    let (mut client, io) = watched();
    let _loose = io.into_loose().unwrap();
    let (_client, mut heir) = watched();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut buffer = BytesMut::with_capacity(8);
    assert!(heir.poll_read_into(&mut cx, &mut buffer).is_pending());
    client.write_all(b"x").unwrap();
    turn().await;
    assert_eq!(wakes.count(), 0);
}

#[test]
fn the_next_runtime_of_a_thread_begins_anew() {
    let mut old = None;
    for _ in 0..2 {
        System::new().block_on(async {
            let (mut client, mut io) = watched();
            client.write_all(b"x").unwrap();
            assert_eq!(read(&mut io).await.unwrap(), b"x");
            old = Some((client, io));
        });
        // Nobody waits for it any more, but what does not block can be done.
        let (_client, mut io) = old.take().unwrap();
        assert!(!io.is_here());
        let mut cx = Context::from_waker(Waker::noop());
        let written = Pin::new(&mut io).poll_write(&mut cx, b"bye");
        assert!(matches!(written, Poll::Ready(Ok(3))), "{written:?}");
    }
}

#[actix_web::test]
async fn who_connects_is_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = Acceptor::new(listener).unwrap();
    let clients = [0; 3].map(|_| TcpStream::connect(address).unwrap());
    for mut client in clients {
        let (io, peer) = soon(acceptor.accept()).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(io.nodelay().unwrap());
        assert!(SockRef::from(&io).keepalive().unwrap());
        let mut io = Watched::new(io).unwrap();
        soon(io.write_all(b"x")).await.unwrap();
        client.read_exact(&mut [0]).unwrap();
        client.write_all(b"y").unwrap();
        assert_eq!(soon(io.read_u8()).await.unwrap(), b'y');
    }
}
