//! permessage-deflate: the header that it is negotiated by, and compressed messages through frames.

use bytes::{Bytes, BytesMut};
use engineio::ws::deflate::Agreement;
use engineio::ws::mask::unmask;
use engineio::ws::{Connection, Limits, Message, ProtocolError};

use super::{Input, Seen};
use crate::memory;

const NAME: &str = "permessage-deflate";

/// Lines of `Sec-WebSocket-Extensions`.
pub fn extensions(data: &[u8], seen: &mut Seen) {
    for line in data.split(|byte| *byte == b'\n') {
        let agreed = Agreement::negotiate(line);
        seen.note(agreed.map(|agreed| agreed.to_string()));
        // What is offered behind an offer that is taken does not matter; nor does what came to nothing before.
        let again = [line, b", permessage-deflate; server_max_window_bits=11"].concat();
        match agreed {
            Some(agreed) => {
                assert!(contains(line, NAME.as_bytes()));
                assert_eq!(Agreement::negotiate(&again), Some(agreed));
                check_answer(line, &agreed.to_string());
            }
            None => {
                if let Some(second) = Agreement::negotiate(&again) {
                    assert!(second.to_string().ends_with("; server_max_window_bits=11"));
                } else {
                    assert!(line.contains(&b'"'), "only a quote hides what follows");
                }
            }
        }
    }
}

/// An answer holds nothing that was not offered, and is an offer that comes to itself.
fn check_answer(line: &[u8], answer: &str) {
    let both = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
    let rest = answer.strip_prefix(&both).expect("both flags");
    if let Some(bits) = rest.strip_prefix("; server_max_window_bits=") {
        assert!((9..=15).contains(&bits.parse().unwrap_or(0)));
        assert!(contains(line, b"server_max_window_bits") && contains(line, bits.as_bytes()));
    } else {
        assert_eq!(rest, "");
    }
    let again = Agreement::negotiate(answer.as_bytes()).expect("an answer is an offer");
    assert_eq!(again.to_string(), answer);
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Three bytes: the limit, how the message is fragmented, what it is. Then its compressed payload.
pub fn inflate(data: &[u8], seen: &mut Seen) {
    let mut input = Input(data);
    let limits = Limits {
        max_message: input.pick(&[1000, 0, 1, 100, 5000, 70_000]),
        max_fragments: 100_000,
    };
    let most = input.pick(&[usize::MAX, 1, 2, 7, 100]);
    let text = input.byte() & 1 != 0;
    let payload = input.0;

    // The thread's inflater is no part of what a message costs.
    run(limits, text, b"\x00", usize::MAX).ok();
    let (whole, peak) = memory::peak(|| run(limits, text, payload, usize::MAX));
    // The frame, read and copied; then what it inflates to, with the doubled buffer that it grows in; or the scratch
    // that stays with the thread.
    let bound = 4 * payload.len() + 3 * limits.max_message + 2 * 64 * 1024 + 4096;
    assert!(
        peak <= bound as isize,
        "{peak} bytes for {} of {limits:?}",
        payload.len()
    );
    assert_eq!(run(limits, text, payload, most), whole, "in fragments");
    seen.note(whole.as_ref().err().map(std::mem::discriminant));
    if let Ok(message) = whole {
        let content = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        };
        assert!(content.len() <= limits.max_message);
        seen.note((text, content.len().min(300) / 30));
        round_trip(limits, text, content, &message);
    }
}

/// A message as a client sends it.
fn run(limits: Limits, text: bool, payload: &[u8], most: usize) -> Result<Message, ProtocolError> {
    let mut connection = Connection::with_deflate(limits, agreement(15), 0);
    let mut pieces = payload.chunks(most.min(payload.len()).max(1)).peekable();
    let mut first = 0x40 | if text { 1 } else { 2 };
    loop {
        let piece = pieces.next().unwrap_or_default();
        let fin = if pieces.peek().is_none() { 0x80 } else { 0 };
        connection.receive(client_frame(fin | first, piece));
        first = 0;
        match connection.poll_message() {
            Ok(Some(message)) => break Ok(message),
            Ok(None) => assert_eq!(fin, 0, "the last frame ends the message"),
            Err(error) => break Err(error),
        }
    }
}

/// What we send compressed, or do not, comes back.
fn round_trip(limits: Limits, text: bool, content: &[u8], message: &Message) {
    for bits in [9, 15] {
        let mut connection = Connection::with_deflate(limits, agreement(bits), 0);
        let (mut out, mut plain) = (BytesMut::new(), BytesMut::new());
        assert!(connection.send_compressed(text, None, content, &mut out));
        connection.send(text, None, content, &mut plain);
        assert!(out == plain || (out.len() < plain.len() && out[0] & 0x40 != 0));
        let head = match out[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        connection.receive(client_frame(out[0], &out[head..]));
        assert_eq!(connection.poll_message().as_ref(), Ok(&Some(message.clone())));
    }
}

fn agreement(bits: u8) -> Agreement {
    let offer = format!("{NAME}; server_max_window_bits={bits}");
    Agreement::negotiate(offer.as_bytes()).expect("a good offer")
}

fn client_frame(first: u8, payload: &[u8]) -> Bytes {
    const KEY: [u8; 4] = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    let start = frame.len();
    frame.extend(payload);
    unmask(&mut frame[start..], KEY);
    Bytes::from(frame)
}
