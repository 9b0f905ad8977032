//! The swap, and what does not become one.

use super::support::{Bench, PROBE, config, ms, s};
use crate::proto::{
    BadRequest, CloseReason, Events, PollId, ProbeId, PushId, ReadyState, Refusal, Revision, Transport,
};

fn conflict() -> Result<(), Refusal> {
    Err(BadRequest::UpgradeConflict.into())
}

#[test]
fn a_probe_answers_the_parked_poll_by_noop() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.probe();
    assert_eq!(bench.told(), ["poll 1: 6"]);
}

#[test]
fn a_websocket_that_says_nothing_changes_nothing() {
    let mut bench = Bench::polling();
    bench.poll(1);
    assert_eq!(bench.session.handle_websocket(bench.now), Ok(()));
    assert_eq!(bench.told(), [""; 0]);
    assert_eq!(bench.due(), Some(s(25)));
}

#[test]
fn two_empty_polls_get_noop_at_once_and_the_third_after_50_ms() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 6"]);
    bench.poll(2);
    assert_eq!(bench.told(), ["poll 2: 6"]);
    bench.poll(3);
    assert_eq!(bench.told(), [""; 0]);
    assert_eq!(bench.due(), Some(ms(50)));
    bench.pass(ms(50));
    assert_eq!(bench.told(), ["poll 3: 6"]);
    bench.poll(4);
    assert_eq!((bench.told(), bench.due()), (vec![], Some(ms(50))));
}

#[test]
fn the_third_poll_leaves_earlier_with_the_first_packet() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.poll(1);
    bench.poll(2);
    bench.poll(3);
    bench.told();
    bench.pass(ms(20));
    bench.send("a");
    assert_eq!(bench.told(), ["poll 3: 4a"]);
    bench.poll(4);
    assert_eq!(bench.due(), Some(ms(50)));
}

#[test]
fn what_waits_leaves_by_the_poll_at_once_while_probing() {
    let mut bench = Bench::polling();
    bench.send("a");
    bench.probe();
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4a"]);
}

#[test]
fn the_upgrade_answers_a_parked_poll_by_noop_and_sends_what_waits_on_the_websocket() {
    let mut bench = Bench::polling();
    bench.probe();
    for poll in 1..=3 {
        bench.poll(poll);
    }
    bench.told();
    bench.upgrade();
    bench.send("a");
    assert_eq!(bench.told(), ["poll 3: 6", "frame 4a"]);
    assert_eq!(bench.session.transport(), Some(Transport::WebSocket));
}

#[test]
fn what_a_poll_has_taken_is_not_sent_again_on_the_websocket() {
    let mut bench = Bench::polling();
    bench.send("a");
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 4a"]);
    bench.probe();
    bench.send("b");
    bench.upgrade();
    bench.send("c");
    assert_eq!(bench.told(), ["frame 4b", "frame 4c"]);
}

#[test]
fn a_second_probe_is_refused_and_the_first_goes_on() {
    let mut bench = Bench::polling();
    bench.probe();
    assert_eq!(bench.session.handle_probe(bench.now, ProbeId(2)), conflict());
    assert_eq!(bench.session.handle_upgrade(bench.now, ProbeId(2)), conflict());
    bench.session.handle_probe_lost(ProbeId(2));
    bench.upgrade();
}

#[test]
fn an_upgraded_session_takes_no_other_websocket() {
    let mut bench = Bench::upgraded();
    assert_eq!(bench.session.handle_websocket(bench.now), conflict());
    assert_eq!(bench.session.handle_probe(bench.now, ProbeId(2)), conflict());
    assert_eq!(bench.session.handle_upgrade(bench.now, PROBE), conflict());
}

#[test]
fn no_websocket_is_taken_where_upgrades_are_off_or_the_session_is_gone() {
    let mut config = config();
    config.allow_upgrades = false;
    let mut bench = Bench::with(config, Revision::V4, Events::DEFAULT);
    assert_eq!(bench.session.handle_websocket(bench.now), conflict());
    bench.session.abort(CloseReason::ForcedClose);
    let gone = Err(Refusal::UnknownSid);
    assert_eq!(bench.session.handle_websocket(bench.now), gone);
    assert_eq!(bench.session.handle_probe(bench.now, PROBE), gone);
}

#[test]
fn a_lost_probe_leaves_polling_working_and_another_may_try() {
    let mut bench = Bench::polling();
    bench.probe();
    for poll in 1..=3 {
        bench.poll(poll);
    }
    bench.told();
    bench.session.handle_probe_lost(PROBE);
    assert_eq!(bench.due(), Some(s(25)));
    bench.send("a");
    assert_eq!(bench.told(), ["poll 3: 4a"]);
    assert_eq!(bench.session.handle_upgrade(bench.now, PROBE), conflict());
    assert_eq!(bench.session.handle_probe(bench.now, ProbeId(2)), Ok(()));
    bench.poll(4);
    assert_eq!(bench.told(), ["poll 4: 6"]);
}

