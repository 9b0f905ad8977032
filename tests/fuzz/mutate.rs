//! Seeded mutation: from one input of the pool another one. The same seed makes the same inputs.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// A stretch of `len` bytes' worth: begin and end.
    fn range(&mut self, len: usize) -> (usize, usize) {
        let start = self.below(len + 1);
        let most = if self.one_in(4) {
            len - start
        } else {
            (len - start).min(16)
        };
        (start, start + self.below(most + 1))
    }
}

/// The longest input in general, and of those that look for slow ones.
const MAX: usize = 4096;
const MAX_LONG: usize = 64 * 1024;

/// What the protocols' own bytes look like.
const TOKENS: &[&[u8]] = &[
    b"EIO=4",
    b"EIO=3",
    b"&",
    b"transport=polling",
    b"transport=websocket",
    b"&sid=",
    b"&j=0",
    b"&b64=1",
    b"%",
    b"%2",
    b"%00",
    b"%ff",
    b"+",
    b"=",
    b"&t=",
    b"%73id=a",
    b"__proto__",
    b"lv_VI97HAXpY6yYWAAAC",
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
    b"7",
    b"2probe",
    b"3probe",
    b"4hello",
    b"b4AQID",
    b"bAQID",
    b"BAQ==",
    b"\x1e",
    b"\x1e\x1e",
    b"\x1eb",
    b":",
    b"0:",
    b"1:",
    b"2:4a",
    b"10:b4AQIDBA==",
    b"\x00\x04\xff4\xe2\x82\xac",
    b"\x01\x05\xff\x04\x01\x02\x03\x04",
    b"\xff",
    b"\x00\xff",
    b"\xed\xa0\xbd",
    b"\xed\xb8\x80",
    b"\xf0\x9f\x98\x80",
    b"\xe2\x82",
    b"\xc3\xa9",
    b"\xc0\x80",
    b"18446744073709551615",
    b"99999999999999999999",
    b"4294967296",
    b"\r\n",
    b"\n",
    b"\x81\x80\0\0\0\0",
    b"\x82\x80\0\0\0\0",
    b"\x01\x81\0\0\0\0a",
    b"\x00\x81\0\0\0\0b",
    b"\x80\x80\0\0\0\0",
    b"\x89\x80\0\0\0\0",
    b"\x8a\x80\0\0\0\0",
    b"\x88\x80\0\0\0\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x82\xfe",
    b"\x82\xff",
    b"upgrade",
    b"Upgrade",
    b"keep-alive, ",
    b"websocket",
    b"13",
    b"dGhlIHNhbXBsZSBub25jZQ==",
    b",",
    b" ",
    b"\t",
];

const INTERESTING: &[u64] = &[
    0,
    1,
    2,
    9,
    10,
    15,
    16,
    63,
    64,
    100,
    124,
    125,
    126,
    127,
    128,
    129,
    254,
    255,
    256,
    999,
    1000,
    1001,
    1004,
    1005,
    1006,
    1015,
    2999,
    4999,
    5000,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// An input like `from`, with something of `other` perhaps.
pub fn mutate(random: &mut Random, from: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = from.to_vec();
    for _ in 0..1 << random.below(4) {
        change(random, &mut bytes, other);
    }
    bytes.truncate(MAX);
    bytes
}

/// An input in which a stretch of `from` stands many times over: what is quadratic shows.
pub fn repeat(random: &mut Random, from: &[u8]) -> Vec<u8> {
    let (start, end) = random.range(from.len());
    let unit = &from[start..end];
    let mut bytes = from[..start].to_vec();
    let times = MAX_LONG.saturating_sub(from.len()) / unit.len().max(1);
    bytes.extend(unit.repeat(if unit.is_empty() { 0 } else { times }));
    bytes.extend_from_slice(&from[end..]);
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(bytes.len());
    let (start, end) = random.range(bytes.len());
    match random.below(11) {
        0 => on(bytes, at, |byte| *byte ^= 1 << random.below(8)),
        1 => on(bytes, at, |byte| *byte = random.next() as u8),
        2 => on(bytes, at, |byte| *byte = byte.wrapping_add(1)),
        3 => on(bytes, at, |byte| *byte = byte.wrapping_sub(1)),
        4 => {
            let number = INTERESTING[random.below(INTERESTING.len())].to_be_bytes();
            let width = 1 << random.below(4);
            overwrite(bytes, at, &number[8 - width..]);
        }
        5 => drop(bytes.drain(start..end)),
        6 => {
            let copy = bytes[start..end].to_vec();
            bytes.splice(at..at, copy);
        }
        7 => {
            let token = random.pick(TOKENS);
            bytes.splice(at..at, token.iter().copied());
        }
        8 => overwrite(bytes, at, random.pick(TOKENS)),
        9 => {
            let (from, to) = random.range(other.len());
            bytes.splice(start..end, other[from..to].iter().copied());
        }
        // The number somewhere in decimal, one more or less.
        _ => {
            let digits: Vec<usize> = (0..bytes.len())
                .filter(|at| bytes[*at].is_ascii_digit())
                .collect();
            match digits.get(random.below(digits.len())) {
                Some(&at) => bytes[at] = b'0' + random.below(10) as u8,
                None => bytes.push(random.next() as u8),
            }
        }
    }
}

fn on(bytes: &mut [u8], at: usize, change: impl FnOnce(&mut u8)) {
    if let Some(byte) = bytes.get_mut(at) {
        change(byte);
    }
}

fn overwrite(bytes: &mut Vec<u8>, at: usize, with: &[u8]) {
    let end = (at + with.len()).min(bytes.len());
    bytes.splice(at..end, with.iter().copied());
}
