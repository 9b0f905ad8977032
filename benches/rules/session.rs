//! The session: what its driver asks of it for a message, a poll and a handshake.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use engineio::proto::request::parse;
use engineio::proto::{Event, Head, Method, Output, Packet, PollId, PushBody, PushId, Session};
use engineio::{Config, Events, Revision, Sid, Transport, Transports};

use super::{Case, text};

/// A session on `transport` whose handshake is answered.
fn open(config: &Arc<Config>, transport: Transport, sid: &Sid, now: Instant) -> Session {
    let mut session = Session::new(config.clone(), Revision::V4, false, Events::DEFAULT, now);
    session.open(now, transport, sid);
    if transport == Transport::Polling {
        session.handle_poll(now, PollId(0)).expect("no poll is parked");
    }
    drain(&mut session, false);
    session
}

/// Does what the session wants done; with `echo`, messages are sent back. Returns the messages and frames.
fn drain(session: &mut Session, echo: bool) -> usize {
    let mut count = 0;
    loop {
        while let Some(output) = session.poll_output() {
            if let Output::Event(Event::Message(data)) = output {
                count += 1;
                if echo {
                    session.send(data, false).expect("the buffer has room");
                }
            }
        }
        if session.poll_frame().is_none() {
            return count;
        }
        count += 1;
    }
}

pub(super) fn cases() -> Vec<Case> {
    let (config, now, sid) = (Arc::new(Config::engine_io_6()), Instant::now(), Sid::generate());
    let mut websocket = open(&config, Transport::WebSocket, &sid, now);
    let mut polling = open(&config, Transport::Polling, &sid, now);
    let mut pushing = open(&config, Transport::Polling, &sid, now);
    let frame = ByteString::from(format!("4{}", text(32)));
    let body = vec![frame.to_string(); 16].join("\u{1e}");
    let body = bytes::Bytes::from(body);
    vec![
        Case::new("session", "parse a poll's request", || {
            let head = Head {
                method: Method::Get,
                query: black_box("EIO=4&transport=polling&t=P0o1x2y&sid=AAAAAAAAAAAAAAAAAAAAAA"),
                upgrade: false,
                binary_body: false,
            };
            parse(head, Transports::all(), true)
        }),
        Case::new("session", "handshake over polling", move || {
            open(&config, Transport::Polling, &sid, now)
        }),
        Case::new("session", "echo of a frame", move || {
            websocket.handle_frame(now, Packet::from_text(black_box(&frame).clone(), Revision::V4));
            assert_eq!(drain(&mut websocket, true), 2);
        }),
        Case::new("session", "poll, then a message", move || {
            polling.handle_poll(now, PollId(1)).expect("no poll is parked");
            polling.send("hello".into(), false).expect("the buffer has room");
            drain(&mut polling, false)
        }),
        Case::new("session", "poll and push with 16 echoes", move || {
            pushing
                .handle_push(now, PushId(1), false)
                .expect("no push is open");
            let bytes = black_box(&body).clone();
            pushing.handle_payload(now, PushId(1), PushBody { bytes, binary: false });
            assert_eq!(drain(&mut pushing, true), 16);
            pushing.handle_poll(now, PollId(1)).expect("no poll is parked");
            drain(&mut pushing, false)
        }),
    ]
}
