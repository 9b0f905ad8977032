//! Compression of polling responses: which coding a client takes, and the streams that make it. Knows headers and
//! bytes, not whose they are.

use std::cell::RefCell;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::HttpCompression;

/// The window of both formats as its power of two.
const WINDOW_BITS: u8 = 15;

/// A coding that we can make (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    /// The zlib format.
    Deflate,
}

/// Compresses a response if it is worth it and its client takes it. One that has a coding already keeps it.
pub(super) fn respond(
    config: &HttpCompression,
    request: &HeaderMap,
    mut response: HttpResponse,
) -> HttpResponse {
    let BodySize::Sized(len) = response.body().size() else {
        return response;
    };
    let threshold = u64::try_from(config.threshold).unwrap_or(u64::MAX);
    if len < threshold || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    vary(response.headers_mut());
    let accepted = request.get_all(header::ACCEPT_ENCODING);
    let Some(coding) = choose(accepted.filter_map(|value| value.to_str().ok())) else {
        return response;
    };
    let (mut response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Err(stream) => stream,
        Ok(plain) => match coding.encode(&plain, config.level) {
            None => BoxBody::new(plain),
            Some(packed) => {
                let name = HeaderValue::from_static(coding.name());
                response.headers_mut().insert(header::CONTENT_ENCODING, name);
                BoxBody::new(packed)
            }
        },
    };
    response.set_body(body)
}

/// Tells caches that the request's `Accept-Encoding` counts, besides what counts already. One line, since not
/// everybody who changes it behind us looks for more.
fn vary(headers: &mut HeaderMap) {
    let mut names = Vec::new();
    for value in headers.get_all(header::VARY) {
        let text = value.to_str().unwrap_or_default();
        if text.split(',').any(|name| is_vary_of_encoding(name.trim())) {
            return;
        }
        names.extend_from_slice(value.as_bytes());
        names.extend_from_slice(b", ");
    }
    names.extend_from_slice(b"Accept-Encoding");
    if let Ok(value) = HeaderValue::from_bytes(&names) {
        headers.insert(header::VARY, value);
    }
}

fn is_vary_of_encoding(name: &str) -> bool {
    name == "*" || name.eq_ignore_ascii_case("accept-encoding")
}

/// The coding that a client likes best, by the lines of its `Accept-Encoding` (RFC 9110, section 12.5.3); gzip if
/// it likes both. `None` leaves the body as it is: a client that does not say what it takes, that prefers it so,
/// or that takes nothing of ours, even if it has forbidden `identity`: the packets of an answer cannot wait for
/// a better request.
fn choose<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Coding> {
    let (mut gzip, mut deflate, mut identity, mut others) = (None, None, None, None);
    for item in lines.flat_map(|line| line.split(',')) {
        let Some((name, weight)) = parse_item(item) else {
            continue;
        };
        let slot = match &*name.to_ascii_lowercase() {
            "gzip" | "x-gzip" => &mut gzip,
            "deflate" => &mut deflate,
            "identity" => &mut identity,
            "*" => &mut others,
            _ => continue,
        };
        slot.get_or_insert(weight);
    }
    let gzip = gzip.or(others).unwrap_or(0);
    let deflate = deflate.or(others).unwrap_or(0);
    let (coding, weight) = if gzip >= deflate {
        (Coding::Gzip, gzip)
    } else {
        (Coding::Deflate, deflate)
    };
    (weight > 0 && weight >= identity.unwrap_or(0)).then_some(coding)
}

/// A coding's name and its weight in thousandths; `None` if it is malformed.
fn parse_item(item: &str) -> Option<(&str, u16)> {
    let (name, parameter) = match item.split_once(';') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (item, None),
    };
    let weight = match parameter {
        None => 1000,
        Some(parameter) => {
            let (key, value) = parameter.split_once('=')?;
            let is_weight = key.trim().eq_ignore_ascii_case("q");
            parse_weight(value.trim()).filter(|_| is_weight)?
        }
    };
    Some((name.trim(), weight))
}

/// `0`, `1`, and up to three decimals (RFC 9110, section 12.4.2), in thousandths.
fn parse_weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let weight: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

/// A stream and its level.
type Stream = Option<(u8, Compress)>;

thread_local! {
    // A stream is 380 kB, so that a thread has one of each kind at most, and none before it is used.
    static GZIP: RefCell<Stream> = const { RefCell::new(None) };
    static DEFLATE: RefCell<Stream> = const { RefCell::new(None) };
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }

    fn stream(self, level: Compression) -> Compress {
        match self {
            Coding::Gzip => Compress::new_gzip(level, WINDOW_BITS),
            Coding::Deflate => Compress::new(level, true),
        }
    }

    /// The body in this coding; `None` if the stream fails, which it has no reason to.
    fn encode(self, plain: &[u8], level: u8) -> Option<Bytes> {
        let slot = match self {
            Coding::Gzip => &GZIP,
            Coding::Deflate => &DEFLATE,
        };
        // 0 would not compress.
        let level = level.clamp(1, 9);
        let compression = Compression::new(level.into());
        // A stream that has failed is not used again.
        let (_, mut stream) = slot
            .take()
            .filter(|(of, _)| *of == level)
            .unwrap_or_else(|| (level, self.stream(compression)));
        stream.reset();
        let packed = deflate(&mut stream, plain)?;
        slot.replace(Some((level, stream)));
        Some(packed)
    }
}

/// All of `plain` through a fresh stream.
fn deflate(stream: &mut Compress, plain: &[u8]) -> Option<Bytes> {
    let mut packed = Vec::with_capacity(plain.len() / 2 + 64);
    let mut rest = plain;
    loop {
        let before = stream.total_in();
        let status = stream
            .compress_vec(rest, &mut packed, FlushCompress::Finish)
            .ok()?;
        if status == Status::StreamEnd {
            return Some(packed.into());
        }
        let read = usize::try_from(stream.total_in() - before).ok()?;
        rest = rest.get(read..)?;
        // It stopped for want of room: what does not shrink needs a little more than it has.
        packed.reserve(plain.len() / 2 + 64);
    }
}

#[cfg(test)]
mod tests;
