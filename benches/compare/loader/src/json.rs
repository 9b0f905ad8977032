//! Messages as applications send them, JSON, and their compressed forms.
//!
//! Messages are made once and sent over and over, compressed beforehand. What comes back is decompressed when it is
//! new, and compared with what came back the first time when it is not: a server's compressor gives the same bytes
//! for the same message as long as it starts each one afresh.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// How many different messages there are: a multiple of what is in flight, so that an echo out of turn is seen.
pub(crate) const VARIANTS: usize = 64;

const NAMES: [&str; 8] = [
    "ada", "grace", "linus", "margaret", "edsger", "barbara", "ken", "radia",
];
const WORDS: [&str; 16] = [
    "the", "build", "is", "up", "could", "somebody", "look", "at", "upgrade", "nothing", "lost", "between",
    "server", "message", "again", "soon",
];

/// JSON of `size` bytes; the last item may be cut off.
fn json(size: usize, variant: usize) -> Vec<u8> {
    let mut seed = variant as u32 + 1;
    let mut random = move |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let mut text = String::from("[");
    while text.len() < size {
        let words: Vec<&str> = (0..5 + random(6)).map(|_| WORDS[random(16) as usize]).collect();
        text += &format!(
            r#"{{"id":{},"from":"{}","room":"r{}","time":{},"text":"{}","score":0.{},"seen":{}}},"#,
            random(1_000_000),
            NAMES[random(8) as usize],
            random(100),
            1_700_000_000_000 + u64::from(random(10_000_000)),
            words.join(" "),
            random(1000),
            random(2) == 0,
        );
    }
    text.truncate(size);
    text.into_bytes()
}

/// One of the messages, with its packet type in front, and what came back for it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) packet: Vec<u8>,
    /// Compressed as it came back the first time; empty until then.
    echo: Vec<u8>,
}

/// All messages of a run.
#[derive(Debug)]
pub(crate) struct Messages(Vec<Message>);

impl Messages {
    /// Messages of `size` bytes.
    pub(crate) fn new(size: usize) -> Self {
        let message = |variant| Message {
            packet: [b"4", &json(size, variant)[..]].concat(),
            echo: Vec::new(),
        };
        Self((0..VARIANTS).map(message).collect())
    }

    pub(crate) fn get(&self, variant: usize) -> &Message {
        &self.0[variant % VARIANTS]
    }

    /// Are these bytes known to be that message, compressed?
    pub(crate) fn knows(&self, variant: usize, bytes: &[u8]) -> bool {
        !bytes.is_empty() && self.get(variant).echo == bytes
    }

    /// These bytes are that message, compressed.
    pub(crate) fn learn(&mut self, variant: usize, bytes: &[u8]) {
        self.0[variant % VARIANTS].echo = bytes.to_vec();
    }
}

/// The payload of a compressed WebSocket message (RFC 7692, section 7.2.1).
pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut stream = Compress::new(Compression::default(), false);
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let status = stream.compress_vec(bytes, &mut out, FlushCompress::Sync);
    assert!(matches!(status, Ok(Status::Ok)) && out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

/// Decompresses the payload of a compressed WebSocket message of at most `most` bytes; `stream` is a raw one.
pub(crate) fn inflate(stream: &mut Decompress, bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(most + 64);
    for part in [bytes, &[0, 0, 0xff, 0xff]] {
        let before = stream.total_in();
        let outcome = stream.decompress_vec(part, &mut out, FlushDecompress::Sync);
        if outcome.is_err() || stream.total_in() - before != part.len() as u64 {
            return Err(format!("inflate: {outcome:?}"));
        }
    }
    Ok(out)
}

/// Decompresses a gzip body of at most `most` bytes.
pub(crate) fn gunzip(bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(most + 64);
    match Decompress::new_gzip(15).decompress_vec(bytes, &mut out, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) => Ok(out),
        outcome => Err(format!("gunzip: {outcome:?}")),
    }
}
