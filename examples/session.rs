//! The protocol as a library: one session driven by hand, without actix, socket or clock. It prints what goes in
//! and what the session wants done: handshake, polls, a POST, the swap to WebSocket, a heartbeat, and the end.
//!
//! `cargo run --example session --no-default-features`

use std::sync::Arc;
use std::time::Instant;

use engineio::proto::{
    Output, Packet, PacketType, PollId, Probe, ProbeId, ProbeStep, PushBody, PushId, Session,
};
use engineio::{CloseReason, Config, Events, Revision, Sid, Transport};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Time is an argument. A driver passes `Instant::now()`; here it passes when we say so.
    let mut now = Instant::now();
    let config = Arc::new(Config::engine_io_6());
    let mut session = Session::new(config, Revision::V4, false, Events::all(), now);

    println!("-- GET /engine.io/?EIO=4&transport=polling");
    session.open(now, Transport::Polling, &Sid::generate());
    session.handle_poll(now, PollId(0))?;
    drain(&mut session);

    println!("-- GET: a poll waits until there is something to say");
    session.handle_poll(now, PollId(1))?;
    drain(&mut session);
    session.send("hello".into(), false)?;
    drain(&mut session);

    println!("-- POST: it announces itself, then its body comes");
    session.handle_push(now, PushId(1), false)?;
    let bytes = "4how are you?".into();
    session.handle_payload(now, PushId(1), PushBody { bytes, binary: false });
    drain(&mut session);

    println!("-- GET, and a WebSocket that says `2probe`: it gets `3probe`, the poll is let go");
    session.handle_poll(now, PollId(2))?;
    let mut probe = Probe::default();
    session.handle_websocket(now)?;
    assert_eq!(probe.handle_packet(&Probe::ping()), ProbeStep::Probe);
    session.handle_probe(now, ProbeId(1))?;
    drain(&mut session);

    println!("-- the WebSocket says `5`: what was sent meanwhile follows there");
    session.send("fine, thanks".into(), false)?;
    let upgrade = Packet::new(PacketType::Upgrade);
    assert_eq!(probe.handle_packet(&upgrade), ProbeStep::Upgrade);
    session.handle_upgrade(now, ProbeId(1))?;
    drain(&mut session);

    println!("-- a frame comes in");
    session.handle_frame(now, Packet::from_text("4bye".into(), session.revision()));
    drain(&mut session);

    let due = session.poll_timeout().ok_or("an open session has a deadline")?;
    println!("-- {:?} later", due - now);
    now = due;
    session.handle_timeout(now);
    drain(&mut session);
    session.handle_frame(now, Packet::from_text("3".into(), session.revision()));
    drain(&mut session);

    println!("-- the application closes: what it sent before leaves first");
    session.send("last words".into(), false)?;
    session.close(now, CloseReason::ForcedClose);
    drain(&mut session);
    Ok(())
}

/// What a driver does after each call: all outputs, then all frames that the WebSocket has room for, again until
/// there is neither. (Then it arranges for `handle_timeout` at `poll_timeout`.)
fn drain(session: &mut Session) {
    loop {
        while let Some(output) = session.poll_output() {
            perform(output);
        }
        let Some(out) = session.poll_frame() else { return };
        let prefix = out.frame.prefix.map(char::from).unwrap_or_default();
        let data = String::from_utf8_lossy(out.frame.data.as_bytes());
        println!("   websocket <- {prefix}{data}");
    }
}

fn perform(output: Output) {
    match output {
        Output::Reply(reply) => {
            let body = String::from_utf8_lossy(&reply.body.bytes).replace('\u{1e}', "␞");
            println!("   poll {} <- 200 {body}", reply.poll.0);
        }
        Output::PushDone { push, result } => match result {
            Ok(()) => println!("   push {} <- 200 ok", push.0),
            Err(refusal) => println!("   push {} <- 400 {refusal}", push.0),
        },
        Output::DropProbe(probe) => println!("   upgrade {} is over: close its WebSocket", probe.0),
        Output::CloseWebSocket(close) => println!("   websocket <- close {}", close.reason.websocket_code()),
        Output::Event(event) => println!("   event: {event:?}"),
    }
}
