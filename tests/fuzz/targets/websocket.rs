//! A WebSocket connection fed in chunks: however the bytes are cut, the same comes out, in bounded memory.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use engineio::ws::{
    CLOSE_TIMEOUT, CloseCode, CloseFrame, Connection, Limits, MAX_PONGS, Message, ProtocolError,
};

use super::{Input, Seen};
use crate::memory;

/// How the stream is cut.
#[derive(Clone, Copy)]
enum Chunks {
    Whole,
    /// Of 1 to so many bytes, by a little generator.
    Random(usize, u32),
}

/// What came out.
#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<Message>,
    error: Option<ProtocolError>,
    open: bool,
    closed: bool,
    peer: Option<CloseFrame>,
    sent: BytesMut,
}

/// Five bytes: limits, the place of our close (none if it is not in the stream), how to cut. Then the stream.
pub fn websocket(data: &[u8], seen: &mut Seen) {
    let mut input = Input(data);
    let limits = Limits {
        max_message: input.pick(&[1000, 0, 1, 125, 126, 70_000]),
        max_fragments: input.pick(&[4, 0, 1, 1000]),
    };
    let close_at = usize::from(input.byte()) << (input.byte() % 8);
    let cut = input.byte();
    let bytes = input.0;

    let whole = run(limits, bytes, close_at, Chunks::Whole);
    seen.note((
        whole.error.map(|error| std::mem::discriminant(&error)),
        whole.open,
        whole.closed,
        whole.peer.is_some(),
    ));
    seen.note(("messages", whole.messages.len().min(5), whole.sent.len().min(4)));
    for message in whole.messages.iter().take(4) {
        let (text, len) = match message {
            Message::Text(text) => (true, text.len()),
            Message::Binary(bytes) => (false, bytes.len()),
        };
        seen.note((text, len.min(2)));
    }
    let most = [7, 3, 20, 127, 300, 2000][usize::from(cut % 6)];
    let random = run(limits, bytes, close_at, Chunks::Random(most, u32::from(cut) + 1));
    assert_eq!(random, whole, "chunks of up to {most} bytes");
    check_memory(limits, bytes, Chunks::Whole);
    check_memory(limits, bytes, Chunks::Random(most, u32::from(cut) + 1));
    if bytes.len() <= 300 {
        assert_eq!(
            run(limits, bytes, close_at, Chunks::Random(1, 1)),
            whole,
            "byte by byte"
        );
    }
}

fn run(limits: Limits, bytes: &[u8], close_at: usize, chunks: Chunks) -> Outcome {
    let now = Instant::now();
    let mut connection = Connection::new(limits);
    let mut outcome = Outcome {
        messages: Vec::new(),
        error: None,
        open: false,
        closed: false,
        peer: None,
        sent: BytesMut::new(),
    };
    // Nothing is closed at 0: most streams are to be read to their end.
    let closes = (1..bytes.len()).contains(&close_at);
    let (before, behind) = bytes.split_at(if closes { close_at } else { bytes.len() });
    let mut fed = 0;
    for (part, rest) in [before, behind].into_iter().enumerate() {
        if part == 1 && closes {
            let was_open = connection.is_open();
            connection.close(now, CloseCode::NORMAL, "enough");
            assert_eq!(connection.deadline().is_some(), was_open);
        }
        let mut rest = rest;
        while !rest.is_empty() {
            let (chunk, left) = rest.split_at(next_len(chunks, fed).min(rest.len()));
            rest = left;
            fed += chunk.len();
            feed(&mut connection, limits, chunk, fed, &mut outcome);
        }
    }
    outcome.open = connection.is_open();
    outcome.closed = connection.is_closed();
    outcome.peer = connection.close_received().cloned();
    connection.transmit(&mut outcome.sent);
    assert!(outcome.sent.len() <= (MAX_PONGS + 1) * 127 && !connection.has_transmit());
    if outcome.error.is_some() {
        assert!(outcome.closed, "an error is the end");
    }
    finish(connection, now);
    outcome
}

