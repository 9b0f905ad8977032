//! Whatever the bytes and however they are cut: no panic, bounded memory, and the cuts change nothing.

use std::time::Instant;

use super::*;
use crate::ws::CloseCode;

/// A small generator of our own (xorshift64*), so that a seed names a case.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// Mostly short, sometimes around the changes of the length's form, sometimes over the limit.
    fn len(&mut self) -> usize {
        match self.below(12) {
            0..=7 => self.below(40),
            8 | 9 => 120 + self.below(12),
            10 => 65_530 + self.below(12),
            _ => LIMITS.max_message / 2 + self.below(LIMITS.max_message),
        }
    }
}

/// A stream that is mostly well formed, so that it gets far.
fn stream(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut inside = false;
    for _ in 0..1 + random.below(12) {
        let mut first = match (inside, random.below(10)) {
            (_, 0) => PING,
            (_, 1) => PONG,
            (true, n) => {
                if n < 6 {
                    MORE
                } else {
                    LAST
                }
            }
            (false, n) => [TEXT, BINARY, TEXT_START, BINARY_START][n % 4],
        };
        let len = if first & 8 != 0 {
            random.below(126)
        } else {
            random.len()
        };
        let chars = ["a", "é", "€", "🚀", "\0"];
        let mut payload = Vec::new();
        while payload.len() < len {
            payload.extend(chars[random.below(5)].as_bytes());
        }
        payload.truncate(if first & 8 != 0 { len } else { payload.len() });
        if first & 8 == 0 {
            inside = first & 0x80 == 0;
        }
        match random.below(60) {
            0 => first ^= 1 << random.below(8),
            1 => first = CLOSE,
            2 if !payload.is_empty() => {
                let at = random.below(payload.len());
                payload[at] ^= 1 << random.below(8);
            }
            _ => {}
        }
        let mut frame = masked(first, &payload);
        if random.below(60) == 0 {
            let at = random.below(frame.len().min(14));
            frame[at] ^= 1 << random.below(8);
        }
        bytes.extend(frame);
    }
    bytes
}

fn cut<'a>(random: &mut Random, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    // Tiny pieces for short streams only: debug builds take seconds for a megabyte of them.
    let most = if bytes.len() < 5000 {
        [2, 50][random.below(2)]
    } else {
        [3000, 70_000][random.below(2)]
    };
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(bytes.len().min(random.below(most + 1)));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

#[test]
fn cuts_change_nothing() {
    let (mut messages, mut errors) = (0, 0);
    for seed in 1..=600 {
        let mut random = Random(seed);
        let bytes = stream(&mut random);
        let at_once = feed(&mut connection(), [&bytes[..]]);
        let in_pieces = feed(&mut connection(), cut(&mut random, &bytes));
        assert!(
            at_once == in_pieces,
            "seed {seed}: {:?} and {:?}",
            at_once.error,
            in_pieces.error
        );
        messages += at_once.messages.len();
        errors += usize::from(at_once.error.is_some());
    }
    // The generator must reach both ends.
    assert!(
        messages > 600 && (60..540).contains(&errors),
        "{messages} messages, {errors} errors"
    );
}

#[test]
fn what_is_encoded_is_what_comes() {
    for seed in 1..=200 {
        let mut random = Random(seed);
        let mut expected = Vec::new();
        let mut bytes = Vec::new();
        for _ in 0..1 + random.below(8) {
            let len = random.len().min(LIMITS.max_message);
            let payload: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            let mut left = &payload[..];
            let mut first = BINARY_START;
            for _ in 0..random.below(4) {
                let (piece, rest) = left.split_at(random.below(left.len() + 1));
                bytes.extend(masked(first, piece));
                (first, left) = (MORE, rest);
            }
            bytes.extend(masked(first | 0x80, left));
            expected.push(binary(&payload));
        }
        let seen = feed(&mut connection(), cut(&mut random, &bytes));
        assert!(
            seen.messages == expected && seen.error.is_none(),
            "seed {seed}: {:?}",
            seen.error
        );
    }
}

#[test]
fn garbage_does_no_harm() {
    let now = Instant::now();
    for seed in 1..=3000 {
        let mut random = Random(seed);
        let len = random.below(300);
        let mut bytes: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        if let [first, second, ..] = &mut bytes[..] {
            // Past the first checks, or nothing else is ever reached.
            *first = [TEXT, BINARY, CLOSE, PING, TEXT_START, BINARY_START][random.below(6)];
            *second |= 0x80;
        }
        let mut connection = connection();
        if random.below(4) == 0 {
            connection.close(now, CloseCode::NORMAL, "");
        }
        let seen = feed(&mut connection, cut(&mut random, &bytes));
        assert!(seen.answer.len() <= (MAX_PONGS + 1) * 127);
        assert!(seen.error.is_none() || connection.is_closed());
    }
}
