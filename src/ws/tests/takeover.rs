//! Context takeover (RFC 7692 section 7.1.1): what is agreed on within a budget, and messages that refer to earlier
//! ones, against peers whose streams go on from message to message.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::deflate::{BINARY_START_Z, BINARY_Z, TEXT_Z, noise};
use super::*;
use crate::ws::CloseCode;
use crate::ws::deflate::Agreement;

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

fn agreement(offer: &str, budget: usize) -> Agreement {
    Agreement::negotiate_within(offer.as_bytes(), budget).expect(offer)
}

/// Both windows of this many bits.
fn taking_over(bits: u8) -> Connection {
    let agreed = agreement("permessage-deflate; client_max_window_bits", 2 << bits);
    assert_eq!(agreed.window_bytes(), 2 << bits);
    Connection::with_deflate(LIMITS, agreed, 200)
}

fn capacities(connection: &Connection) -> [usize; 2] {
    let windows = connection.windows.as_ref();
    windows.map_or([0; 2], |windows| {
        [windows.server.capacity(), windows.client.capacity()]
    })
}

/// A client whose streams go on.
struct Peer {
    deflate: Compress,
    inflate: Decompress,
}

impl Peer {
    fn new(bits: u8) -> Self {
        Peer {
            deflate: Compress::new_with_window_bits(Compression::default(), false, bits),
            inflate: Decompress::new_with_window_bits(false, bits),
        }
    }

    fn squeeze(&mut self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len() * 2 + 100);
        self.deflate
            .compress_vec(content, &mut out, FlushCompress::Sync)
            .unwrap();
        assert!(out.ends_with(&TAIL) && out.len() < out.capacity());
        out.truncate(out.len() - TAIL.len());
        out
    }

    /// What a server's frame holds.
    fn read(&mut self, frame: &[u8]) -> Vec<u8> {
        let head = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if frame[0] & 0x40 == 0 {
            return frame[head..].to_vec();
        }
        let input = [&frame[head..], &TAIL].concat();
        let mut out = Vec::with_capacity(LIMITS.max_message + 100);
        let before = self.inflate.total_in();
        self.inflate
            .decompress_vec(&input, &mut out, FlushDecompress::None)
            .unwrap();
        assert_eq!(self.inflate.total_in() - before, input.len() as u64);
        out
    }
}

/// Messages as applications send them: alike, of all lengths, some that do not compress, some below the threshold.
fn conversation() -> Vec<Vec<u8>> {
    let noise = noise(90_000);
    (0..60_usize)
        .map(|index| match index % 7 {
            5 => noise[index * 100..][..(index * 997) % 20_000].to_vec(),
            6 => b"{\"short\":true}".to_vec(),
            _ => (0..=(index * index) % 150)
                .map(|item| format!("{{\"id\":{item},\"name\":\"message {index}\",\"value\":[1,{index}]}}, "))
                .collect::<String>()
                .into_bytes(),
        })
        .collect()
}

