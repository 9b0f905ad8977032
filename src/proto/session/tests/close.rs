//! The end in good order: what was sent leaves first, on either transport.

use super::support::{Bench, PROBE, config, ms, s};
use crate::proto::{
    CloseReason, Event, Events, Output, PollId, ReadyState, Refusal, Revision, SendError, Transport,
};

fn close(bench: &mut Bench) {
    bench.session.close(bench.now, CloseReason::ForcedClose);
}

#[test]
fn a_parked_poll_takes_the_close_packet_at_once() {
    let mut bench = Bench::polling();
    bench.poll(1);
    close(&mut bench);
    assert_eq!(bench.told(), ["poll 1: 1", "close: forced close"]);
}

#[test]
fn a_parked_poll_takes_all_that_was_sent_along_with_the_close_packet() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.send("bye-1");
    bench.send("bye-2");
    close(&mut bench);
    assert_eq!(bench.told(), ["poll 1: 4bye-1 4bye-2 1", "close: forced close"]);
}

#[test]
fn a_closing_session_waits_for_the_next_poll() {
    let mut bench = Bench::polling();
    bench.send("bye");
    close(&mut bench);
    assert_eq!(bench.session.ready_state(), ReadyState::Closing);
    assert_eq!(bench.try_send("too late"), Err(SendError::Closed));
    assert_eq!(bench.told(), [""; 0]);
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4bye 1", "close: forced close"]);
    let unknown = bench.session.handle_poll(bench.now, PollId(2));
    assert_eq!(unknown, Err(Refusal::UnknownSid));
}

#[test]
fn a_closing_session_waits_for_30_seconds_at_most() {
    let mut config = config();
    config.ping_timeout = s(60);
    let mut bench = Bench::with(config, Revision::V4, Events::DEFAULT);
    close(&mut bench);
    bench.pass(s(29));
    assert_eq!((bench.told(), bench.due()), (vec![], Some(s(1))));
    bench.pass(s(1));
    assert_eq!(bench.told(), ["close: forced close"]);
}

#[test]
fn a_closing_session_hears_no_message_any_more() {
    let mut bench = Bench::polling();
    close(&mut bench);
    bench.post(1, "4unheard");
    assert_eq!(bench.told(), ["push 1: ok"]);
}

/// Of messages that came together the application ends the session at the first.
#[test]
fn what_was_not_told_before_the_application_ended_it_is_not_told() {
    for discard in [false, true] {
        let mut bench = Bench::with(config(), Revision::V4, Events::DEFAULT | Events::PACKET);
        bench.post(1, "4first\u{1e}4second");
        let first = [bench.session.poll_output(), bench.session.poll_output()];
        assert!(matches!(
            first,
            [
                Some(Output::Event(Event::Packet(_))),
                Some(Output::Event(Event::Message(_)))
            ]
        ));
        if discard {
            bench.session.abort(CloseReason::ForcedClose);
            assert_eq!(bench.told(), ["push 1: ok", "close: forced close"]);
        } else {
            close(&mut bench);
            assert_eq!(bench.told(), ["push 1: ok"]);
        }
    }
}

/// The client's end comes behind its messages.
#[test]
fn what_stands_in_front_of_the_clients_close_packet_is_told() {
    let mut bench = Bench::polling();
    bench.post(1, "4first\u{1e}4second\u{1e}1");
    let told = bench.told();
    assert_eq!(told[..2], ["message first", "message second"]);
}

#[test]
fn the_first_reason_stays() {
    let mut bench = Bench::polling();
    close(&mut bench);
    bench.session.close(bench.now, CloseReason::ServerClosing);
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 1", "close: forced close"]);
}

#[test]
fn close_while_opening_answers_the_handshake_with_everything_and_the_close_packet() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DEFAULT);
    bench.send("bye");
    close(&mut bench);
    assert_eq!(bench.session.ready_state(), ReadyState::Opening);
    assert_eq!(bench.try_send("too late"), Err(SendError::Closed));
    bench.open(Transport::Polling);
    bench.poll(0);
    assert_eq!(bench.told(), ["poll 0: 0{} 4bye 1", "close: forced close"]);
}

#[test]
fn close_while_opening_on_websocket_sends_everything_first() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::DEFAULT);
    bench.send("bye");
    close(&mut bench);
    bench.open(Transport::WebSocket);
    let told = bench.told();
    assert!(told[0].starts_with("frame 0{"), "{told:?}");
    assert_eq!(
        told[1..],
        [
            "frame 4bye",
            "close websocket: forced close",
            "close: forced close"
        ]
    );
}

