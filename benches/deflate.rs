//! What compression costs: the tables of the documentation's page on it, on this machine.
//!
//!     cargo bench --bench deflate
//!
//! Through `ws::Connection`, so with framing and masks; a time is the best of several rounds of one thread.

// The module is shared with the fuzz targets, where it is public, and all of it is used.
#![allow(unreachable_pub, dead_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use engineio::ws::deflate::Agreement;
use engineio::ws::mask::unmask;
use engineio::ws::{Connection, Limits};

#[path = "../tests/fuzz/memory.rs"]
mod memory;

const LIMITS: Limits = Limits {
    max_message: 1_000_000,
    max_fragments: 16,
};

/// Every message is another one.
const MESSAGES: u64 = 32;

const ROUNDS: usize = 300;

fn main() {
    memory();
    println!("\n| message | level | µs to compress | µs to inflate | size |\n|---|---|---|---|---|");
    for size in [1024, 4096, 16_384] {
        for level in [1, 4, 6, 9] {
            row(size, &level.to_string(), || connection(0).deflate_level(level));
        }
    }
    println!("\n| message | budget | µs to compress | µs to inflate | size |\n|---|---|---|---|---|");
    for size in [1024, 4096, 16_384] {
        for budget in [0, 2048, 8192, 16_384, 65_536] {
            row(size, &budget.to_string(), || connection(budget));
        }
    }
}

/// What a thread and a connection hold.
fn memory() {
    println!("| | bytes |\n|---|---|");
    println!("| `Connection` itself | {} |", size_of::<Connection>());
    let message = json(4096, 1);
    for bits in [15, 12] {
        let start = memory::held();
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        let mut connection = Connection::with_deflate(LIMITS, agreement(&offer, 0), 0);
        let frame = send(&mut connection, &message);
        drop(frame);
        println!(
            "| thread, messages sent in windows of {bits} bits | {} |",
            memory::held() - start
        );
    }
    let frame = send(&mut connection(0), &message);
    let start = memory::held();
    receive(&mut connection(0), client_frame(&frame));
    println!("| thread, messages received | {} |", memory::held() - start);
    for budget in [0, 8192, 65_536] {
        let mut connection = connection(budget);
        let start = memory::held();
        for seed in 0..20 {
            let frame = send(&mut connection, &json(4096, seed));
            receive(&mut connection, client_frame(&frame));
        }
        println!(
            "| connection with {budget} for context, after 20 messages each way | {} |",
            memory::held() - start
        );
    }
}

fn row(size: usize, option: &str, connection: impl Fn() -> Connection) {
    let messages: Vec<Vec<u8>> = (0..MESSAGES).map(|seed| json(size, seed)).collect();
    let (mut sent, mut received, mut wire) = (Duration::MAX, Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let (mut sender, mut receiver) = (connection(), connection());
        let mut frames = Vec::with_capacity(messages.len());
        let start = Instant::now();
        for message in &messages {
            frames.push(send(&mut sender, message));
        }
        sent = sent.min(start.elapsed());
        wire = frames.iter().map(BytesMut::len).sum();
        let frames: Vec<Bytes> = frames.iter().map(|frame| client_frame(frame)).collect();
        let start = Instant::now();
        for frame in frames {
            receive(&mut receiver, frame);
        }
        received = received.min(start.elapsed());
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / MESSAGES as f64;
    let share = 100.0 * wire as f64 / (size * messages.len()) as f64;
    println!(
        "| {} KiB | {option} | {:.1} | {:.1} | {share:.1} % |",
        size / 1024,
        each(sent),
        each(received)
    );
}

fn connection(budget: usize) -> Connection {
    let agreed = agreement("permessage-deflate; client_max_window_bits", budget);
    Connection::with_deflate(LIMITS, agreed, 0)
}

fn agreement(offer: &str, budget: usize) -> Agreement {
    Agreement::negotiate_within(offer.as_bytes(), budget).expect("a good offer")
}

fn send(connection: &mut Connection, message: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    assert!(connection.send_compressed(true, Some(b'4'), message, &mut out));
    out
}

fn receive(connection: &mut Connection, frame: Bytes) {
    connection.receive(frame);
    let message = connection.poll_message().expect("a good frame");
    assert!(black_box(message).is_some());
}

/// The frame of a server as one of a client.
fn client_frame(frame: &[u8]) -> Bytes {
    const KEY: [u8; 4] = [1, 2, 3, 4];
    let head = if frame[1] == 126 { 4 } else { 2 };
    let mut out = frame[..head].to_vec();
    out[1] |= 0x80;
    out.extend(KEY);
    out.extend(&frame[head..]);
    unmask(&mut out[head + KEY.len()..], KEY);
    Bytes::from(out)
}

/// As applications send it: the same keys again and again, values of which some repeat.
fn json(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed * 7919 + 17;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = String::from("[");
    while text.len() < size {
        text += &format!(
            "{{\"id\":{},\"user\":\"user-{}\",\"price\":{}.{:02},\"active\":{},\"color\":\"{}\",\"at\":\"2026-05-{:02}T{:02}:{:02}:{:02}Z\"}},",
            next(1_000_000),
            next(1000),
            next(900),
            next(100),
            next(2) == 0,
            ["red", "green", "blue", "white"][next(4) as usize],
            1 + next(28),
            next(24),
            next(60),
            next(60),
        );
    }
    text.truncate(size);
    text.into_bytes()
}
