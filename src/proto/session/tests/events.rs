//! What the application is told, in which order and with which arguments.

use super::support::{Bench, config, s};
use crate::proto::{CloseReason, Events, PollId, Revision, Transport};

fn all() -> Bench {
    Bench::with(config(), Revision::V4, Events::all())
}

#[test]
fn packet_create_then_flush_then_the_answer_then_drain() {
    let mut bench = all();
    bench.poll(1);
    bench.send("a");
    bench.send("b");
    assert_eq!(
        bench.told(),
        [
            "packetCreate 4a",
            "packetCreate 4b",
            "flush 4a 4b",
            "poll 1: 4a 4b",
            "drain"
        ]
    );
}

#[test]
fn the_handshake_is_a_packet_like_others() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::all());
    bench.open(Transport::Polling);
    bench.poll(0);
    assert_eq!(
        bench.told(),
        ["packetCreate 0{}", "flush 0{}", "poll 0: 0{}", "drain"]
    );
}

#[test]
fn drain_is_told_only_when_the_buffer_is_empty() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DRAIN);
    bench.send("early");
    bench.open(Transport::Polling);
    bench.poll(0);
    assert_eq!(bench.told(), ["poll 0: 0{}"]);
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4early", "drain"]);
}

#[test]
fn on_websocket_every_packet_is_flushed_once() {
    let mut bench = all();
    bench.probe();
    bench.upgrade();
    bench.told();
    bench.send("a");
    bench.send("b");
    let first = bench.session.poll_frame();
    bench.send("c");
    assert!(first.is_some());
    assert_eq!(
        bench.told(),
        [
            "packetCreate 4a",
            "packetCreate 4b",
            "flush 4a 4b",
            "packetCreate 4c",
            "frame 4b",
            "frame 4c",
            "flush 4c",
            "drain"
        ]
    );
}

#[test]
fn packet_then_message() {
    let mut bench = all();
    bench.post(1, "4a\u{1e}6");
    assert_eq!(bench.told(), ["packet 4a", "message a", "packet 6", "push 1: ok"]);
}

#[test]
fn upgrading_then_upgrade() {
    let mut bench = all();
    bench.poll(1);
    bench.probe();
    bench.upgrade();
    assert_eq!(
        bench.told(),
        ["upgrading websocket", "poll 1: 6", "upgrade websocket"]
    );
}

#[test]
fn a_probe_that_fails_tells_no_upgrade() {
    let mut bench = all();
    bench.probe();
    bench.session.handle_probe_lost(super::support::PROBE);
    assert_eq!(bench.told(), ["upgrading websocket"]);
}

#[test]
fn heartbeat_of_revision_4() {
    let mut bench = all();
    bench.pass(s(25));
    bench.poll(1);
    bench.post(1, "3");
    assert_eq!(
        bench.told(),
        [
            "packetCreate 2",
            "packet 3",
            "heartbeat",
            "push 1: ok",
            "flush 2",
            "poll 1: 2",
            "drain"
        ]
    );
}

#[test]
fn heartbeat_of_revision_3() {
    let mut bench = Bench::with(config(), Revision::V3, Events::all());
    bench.post(1, "1:2");
    assert_eq!(
        bench.told(),
        ["packet 2", "packetCreate 3", "heartbeat", "push 1: ok"]
    );
}

#[test]
fn error_comes_before_close_with_the_same_reason() {
    let mut bench = all();
    bench.poll(1);
    bench.session.handle_poll_gone(PollId(1));
    let end = "transport error poll connection closed prematurely";
    assert_eq!(bench.told(), [format!("error: {end}"), format!("close: {end}")]);
}

#[test]
fn an_end_that_nobody_is_to_blame_for_is_no_error() {
    for reason in [
        CloseReason::ForcedClose,
        CloseReason::ServerClosing,
        CloseReason::TransportClose,
        CloseReason::PingTimeout,
    ] {
        let mut bench = all();
        bench.session.abort(reason);
        assert_eq!(bench.told(), [format!("close: {reason}")]);
    }
}

#[test]
fn close_is_told_even_to_those_who_want_nothing() {
    let mut bench = Bench::with(config(), Revision::V4, Events::empty());
    bench.poll(1);
    bench.send("a");
    bench.post(1, "4b");
    bench.session.handle_poll_gone(PollId(1));
    assert_eq!(
        bench.told().last().map(String::as_str),
        Some("close: transport error poll connection closed prematurely")
    );
}

#[test]
fn interest_can_change() {
    let mut bench = Bench::with(config(), Revision::V4, Events::empty());
    bench.post(1, "4unheard");
    assert_eq!(bench.told(), ["push 1: ok"]);
    bench.session.set_interest(Events::MESSAGE);
    bench.post(2, "4heard");
    assert_eq!(bench.told(), ["message heard", "push 2: ok"]);
}

#[test]
fn packets_without_a_meaning_from_a_client_are_told_and_ignored() {
    let mut bench = Bench::with(config(), Revision::V4, Events::PACKET);
    bench.probe();
    bench.upgrade();
    bench.frame("0{}");
    bench.frame("5");
    bench.frame("6");
    assert_eq!(bench.told(), ["packet 0{}", "packet 5", "packet 6"]);
}

/// Messages that lie next to each other; what comes behind them stays where it is.
#[test]
fn messages_can_be_asked_for_alone() {
    let mut bench = Bench::polling();
    bench.post(1, "4one\u{1e}4two");
    let texts = [(); 3].map(|()| bench.session.poll_message());
    assert_eq!(texts, [Some("one".into()), Some("two".into()), None]);
    assert_eq!(bench.session.poll_message(), None);
    assert_eq!(bench.told(), ["push 1: ok"]);
}