#[test]
fn a_probe_that_takes_too_long_is_dropped_and_polling_goes_on() {
    let mut bench = Bench::polling();
    bench.probe();
    assert_eq!(bench.due(), Some(s(10)));
    bench.pass(s(10));
    assert_eq!(bench.told(), ["drop probe 1"]);
    assert_eq!(bench.session.handle_upgrade(bench.now, PROBE), conflict());
    bench.poll(1);
    bench.send("a");
    assert_eq!(bench.told(), ["poll 1: 4a"]);
}

#[test]
fn an_upgrade_at_its_very_deadline_is_too_late() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.now += s(10);
    assert_eq!(bench.session.handle_upgrade(bench.now, PROBE), conflict());
    assert_eq!(bench.told(), ["drop probe 1"]);
}

#[test]
fn heartbeats_run_on_while_probing() {
    let mut config = config();
    config.upgrade_timeout = s(100);
    let mut bench = Bench::with(config, Revision::V4, Events::DEFAULT);
    bench.probe();
    bench.pass(s(25));
    bench.poll(1);
    assert_eq!(bench.told(), ["poll 1: 2"]);
    bench.pass(s(20));
    assert_eq!(bench.told(), ["drop probe 1", "close: ping timeout"]);
}

#[test]
fn websocket_input_waits_for_a_post_of_before_the_swap() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.push(1);
    bench.upgrade();
    assert!(!bench.session.is_reading());
    bench.frame("4never read too early");
    bench.body(1, "4first");
    assert!(bench.session.is_reading());
    bench.frame("4second");
    assert_eq!(bench.told(), ["message first", "push 1: ok", "message second"]);
}

#[test]
fn a_post_of_before_the_swap_has_a_second_and_goes_without_a_trace_if_it_had_not_begun() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.push(1);
    bench.upgrade();
    assert_eq!(bench.due(), Some(s(1)));
    bench.pass(s(1));
    assert_eq!(bench.told(), ["push 1: TRANSPORT_MISMATCH"]);
    assert!(bench.session.is_reading());
    bench.body(1, "4too late");
    assert_eq!(bench.told(), [""; 0]);
    assert_eq!(bench.session.ready_state(), ReadyState::Open);
}

#[test]
fn a_post_of_before_the_swap_that_had_begun_ends_the_session_after_a_second() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.push(1);
    bench.session.handle_push_begun(PushId(1));
    bench.upgrade();
    bench.pass(ms(999));
    assert_eq!(bench.told(), [""; 0]);
    bench.pass(ms(1));
    let end = "transport error data request connection closed prematurely";
    assert_eq!(
        bench.told(),
        [
            "push 1: TRANSPORT_MISMATCH".into(),
            "close websocket: transport error".into(),
            format!("error: {end}"),
            format!("close: {end}")
        ]
    );
}

#[test]
fn the_swap_does_not_lengthen_the_deadline_of_a_post() {
    let mut bench = Bench::polling();
    bench.push(1);
    bench.pass(ms(19_500));
    bench.probe();
    bench.upgrade();
    assert_eq!(bench.due(), Some(ms(500)));
}

#[test]
fn the_end_of_a_session_drops_its_probe() {
    let mut bench = Bench::polling();
    bench.probe();
    bench.post(1, "1");
    assert_eq!(
        bench.told(),
        ["push 1: ok", "drop probe 1", "close: transport close"]
    );
}

#[test]
fn an_aborted_poll_of_before_the_swap_changes_nothing_if_it_carried_a_noop() {
    let mut bench = Bench::polling();
    bench.poll(1);
    bench.probe();
    bench.upgrade();
    bench.told();
    bench.session.handle_poll_gone(PollId(1));
    assert_eq!(bench.session.ready_state(), ReadyState::Open);
}

#[test]
fn the_websockets_loss_ends_the_session() {
    let mut bench = Bench::upgraded();
    bench
        .session
        .handle_websocket_lost(CloseReason::TransportClose.into());
    assert_eq!(
        bench.told(),
        ["close websocket: transport close", "close: transport close"]
    );
}

#[test]
fn a_frame_that_is_no_packet_ends_the_session() {
    let mut bench = Bench::upgraded();
    bench.frame("4a");
    bench.frame("x");
    assert_eq!(
        bench.told(),
        [
            "message a",
            "close websocket: parse error",
            "error: parse error",
            "close: parse error"
        ]
    );
}
