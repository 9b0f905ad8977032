//! Messages through zlib. The streams belong to the thread and are reset before each message, which is why an idle
//! connection costs nothing; with context takeover they are told the connection's window first. A compressor takes
//! 251 to 380 KB, by its window; an inflater 48 KB.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Agreement, MAX_WINDOW_BITS, MIN_WINDOW_BITS, Window};
use crate::ws::ProtocolError;

/// What a compressor writes behind each message, what is left out on the wire (RFC 7692 section 7.2.1): the end
/// of an empty stored block.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The same, then an empty last block: a message that ends anywhere else but between two blocks does not come to
/// an end there.
const END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];

/// The scratch buffer is kept up to this size, in bytes.
const MAX_SCRATCH: usize = 64 * 1024;

/// Room for the first inflated bytes.
const FIRST_ROOM: usize = 4096;

const WINDOWS: usize = (MAX_WINDOW_BITS - MIN_WINDOW_BITS) as usize + 1;

thread_local! {
    static STREAMS: RefCell<Streams> = const { RefCell::new(Streams::new()) };
}

/// All that a compressor needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::ws) struct Effort {
    window_bits: u8,
    /// 1 to 9.
    level: u8,
}

impl Effort {
    /// `level` is cut to 1 to 9: 0 would not compress, and there is none above.
    pub(in crate::ws) fn new(agreement: Agreement, level: u8) -> Self {
        Effort {
            window_bits: agreement.window_bits(),
            level: level.clamp(1, 9),
        }
    }
}

struct Streams {
    inflate: Option<Decompress>,
    /// One for each size of the window that clients have asked for, and its level.
    deflate: [Option<(u8, Compress)>; WINDOWS],
    scratch: Vec<u8>,
}

impl Streams {
    const fn new() -> Self {
        Streams {
            inflate: None,
            deflate: [const { None }; WINDOWS],
            scratch: Vec::new(),
        }
    }

    /// A big message does not leave its memory here.
    fn forget_scratch(&mut self) {
        if self.scratch.capacity() > MAX_SCRATCH {
            self.scratch = Vec::new();
        }
    }
}

/// How many bytes a message of at most `max_message` may take compressed: incompressible data grows by a few bytes
/// for each block, and how long blocks are is the peer's choice; and by an eighth where the codes are fixed ones.
pub(in crate::ws) fn longest_compressed(max_message: usize) -> usize {
    max_message.saturating_add(max_message / 8).saturating_add(64)
}

/// Compresses a message, `prefix` in front, and hands what it came to to `write`. False, and nothing is handed on or
/// remembered, if it does not get shorter.
pub(in crate::ws) fn deflate(
    effort: Effort,
    window: Option<&mut Window>,
    prefix: Option<u8>,
    payload: &[u8],
    write: impl FnOnce(&[u8]),
) -> bool {
    STREAMS.with_borrow_mut(|streams| {
        let index = usize::from(effort.window_bits - MIN_WINDOW_BITS);
        let Some(slot) = streams.deflate.get_mut(index) else {
            return false;
        };
        let len = payload.len() + usize::from(prefix.is_some());
        let out = &mut streams.scratch;
        out.clear();
        out.reserve_exact(longest_compressed(len));
        let known = window.as_ref().map_or(&[][..], |window| window.as_bytes());
        let done = ready(slot, effort, known).is_some_and(|stream| compress(stream, prefix, payload, out));
        let message = out
            .strip_suffix(&TAIL)
            .filter(|message| done && message.len() < len);
        let shorter = message.map(write).is_some();
        if !done {
            // A stream that keeps output back cannot be used again: zlib-rs (0.6.8) forgets in a reset how much,
            // but not where, writes on behind it, and in the end over its buffer's end, which is a panic.
            *slot = None;
        }
        if shorter && let Some(window) = window {
            window.push(prefix.as_slice());
            window.push(payload);
        }
        streams.forget_scratch();
        shorter
    })
}

/// The stream in this slot, as for a first message behind `known`.
fn ready<'a>(slot: &'a mut Option<(u8, Compress)>, effort: Effort, known: &[u8]) -> Option<&'a mut Compress> {
    let compression = Compression::new(effort.level.into());
    let (level, stream) = slot.get_or_insert_with(|| {
        let stream = Compress::new_with_window_bits(compression, false, effort.window_bits);
        (effort.level, stream)
    });
    stream.reset();
    if *level != effort.level {
        stream.set_level(compression).ok()?;
        *level = effort.level;
    }
    if !known.is_empty() {
        stream.set_dictionary(known).ok()?;
    }
    Some(stream)
}

