//! One typed parse of method, query and headers into an intent or a refusal. Done once, before anything else.
//! Knows text, not HTTP types, and no session: who is alive is for the caller to look up.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::packet::Revision;
use super::refusal::{BadRequest, Refusal};
use super::sid::Sid;
use super::transport::{Transport, Transports};

/// The method of a request, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A handshake, a poll, an upgrade.
    Get,
    /// A payload from the client.
    Post,
    /// A CORS preflight that nobody in front of us has answered.
    Options,
    /// Anything else.
    Other,
}

/// What the rules need to know of a request.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The method.
    pub method: Method,
    /// The query as it stands in the URL, without the `?`.
    pub query: &'a str,
    /// The headers ask for a WebSocket.
    pub upgrade: bool,
    /// The body is `application/octet-stream`.
    pub binary_body: bool,
}

/// Leaves the query out: it holds the sid.
impl std::fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("upgrade", &self.upgrade)
            .field("binary_body", &self.binary_body)
            .finish_non_exhaustive()
    }
}

/// What a request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// A new session.
    Handshake {
        /// The transport it starts on; the headers of a `WebSocket` one ask for the upgrade.
        transport: Transport,
        /// The revision that it speaks for life.
        revision: Revision,
        /// Binary goes to this client as base64 text, for life (`b64`, or JSONP).
        base64: bool,
        /// Answer this request, and the polls that say so too, by JSONP.
        jsonp: Option<Jsonp>,
    },
    /// Something for the session `sid`.
    Session {
        /// Whose. Nobody has looked yet whether it exists: if it does not, that is [`Refusal::UnknownSid`]
        /// whatever `call` says.
        sid: Sid,
        /// What is wanted of it, or why no session would do that. The session is unharmed by such a refusal.
        call: Result<Call, Refusal>,
    },
}

/// What a request wants of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// GET: packets for the client.
    Poll {
        /// What `EIO` says; compare by [`Call::check_revision`].
        revision: Revision,
        /// The answer is JSONP.
        jsonp: Option<Jsonp>,
    },
    /// POST: packets from the client.
    Push {
        /// What `EIO` says; compare by [`Call::check_revision`].
        revision: Revision,
        /// The body is a form with the payload in its field `d`.
        jsonp: Option<Jsonp>,
        /// The payload is in the binary form, which only revision 3 has: decoding it in revision 4 fails with
        /// [`DecodeError::BinaryPayload`](super::DecodeError::BinaryPayload), and the session ends.
        binary: bool,
    },
    /// GET with `Upgrade: websocket`.
    Upgrade {
        /// What `EIO` says; compare by [`Call::check_revision`].
        revision: Revision,
    },
}

impl Call {
    /// What `EIO` says in this request.
    pub fn revision(&self) -> Revision {
        match self {
            Call::Poll { revision, .. } | Call::Push { revision, .. } | Call::Upgrade { revision } => {
                *revision
            }
        }
    }

    /// Compares the request's revision with the session's.
    ///
    /// # Errors
    /// [`BadRequest::ProtocolMismatch`] if they differ. The session is unharmed.
    pub fn check_revision(&self, session: Revision) -> Result<(), Refusal> {
        if self.revision() == session {
            Ok(())
        } else {
            Err(BadRequest::ProtocolMismatch.into())
        }
    }
}

/// The parameter `j` of a JSONP request, reduced to its digits (of which there may be none).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Jsonp(String);

impl Jsonp {
    /// Keeps the ASCII digits of a value of `j`.
    pub fn new(value: &str) -> Self {
        Jsonp(value.chars().filter(char::is_ascii_digit).collect())
    }

