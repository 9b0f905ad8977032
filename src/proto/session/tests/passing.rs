//! The short way out and in: when it may be taken, and that it leaves a session as the long one does.

use std::sync::Arc;
use std::time::Instant;

use super::support::*;
use crate::Data;
use crate::proto::session::{Messages, Session};
use crate::proto::{CloseReason, Events, FrameRef, Packet, Revision, Tally, Transport};

/// A session that begins on a WebSocket; its open packet has left.
fn websocket(revision: Revision, base64: bool, interest: Events) -> Bench {
    let now = Instant::now();
    let session = Session::new(Arc::new(config()), revision, base64, interest, now);
    let mut bench = Bench { session, now };
    bench.open(Transport::WebSocket);
    bench.told();
    bench
}

fn plain() -> Bench {
    websocket(Revision::V4, false, Events::DEFAULT)
}

fn passes(bench: &Bench) -> bool {
    bench.session.pass().is_some()
}

fn messages(list: &[Data]) -> Messages {
    let mut messages = Messages::default();
    list.iter().for_each(|data| messages.add(data));
    messages
}

#[test]
fn it_passes_on_an_open_websocket() {
    assert!(passes(&plain()));
    assert!(passes(&websocket(Revision::V3, false, Events::DEFAULT)));
    assert!(passes(&Bench::upgraded()));
}

#[test]
fn it_passes_whatever_is_with_the_input() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.push(7);
    bench.upgrade();
    bench.told();
    assert!(passes(&bench), "a POST of before the swap still comes in");
    bench.body(7, "4first");
    assert!(passes(&bench), "what it brought has not been told");
    bench.told();
    bench.session.hold_input(bench.now, true);
    assert!(passes(&bench), "nothing is taken in");
}

#[test]
fn nothing_passes_before_the_open_packet() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DEFAULT);
    assert!(!passes(&bench));
    bench.open(Transport::WebSocket);
    // It waits in the buffer.
    assert!(!passes(&bench));
    bench.told();
    assert!(passes(&bench));
}

#[test]
fn nothing_passes_on_polling() {
    let mut bench = Bench::polling();
    assert!(!passes(&bench));
    bench.probe();
    bench.told();
    assert!(!passes(&bench));
    bench.upgrade();
    bench.told();
    assert!(passes(&bench));
}

#[test]
fn nothing_passes_what_waits_in_the_buffer() {
    let mut bench = plain();
    bench.send("first");
    assert!(!passes(&bench));
    assert_eq!(bench.told(), ["frame 4first"]);
    assert!(passes(&bench));
    bench.pass(s(25));
    assert!(!passes(&bench), "a ping waits");
    bench.told();
    assert!(passes(&bench));
}

#[test]
fn nothing_passes_once_it_is_closing() {
    let mut bench = plain();
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert!(!passes(&bench));
    bench.told();
    assert!(!passes(&bench), "closed");
}

#[test]
fn nothing_passes_who_watches_the_buffer() {
    for (interest, expected) in MAY_BE_WATCHED {
        let mut bench = websocket(Revision::V4, false, Events::DEFAULT | interest);
        assert_eq!(passes(&bench), expected, "{interest:?}");
        bench.session.set_interest(Events::DEFAULT);
        assert!(passes(&bench));
        bench.session.set_interest(interest);
        assert_eq!(passes(&bench), expected, "{interest:?}");
    }
}

#[test]
fn nothing_passes_that_becomes_base64() {
    for revision in [Revision::V3, Revision::V4] {
        assert!(!passes(&websocket(revision, true, Events::DEFAULT)));
    }
}

#[test]
fn both_ways_number_together() {
    let mut bench = plain();
    assert_eq!(bench.try_send("1"), Ok(1));
    bench.told();
    let mut passing = bench.session.pass().expect("it is open");
    for text in ["2", "3"] {
        passing.frame(&text.into());
    }
    assert_eq!(bench.session.passed(passing), 3);
    assert_eq!(bench.try_send("4"), Ok(4));
    assert_eq!(bench.session.poll_frame().map(|frame| frame.number), Some(4));
    // Nothing was passed: the last one is still the last one.
    let passing = bench.session.pass().expect("it is open");
    assert_eq!(bench.session.passed(passing), 4);
}

#[test]
fn what_is_passed_takes_no_room() {
    let mut bench = plain();
    let mut passing = bench.session.pass().expect("it is open");
    passing.frame(&"much".into());
    bench.session.passed(passing);
    assert_eq!(bench.session.buffered_bytes(), 0);
    assert!(passes(&bench));
    assert_eq!(bench.told(), [""; 0]);
}

