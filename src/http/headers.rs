//! Headers in and out: what of a request the other rooms need, and what our responses carry.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method as HttpMethod, Version};

use crate::Cookie;
use crate::actor::{Addresses, Extensions, Handshake, Headers, Target};
use crate::proto::{Head, Method, Revision, Sid, Transport};
use crate::ws;

/// The WebSocket part of a request's headers.
pub(super) fn websocket_handshake(headers: &HeaderMap) -> ws::handshake::Handshake {
    let mut handshake = ws::handshake::Handshake::new();
    for value in headers.get_all(header::CONNECTION) {
        handshake.connection(value.as_bytes());
    }
    for value in headers.get_all(header::UPGRADE) {
        handshake.upgrade(value.as_bytes());
    }
    for value in headers.get_all(header::SEC_WEBSOCKET_VERSION) {
        handshake.version(value.as_bytes());
    }
    for value in headers.get_all(header::SEC_WEBSOCKET_KEY) {
        handshake.key(value.as_bytes());
    }
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        handshake.protocols(value.as_bytes());
    }
    handshake
}

/// What a request wants to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// Nothing: most requests.
    None,
    WebSocket,
    /// Something that is not served here.
    Foreign,
}

impl Upgrade {
    /// A WebSocket is what actix's decoder takes for one, which alone passes on what comes behind the head as it is: not
    /// one protocol of a list, nor a request with a body in chunks.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let is_websocket =
            |line: &HeaderValue| line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
        if !headers.contains_key(header::UPGRADE) {
            Upgrade::None
        } else if headers.get_all(header::UPGRADE).any(is_websocket)
            && !headers.contains_key(header::TRANSFER_ENCODING)
        {
            Upgrade::WebSocket
        } else {
            Upgrade::Foreign
        }
    }
}

/// What the rules want to know of a request.
pub(super) fn head(req: &HttpRequest, upgrade: Upgrade) -> Head<'_> {
    let method = match *req.method() {
        HttpMethod::GET => Method::Get,
        HttpMethod::POST => Method::Post,
        HttpMethod::OPTIONS => Method::Options,
        _ => Method::Other,
    };
    // HTTP/2 has no `Upgrade`; whoever sends it there means nothing by it.
    let upgrade = upgrade == Upgrade::WebSocket && req.version() <= Version::HTTP_11;
    let binary_body = method == Method::Post
        && req
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| is_binary(value.as_bytes()));
    Head {
        method,
        query: req.query_string(),
        upgrade,
        binary_body,
    }
}

/// Whether a content type is `application/octet-stream`, with parameters or without.
pub(super) fn is_binary(content_type: &[u8]) -> bool {
    const BINARY: &[u8] = b"application/octet-stream";
    content_type
        .split_at_checked(BINARY.len())
        .is_some_and(|(media, rest)| {
            media.eq_ignore_ascii_case(BINARY) && matches!(rest.first(), None | Some(b';' | b' ' | b'\t'))
        })
}

/// The request as the application sees it.
pub(super) fn handshake(
    req: &HttpRequest,
    revision: Revision,
    base64: bool,
    transport: Transport,
    remote_address: Option<IpAddr>,
    extensions: Extensions,
) -> Handshake {
    let peer = req.peer_addr().map(|peer| peer.ip().to_canonical());
    Handshake {
        target: Target::new(req.path(), req.query_string()),
        headers: packed(req.headers()),
        addresses: Addresses::new(req.peer_addr(), remote_address.filter(|_| remote_address != peer)),
        revision,
        base64,
        transport,
        extensions,
    }
}

/// Headers as the other rooms know them.
pub(super) fn packed(headers: &HeaderMap) -> Headers {
    let parts = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    Headers::pack(parts)
}

/// The first value of a header, if it is visible ASCII.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What every polling response carries: no cache may keep it, and old IE shall not take it for an attack.
pub(super) fn decorate(req: &HttpRequest, headers: &mut HeaderMap) {
    forbid_caching(headers);
    let agent = req.headers().get(header::USER_AGENT);
    if agent.is_some_and(|agent| is_old_ie(agent.as_bytes())) {
        headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
}

pub(super) fn forbid_caching(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Whether there is `;MSIE` or `Trident/` in a user agent, looked for in one go: every poll is asked.
pub(super) fn is_old_ie(mut agent: &[u8]) -> bool {
    while let [first, rest @ ..] = agent {
        match first {
            b';' if rest.starts_with(b"MSIE") => return true,
            b'T' if rest.starts_with(b"rident/") => return true,
            _ => agent = rest,
        }
    }
    false
}

/// The value of `Set-Cookie` for a session.
pub(super) fn set_cookie(cookie: &Cookie, sid: &Sid) -> Option<HeaderValue> {
    let mut value = format!("{}={}", cookie.name, sid.as_str());
    if let Some(path) = &cookie.path {
        value.push_str("; Path=");
        value.push_str(path);
        // engine.io documents: without a path there is no HttpOnly.
        if cookie.http_only {
            value.push_str("; HttpOnly");
        }
    }
    if cookie.secure {
        value.push_str("; Secure");
    }
    if let Some(same_site) = cookie.same_site {
        value.push_str("; SameSite=");
        value.push_str(same_site.as_str());
    }
    HeaderValue::try_from(value).ok()
}
