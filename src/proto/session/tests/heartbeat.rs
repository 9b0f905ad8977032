//! Heartbeats of both revisions as the session sends and judges them.

use std::time::Duration;

use super::support::{Bench, config, ms, s};
use crate::proto::{Events, Revision, Transport};

const OUT_OF_ORDER: &str = "transport error invalid heartbeat direction";

#[test]
fn revision_4_the_server_pings_and_a_pong_begins_the_next_interval() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.pass(s(25));
    assert_eq!(bench.told(), ["poll 1: 2"]);
    assert_eq!(bench.due(), Some(s(20)));
    bench.pass(s(5));
    bench.post(1, "3");
    assert_eq!(bench.told(), ["push 1: ok"]);
    assert_eq!(bench.due(), Some(s(25)));
}

#[test]
fn revision_4_no_ping_comes_before_its_time() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.pass(s(25) - ms(1));
    assert_eq!(bench.told(), [""; 0]);
}

#[test]
fn revision_4_silence_after_a_ping_ends_the_session() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.pass(s(25));
    bench.told();
    bench.poll(2);
    bench.pass(s(20));
    assert_eq!(bench.told(), ["poll 2: 1", "close: ping timeout"]);
}

#[test]
fn revision_4_any_packet_is_life() {
    let mut bench = Bench::upgraded();
    bench.pass(s(25));
    bench.pass(s(19));
    bench.frame("4alive");
    bench.pass(s(1));
    assert_eq!(bench.told(), ["message alive", "frame 2"]);
    assert_eq!(bench.due(), Some(s(24)));
}

#[test]
fn revision_4_polls_alone_are_no_life() {
    let mut bench = Bench::polling();
    bench.pass(s(25));
    bench.poll(1);
    bench.told();
    bench.poll(2);
    bench.pass(s(20));
    assert_eq!(bench.told(), ["poll 2: 1", "close: ping timeout"]);
}

#[test]
fn revision_4_a_ping_of_the_client_is_an_error() {
    let mut bench = Bench::polling();
    bench.post(1, "2");
    let (error, close) = (format!("error: {OUT_OF_ORDER}"), format!("close: {OUT_OF_ORDER}"));
    assert_eq!(bench.told(), ["push 1: Session ID unknown".into(), error, close]);
}

#[test]
fn revision_4_the_heartbeat_is_told_when_the_pong_comes_and_only_if_one_was_awaited() {
    let mut bench = Bench::with(config(), Revision::V4, Events::HEARTBEAT);
    bench.probe();
    bench.upgrade();
    bench.told();
    bench.frame("3");
    assert_eq!(bench.told(), [""; 0]);
    bench.pass(s(25));
    bench.frame("3");
    assert_eq!(bench.told(), ["heartbeat", "frame 2"]);
}

#[test]
fn revision_4_a_ping_that_comes_late_can_still_be_answered() {
    let mut config = config();
    config.ping_timeout = ms(200);
    let mut bench = Bench::with(config, Revision::V4, Events::DEFAULT);
    bench.poll(1);
    bench.pass(s(25) + ms(300));
    assert_eq!(bench.told(), ["poll 1: 2"]);
    assert_eq!(bench.due(), Some(ms(200)));
}

#[test]
fn revision_3_the_server_answers_pings_with_what_they_carry() {
    let mut bench = Bench::polling_v3();
    bench.poll(1);
    bench.post(1, "1:2");
    assert_eq!(bench.told(), ["push 1: ok", "poll 1: 1:3"]);
    bench.poll(2);
    bench.post(2, "6:2probe");
    assert_eq!(bench.told(), ["push 2: ok", "poll 2: 6:3probe"]);
}

#[test]
fn revision_3_the_server_never_pings_and_waits_for_interval_and_timeout() {
    let mut bench = Bench::polling_v3();
    bench.poll(1);
    assert_eq!(bench.due(), Some(s(45)));
    bench.pass(s(44));
    assert_eq!(bench.told(), [""; 0]);
    bench.pass(s(1));
    assert_eq!(bench.told(), ["poll 1: 1:1", "close: ping timeout"]);
}

#[test]
fn revision_3_any_packet_is_life() {
    let mut bench = Bench::polling_v3();
    bench.pass(s(40));
    bench.post(1, "2:4a");
    bench.pass(s(44));
    assert_eq!(bench.told(), ["message a", "push 1: ok"]);
    bench.pass(s(1));
    assert_eq!(bench.told(), ["close: ping timeout"]);
}

#[test]
fn revision_3_a_pong_of_the_client_is_an_error() {
    let mut bench = Bench::polling_v3();
    bench.post(1, "1:3");
    let (error, close) = (format!("error: {OUT_OF_ORDER}"), format!("close: {OUT_OF_ORDER}"));
    assert_eq!(bench.told(), ["push 1: Session ID unknown".into(), error, close]);
}

#[test]
fn revision_3_a_flood_of_pings_with_data_ends_in_buffer_full_and_close_is_told_last() {
    let mut config = config();
    config.max_buffered_bytes = 100;
    config.max_http_buffer_size = 1000;
    let mut bench = Bench::with(config, Revision::V3, Events::HEARTBEAT | Events::ERROR);
    for push in 0..200 {
        if bench.session.poll_timeout().is_some() {
            bench.post(push, "1:2");
        }
    }
    let told = bench.told();
    let last = &told[told.len() - 2..];
    assert_eq!(last, ["error: buffer full", "close: buffer full"], "{told:?}");
}

/// A session on a WebSocket whose peer does not take what it is told: more than half of the write buffer is taken.
fn congested(revision: Revision) -> Bench {
    let mut config = config();
    config.max_buffered_bytes = 200;
    let mut bench = Bench::opening(config, revision, Events::DEFAULT);
    bench.open(Transport::WebSocket);
    bench.told();
    bench.send("a");
    bench.send("b");
    assert!(bench.session.is_congested(bench.now));
    bench
}

#[test]
fn who_was_pinged_is_listened_to_however_much_waits_for_it() {
    let mut bench = congested(Revision::V4);
    bench.pass(s(25));
    assert!(
        !bench.session.is_congested(bench.now),
        "a sign of life is awaited"
    );
    bench.pass(s(19));
    bench.frame("3");
    assert!(bench.session.is_congested(bench.now), "it came");
    bench.pass(s(1));
    assert_eq!(bench.due(), Some(s(24)));
}

#[test]
fn who_should_have_pinged_is_listened_to_however_much_waits_for_it() {
    let mut bench = congested(Revision::V3);
    bench.pass(s(25) - ms(1));
    assert!(bench.session.is_congested(bench.now));
    bench.pass(ms(1));
    assert!(!bench.session.is_congested(bench.now));
    bench.frame("2");
    assert!(bench.session.is_congested(bench.now));
}

/// Clients wait by a timer that takes 31 bits of milliseconds for interval and timeout together.
#[test]
fn endless_heartbeats_are_as_long_as_a_client_can_wait() {
    for revision in [Revision::V3, Revision::V4] {
        let mut config = config();
        (config.ping_interval, config.ping_timeout) = (Duration::MAX, Duration::MAX);
        let mut bench = Bench::opening(config, revision, Events::DEFAULT);
        bench.open(Transport::WebSocket);
        let open = bench.session.poll_frame().expect("the open packet").frame;
        let open: serde_json::Value = serde_json::from_slice(open.data.as_bytes()).expect("JSON");
        let both = open["pingInterval"].as_u64().zip(open["pingTimeout"].as_u64());
        let (interval, timeout) = both.expect("two numbers");
        assert!(interval + timeout < 1 << 31, "{open}");
    }
}