    /// The index in `___eio[..]`: ASCII digits or nothing.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// Reads a request. `enabled` are the transports that the server offers; `allow_eio3` lets revision 3 in.
///
/// The order of the checks is that of engine.io 6: transport, sid, method, upgrade, protocol version.
///
/// # Errors
/// - [`BadRequest::DuplicateParameter`]: `EIO`, `sid` or `transport` more than once
/// - [`Refusal::UnknownTransport`]: none, unknown, or not enabled
/// - [`Refusal::UnknownSid`]: a sid that cannot be one
/// - for a handshake (no sid, or an empty one): [`Refusal::BadHandshakeMethod`] unless it is a GET,
///   [`BadRequest::TransportHandshake`] if transport and `Upgrade` do not fit,
///   [`Refusal::UnsupportedProtocolVersion`]
///
/// With a sid the same is found in [`Intent::Session`], since only the caller knows whether the session exists:
/// [`Refusal::BadHandshakeMethod`], [`BadRequest::TransportMismatch`], [`Refusal::UnsupportedProtocolVersion`].
pub fn parse(head: Head<'_>, enabled: Transports, allow_eio3: bool) -> Result<Intent, Refusal> {
    let query = Query::read(head.query)?;
    let transport = query
        .transport
        .as_deref()
        .and_then(Transport::from_name)
        .filter(|transport| enabled.contains(*transport))
        .ok_or(Refusal::UnknownTransport)?;
    let revision = query.revision(allow_eio3);
    let jsonp = query
        .jsonp
        .as_deref()
        .filter(|_| transport == Transport::Polling)
        .map(Jsonp::new);

    match query.sid.as_deref() {
        None | Some("") => {
            check_door(&head, transport, false)?;
            let base64 = query.base64 || jsonp.is_some();
            Ok(Intent::Handshake {
                transport,
                revision: revision?,
                base64,
                jsonp,
            })
        }
        Some(sid) => {
            let sid = Sid::parse(sid).map_err(|_| Refusal::UnknownSid)?;
            let call = check_door(&head, transport, true).and(revision).map(|revision| {
                match (transport, head.method) {
                    (Transport::WebSocket, _) => Call::Upgrade { revision },
                    (Transport::Polling, Method::Post) => Call::Push {
                        revision,
                        jsonp,
                        binary: head.binary_body,
                    },
                    (Transport::Polling, _) => Call::Poll { revision, jsonp },
                }
            });
            Ok(Intent::Session { sid, call })
        }
    }
}

/// Whether a query asks for polling, whatever else is wrong with it.
#[cfg(feature = "server")]
pub(crate) fn asks_for_polling(query: &str) -> bool {
    let asked = Query::read(query).ok().and_then(|query| query.transport);
    asked.as_deref().and_then(Transport::from_name) == Some(Transport::Polling)
}

/// Whether method, transport and `Upgrade` fit together.
fn check_door(head: &Head<'_>, transport: Transport, in_session: bool) -> Result<(), Refusal> {
    let push = in_session && transport == Transport::Polling && head.method == Method::Post;
    if head.method != Method::Get && !push {
        return Err(Refusal::BadHandshakeMethod);
    }
    // A proxy that strips `Upgrade` must not turn a WebSocket into a poll, nor may a poll become one.
    if head.upgrade != (transport == Transport::WebSocket) {
        let reason = if in_session {
            BadRequest::TransportMismatch
        } else {
            BadRequest::TransportHandshake
        };
        return Err(reason.into());
    }
    Ok(())
}

/// The parameters that matter, decoded as `URLSearchParams` does (`+`, `%xx`, bad UTF-8 replaced).
#[derive(Default)]
struct Query<'a> {
    eio: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    transport: Option<Cow<'a, str>>,
    jsonp: Option<Cow<'a, str>>,
    base64: bool,
}

impl<'a> Query<'a> {
    fn read(query: &'a str) -> Result<Self, Refusal> {
        let mut found = Query::default();
        let mut rest = Some(query);
        while let Some(text) = rest {
            let (name, value);
            (name, value, rest) = split_parameter(text);
            let once = match &*name {
                "EIO" => &mut found.eio,
                "sid" => &mut found.sid,
                "transport" => &mut found.transport,
                // Of these the last one counts, as in an object made from the entries.
                "j" => {
                    found.jsonp = Some(value);
                    continue;
                }
                "b64" => {
                    found.base64 = !value.is_empty();
                    continue;
                }
                _ => continue,
            };
            if once.replace(value).is_some() {
                return Err(BadRequest::DuplicateParameter.into());
            }
        }
        Ok(found)
    }

    fn revision(&self, allow_eio3: bool) -> Result<Revision, Refusal> {
        match self.eio.as_deref() {
            Some("4") => Ok(Revision::V4),
            Some("3") if allow_eio3 => Ok(Revision::V3),
            _ => Err(Refusal::UnsupportedProtocolVersion),
        }
    }
}

/// The first parameter of a query, its value, and what is behind it. One look at each byte: a poll is little more
/// than its query.
fn split_parameter(query: &str) -> (Cow<'_, str>, Cow<'_, str>, Option<&str>) {
    let (mut equals, mut end, mut is_encoded) = (None, query.len(), false);
    let mut bytes = query.bytes().enumerate();
    while let Some((at, byte)) = bytes.find(|(_, byte)| SPECIAL[usize::from(*byte)]) {
        match byte {
            b'&' => {
                end = at;
                break;
            }
            b'=' => equals = equals.or(Some(at)),
            _ => is_encoded = true,
        }
    }
    // All cuts are at ASCII.
    let part = |from, to| query.get(from..to).unwrap_or_default();
    let name = part(0, equals.unwrap_or(end));
    let value = equals.map_or("", |equals| part(equals + 1, end));
    let rest = query.get(end + 1..);
    match is_encoded {
        true => (decode(name), decode(value), rest),
        false => (Cow::Borrowed(name), Cow::Borrowed(value), rest),
    }
}

/// By byte, whether it means more than itself in a query.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    special[b'&' as usize] = true;
    special[b'=' as usize] = true;
    special[b'%' as usize] = true;
    special[b'+' as usize] = true;
    special
};

/// A name or a value, decoded.
fn decode(text: &str) -> Cow<'_, str> {
    match form_urlencoded::parse(text.as_bytes()).next() {
        // Of a value what looks like a name: it holds no `&`, and its first `=` is put back.
        Some((name, value)) if text.contains('=') => Cow::Owned(format!("{name}={value}")),
        Some((name, _)) => name,
        None => Cow::Borrowed(text),
    }
}
