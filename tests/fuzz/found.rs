//! What fuzzing has found, each as a test that says what it was.

use std::sync::Arc;
use std::time::Instant;

use engineio::Config;

use crate::memory;
use bytes::Bytes;
use engineio::proto::{
    CloseReason, Event, Events, Output, Packet, PacketType, PollId, ReadyState, Revision, Session, Sid,
    Transport, payload,
};

/// A poll that takes the close packet and nothing else was told as a flush of no packets, and a drain.
#[test]
fn a_close_packet_alone_is_no_flush() {
    let now = Instant::now();
    let config = Arc::new(Config::default());
    let mut session = Session::new(config, Revision::V4, false, Events::FLUSH | Events::DRAIN, now);
    let sid = Sid::parse("lv_VI97HAXpY6yYWAAAC").expect("a valid id");
    session.open(now, Transport::Polling, &sid);
    assert_eq!(session.handle_poll(now, PollId(1)), Ok(()));
    while session.poll_output().is_some() {}

    session.close(now, CloseReason::ForcedClose);
    assert_eq!(session.handle_poll(now, PollId(2)), Ok(()));
    let Some(Output::Reply(reply)) = session.poll_output() else {
        panic!("the poll's answer comes first");
    };
    assert_eq!((reply.poll, &reply.body.bytes[..]), (PollId(2), &b"1"[..]));
    let end = session.poll_output();
    assert!(matches!(end, Some(Output::Event(Event::Close(_)))), "{end:?}");
    assert_eq!(session.poll_output(), None);
}

/// Base64 with line breaks took three times the body while it was read.
#[test]
fn base64_with_line_breaks_takes_less_than_twice_its_size() {
    let line = [[b'A'; 76].as_slice(), b"\n"].concat();
    let body = Bytes::from([b"b".as_slice(), &line.repeat(1000)].concat());
    let len = body.len() as isize;
    let (packets, most) = memory::peak(|| payload::decode(body, Revision::V4, false).count());
    assert_eq!(packets, 1);
    assert!(most < 2 * len, "{most} bytes for {len}");
}

/// A flood of pings and one message too much: the message was taken, and dropped with the session at once.
#[test]
fn a_message_that_was_taken_does_not_end_a_flooded_session() {
    let now = Instant::now();
    let mut config = Config::default();
    config.max_buffered_bytes = 20_000;
    config.max_http_buffer_size = 500;
    let mut session = Session::new(Arc::new(config), Revision::V3, false, Events::empty(), now);
    let sid = Sid::parse("lv_VI97HAXpY6yYWAAAC").expect("a valid id");
    session.open(now, Transport::WebSocket, &sid);
    // As many pongs as may wait.
    while session.buffered_bytes() < 4400 {
        session.handle_frame(now, Ok(Packet::new(PacketType::Ping)));
    }
    for number in 1..=20 {
        assert_eq!(session.send(vec![0; 900].into(), false), Ok(number));
    }
    assert_eq!(session.ready_state(), ReadyState::Open);
    // The client's own flood does end it, however empty the application's share is.
    for _ in 0..10 {
        session.handle_frame(now, Ok(Packet::new(PacketType::Ping)));
    }
    assert_eq!(session.ready_state(), ReadyState::Closed);
}
