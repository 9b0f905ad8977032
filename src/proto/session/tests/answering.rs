//! The short way into a poll's answer: when it may be taken, and that it leaves a session as the long one does.

use super::support::*;
use crate::Data;
use crate::proto::session::Session;
use crate::proto::{CloseReason, Events, Output, Reply, Revision};

/// A session whose poll 1 waits.
fn waiting() -> Bench {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench
}

fn is_short(bench: &Bench) -> bool {
    bench.session.answer().is_some()
}

/// The answer to a poll, and what the session has counted.
fn reply(session: &mut Session) -> (Reply, crate::proto::Tally) {
    let Some(Output::Reply(reply)) = session.poll_output() else {
        panic!("no answer");
    };
    assert_eq!(session.poll_output(), None);
    (reply, session.take_tally())
}

#[test]
fn it_takes_what_a_waiting_poll_is_answered_with() {
    let mut bench = waiting();
    assert!(is_short(&bench));
    bench.post(7, "4first");
    assert!(is_short(&bench), "what came in has not been told");
    bench.told();
    assert!(is_short(&bench));
    bench.session.hold_input(bench.now, true);
    assert!(is_short(&bench), "nothing is taken in");
}

#[test]
fn there_must_be_a_poll() {
    let mut bench = Bench::polling();
    assert!(!is_short(&bench), "none waits");
    bench.poll(1);
    assert!(is_short(&bench));
    bench.send("first");
    assert!(!is_short(&bench), "it has an answer");
    bench.told();
    assert!(!is_short(&bench), "it was answered");
}

#[test]
fn nothing_overtakes_the_handshake() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DEFAULT);
    assert!(!is_short(&bench));
    bench.open(crate::proto::Transport::Polling);
    bench.poll(0);
    assert!(!is_short(&bench));
    bench.told();
    assert!(!is_short(&bench));
}

#[test]
fn nothing_overtakes_the_buffer() {
    let mut bench = waiting();
    bench.pass(s(25));
    assert!(!is_short(&bench), "a ping waits");
    assert_eq!(bench.told(), ["poll 1: 2"]);
}

#[test]
fn not_while_an_upgrade_is_on_or_behind_it() {
    let mut bench = Bench::polling();
    bench.probe();
    // Two noops are given at once; the third poll waits.
    for poll in 1..=3 {
        bench.poll(poll);
    }
    bench.told();
    assert!(!is_short(&bench));
    bench.upgrade();
    bench.told();
    assert!(!is_short(&bench));
}

#[test]
fn not_once_it_is_closing() {
    let mut bench = Bench::polling();
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert!(!is_short(&bench));
    bench.poll(1);
    bench.told();
    assert!(!is_short(&bench), "closed");
}

#[test]
fn not_if_somebody_watches_the_buffer_nor_in_revision_3() {
    for (interest, expected) in MAY_BE_WATCHED {
        let mut bench = Bench::with(config(), Revision::V4, Events::DEFAULT | interest);
        bench.poll(1);
        assert_eq!(is_short(&bench), expected, "{interest:?}");
    }
    let mut bench = Bench::polling_v3();
    bench.poll(1);
    assert!(!is_short(&bench));
}

/// Whatever is sent, by either way: the same answer, number and counts.
#[test]
fn both_ways_are_the_same() {
    let long = "long ".repeat(1000);
    let lists: [&[Data]; 4] = [
        &["one".into()],
        &["".into(), "two \u{1f600}".into(), "".into()],
        &[vec![1, 2, 3, 255].into(), "text".into(), Vec::<u8>::new().into()],
        &[long.into(), vec![0; 3000].into()],
    ];
    let (mut short, mut long) = (waiting(), waiting());
    for (index, list) in lists.iter().enumerate() {
        let mut answering = short.session.answer().expect("a poll waits");
        for (data, compress) in list.iter().zip([false, index % 2 == 0, false]) {
            assert!(answering.has_room());
            answering.put(data, compress);
            long.session.send(data.clone(), compress).expect("room");
        }
        short.session.answered(answering);
        let (answered, counted) = reply(&mut short.session);
        let (expected, tally) = reply(&mut long.session);
        assert_eq!(counted, tally);
        let released: usize = list.iter().map(crate::proto::cost).sum();
        assert_eq!(expected.released, released);
        // Nothing was taken from a buffer.
        assert_eq!(
            answered,
            Reply {
                released: 0,
                ..expected
            }
        );
        let next = index as u32 + 2;
        for bench in [&mut short, &mut long] {
            bench.poll(next);
            assert_eq!(bench.told(), [""; 0]);
        }
    }
    assert_eq!(short.try_send("next"), long.try_send("next"));
    assert_eq!(short.told(), ["poll 5: 4next"]);
}

#[test]
fn an_answer_without_messages_is_none() {
    let mut bench = waiting();
    let answering = bench.session.answer().expect("a poll waits");
    bench.session.answered(answering);
    assert_eq!(bench.told(), [""; 0]);
    bench.send("first");
    assert_eq!(bench.told(), ["poll 1: 4first"]);
}

#[test]
fn it_has_room_for_so_much_and_one_message() {
    let bench = waiting();
    let mut answering = bench.session.answer().expect("a poll waits");
    let data = Data::from("x".repeat(1022));
    let mut count = 0;
    while answering.has_room() {
        answering.put(&data, false);
        count += 1;
    }
    assert_eq!(
        count, 65,
        "of 1024 bytes each, but for the first, which no separator precedes, and one behind"
    );
}

/// An answer that went nowhere took messages along.
#[test]
fn a_poll_that_is_gone_ends_the_session() {
    let mut bench = waiting();
    let mut answering = bench.session.answer().expect("a poll waits");
    answering.put(&"lost".into(), false);
    bench.session.answered(answering);
    assert_eq!(bench.told(), ["poll 1: 4lost"]);
    bench.session.handle_poll_gone(crate::proto::PollId(1));
    assert_eq!(
        bench.told(),
        [
            "error: transport error poll connection closed prematurely",
            "close: transport error poll connection closed prematurely"
        ]
    );
}

/// The client hears of the end with the last messages, whoever is first.
#[test]
fn an_answer_that_has_not_left_takes_the_close_packet_along() {
    for discard in [false, true] {
        let mut bench = waiting();
        let mut answering = bench.session.answer().expect("a poll waits");
        answering.put(&"last".into(), false);
        bench.session.answered(answering);
        if !discard {
            bench.session.close(bench.now, CloseReason::ForcedClose);
        }
        // Once is enough.
        bench.session.abort(CloseReason::ForcedClose);
        assert_eq!(bench.told(), ["poll 1: 4last 1", "close: forced close"]);
    }
}

#[test]
fn what_was_sent_behind_it_comes_before_the_close_packet() {
    let mut bench = waiting();
    let mut answering = bench.session.answer().expect("a poll waits");
    answering.put(&"first".into(), false);
    bench.session.answered(answering);
    bench.send("second");
    bench.session.close(bench.now, CloseReason::ForcedClose);
    assert_eq!(bench.told(), ["poll 1: 4first"]);
    bench.poll(2);
    assert_eq!(bench.told(), ["poll 2: 4second 1", "close: forced close"]);
}