#[test]
fn offers_within_a_budget() {
    const NO_SERVER: &str = "; server_no_context_takeover";
    const NO_CLIENT: &str = "; client_no_context_takeover";
    let no = format!("{NO_SERVER}{NO_CLIENT}");
    let client_bits = "; client_max_window_bits";
    let table: &[(&str, usize, &str, usize)] = &[
        // All of it fits.
        ("", 65_536, "", 65_536),
        (client_bits, 1_000_000, "", 65_536),
        ("; client_max_window_bits=15", usize::MAX, "", 65_536),
        // A client that does not say that it can take less has a window of 32 KiB, or none.
        ("", 65_535, NO_CLIENT, 32_768),
        (
            "",
            8192,
            "; client_no_context_takeover; server_max_window_bits=13",
            8192,
        ),
        // Half of it each, and what the client does not use is ours.
        (
            client_bits,
            8192,
            "; server_max_window_bits=12; client_max_window_bits=12",
            8192,
        ),
        (client_bits, 49_152, "; client_max_window_bits=14", 49_152),
        (
            "; client_max_window_bits=10",
            8192,
            "; server_max_window_bits=12; client_max_window_bits=10",
            4096 + 1024,
        ),
        (
            "; client_max_window_bits=10; server_max_window_bits=11",
            65_536,
            "; server_max_window_bits=11; client_max_window_bits=10",
            2048 + 1024,
        ),
        (
            client_bits,
            1024,
            "; server_max_window_bits=9; client_max_window_bits=9",
            1024,
        ),
        (
            client_bits,
            1023,
            "; client_no_context_takeover; server_max_window_bits=9",
            512,
        ),
        (client_bits, 511, &no, 0),
        (client_bits, 0, &no, 0),
        (
            "; server_max_window_bits=9; client_max_window_bits",
            511,
            &format!("{no}; server_max_window_bits=9"),
            0,
        ),
        // A window of 256 bytes is none that zlib can write.
        (
            "; client_max_window_bits=8",
            65_536,
            "; client_no_context_takeover",
            32_768,
        ),
        // What the client does not want.
        (
            "; server_no_context_takeover; client_max_window_bits",
            8192,
            "; server_no_context_takeover; client_max_window_bits=13",
            8192,
        ),
        (
            "; server_no_context_takeover; server_max_window_bits=10",
            32_768,
            "; server_no_context_takeover; server_max_window_bits=10",
            32_768,
        ),
        (
            "; client_no_context_takeover; client_max_window_bits=9",
            65_536,
            NO_CLIENT,
            32_768,
        ),
        (
            "; client_no_context_takeover; server_no_context_takeover",
            65_536,
            &no,
            0,
        ),
    ];
    for (offer, budget, answer, bytes) in table {
        let agreed = agreement(&format!("permessage-deflate{offer}"), *budget);
        assert_eq!(
            (agreed.to_string(), agreed.window_bytes()),
            (format!("permessage-deflate{answer}"), *bytes),
            "{offer} within {budget}"
        );
    }
}

#[test]
fn a_conversation_with_streams_that_go_on() {
    for bits in [9, 10, 12, 15] {
        let mut connection = taking_over(bits);
        let mut peer = Peer::new(bits);
        for (index, content) in conversation().iter().enumerate() {
            for prefix in [None, Some(b'4')] {
                let mut out = BytesMut::new();
                assert!(connection.send_compressed(false, prefix, content, &mut out));
                let whole: Vec<u8> = prefix.into_iter().chain(content.iter().copied()).collect();
                assert!(peer.read(&out) == whole, "{bits} bits, message {index}");
            }
            let squeezed = peer.squeeze(content);
            let bytes = match index % 3 {
                0 => masked(BINARY_Z, &squeezed),
                1 => frames(&[(BINARY_START_Z, &squeezed[..1]), (LAST, &squeezed[1..])]),
                _ => frames(&[(BINARY, b"plain"), (BINARY_Z, &squeezed)]),
            };
            let seen = feed(&mut connection, bytes.chunks(700));
            assert_eq!(seen.error, None, "{bits} bits, message {index}");
            assert_eq!(seen.messages.last(), Some(&binary(content)));
            assert!(capacities(&connection).iter().all(|bytes| *bytes <= 1 << bits));
        }
        assert_eq!(capacities(&connection), [1 << bits; 2], "full by now");
    }
}

#[test]
fn what_repeats_is_short() {
    let content = noise(1000);
    let mut connection = taking_over(12);
    let mut lens = Vec::new();
    for _ in 0..3 {
        let mut out = BytesMut::new();
        let twice = [&content[..], &content].concat();
        connection.send_compressed(true, None, &twice, &mut out);
        lens.push(out.len());
    }
    assert!(lens[0] > 1000 && lens[1] < 50 && lens[2] < 50, "{lens:?}");
}

#[test]
fn what_was_not_sent_compressed_is_not_remembered() {
    let mut connection = taking_over(15);
    let noise = noise(2000);
    for _ in 0..2 {
        let mut out = BytesMut::new();
        connection.send_compressed(false, None, &noise, &mut out);
        assert_eq!(out[0], BINARY, "it does not get shorter");
    }
    let mut out = BytesMut::new();
    connection.send(false, None, &[b'a'; 3000], &mut out);
    connection.send_compressed(false, None, b"short", &mut out);
    feed(&mut connection, [&masked(BINARY, &noise)[..]]);
    assert_eq!(capacities(&connection), [0; 2]);
}