/// False if it does not fit into `out`, which has room enough for whatever comes.
fn compress(stream: &mut Compress, prefix: Option<u8>, payload: &[u8], out: &mut Vec<u8>) -> bool {
    if let Some(prefix) = prefix
        && stream.compress_vec(&[prefix], out, FlushCompress::None).is_err()
    {
        return false;
    }
    let before = stream.total_in();
    let done = stream.compress_vec(payload, out, FlushCompress::Sync).is_ok();
    // The flush is through if room is left behind it.
    done && stream.total_in() - before == payload.len() as u64
        && out.len() < out.capacity()
        && out.ends_with(&TAIL)
}

/// Inflates the payload of a message, all its frames together, which may refer to what is in the window. Stops as
/// soon as it comes to more than `max` bytes.
///
/// # Errors
/// [`ProtocolError::InvalidDeflate`]: it cannot be inflated, or breaks off. [`ProtocolError::MessageTooBig`].
pub(in crate::ws) fn inflate(
    payload: &[u8],
    max: usize,
    window: Option<&mut Window>,
) -> Result<Bytes, ProtocolError> {
    // An empty message is one byte (RFC 7692 section 7.2.3.6); some send none.
    if payload.is_empty() {
        return Ok(Bytes::new());
    }
    STREAMS.with_borrow_mut(|streams| {
        let stream = streams.inflate.get_or_insert_with(|| Decompress::new(false));
        let out = &mut streams.scratch;
        out.clear();
        let known = window.as_ref().map_or(&[][..], |window| window.as_bytes());
        let inflated = decompress(stream, known, payload, max, out).map(|()| {
            if let Some(window) = window {
                window.push(out);
            }
            if out.capacity() > MAX_SCRATCH {
                out.shrink_to_fit();
                Bytes::from(std::mem::take(out))
            } else {
                Bytes::copy_from_slice(out)
            }
        });
        streams.forget_scratch();
        inflated
    })
}

fn decompress(
    stream: &mut Decompress,
    known: &[u8],
    payload: &[u8],
    max: usize,
    out: &mut Vec<u8>,
) -> Result<(), ProtocolError> {
    stream.reset(false);
    if !known.is_empty() {
        stream
            .set_dictionary(known)
            .map_err(|_| ProtocolError::InvalidDeflate)?;
    }
    if run(stream, payload, max, out)? {
        // The last block said that it is the last, and the byte that has to follow it does not.
        return Ok(());
    }
    match run(stream, &END, max, out)? {
        true => Ok(()),
        false => Err(ProtocolError::InvalidDeflate),
    }
}

/// Feeds `input` to the stream. Returns whether the stream came to its end with the last byte.
fn run(
    stream: &mut Decompress,
    mut input: &[u8],
    max: usize,
    out: &mut Vec<u8>,
) -> Result<bool, ProtocolError> {
    loop {
        if out.len() == out.capacity() {
            // Doubled; and one byte over the limit is enough to see that it is too much.
            let room = out.len().max(FIRST_ROOM).min(max.saturating_add(1) - out.len());
            out.reserve_exact(room);
        }
        let before = stream.total_in();
        let status = stream
            .decompress_vec(input, out, FlushDecompress::None)
            .map_err(|_| ProtocolError::InvalidDeflate)?;
        let taken = (stream.total_in() - before) as usize;
        input = input.get(taken..).unwrap_or_default();
        if out.len() > max {
            return Err(ProtocolError::MessageTooBig { size: None });
        }
        match status {
            Status::StreamEnd if input.is_empty() => return Ok(true),
            // A block that said that it is the last: another stream follows (RFC 7692 section 7.2.3.5), which
            // refers to nothing before it, since whoever ends a stream has to begin anew.
            Status::StreamEnd => stream.reset(false),
            Status::Ok | Status::BufError if out.len() == out.capacity() => {}
            Status::Ok if taken > 0 && !input.is_empty() => {}
            Status::Ok | Status::BufError if input.is_empty() => return Ok(false),
            Status::Ok | Status::BufError => return Err(ProtocolError::InvalidDeflate),
        }
    }
}