/// One read, and all that it brings.
fn feed(connection: &mut Connection, limits: Limits, chunk: &[u8], fed: usize, outcome: &mut Outcome) {
    let over = connection.is_closed();
    receive(connection, chunk, fed);
    loop {
        match next(connection, fed) {
            Ok(None) => break,
            Ok(Some(message)) => {
                assert!(!over && outcome.error.is_none(), "a message behind the end");
                let len = match &message {
                    Message::Text(text) => text.len(),
                    Message::Binary(bytes) => bytes.len(),
                };
                assert!(len <= limits.max_message, "{len} bytes");
                outcome.messages.push(message);
            }
            Err(error) => {
                assert!(!over && outcome.error.is_none(), "a second error");
                outcome.error = Some(error);
            }
        }
    }
}

/// The next message, by one of the ways to it.
fn next(connection: &mut Connection, fed: usize) -> Result<Option<Message>, ProtocolError> {
    const PREFIX: u8 = b'4';
    let joined = |prefix: u8, text: &str| Message::Text(format!("{}{text}", char::from(prefix)).into());
    if fed.is_multiple_of(3) {
        return connection.poll_message();
    }
    if !fed.is_multiple_of(5)
        && let Some(text) = connection.poll_text_after(PREFIX)?
    {
        return Ok(Some(joined(PREFIX, &text)));
    }
    Ok(match connection.poll_prefixed()? {
        Some((Some(prefix), Message::Text(text))) => Some(joined(prefix, &text)),
        other => other.map(|(_, message)| message),
    })
}

/// By either way in.
fn receive(connection: &mut Connection, chunk: &[u8], fed: usize) {
    if fed.is_multiple_of(2) {
        connection.receive(Bytes::copy_from_slice(chunk));
    } else {
        connection.receive_slice(chunk);
    }
}

/// Between two reads a connection holds the message so far (its buffer doubles), half a control frame, a header,
/// and the answers that wait; never more than has come.
fn check_memory(limits: Limits, bytes: &[u8], chunks: Chunks) {
    let before = memory::held();
    let mut connection = Connection::new(limits);
    let (mut fed, mut rest) = (0, bytes);
    while !rest.is_empty() {
        let (chunk, left) = rest.split_at(next_len(chunks, fed).min(rest.len()));
        rest = left;
        fed += chunk.len();
        receive(&mut connection, chunk, fed);
        while let Ok(Some(_)) = connection.poll_message() {}
        let held = memory::held() - before;
        let bound = 2 * limits.max_message.min(fed) + 800 + MAX_PONGS * (125 + 2 * size_of::<Box<[u8]>>());
        assert!(held <= bound as isize, "holds {held} bytes after {fed}");
    }
    drop(connection);
    assert_eq!(memory::held(), before);
}

fn next_len(chunks: Chunks, fed: usize) -> usize {
    match chunks {
        Chunks::Whole => usize::MAX,
        Chunks::Random(most, seed) => {
            let mixed = (fed as u32 ^ seed.rotate_left(16)).wrapping_mul(0x9e37_79b9);
            1 + (mixed >> 8) as usize % most
        }
    }
}

/// After its deadline a connection that was closed has ended; one that has ended takes and gives nothing.
fn finish(mut connection: Connection, now: Instant) {
    if let Some(deadline) = connection.deadline() {
        assert_eq!(deadline, now + CLOSE_TIMEOUT);
        connection.handle_timeout(deadline);
        assert!(connection.is_closed());
    }
    if connection.is_closed() {
        let before = memory::held();
        connection.receive_slice(&[0x81, 0x81, 0, 0, 0, 0, b'a']);
        connection.receive(Bytes::from_static(b"\x81\x81\0\0\0\0a"));
        assert_eq!(connection.poll_message(), Ok(None));
        assert!(memory::held() <= before);
        let mut out = BytesMut::new();
        assert!(!connection.send(true, None, b"late", &mut out));
        connection.close(now, CloseCode::NORMAL, "");
        connection.transmit(&mut out);
        assert_eq!((&out[..], connection.deadline()), (&b""[..], None));
    }
}
