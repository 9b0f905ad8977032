//! Nothing is lost in the swap: the session, a model of the client and a model of the network, explored over
//! every interleaving of
//!
//! - sends and closes on both sides,
//! - a GET that arrives, waits, is answered, breaks (either side learns of it first) or whose answer is lost,
//! - a POST that is announced, begins, is complete, is answered, or breaks at any of these points,
//! - a WebSocket that connects, is refused, carries `2probe`, `3probe`, `5`, messages, breaks, or swallows what it carries,
//! - and every deadline, early (while something is under way) and late (when nothing else can happen).
//!
//! The search is exhaustive: each scenario is bounded by how often the application sends and closes, how many
//! things break and how many deadlines come early, and by nothing else: every state that can be reached within
//! that is visited (a state is the session, the client and all that is under way, by a 64-bit hash). The eight
//! scenarios have 335,000 states, up to 42 steps from the start, and take some 7 s of CPU in a debug build. Each test
//! checks that it saw no fewer states than when it was written, lest a mistake here makes it see nothing.
//!
//! In every state: what either side gets is what the other sent, in order, without a gap; every request is
//! answered once; a session ends only if something broke, was closed or timed out. When nothing can happen but
//! a deadline, either both sides have ended, or everything sent has arrived and the session is fully working;
//! otherwise waiting for deadlines leads there.

mod client;
mod network;
mod requests;
mod search;
mod server;
mod world;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::client::{Client, Habits};
use self::search::{Explored, Found, explore};
use self::server::Server;
use self::world::World;
use crate::proto::{Events, Frame, Packet, PacketType, Revision, Session, Sid, Transport};
use crate::{Config, Data};

const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Short, since a poll is answered every 50 ms meanwhile: four times instead of 200.
const UPGRADE_TIMEOUT: Duration = Duration::from_millis(200);

/// A message is a number: each side counts its own from 1.
type Message = u8;

/// What must not happen.
type Violation = &'static str;

/// Something that may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    ServerSends,
    ServerCloses,
    ClientSends,
    ClientCloses,
    /// The server's WebSocket takes one frame of the write buffer.
    Pump,
    /// Nothing else can happen: the next deadline passes.
    Time,
    /// The network is slow: the next deadline passes although something is under way.
    TimeEarly,
    GetMoves,
    GetBreaks {
        server_first: bool,
    },
    PostMoves(usize),
    PostBreaks {
        index: usize,
        server_first: bool,
    },
    WebSocketOpens,
    WebSocketUp,
    WebSocketDown,
    WebSocketBreaks,
    /// A proxy swallows everything on it from here on, and tells nobody.
    WebSocketStalls,
}

/// How often what the network does not do by itself may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Budget {
    server_sends: u8,
    client_sends: u8,
    server_closes: u8,
    client_closes: u8,
    request_breaks: u8,
    websocket_breaks: u8,
    websocket_stalls: u8,
    early_times: u8,
}

/// What a broken implementation would do. See [`Server`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    None,
    /// While probing only the first poll is answered by `noop`.
    AnswerOnePollByNoop,
    /// WebSocket input is read while a POST from before the swap is still coming in.
    ReadBesideThePost,
    /// What waits in the write buffer is thrown away by the swap.
    DropBufferAtUpgrade,
    /// What the last poll has taken is sent again on the WebSocket.
    RepeatAtUpgrade,
    /// A poll whose client has left counts as waiting.
    IgnoreAbortedPoll,
    /// A lost upgrade takes the session along.
    EndWithTheProbe,
    /// An upgrade that takes too long is not ended.
    KeepTheProbe,
    /// A session's end does not close its WebSocket.
    EndInSilence,
    /// A POST that is refused late is not answered.
    LeaveThePost,
    /// The poll that waits when the session ends is forgotten.
    LeaveThePollAtTheEnd,
}

/// engine.io-client.
const USUAL: Habits = Habits {
    upgrades: true,
    resumes: false,
    hasty: false,
};

/// The client that a failed upgrade must leave with a working session.
const RESUMING: Habits = Habits {
    resumes: true,
    ..USUAL
};

const HASTY: Habits = Habits { hasty: true, ..USUAL };

const POLLING: Habits = Habits {
    upgrades: false,
    ..USUAL
};

fn start(habits: Habits, budget: Budget, mutation: Mutation) -> World {
    let config = Config {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        upgrade_timeout: UPGRADE_TIMEOUT,
        ..Config::default()
    };
    let now = Instant::now();
    let mut session = Session::new(Arc::new(config), Revision::V4, false, Events::DEFAULT, now);
    let sid = Sid::parse("model").expect("a valid id");
    session.open(now, Transport::Polling, &sid);
    World::new(now, Server::new(session, mutation), Client::new(habits), budget)
}

/// Explores, and shows the way to what is wrong.
fn check(habits: Habits, budget: Budget) -> Explored {
    match explore(start(habits, budget, Mutation::None)) {
        Ok(explored) => explored,
        Err(Found {
            violation,
            way,
            state,
        }) => {
            panic!("{violation}, after {} steps: {way:#?}\n{state}", way.len())
        }
    }
}

fn message(number: Message) -> Packet {
    const NUMBERS: [&str; 6] = ["0", "1", "2", "3", "4", "5"];
    Packet::message(Data::from(NUMBERS[usize::from(number)]))
}

fn number(packet: &Packet) -> Message {
    let text = packet.data.as_text().and_then(|text| text.parse().ok());
    text.expect("a message of this model")
}

