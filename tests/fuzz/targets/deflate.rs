//! permessage-deflate: the header that it is negotiated by, and compressed messages through frames.

use bytes::{Bytes, BytesMut};
use engineio::ws::deflate::Agreement;
use engineio::ws::mask::unmask;
use engineio::ws::{Connection, Limits, Message, ProtocolError};

use super::{Input, Seen};
use crate::memory;

const NAME: &str = "permessage-deflate";

/// How much memory windows may take. The first is none: no context takeover.
const BUDGETS: [usize; 7] = [0, 511, 1024, 5000, 40_000, 65_536, usize::MAX];

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
                for budget in BUDGETS {
                    let within = Agreement::negotiate_within(line, budget).expect("the same offers are good");
                    seen.note(within.to_string());
                    check_windows(line, within, budget);
                }
            }
            None => {
                assert_eq!(Agreement::negotiate_within(line, usize::MAX), None);
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

/// What is remembered fits, and nothing is asked of a client that it has not offered.
fn check_windows(line: &[u8], agreed: Agreement, budget: usize) {
    assert!(agreed.window_bytes() <= budget.min(2 * 32_768));
    let answer = agreed.to_string();
    let again = Agreement::negotiate_within(answer.as_bytes(), budget).expect("an answer is an offer");
    assert!(again.window_bytes() <= agreed.window_bytes());
    if answer.contains("client_max_window_bits") {
        assert!(contains(line, b"client_max_window_bits"));
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Four bytes: the limit, how the message is fragmented, what it is, how much is remembered of what came before. Then
/// its compressed payload.
pub fn inflate(data: &[u8], seen: &mut Seen) {
    let mut input = Input(data);
    let limits = Limits {
        max_message: input.pick(&[1000, 0, 1, 100, 5000, 70_000]),
        max_fragments: 100_000,
    };
    let most = input.pick(&[usize::MAX, 1, 2, 7, 100]);
    let text = input.byte() & 1 != 0;
    let budget = input.pick(&BUDGETS);
    let payload = input.0;
    let run = |payload: &[u8], most| {
        let mut connection = connection(limits, 15, budget);
        take(&mut connection, text, payload, most)
    };

    // The thread's inflater is no part of what a message costs.
    run(b"\x00", usize::MAX).ok();
    let (whole, peak) = memory::peak(|| run(payload, usize::MAX));
    // The frame, read and copied; then what it inflates to, with the doubled buffer that it grows in; or the scratch
    // that stays with the thread; and the window.
    let bound = 4 * payload.len() + 3 * limits.max_message + 2 * 64 * 1024 + 32 * 1024 + 4096;
    assert!(
        peak <= bound as isize,
        "{peak} bytes for {} of {limits:?}",
        payload.len()
    );
    assert_same(&run(payload, most), &whole);
    seen.note(whole.as_ref().err().map(std::mem::discriminant));
    if let Ok(message) = whole {
        let content = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        };
        assert!(content.len() <= limits.max_message);
        seen.note((text, content.len().min(300) / 30));
        round_trip(limits, text, content, &message, budget);
    }
    conversation(limits, text, payload, budget, seen);
}

/// The same, but for the size of what is too big: in fragments it is seen earlier.
fn assert_same(pieces: &Result<Message, ProtocolError>, whole: &Result<Message, ProtocolError>) {
    match (pieces, whole) {
        (Err(one), Err(other)) => assert_eq!(std::mem::discriminant(one), std::mem::discriminant(other)),
        _ => assert_eq!(pieces, whole, "in fragments"),
    }
}

/// The payload cut into messages, one after the other: cut alike, they come to the same in fragments; and what came
/// before a message is known to it in so far as that was agreed on.
fn conversation(limits: Limits, text: bool, payload: &[u8], budget: usize, seen: &mut Seen) {
    let mut whole = connection(limits, 15, budget);
    let mut pieces = connection(limits, 15, budget);
    for message in payload.split(|byte| *byte == 0xaa) {
        let first = take(&mut whole, text, message, usize::MAX);
        assert_same(&take(&mut pieces, text, message, 3), &first);
        seen.note((budget, first.as_ref().err().map(std::mem::discriminant)));
        if first.is_err() {
            break;
        }
    }
}

fn connection(limits: Limits, bits: u8, budget: usize) -> Connection {
    Connection::with_deflate(limits, agreement(bits, budget), 0)
}

/// A message as a client sends it.
fn take(
    connection: &mut Connection,
    text: bool,
    payload: &[u8],
    most: usize,
) -> Result<Message, ProtocolError> {
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

/// What we send compressed, or do not, comes back; the second time referring to the first, if that was agreed on.
fn round_trip(limits: Limits, text: bool, content: &[u8], message: &Message, budget: usize) {
    for (bits, level) in [(9, 1), (15, 6)] {
        let mut connection = connection(limits, bits, budget).deflate_level(level);
        for _ in 0..2 {
            let (mut out, mut plain) = (BytesMut::new(), BytesMut::new());
            assert!(connection.send_compressed(text, None, content, &mut out));
            connection.send(text, None, content, &mut plain);
            assert!(out == plain || (out.len() < plain.len() && out[0] & 0x40 != 0));
            if let Some(encoding) = connection.encoding() {
                assert_eq!(encoding.encode(text, None, content), out);
            }
            let head = match out[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            connection.receive(client_frame(out[0], &out[head..]));
            assert_eq!(connection.poll_message().as_ref(), Ok(&Some(message.clone())));
        }
    }
}

fn agreement(bits: u8, budget: usize) -> Agreement {
    let offer = format!("{NAME}; client_max_window_bits={bits}; server_max_window_bits={bits}");
    Agreement::negotiate_within(offer.as_bytes(), budget).expect("a good offer")
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
