//! The write buffer: its bound, the numbers of messages, and what is said to have left.

use std::sync::Arc;

use super::support::{Bench, config, s};
use crate::proto::{Events, Output, PollId, Revision, SendError, Session, Sid, Transport, cost};
use crate::{Config, Data};

fn small() -> Config {
    let mut config = config();
    config.max_buffered_bytes = 200;
    config
}

#[test]
fn a_message_costs_its_bytes_and_64_more() {
    assert_eq!(cost(&Data::from("")), 64);
    assert_eq!(cost(&Data::from("héllo")), 70);
}

#[test]
fn a_full_buffer_takes_no_message_until_a_poll_has_emptied_it() {
    let mut bench = Bench::with(small(), Revision::V4, Events::DEFAULT);
    assert_eq!(bench.try_send("a"), Ok(1));
    assert_eq!(bench.try_send("b"), Ok(2));
    assert_eq!(bench.session.buffered_bytes(), 130);
    assert_eq!(bench.try_send("1234567"), Err(SendError::Full));
    assert_eq!(bench.try_send("123456"), Ok(3));
    bench.poll(1);
    bench.told();
    assert_eq!(bench.session.buffered_bytes(), 0);
    assert_eq!(bench.try_send("d"), Ok(4));
}

#[test]
fn a_message_larger_than_the_buffer_is_too_large_whatever_waits() {
    let mut bench = Bench::with(small(), Revision::V4, Events::DEFAULT);
    let large = Data::from(vec![0; 137]);
    assert_eq!(bench.session.send(large, true), Err(SendError::TooLarge));
    let fits = Data::from(vec![0; 136]);
    assert_eq!(bench.session.send(fits, true), Ok(1));
}

#[test]
fn packets_of_the_protocol_take_no_room_from_messages() {
    let mut bench = Bench::with(small(), Revision::V4, Events::DEFAULT);
    bench.pass(s(25));
    assert_eq!(bench.try_send("a"), Ok(1));
    assert_eq!(bench.try_send("b"), Ok(2));
    assert_eq!(bench.try_send("123456"), Ok(3));
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 2 4a 4b 4123456"]);

    let mut bench = Bench::opening(small(), Revision::V4, Events::DEFAULT);
    bench.open(Transport::Polling);
    assert_eq!(bench.session.send(vec![0; 136].into(), true), Ok(1));
}

/// The answers to all polls: how many bytes they release and up to which number they flush.
fn replies(session: &mut Session) -> Vec<(usize, u64)> {
    let mut replies = Vec::new();
    while let Some(output) = session.poll_output() {
        if let Output::Reply(reply) = output {
            replies.push((reply.released, reply.flushed));
        }
    }
    replies
}

#[test]
fn a_poll_flushes_all_messages_that_it_takes_and_releases_their_bytes() {
    let mut bench = Bench::polling();
    bench.send("a");
    bench.send("bc");
    bench.poll(1);
    assert_eq!(replies(&mut bench.session), [(131, 2)]);
}

#[test]
fn packets_of_the_protocol_release_nothing() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DEFAULT);
    bench.send("early");
    bench.open(Transport::Polling);
    bench.poll(0);
    assert_eq!(replies(&mut bench.session), [(0, 0)]);
    bench.poll(1);
    assert_eq!(replies(&mut bench.session), [(69, 1)]);
    bench.pass(s(25));
    bench.poll(2);
    assert_eq!(replies(&mut bench.session), [(0, 1)]);
}

#[test]
fn a_noop_flushes_nothing() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.poll(1);
    assert_eq!(replies(&mut bench.session), [(0, 0)]);
}

#[test]
fn frames_are_numbered_and_release_their_own_bytes() {
    let mut bench = Bench::upgraded();
    bench.send("a");
    bench.pass(s(25));
    bench.send("bc");
    let frames: Vec<_> = std::iter::from_fn(|| bench.session.poll_frame())
        .map(|frame| (frame.released, frame.number))
        .collect();
    assert_eq!(frames, [(65, 1), (0, 1), (66, 2)]);
    assert_eq!(bench.session.buffered_bytes(), 0);
}

#[test]
fn released_bytes_add_up_across_the_swap() {
    let mut bench = Bench::polling();
    let mut taken = 0;
    for text in ["a", "bb", "ccc"] {
        bench.send(text);
        taken += cost(&text.into());
    }
    bench.poll(1);
    bench.probe();
    let mut released: usize = replies(&mut bench.session).iter().map(|(bytes, _)| bytes).sum();
    bench.send("dddd");
    bench.upgrade();
    bench.send("eeeee");
    taken += cost(&"dddd".into()) + cost(&"eeeee".into());
    while let Some(frame) = bench.session.poll_frame() {
        released += frame.released;
    }
    assert_eq!(released, taken);
}

#[test]
fn a_poll_asks_for_compression_if_one_of_its_messages_does() {
    let mut bench = Bench::polling();
    for (poll, compress) in [(1, [false, false]), (2, [false, true])] {
        for compress in compress {
            bench.session.send("a".into(), compress).expect("room");
        }
        bench.poll(poll);
        let Some(Output::Reply(reply)) = bench.session.poll_output() else {
            panic!("no reply")
        };
        assert_eq!(reply.poll, PollId(poll));
        assert_eq!(reply.compress, compress[1]);
    }
}

#[test]
fn binary_travels_as_the_client_asked_for() {
    let now = std::time::Instant::now();
    let sid = Sid::parse("binary").expect("a valid id");
    for (revision, base64, poll, frame) in [
        (Revision::V4, false, &b"bAQI="[..], &b"\x01\x02"[..]),
        (
            Revision::V3,
            false,
            &b"\x01\x03\xff\x04\x01\x02"[..],
            &b"\x01\x02"[..],
        ),
        (Revision::V3, true, &b"6:b4AQI="[..], &b"4AQI="[..]),
    ] {
        let data = || Data::from(vec![1, 2]);
        let mut session = Session::new(Arc::new(config()), revision, base64, Events::empty(), now);
        session.open(now, Transport::WebSocket, &sid);
        session.send(data(), true).expect("room");
        session.poll_frame();
        let sent = session.poll_frame().expect("a frame").frame;
        assert_eq!(sent.data.as_bytes(), frame, "{revision:?} {base64}");

        let mut session = Session::new(Arc::new(config()), revision, base64, Events::empty(), now);
        session.open(now, Transport::Polling, &sid);
        session.handle_poll(now, PollId(0)).expect("a poll");
        while session.poll_output().is_some() {}
        session.send(data(), true).expect("room");
        session.handle_poll(now, PollId(1)).expect("a poll");
        let Some(Output::Reply(reply)) = session.poll_output() else {
            panic!("no reply")
        };
        assert_eq!(reply.body.bytes, poll, "{revision:?} {base64}");
    }
}
