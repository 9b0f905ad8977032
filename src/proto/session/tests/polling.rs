//! Polls and POSTs: answered, overlapping, aborted, too slow.

use super::support::{Bench, config, ms, s};
use crate::proto::{
    BadRequest, CloseReason, Events, PollId, PushBody, PushId, ReadyState, Refusal, Revision, Transport,
};

#[test]
fn the_handshake_is_answered_alone_and_what_was_sent_while_opening_follows() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DEFAULT);
    bench.send("early");
    bench.open(Transport::Polling);
    bench.poll(0);
    assert_eq!(bench.told(), ["poll 0: 0{}"]);
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4early"]);
}

#[test]
fn the_initial_packet_travels_with_the_handshake() {
    let mut config = config();
    config.initial_packet = Some("welcome".into());
    let mut bench = Bench::opening(config, Revision::V4, Events::DEFAULT);
    bench.send("early");
    bench.open(Transport::Polling);
    bench.poll(0);
    assert_eq!(bench.told(), ["poll 0: 0{} 4welcome"]);
}

#[test]
fn a_poll_waits_until_there_is_something_to_say() {
    let mut bench = Bench::polling();
    bench.poll(1);
    assert_eq!(bench.told(), [""; 0]);
    bench.send("a");
    bench.send("b");
    assert_eq!(bench.told(), ["poll 1: 4a 4b"]);
}

#[test]
fn a_poll_takes_at_once_what_waits() {
    let mut bench = Bench::polling();
    bench.send("a");
    assert_eq!(bench.told(), [""; 0]);
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4a"]);
}

#[test]
fn overlapping_polls_end_the_session_and_the_first_gets_a_close_packet() {
    let mut bench = Bench::polling();
    bench.poll(1);
    let refused = bench.session.handle_poll(bench.now, PollId(2));
    assert_eq!(refused, Err(BadRequest::Overlap.into()));
    let end = "transport error overlap from client";
    assert_eq!(
        bench.told(),
        [
            "poll 1: 1".into(),
            format!("error: {end}"),
            format!("close: {end}")
        ]
    );
    let unknown = bench.session.handle_poll(bench.now, PollId(3));
    assert_eq!(unknown, Err(Refusal::UnknownSid));
}

#[test]
fn overlapping_posts_end_the_session() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.push(1);
    let refused = bench.session.handle_push(bench.now, PushId(2), false);
    assert_eq!(refused, Err(BadRequest::Overlap.into()));
    let end = "transport error data request overlap from client";
    assert_eq!(
        bench.told(),
        [
            "poll 1: 1".into(),
            "push 1: Session ID unknown".into(),
            format!("error: {end}"),
            format!("close: {end}")
        ]
    );
    bench.body(1, "4late");
    assert_eq!(bench.told(), [""; 0]);
}

#[test]
fn an_aborted_poll_ends_the_session() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.session.handle_poll_gone(PollId(1));
    let end = "transport error poll connection closed prematurely";
    assert_eq!(bench.told(), [format!("error: {end}"), format!("close: {end}")]);
}

#[test]
fn an_answer_that_went_nowhere_ends_the_session() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.send("lost");
    assert_eq!(bench.told(), ["poll 1: 4lost"]);
    bench.session.handle_poll_gone(PollId(1));
    assert_eq!(bench.session.ready_state(), ReadyState::Closed);
}

#[test]
fn a_poll_that_left_long_ago_changes_nothing() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.send("a");
    bench.told();
    bench.poll(2);
    bench.send("b");
    bench.told();
    bench.session.handle_poll_gone(PollId(1));
    assert_eq!(bench.session.ready_state(), ReadyState::Open);
}

#[test]
fn a_post_brings_its_packets_in_order() {
    let mut bench = Bench::polling();
    bench.post(1, "4a\u{1e}4b\u{1e}4c");
    assert_eq!(
        bench.told(),
        ["message a", "message b", "message c", "push 1: ok"]
    );
}

