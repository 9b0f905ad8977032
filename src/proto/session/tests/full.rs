//! A write buffer without room: what is refused, dropped or replaced under each policy, and what that releases.

use super::support::{Bench, config, s};
use crate::Config;
use crate::proto::{Events, FullPolicy, Output, PushBody, PushId, Revision, SendError, Terms, Transport};

/// Room for three messages of up to two bytes.
fn small() -> Config {
    let mut config = config();
    config.max_buffered_bytes = 200;
    config
}

fn bench() -> Bench {
    Bench::with(small(), Revision::V4, Events::DEFAULT)
}

/// Sends, and tells what gave way: its number and how many bytes it released.
fn send(
    bench: &mut Bench,
    text: &'static str,
    key: Option<u64>,
    full: FullPolicy,
) -> (Result<u64, SendError>, Vec<(u64, usize)>) {
    let mut gone = Vec::new();
    let taken = bench
        .session
        .send_by(text.into(), true, Terms { key, full }, |one| {
            gone.push((one.number, one.released));
        });
    (taken, gone)
}

/// Sends where nothing has to give way.
fn put(bench: &mut Bench, text: &'static str, key: Option<u64>) {
    let (taken, gone) = send(bench, text, key, FullPolicy::Refuse);
    assert!(taken.is_ok() && gone.is_empty(), "{text}: {taken:?} {gone:?}");
}

#[test]
fn the_oldest_give_way_until_there_is_room() {
    let mut bench = bench();
    put(&mut bench, "a", None);
    put(&mut bench, "b", Some(1));
    put(&mut bench, "c", None);
    let (taken, gone) = send(
        &mut bench,
        "0123456789012345678901234567890123456789",
        None,
        FullPolicy::DropOldest,
    );
    assert_eq!((taken, gone), (Ok(4), vec![(1, 65), (2, 65)]));
    assert_eq!(bench.session.buffered_bytes(), 65 + 104);
    bench.poll(1);
    assert_eq!(
        bench.told(),
        ["poll 1: 4c 40123456789012345678901234567890123456789"]
    );
    assert_eq!(bench.session.buffered_bytes(), 0);
}

#[test]
fn packets_of_the_protocol_never_give_way() {
    let mut bench = Bench::opening(small(), Revision::V4, Events::DEFAULT);
    put(&mut bench, "a", None);
    bench.open(crate::proto::Transport::Polling);
    bench.pass(s(25));
    put(&mut bench, "b", None);
    put(&mut bench, "c", None);
    let (taken, gone) = send(&mut bench, "dd", None, FullPolicy::DropOldest);
    assert_eq!((taken, gone), (Ok(4), vec![(1, 65)]));
    bench.poll(0);
    assert_eq!(bench.told(), ["poll 0: 0{}"]);
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 2 4b 4c 4dd"]);
}

#[test]
fn what_is_too_large_is_refused_and_nothing_gives_way() {
    let large: &'static str = "x".repeat(137).leak();
    for full in [
        FullPolicy::Refuse,
        FullPolicy::DropOldest,
        FullPolicy::NewestWins,
        FullPolicy::Close,
    ] {
        let mut bench = bench();
        put(&mut bench, "a", Some(1));
        assert_eq!(
            send(&mut bench, large, Some(1), full),
            (Err(SendError::TooLarge), vec![])
        );
        bench.poll(1);
        assert_eq!(bench.told(), ["poll 1: 4a"]);
    }
}

#[test]
fn a_volatile_message_takes_the_place_and_the_number_of_the_older_one() {
    let mut bench = bench();
    put(&mut bench, "a", Some(1));
    put(&mut bench, "b", Some(2));
    for (text, released) in [("A", 65), ("AA", 65), ("A3", 66)] {
        assert_eq!(
            send(&mut bench, text, Some(1), FullPolicy::Refuse),
            (Ok(1), vec![(1, released)])
        );
    }
    assert_eq!(bench.session.buffered_bytes(), 131);
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4A3 4b"]);
    assert_eq!(bench.session.buffered_bytes(), 0);
}

#[test]
fn a_volatile_message_does_not_overtake_what_is_not_volatile() {
    let mut bench = bench();
    put(&mut bench, "a", Some(1));
    put(&mut bench, "b", None);
    assert_eq!(
        send(&mut bench, "A", Some(1), FullPolicy::Refuse),
        (Ok(3), vec![(1, 65)])
    );
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4b 4A"]);
}

#[test]
fn a_volatile_message_that_has_left_is_not_replaced() {
    let mut bench = bench();
    put(&mut bench, "a", Some(1));
    bench.poll(1);
    bench.told();
    put(&mut bench, "A", Some(1));
    bench.poll(2);
    assert_eq!(bench.told(), ["poll 2: 4A"]);
}

#[test]
fn a_volatile_message_replaces_one_when_the_buffer_is_full_under_each_policy() {
    for full in [
        FullPolicy::Refuse,
        FullPolicy::DropOldest,
        FullPolicy::NewestWins,
        FullPolicy::Close,
    ] {
        let mut bench = bench();
        put(&mut bench, "a1", Some(1));
        put(&mut bench, "b2", None);
        put(&mut bench, "c3", Some(3));
        assert_eq!(
            send(&mut bench, "A1", Some(1), full),
            (Ok(4), vec![(1, 66)]),
            "{full:?}"
        );
    }
}