fn unframe(frame: Frame) -> Option<Packet> {
    Some(Packet {
        kind: PacketType::from_digit(frame.prefix?)?,
        data: frame.data,
    })
}

fn hash_packet<H: Hasher>(packet: &Packet, state: &mut H) {
    (packet.kind, &packet.data).hash(state);
}

fn hash_packets<H: Hasher>(packets: &[Packet], state: &mut H) {
    packets.len().hash(state);
    packets.iter().for_each(|packet| hash_packet(packet, state));
}

/// Explores, and sees to it that the search was not cut short by a mistake of the model.
fn holds(habits: Habits, budget: Budget, at_least: usize) {
    let explored = check(habits, budget);
    println!("{habits:?} {budget:?}: {explored:?}");
    assert!(explored.states >= at_least, "{explored:?}");
}

#[test]
fn nothing_is_lost_while_both_sides_send_during_the_upgrade() {
    let budget = Budget {
        server_sends: 4,
        client_sends: 4,
        ..Budget::default()
    };
    holds(USUAL, budget, 60_000);
}

#[test]
fn deadlines_that_come_early_lose_nothing() {
    let budget = Budget {
        server_sends: 1,
        client_sends: 1,
        early_times: 2,
        ..Budget::default()
    };
    holds(USUAL, budget, 50_000);
}

#[test]
fn a_failed_upgrade_leaves_polling_working() {
    let budget = Budget {
        server_sends: 3,
        client_sends: 2,
        websocket_breaks: 1,
        ..Budget::default()
    };
    holds(RESUMING, budget, 50_000);
    let stalls = Budget {
        websocket_breaks: 0,
        websocket_stalls: 1,
        ..budget
    };
    holds(RESUMING, stalls, 35_000);
}

#[test]
fn whatever_breaks_both_sides_learn_of_it() {
    let budget = Budget {
        server_sends: 1,
        client_sends: 1,
        request_breaks: 1,
        websocket_breaks: 1,
        ..Budget::default()
    };
    holds(USUAL, budget, 25_000);
}

#[test]
fn a_close_from_either_side_at_any_moment_ends_both() {
    let budget = Budget {
        server_sends: 2,
        client_sends: 1,
        server_closes: 1,
        client_closes: 1,
        ..Budget::default()
    };
    holds(USUAL, budget, 25_000);
}

#[test]
fn a_client_that_swaps_while_it_posts_loses_nothing_unnoticed() {
    let budget = Budget {
        server_sends: 1,
        client_sends: 3,
        early_times: 1,
        ..Budget::default()
    };
    holds(HASTY, budget, 50_000);
}

#[test]
fn polling_alone_loses_nothing() {
    let budget = Budget {
        server_sends: 3,
        client_sends: 3,
        request_breaks: 1,
        ..Budget::default()
    };
    holds(POLLING, budget, 13_000);
}

/// One of everything. 5 million states and more: in a release build only (`cargo test --release model`).
#[test]
#[cfg(not(debug_assertions))]
fn one_of_everything_loses_nothing() {
    let budget = Budget {
        server_sends: 2,
        client_sends: 2,
        client_closes: 1,
        request_breaks: 1,
        websocket_breaks: 1,
        early_times: 1,
        ..Budget::default()
    };
    holds(USUAL, budget, 5_000_000);
}

/// Each mutation with the client and the budget with which it is caught, and as what.
#[test]
fn a_broken_rule_is_caught() {
    let sends = Budget {
        server_sends: 2,
        client_sends: 2,
        ..Budget::default()
    };
    let polls_break = Budget {
        request_breaks: 1,
        ..sends
    };
    let websocket_breaks = Budget {
        websocket_breaks: 1,
        ..sends
    };
    let stalls = Budget {
        websocket_stalls: 1,
        ..sends
    };
    let closes = Budget {
        server_closes: 1,
        ..sends
    };
    let slow = Budget {
        early_times: 1,
        ..sends
    };
    let table = [
        (
            Mutation::AnswerOnePollByNoop,
            USUAL,
            sends,
            "the session ended and its poll was not answered",
        ),
        (
            Mutation::ReadBesideThePost,
            HASTY,
            sends,
            "the server got a message twice, out of order, or after a gap",
        ),
        (
            Mutation::DropBufferAtUpgrade,
            USUAL,
            sends,
            "the client got a message twice, out of order, or after a gap",
        ),
        (
            Mutation::RepeatAtUpgrade,
            USUAL,
            sends,
            "the client got a message twice, out of order, or after a gap",
        ),
        (
            Mutation::IgnoreAbortedPoll,
            USUAL,
            polls_break,
            "a poll was answered that does not wait (any more)",
        ),
        (
            Mutation::EndWithTheProbe,
            RESUMING,
            websocket_breaks,
            "the session ended for no reason",
        ),
        (
            Mutation::KeepTheProbe,
            RESUMING,
            stalls,
            "the session ended and its WebSocket was left open",
        ),
        (
            Mutation::EndInSilence,
            USUAL,
            closes,
            "the session ended and its WebSocket was left open",
        ),
        (
            Mutation::LeaveThePost,
            HASTY,
            slow,
            "the session ended for no reason",
        ),
        (
            Mutation::LeaveThePollAtTheEnd,
            USUAL,
            closes,
            "the session ended and its poll was not answered",
        ),
    ];
    for (mutation, habits, budget, violation) in table {
        match explore(start(habits, budget, mutation)) {
            Err(found) => assert_eq!(found.violation, violation, "{mutation:?}: {:?}", found.way),
            Ok(explored) => panic!("{mutation:?} was not caught in {explored:?}"),
        }
    }
}