#[test]
fn memory_is_taken_late_and_given_back() {
    let mut connection = taking_over(15);
    let mut peer = Peer::new(15);
    assert!(connection.windows.is_none(), "nothing for an idle connection");
    feed(
        &mut connection,
        [&masked(TEXT_Z, &peer.squeeze(&[b'a'; 700]))[..]],
    );
    assert_eq!(
        capacities(&connection),
        [0, 700],
        "no more than there is to remember"
    );
    connection.send_compressed(true, None, &[b'b'; 600], &mut BytesMut::new());
    assert_eq!(capacities(&connection), [600, 700]);
    feed(&mut connection, [&masked(CLOSE, b"")[..]]);
    assert!(connection.windows.is_none());

    // One side alone.
    let agreed = agreement("permessage-deflate; client_no_context_takeover", 65_536);
    let mut connection = Connection::with_deflate(LIMITS, agreed, 0);
    let squeezed = Peer::new(15).squeeze(&[b'a'; 700]);
    for _ in 0..2 {
        let seen = feed(&mut connection, [&masked(TEXT_Z, &squeezed)[..]]);
        assert_eq!(seen.messages.len(), 1);
    }
    connection.send_compressed(true, None, &[b'b'; 600], &mut BytesMut::new());
    assert_eq!(capacities(&connection), [600, 0]);
}

#[test]
fn what_lies_outside_the_window_is_not_known() {
    let content = noise(1000);
    // Agreed on 512 bytes, and not kept to.
    let mut peer = Peer::new(15);
    let mut connection = taking_over(9);
    let first = masked(BINARY_Z, &peer.squeeze(&content));
    assert_eq!(feed(&mut connection, [&first[..]]).messages, [binary(&content)]);
    let seen = feed(&mut connection, [&masked(BINARY_Z, &peer.squeeze(&content))[..]]);
    assert_eq!(seen.error, Some(ProtocolError::InvalidDeflate));
    assert_eq!(&seen.answer[2..], 1007_u16.to_be_bytes());
    assert!(connection.windows.is_none());
    // And without takeover there is nothing at all.
    let mut connection = super::deflate::compressed_connection();
    let mut peer = Peer::new(15);
    let first = masked(BINARY_Z, &peer.squeeze(&content));
    assert_eq!(feed(&mut connection, [&first[..]]).messages, [binary(&content)]);
    let seen = feed(&mut connection, [&masked(BINARY_Z, &peer.squeeze(&content))[..]]);
    assert_eq!(seen.error, Some(ProtocolError::InvalidDeflate));
}

#[test]
fn bombs_and_broken_ends_behind_a_good_message() {
    let content = noise(3000);
    let bomb = vec![0; LIMITS.max_message + 1];
    let good = |connection: &mut Connection| {
        let mut peer = Peer::new(15);
        let first = masked(BINARY_Z, &peer.squeeze(&content));
        assert_eq!(feed(connection, [&first[..]]).messages, [binary(&content)]);
        peer
    };
    let mut connection = taking_over(15);
    let squeezed = good(&mut connection).squeeze(&bomb);
    let seen = feed(&mut connection, [&masked(BINARY_Z, &squeezed)[..]]);
    assert_eq!(seen.error, Some(ProtocolError::MessageTooBig { size: None }));

    let squeezed = good(&mut taking_over(15)).squeeze(&content.repeat(2));
    for len in 1..squeezed.len() - 1 {
        let mut connection = taking_over(15);
        good(&mut connection);
        let seen = feed(&mut connection, [&masked(BINARY_Z, &squeezed[..len])[..]]);
        assert_eq!(seen.error, Some(ProtocolError::InvalidDeflate), "cut at {len}");
        assert_eq!(seen.messages, []);
    }
}

#[test]
fn a_stream_that_ends_is_followed_by_a_new_one() {
    let mut connection = taking_over(15);
    let content = noise(300);
    let ended = super::deflate::flush(&content, FlushCompress::Finish);
    let mut again = Peer::new(15);
    for payload in [&ended, &ended, &again.squeeze(&content), &again.squeeze(&content)] {
        let seen = feed(&mut connection, [&masked(BINARY_Z, payload)[..]]);
        assert_eq!((seen.messages, seen.error), (vec![binary(&content)], None));
    }
}

#[test]
fn after_our_close_nothing_is_remembered() {
    let mut connection = taking_over(15);
    connection.close(std::time::Instant::now(), CloseCode::NORMAL, "");
    assert!(!connection.send_compressed(true, None, &[b'a'; 500], &mut BytesMut::new()));
    let squeezed = Peer::new(15).squeeze(&[b'a'; 500]);
    assert_eq!(
        feed(&mut connection, [&masked(TEXT_Z, &squeezed)[..]]).messages,
        []
    );
    assert_eq!(capacities(&connection), [0; 2]);
}