#[test]
fn volatile_ones_give_way_to_the_newest_and_others_do_not() {
    let mut bench = bench();
    put(&mut bench, "r1", None);
    put(&mut bench, "v2", Some(2));
    put(&mut bench, "v3", Some(3));
    let newest = |bench: &mut Bench, text, key| send(bench, text, key, FullPolicy::NewestWins);
    assert_eq!(newest(&mut bench, "v4", Some(4)), (Ok(4), vec![(2, 66)]));
    // Reserved while there was room, it has a right to it.
    assert_eq!(newest(&mut bench, "r5", None), (Ok(5), vec![(3, 66)]));
    assert_eq!(newest(&mut bench, "r6", None), (Ok(6), vec![(4, 66)]));
    assert_eq!(newest(&mut bench, "v7", Some(7)), (Err(SendError::Full), vec![]));
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4r1 4r5 4r6"]);
}

#[test]
fn a_larger_one_that_does_not_fit_is_refused_and_the_older_one_stays() {
    let mut bench = bench();
    put(&mut bench, "r1", None);
    put(&mut bench, "r2", None);
    put(&mut bench, "v3", Some(3));
    for full in [FullPolicy::Refuse, FullPolicy::NewestWins] {
        assert_eq!(
            send(&mut bench, "too long", Some(3), full),
            (Err(SendError::Full), vec![])
        );
    }
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4r1 4r2 4v3"]);
}

#[test]
fn what_gives_way_on_a_websocket_was_half_way_out() {
    let mut bench = Bench::with(small(), Revision::V4, Events::DEFAULT | Events::FLUSH);
    bench.probe();
    bench.upgrade();
    bench.told();
    put(&mut bench, "a", None);
    put(&mut bench, "b", None);
    put(&mut bench, "c", None);
    assert!(bench.session.poll_frame().is_some());
    put(&mut bench, "d", None);
    let (taken, gone) = send(&mut bench, "e", None, FullPolicy::DropOldest);
    assert_eq!((taken, gone), (Ok(5), vec![(2, 65)]));
    assert_eq!(
        bench.told(),
        [
            "flush 4a 4b 4c",
            "frame 4c",
            "frame 4d",
            "flush 4d 4e",
            "frame 4e"
        ]
    );
    assert_eq!(bench.session.buffered_bytes(), 0);
}

#[test]
fn a_client_that_is_not_heard_is_not_dead_and_is_pinged_on() {
    let mut bench = Bench::upgraded();
    bench.session.hold_input(bench.now, true);
    bench.pass(s(25));
    assert_eq!(bench.told(), ["frame 2"]);
    for _ in 0..5 {
        assert_eq!(bench.due(), Some(s(20)));
        bench.pass(s(20));
        assert_eq!(bench.told(), ["frame 2"]);
    }
    bench.pass(s(19));
    bench.session.hold_input(bench.now, false);
    bench.frame("3");
    bench.pass(s(25));
    assert_eq!(bench.told(), ["frame 2"]);
    bench.pass(s(20));
    assert_eq!(
        bench.told(),
        ["close websocket: ping timeout", "close: ping timeout"]
    );
}

#[test]
fn a_client_of_revision_3_that_is_not_heard_is_not_dead() {
    let mut bench = Bench::polling_v3();
    bench.session.hold_input(bench.now, true);
    bench.pass(s(500));
    assert_eq!(bench.told(), [""; 0]);
    bench.session.hold_input(bench.now, false);
    bench.pass(s(20));
    assert_eq!(bench.told(), ["close: ping timeout"]);
}

#[test]
fn a_post_that_waits_for_the_application_is_not_overdue() {
    let mut bench = Bench::polling();
    bench.push(1);
    bench.session.hold_input(bench.now, true);
    for poll in 0..10 {
        bench.poll(poll);
        bench.pass(s(25));
        assert_eq!(bench.told(), [format!("poll {poll}: 2")]);
    }
    bench.session.hold_input(bench.now, false);
    let body = PushBody {
        bytes: "4late".into(),
        binary: false,
    };
    bench.session.handle_payload(bench.now, PushId(1), body);
    assert_eq!(bench.told(), ["message late", "push 1: ok"]);
    assert!(!matches!(bench.session.poll_output(), Some(Output::Event(_))));
}

#[test]
fn who_does_not_poll_is_dead_whether_it_is_heard_or_not() {
    let mut bench = Bench::polling();
    bench.session.hold_input(bench.now, true);
    bench.poll(1);
    bench.pass(s(25));
    assert_eq!(bench.told(), ["poll 1: 2"]);
    bench.pass(s(20));
    assert_eq!(
        bench.told(),
        [""; 0],
        "it came for the ping, and may have answered"
    );
    bench.pass(s(20));
    assert_eq!(
        bench.told(),
        ["close: ping timeout"],
        "it did not come for the next one"
    );

    let mut bench = Bench::polling_v3();
    bench.session.hold_input(bench.now, true);
    bench.poll(1);
    bench.send("a");
    assert_eq!(bench.told(), ["poll 1: 2:4a"]);
    bench.pass(s(45));
    assert_eq!(bench.told(), [""; 0], "nothing waits for it");
    bench.send("b");
    bench.pass(s(20));
    assert_eq!(bench.told(), ["close: ping timeout"]);
}

#[test]
fn the_initial_packet_takes_no_room_from_what_comes_behind_it() {
    let mut config = small();
    config.max_http_buffer_size = 100;
    config.initial_packet = Some("i".repeat(10_000).into());
    let mut bench = Bench::opening(config, Revision::V4, Events::DEFAULT);
    bench.open(Transport::WebSocket);
    bench.send("a");
    bench.pass(s(25));
    let told = bench.told();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[2..], ["frame 4a", "frame 2"]);
}