#[test]
fn a_body_that_is_no_payload_ends_the_session_behind_what_was_right() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.post(1, "4a\u{1e}x");
    assert_eq!(
        bench.told(),
        [
            "message a",
            "push 1: INVALID_PAYLOAD",
            "poll 1: 1",
            "error: parse error",
            "close: parse error"
        ]
    );
}

#[test]
fn a_close_packet_ends_the_session_and_frees_the_poll_by_noop() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.post(1, "4a\u{1e}1\u{1e}4never read");
    assert_eq!(
        bench.told(),
        ["message a", "push 1: ok", "poll 1: 6", "close: transport close"]
    );
}

#[test]
fn a_post_must_be_complete_within_ping_timeout_and_its_bytes_keep_nothing_alive() {
    let mut bench = Bench::polling();
    bench.push(1);
    bench.pass(s(19));
    bench.session.handle_push_begun(PushId(1));
    assert_eq!(bench.due(), Some(s(1)));
    bench.pass(s(1));
    let end = "transport error data request timeout";
    assert_eq!(
        bench.told(),
        [
            "push 1: Request timeout".into(),
            format!("error: {end}"),
            format!("close: {end}")
        ]
    );
}

#[test]
fn a_post_whose_client_left_ends_the_session() {
    let mut bench = Bench::polling();
    bench.push(1);
    bench.session.handle_push_failed(PushId(1), Refusal::UnknownSid);
    let end = "transport error data request connection closed prematurely";
    assert_eq!(
        bench.told(),
        [
            "push 1: Session ID unknown".into(),
            format!("error: {end}"),
            format!("close: {end}")
        ]
    );
}

#[test]
fn a_post_that_is_too_large_ends_the_session() {
    let mut bench = Bench::polling();
    bench.push(1);
    bench
        .session
        .handle_push_failed(PushId(1), Refusal::PayloadTooLarge { size: 2_000_000 });
    let end = "transport error payload too large";
    assert_eq!(
        bench.told(),
        [
            "push 1: Payload too large".into(),
            format!("error: {end}"),
            format!("close: {end}")
        ]
    );
}

#[test]
fn a_binary_body_is_refused_in_revision_4_and_read_in_revision_3() {
    let mut bench = Bench::polling();
    let refused = bench.session.handle_push(bench.now, PushId(1), true);
    assert_eq!(refused, Err(BadRequest::InvalidPayload.into()));
    assert_eq!(bench.session.ready_state(), ReadyState::Closed);

    let mut bench = Bench::polling_v3();
    assert_eq!(bench.session.handle_push(bench.now, PushId(1), true), Ok(()));
    let bytes = bytes::Bytes::from_static(b"\x00\x02\xff4a");
    bench
        .session
        .handle_payload(bench.now, PushId(1), PushBody { bytes, binary: true });
    assert_eq!(bench.told(), ["message a", "push 1: ok"]);
}

#[test]
fn requests_of_polling_are_refused_on_websocket() {
    let mut bench = Bench::upgraded();
    let mismatch = Err(BadRequest::TransportMismatch.into());
    assert_eq!(bench.session.handle_poll(bench.now, PollId(7)), mismatch);
    assert_eq!(bench.session.handle_push(bench.now, PushId(7), false), mismatch);
    assert_eq!(bench.session.ready_state(), ReadyState::Open);
}

#[test]
fn a_session_that_never_polls_is_gone_after_its_heartbeat() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DEFAULT);
    bench.open(Transport::Polling);
    bench.pass(s(25));
    assert_eq!(bench.told(), [""; 0]);
    bench.pass(s(20));
    assert_eq!(bench.told(), ["close: ping timeout"]);
    assert_eq!(bench.due(), None);
}

#[test]
fn abort_drops_what_waits_and_answers_the_poll() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.send("dropped");
    bench.session.abort(CloseReason::ForcedClose);
    assert_eq!(bench.told(), ["poll 1: 1", "close: forced close"]);
    assert_eq!(bench.session.buffered_bytes(), 0);
    bench.pass(ms(1));
    assert_eq!(bench.told(), [""; 0]);
}
