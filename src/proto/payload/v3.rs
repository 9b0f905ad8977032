//! Payloads of revision 3: packets behind their lengths, as text or as bytes. Knows bytes and packets.

use bytes::{Buf as _, Bytes};
use bytestring::ByteString;

use super::Text;
use crate::Data;
use crate::proto::error::DecodeError;
use crate::proto::packet::{self, Packet, Revision};

/// Between a length and its packet in the text form.
const COLON: u8 = b':';
/// Between a length and its packet in the binary form.
const END_OF_LENGTH: u8 = 255;
/// What a payload without packets looks like.
const NOTHING: &[u8] = b"0:";

pub(super) fn text_len<'a>(packets: impl Iterator<Item = &'a Packet>) -> usize {
    let total: usize = packets
        .map(|packet| match &packet.data {
            Data::Text(text) => digits(1 + utf16_len(text)) + 2 + text.len(),
            Data::Binary(bytes) => {
                let len = packet::base64_len(bytes.len(), Revision::V3);
                digits(len) + 1 + len
            }
        })
        .sum();
    total.max(NOTHING.len())
}

pub(super) fn encode_text<'a>(packets: impl Iterator<Item = &'a Packet>, out: &mut Vec<u8>) {
    for packet in packets {
        match &packet.data {
            Data::Text(text) => {
                push_length(out, 1 + utf16_len(text), b'0', COLON);
                out.push(packet.kind.digit());
                out.extend_from_slice(text.as_bytes());
            }
            Data::Binary(bytes) => {
                push_length(out, packet::base64_len(bytes.len(), Revision::V3), b'0', COLON);
                packet::push_base64(out, packet.kind, bytes, Revision::V3);
            }
        }
    }
    if out.is_empty() {
        out.extend_from_slice(NOTHING);
    }
}

pub(super) fn binary_len<'a>(packets: impl Iterator<Item = &'a Packet>) -> usize {
    packets
        .map(|packet| digits(1 + packet.data.len()) + 3 + packet.data.len())
        .sum()
}

pub(super) fn encode_binary<'a>(packets: impl Iterator<Item = &'a Packet>, out: &mut Vec<u8>) {
    for packet in packets {
        let text = packet.data.is_text();
        out.push(u8::from(!text));
        push_length(out, 1 + packet.data.len(), 0, END_OF_LENGTH);
        out.push(if text {
            packet.kind.digit()
        } else {
            packet.kind.number()
        });
        out.extend_from_slice(packet.data.as_bytes());
    }
}

/// How many decimal digits a number has.
fn digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Writes a length and what ends it; a digit `d` becomes the byte `zero + d`.
fn push_length(out: &mut Vec<u8>, length: usize, zero: u8, end: u8) {
    let mut power = 10_usize.pow(length.checked_ilog10().unwrap_or(0));
    while power > 0 {
        out.push(zero + (length / power % 10) as u8);
        power /= 10;
    }
    out.push(end);
}

/// Reads what [`push_length`] writes: the length, and how many bytes it took.
fn read_length(bytes: &[u8], zero: u8, end: u8) -> Option<(usize, usize)> {
    let mut length = 0_usize;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte == end {
            return (index > 0).then_some((length, index + 1));
        }
        let digit = byte.wrapping_sub(zero);
        if digit > 9 {
            return None;
        }
        length = length.checked_mul(10)?.checked_add(usize::from(digit))?;
    }
    None
}

/// The length of a text in UTF-16 code units, which is what JavaScript counts.
fn utf16_len(text: &str) -> usize {
    // A character begins with any byte but 10xxxxxx, and takes two units if it begins with 11110xxx.
    text.bytes()
        .map(|byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0))
        .sum()
}

/// Cuts a text behind `units` UTF-16 code units; none if it is shorter, or the cut would split a character.
fn split_utf16(text: &str, units: usize) -> Option<(&str, &str)> {
    // No character takes more units than bytes.
    if text.as_bytes().get(..units)?.is_ascii() {
        return text.split_at_checked(units);
    }
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return text.split_at_checked(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some((text, ""))
}

/// The text form.
#[derive(Debug)]
pub(super) struct TextDecoder {
    text: Text,
    at: usize,
}

impl TextDecoder {
    pub(super) fn new(body: Bytes) -> Self {
        TextDecoder {
            text: Text::new(body),
            at: 0,
        }
    }

    pub(super) fn next(&mut self) -> Option<Result<Packet, DecodeError>> {
        loop {
            let rest = self.text.valid.get(self.at..)?;
            if rest.is_empty() && !self.text.broken {
                return None;
            }
            let Some((part, header)) = Self::cut(rest) else {
                return Some(Err(if self.text.broken {
                    DecodeError::Utf8
                } else {
                    DecodeError::Length
                }));
            };
            self.at += header + part.len();
            // `0:` is a payload of nothing.
            if !part.is_empty() {
                return Some(Packet::from_text_part(&self.text.valid, part, Revision::V3));
            }
        }
    }

    /// The first packet, and the length of what stands before it.
    fn cut(rest: &str) -> Option<(&str, usize)> {
        let (units, header) = read_length(rest.as_bytes(), b'0', COLON)?;
        let (part, _) = split_utf16(rest.get(header..)?, units)?;
        Some((part, header))
    }
}

/// The binary form.
#[derive(Debug)]
pub(super) struct BinaryDecoder {
    rest: Bytes,
}

impl BinaryDecoder {
    pub(super) fn new(body: Bytes) -> Self {
        BinaryDecoder { rest: body }
    }

    pub(super) fn next(&mut self) -> Option<Result<Packet, DecodeError>> {
        let (&marker, rest) = self.rest.split_first()?;
        let Some((length, header)) = read_length(rest, 0, END_OF_LENGTH) else {
            return Some(Err(DecodeError::Length));
        };
        if marker > 1 || length > rest.len() - header {
            return Some(Err(DecodeError::Length));
        }
        self.rest.advance(1 + header);
        let part = self.rest.split_to(length);
        Some(if marker == 0 {
            utf8_lossy_surrogates(part).and_then(|text| Packet::from_text(text, Revision::V3))
        } else {
            Packet::from_binary(part, Revision::V3)
        })
    }
}

/// Takes UTF-8 as it is, and each surrogate half written as three bytes (which JavaScript can send) for U+FFFD, as
/// engine.io-parser 2 does. Anything else is an error.
fn utf8_lossy_surrogates(bytes: Bytes) -> Result<ByteString, DecodeError> {
    if let Ok(text) = ByteString::try_from(bytes.clone()) {
        return Ok(text);
    }
    let mut text = String::with_capacity(bytes.len());
    let mut rest = &bytes[..];
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return Ok(text.into());
            }
            Err(error) => error,
        };
        let (valid, broken) = rest.split_at(error.valid_up_to());
        let [0xed, 0xa0..=0xbf, 0x80..=0xbf, behind @ ..] = broken else {
            return Err(DecodeError::Utf8);
        };
        text.push_str(std::str::from_utf8(valid).map_err(|_| DecodeError::Utf8)?);
        text.push(char::REPLACEMENT_CHARACTER);
        rest = behind;
    }
}