#[test]
fn both_ways_count_the_same() {
    let list = [Data::from("text"), Data::from(vec![1; 300]), Data::from("")];
    for revision in [Revision::V3, Revision::V4] {
        let mut long = websocket(revision, false, Events::DEFAULT);
        let mut short = websocket(revision, false, Events::DEFAULT);
        for data in list.clone() {
            assert!(long.session.send(data.clone(), true).is_ok());
            long.session.handle_frame(long.now, Ok(Packet::message(data)));
            long.told();
        }
        let mut passing = short.session.pass().expect("it is open");
        for data in &list {
            passing.frame(data);
        }
        short.session.passed(passing);
        short.session.took(short.now, messages(&list));
        let tally = short.session.take_tally();
        let counts = |tally: &Tally| {
            (
                tally.messages_in,
                tally.bytes_in,
                tally.messages_out,
                tally.bytes_out,
            )
        };
        assert_eq!(counts(&tally), (3, 304, 3, 304));
        assert_eq!(tally, long.session.take_tally());
        assert_eq!(short.session.take_tally(), Tally::default());
    }
}

#[test]
fn counts_stop_at_their_largest_value() {
    let mut most = Messages {
        count: u32::MAX,
        bytes: u32::MAX - 1,
    };
    most.add(&"more".into());
    assert_eq!((most.count, most.bytes), (u32::MAX, u32::MAX));
    let mut tally = Tally::default();
    for _ in 0..2 {
        tally.came_in(most);
        tally.went_out(most);
    }
    assert_eq!((tally.messages_in, tally.bytes_in), (u32::MAX, u32::MAX));
    assert_eq!((tally.messages_out, tally.bytes_out), (u32::MAX, u32::MAX));
}

/// Whether the session lives at the moment when it would be dead without what was taken shortly before.
fn lives(revision: Revision, taken: &[Data]) -> bool {
    let mut bench = websocket(revision, false, Events::DEFAULT);
    bench.pass(s(25));
    bench.told();
    bench.pass(s(15));
    bench.session.took(bench.now, messages(taken));
    bench.pass(s(5));
    !bench.told().iter().any(|told| told.starts_with("close: "))
}

#[test]
fn what_is_taken_is_life() {
    for revision in [Revision::V3, Revision::V4] {
        assert!(lives(revision, &["life".into()]));
        assert!(lives(revision, &["".into()]), "an empty one came");
        assert!(!lives(revision, &[]), "nothing came, so nothing lives");
    }
}

#[test]
fn messages_are_taken_on_an_open_websocket() {
    let takes = |bench: &Bench| bench.session.takes_messages();
    assert!(takes(&plain()));
    for interest in [Events::PACKET, Events::MESSAGE | Events::PACKET, Events::FLUSH] {
        assert!(!takes(&websocket(Revision::V4, false, interest)), "{interest:?}");
    }
    // Who watches anything else is told of it all the same.
    for interest in [Events::MESSAGE, Events::all() - Events::PACKET] {
        assert!(takes(&websocket(Revision::V4, false, interest)), "{interest:?}");
    }
    let mut bench = plain();
    bench.send("waits for room");
    assert!(takes(&bench));
    let mut bench = Bench::polling();
    assert!(!takes(&bench));
    bench.probe();
    bench.told();
    assert!(!takes(&bench));
    // A POST of before the swap comes first.
    bench.push(7);
    bench.upgrade();
    bench.told();
    assert!(!takes(&bench));
    bench.body(7, "4first");
    assert!(!takes(&bench), "what it brought has not been told");
    assert_eq!(bench.told(), ["message first", "push 7: ok"]);
    assert!(takes(&bench));
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert!(!takes(&bench));
}

#[test]
fn its_frames_are_those_of_packets() {
    for revision in [Revision::V3, Revision::V4] {
        for data in ["", "text", "é"]
            .map(Data::from)
            .into_iter()
            .chain([Data::from(vec![]), Data::from(vec![0, 255])])
        {
            let frame = Packet::message(data.clone()).into_frame(revision, false);
            assert_eq!(FrameRef::of_message(&data, revision), frame.borrow());
            let mut passing = websocket(revision, false, Events::DEFAULT).session.pass();
            let passing = passing.as_mut().expect("it is open");
            assert_eq!(passing.frame(&data), frame.borrow());
        }
    }
}