#[test]
fn abort_while_opening_leaves_nothing_to_open() {
    let mut bench = Bench::opening(config(), Revision::V4, Events::all());
    bench.send("never");
    bench.session.abort(CloseReason::Panicked);
    bench.open(Transport::Polling);
    assert_eq!(
        bench.told(),
        [
            "packetCreate 4never",
            "error: handler panicked",
            "close: handler panicked"
        ]
    );
    assert_eq!(bench.session.buffered_bytes(), 0);
    let unknown = bench.session.handle_poll(bench.now, PollId(0));
    assert_eq!(unknown, Err(Refusal::UnknownSid));
}

#[test]
fn on_websocket_everything_leaves_before_the_close_frame() {
    let mut bench = Bench::upgraded();
    bench.send("bye-1");
    bench.send("bye-2");
    close(&mut bench);
    assert_eq!(
        bench.told(),
        [
            "frame 4bye-1",
            "frame 4bye-2",
            "close websocket: forced close",
            "close: forced close"
        ]
    );
}

#[test]
fn a_websocket_that_takes_nothing_is_given_30_seconds() {
    let mut config = config();
    config.ping_timeout = s(60);
    let mut bench = Bench::with(config, Revision::V4, Events::DEFAULT);
    bench.probe();
    bench.upgrade();
    bench.send("stuck");
    close(&mut bench);
    bench.session.handle_timeout(bench.now + s(29));
    assert_eq!(bench.session.ready_state(), ReadyState::Closing);
    bench.session.handle_timeout(bench.now + s(30));
    assert_eq!(
        bench.told(),
        ["close websocket: forced close", "close: forced close"]
    );
}

#[test]
fn close_while_probing_goes_on_by_the_websocket_if_the_client_has_stopped_polling() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.send("bye");
    close(&mut bench);
    assert_eq!(bench.told(), [""; 0]);
    assert_eq!(bench.session.handle_upgrade(bench.now, PROBE), Ok(()));
    assert_eq!(
        bench.told(),
        [
            "frame 4bye",
            "close websocket: forced close",
            "close: forced close"
        ]
    );
}

#[test]
fn close_while_probing_leaves_by_the_poll_if_there_is_one() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.send("bye");
    close(&mut bench);
    bench.poll(1);
    assert_eq!(
        bench.told(),
        ["poll 1: 4bye 1", "drop probe 1", "close: forced close"]
    );
}

#[test]
fn nothing_happens_after_the_end() {
    let mut bench = Bench::polling();
    bench.session.abort(CloseReason::ForcedClose);
    assert_eq!(bench.told(), ["close: forced close"]);
    close(&mut bench);
    bench.session.abort(CloseReason::ForcedClose);
    bench.session.handle_poll_gone(PollId(0));
    bench.session.handle_probe_lost(PROBE);
    bench
        .session
        .handle_websocket_lost(CloseReason::TransportClose.into());
    bench.frame("4a");
    bench.pass(s(100));
    assert_eq!(bench.told(), [""; 0]);
    assert_eq!((bench.session.transport(), bench.due()), (None, None));
    assert_eq!(bench.try_send("a"), Err(SendError::Closed));
}

#[test]
fn a_poll_that_was_under_way_when_the_client_closed_gets_a_noop() {
    let mut bench = Bench::polling();
    bench.post(1, "1");
    assert_eq!(bench.told(), ["push 1: ok", "close: transport close"]);
    bench.poll(2);
    assert_eq!(bench.told(), ["poll 2: 6"]);
    let refused = bench.session.handle_poll(bench.now, PollId(3));
    assert_eq!(refused, Err(Refusal::UnknownSid), "one, and no more");
}

#[test]
fn a_poll_that_comes_later_than_that_finds_nothing() {
    let mut bench = Bench::polling();
    bench.post(1, "1");
    assert_eq!(bench.due(), Some(ms(100)));
    bench.pass(ms(100));
    assert_eq!(bench.due(), None);
    let refused = bench.session.handle_poll(bench.now, PollId(2));
    assert_eq!(refused, Err(Refusal::UnknownSid));
}

#[test]
fn a_close_packet_that_answers_a_parked_poll_waits_for_no_other() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.post(2, "1");
    assert_eq!(bench.due(), None);
}
