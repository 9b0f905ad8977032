//! The short way of a poll or a POST on a connection of our own: from the bytes of its head to its session, and back,
//! without actix's request. It takes nothing unusual and refuses nothing: whatever it leaves goes the long way, through
//! the App, where every rule is.

#[cfg(all(test, feature = "test"))]
mod tests;

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use bytes::{Buf, Bytes, BytesMut};

use super::door::Door;
use super::{compress, headers, polling, push};
use crate::Config;
use crate::actor::Server;
use crate::actor::transport::{PendingPoll, PendingPush};
use crate::proto::{self, Call, Head, Intent, Method, PushBody, Reply};

/// How many headers a request may have here; those of browsers are about fifteen.
const MAX_HEADERS: usize = 32;

/// Shorter bodies are copied: a message that the application keeps then holds no buffer that was read into for others.
const MIN_SHARED: usize = 4096;

/// Where requests may take the short way.
pub(super) struct Shortcut(Rc<Door>);

/// A poll or a POST that took it.
pub(super) struct Short {
    door: Rc<Door>,
    step: Step,
    /// Which codings the client takes, if it said so.
    encodings: Option<HeaderValue>,
}

enum Step {
    Poll(PendingPoll),
    Push(PendingPush),
}

impl Shortcut {
    /// For requests whose hooks do not matter.
    pub(super) fn new(server: Server) -> Self {
        Shortcut(Rc::new(Door::new(server)))
    }

    /// Takes a request out of `input`, if it lies there whole and nothing about it is unusual.
    pub(super) fn take(&self, input: &mut BytesMut) -> Option<Short> {
        let Shortcut(door) = self;
        let config = door.config();
        let Whole {
            head,
            head_len,
            body_len,
            encodings,
        } = Whole::read(input, config)?;
        let intent = proto::request::parse(head, config.transports, config.allow_eio3);
        let Ok(Intent::Session { sid, call }) = intent else {
            return None;
        };
        let (socket, call) = door.find(&sid, call).ok()?;
        let encodings = encodings.and_then(|value| HeaderValue::from_bytes(value).ok());
        let step = match call {
            Call::Poll { jsonp: None, .. } => {
                input.advance(head_len);
                let poll = PendingPoll::new(socket);
                // Costs less than to wait and see whether it will take a while.
                poll.rest();
                Step::Poll(poll)
            }
            Call::Push {
                jsonp: None, binary, ..
            } => {
                input.advance(head_len);
                let bytes = take_body(input, body_len);
                Step::Push(PendingPush::new(socket, binary, Some(PushBody { bytes, binary })))
            }
            _ => return None,
        };
        Some(Short {
            door: door.clone(),
            step,
            encodings,
        })
    }
}

impl Future for Short {
    type Output = HttpResponse;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HttpResponse> {
        let this = &mut *self;
        let answer = match &mut this.step {
            Step::Poll(poll) => ready!(Pin::new(poll).poll(cx)).map(|reply| this.answer_poll(reply)),
            Step::Push(push) => ready!(Pin::new(push).poll(cx)).map(|()| uncached(push::ok())),
        };
        Poll::Ready(answer.unwrap_or_else(|refusal| {
            this.door.note(&refusal, refusal.code().into());
            refusal.error_response()
        }))
    }
}

impl Short {
    fn answer_poll(&mut self, reply: Reply) -> HttpResponse {
        let compress = reply.compress;
        let response = uncached(polling::answer(reply, None));
        let Some(config) = self.door.config().http_compression.as_ref().filter(|_| compress) else {
            return response;
        };
        let mut asked = HeaderMap::new();
        if let Some(encodings) = self.encodings.take() {
            asked.insert(header::ACCEPT_ENCODING, encodings);
        }
        compress::respond(config, &asked, response)
    }
}

fn uncached(mut response: HttpResponse) -> HttpResponse {
    headers::forbid_caching(response.headers_mut());
    response
}

/// A request that lies whole in a buffer, without anything unusual.
struct Whole<'a> {
    head: Head<'a>,
    head_len: usize,
    body_len: usize,
    /// `Accept-Encoding`, if there is a body to come.
    encodings: Option<&'a [u8]>,
}

impl<'a> Whole<'a> {
    fn read(input: &'a [u8], config: &Config) -> Option<Self> {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(input, &mut fields);
        let Ok(httparse::Status::Complete(head_len)) = parsed else {
            return None;
        };
        let (path, query) = request.path?.split_once('?')?;
        if request.version != Some(1) || path != config.path || !is_plain(query) {
            return None;
        }
        let facts = Facts::of(request.headers)?;
        let (method, body_len, encodings) = match (request.method?, facts.content_length) {
            ("GET", None) => (Method::Get, 0, facts.encodings),
            ("POST", Some(length)) => (Method::Post, length, None),
            _ => return None,
        };
        let is_whole = body_len <= config.max_http_buffer_size && body_len <= input.len() - head_len;
        is_whole.then_some(Whole {
            head: Head {
                method,
                query,
                upgrade: false,
                binary_body: facts.is_binary,
            },
            head_len,
            body_len,
            encodings,
        })
    }
}

fn take_body(input: &mut BytesMut, len: usize) -> Bytes {
    if len >= MIN_SHARED {
        return input.split_to(len).freeze();
    }
    let bytes = Bytes::copy_from_slice(&input[..len]);
    input.advance(len);
    bytes
}

/// Whether a query consists of what URLs of clients do, and actix would read it as it stands.
fn is_plain(query: &str) -> bool {
    query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// What of a request's headers matters.
struct Facts<'a> {
    content_length: Option<usize>,
    is_binary: bool,
    encodings: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    /// `None` if there is anything unusual.
    fn of(fields: &[httparse::Header<'a>]) -> Option<Self> {
        let (mut host, mut content_type) = (None, None);
        let (mut content_length, mut encodings) = (None, None);
        for field in fields {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            match field.name.len() {
                4 if is("host") => once(&mut host, ())?,
                6 if is("expect") => return None,
                7 if is("upgrade") => return None,
                10 if is("connection") && !is_kept(field.value) => return None,
                10 if is("user-agent") && headers::is_old_ie(field.value) => return None,
                12 if is("content-type") => once(&mut content_type, field.value)?,
                14 if is("content-length") => once(&mut content_length, plain_number(field.value)?)?,
                15 if is("accept-encoding") => once(&mut encodings, field.value)?,
                17 if is("transfer-encoding") => return None,
                _ => {}
            }
        }
        host.map(|()| Facts {
            content_length,
            is_binary: content_type.is_some_and(headers::is_binary),
            encodings,
        })
    }
}

/// Whether a `Connection` leaves it at that: an upgrade to nothing, as proxies write it, is none.
fn is_kept(connection: &[u8]) -> bool {
    connection.eq_ignore_ascii_case(b"keep-alive") || connection.eq_ignore_ascii_case(b"upgrade")
}

/// Sets what may be set once.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// A number of few digits and nothing else.
fn plain_number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
