//! One request, from its query to its answer: who is asked, in which order.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::admission::{Accept, Reject};
use super::linger::drain;
use super::push::Incoming;
use super::serving::Step;
use super::{compress, forwarded, handover, headers, origin, polling, push, websocket};
use crate::actor::transport::PendingPoll;
use crate::actor::{Extensions, Opened, Server, Socket, guarded};
use crate::proto::{self, BadRequest, Call, Intent, Jsonp, Refusal, Reply, Revision, Sid, Transport};
use crate::{CloseReason, Config};

pub(super) type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;
type AllowRequest = Box<dyn Fn(&HttpRequest) -> LocalBoxFuture<Result<Accept, Reject>>>;
type RefusalHook = Box<dyn Fn(&HttpRequest, &Refusal)>;
type HeaderHook = Box<dyn Fn(&mut HeaderMap, &HttpRequest)>;

/// A server and the hooks that see actix's requests.
pub(super) struct Door {
    server: Server,
    pub(super) allow_request: Option<AllowRequest>,
    pub(super) initial_headers: Option<HeaderHook>,
    pub(super) headers: Option<HeaderHook>,
    pub(super) connection_error: Option<RefusalHook>,
}

/// A response that says why, instead of the one that was wanted.
pub(super) type Refused = Box<HttpResponse>;

impl Door {
    pub(super) fn new(server: Server) -> Self {
        Door {
            server,
            allow_request: None,
            initial_headers: None,
            headers: None,
            connection_error: None,
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn config(&self) -> &Config {
        self.server.config()
    }

    /// Reads a request, and begins to answer it.
    pub(super) fn begin(
        self: &Rc<Self>,
        req: &HttpRequest,
        payload: Payload,
        upgrade: headers::Upgrade,
    ) -> Result<Step, Refused> {
        let config = self.config();
        let intent = proto::request::parse(headers::head(req, upgrade), config.transports, config.allow_eio3)
            .map_err(|refusal| self.refuse(req, refusal))?;
        match intent {
            Intent::Handshake {
                transport,
                revision,
                base64,
                jsonp,
            } => {
                self.check_origin(req, jsonp.is_some())?;
                let (door, req) = (self.clone(), req.clone());
                Ok(Step::Later(Box::pin(async move {
                    let answer = door
                        .handshake(&req, payload, transport, revision, base64, jsonp)
                        .await;
                    answer.unwrap_or_else(|refused| *refused)
                })))
            }
            Intent::Session { sid, call } => {
                let found = self.find(&sid, call);
                let (socket, call) = found.map_err(|refusal| self.refuse(req, refusal))?;
                self.call(req, payload, socket, call)
            }
        }
    }

    /// The session that is asked, if it may be asked that.
    pub(super) fn find(&self, sid: &Sid, call: Result<Call, Refusal>) -> Result<(Socket, Call), Refusal> {
        let socket = self.server.find(sid).ok_or(Refusal::UnknownSid)?;
        let call = call.and_then(|call| call.check_revision(socket.protocol()).map(|()| call));
        // One that has ended has nothing left to say but to a last poll.
        if socket.is_alive() || matches!(call, Ok(Call::Poll { .. })) {
            Ok((socket, call?))
        } else {
            Err(Refusal::UnknownSid)
        }
    }

    /// Something for a session that exists.
    fn call(
        self: &Rc<Self>,
        req: &HttpRequest,
        payload: Payload,
        socket: Socket,
        call: Call,
    ) -> Result<Step, Refused> {
        let refuse = |refusal| self.refuse(req, refusal);
        match call {
            Call::Poll { jsonp, .. } => {
                polling::check_jsonp(&socket, jsonp.as_ref()).map_err(refuse)?;
                Ok(Step::Poll(PendingPoll::new(socket), jsonp))
            }
            Call::Push { jsonp, binary, .. } => {
                let limit = self.config().max_http_buffer_size;
                let push = push::begin(req, payload, socket, jsonp.is_some(), binary, limit);
                Ok(Step::Body(push))
            }
            Call::Upgrade { .. } => {
                self.check_origin(req, false)?;
                let mut response = websocket::upgrade(req, payload, socket).map_err(refuse)?;
                // If it fails, polling goes on.
                self.finish(req, &mut response, None).map_err(refuse)?;
                Ok(Step::Done(response))
            }
        }
    }

    /// The answer to a poll.
    pub(super) fn answer_poll(
        &self,
        req: &HttpRequest,
        socket: &Socket,
        jsonp: Option<&Jsonp>,
        answer: Result<Reply, Refusal>,
    ) -> HttpResponse {
        match answer {
            Ok(reply) => {
                let compress = reply.compress;
                self.finish_for(req, socket, polling::answer(reply, jsonp), compress)
            }
            Err(refusal) => *self.refuse(req, refusal),
        }
    }

    /// Reads the body of a POST to its end, and answers.
    pub(super) fn read_push(
        self: &Rc<Self>,
        req: &HttpRequest,
        push: Incoming,
    ) -> LocalBoxFuture<HttpResponse> {
        let (door, req) = (self.clone(), req.clone());
        Box::pin(async move {
            let (push, rest) = push.read().await;
            let socket = push.socket().clone();
            match push.await {
                Ok(()) => door.finish_for(&req, &socket, push::ok(), false),
                Err(refusal) => drain(*door.refuse(&req, refusal), rest),
            }
        })
    }

    /// The answer to a POST whose body was there at once.
    pub(super) fn answer_push(
        &self,
        req: &HttpRequest,
        socket: &Socket,
        answer: Result<(), Refusal>,
    ) -> HttpResponse {
        match answer {
            Ok(()) => self.finish_for(req, socket, push::ok(), false),
            Err(refusal) => *self.refuse(req, refusal),
        }
    }

    /// Finishes an answer that a session has given: without it the session cannot go on.
    fn finish_for(
        &self,
        req: &HttpRequest,
        socket: &Socket,
        mut response: HttpResponse,
        compress: bool,
    ) -> HttpResponse {
        match self.finish(req, &mut response, None) {
            Ok(()) => self.encode(req, response, compress),
            Err(refusal) => {
                socket.abandon(CloseReason::Panicked);
                *self.refuse(req, refusal)
            }
        }
    }

    async fn handshake(
        &self,
        req: &HttpRequest,
        payload: Payload,
        transport: Transport,
        revision: Revision,
        base64: bool,
        jsonp: Option<Jsonp>,
    ) -> Result<HttpResponse, Refused> {
        let refuse = |refusal| self.refuse(req, refusal);
        // A WebSocket that cannot be opened must not leave a session behind.
        let accept = match transport {
            Transport::WebSocket => Some(websocket::accept(req, self.config()).map_err(refuse)?),
            Transport::Polling => None,
        };
        let ip = forwarded::source(req, self.config()).ip;
        let permit = self.server.admit(ip, transport).map_err(refuse)?;
        let extensions = self.allow(req).await?;
        let handshake = headers::handshake(req, revision, base64, transport, ip, extensions);
        let sid = self.server.generate_id(&handshake).await.map_err(refuse)?;
        let io = accept
            .is_some()
            .then(|| handover::connection(req, self.config()))
            .flatten();
        let opened = self
            .server
            .open(sid.clone(), handshake, io.is_some(), permit)
            .await;
        let opened = opened.map_err(|error| refuse(error.refusal()))?;
        let mut compress = false;
        let mut response = match (opened, accept) {
            (Opened::Polling(poll), _) => {
                let reply = poll.await.map_err(refuse)?;
                compress = reply.compress;
                polling::answer(reply, jsonp.as_ref())
            }
            (Opened::WebSocket(link), Some(accept)) => websocket::open(&accept, payload, link),
            (Opened::Awaiting(socket), Some(accept)) if let Some(io) = io => {
                websocket::open_over(&accept, payload, socket, io)
            }
            _ => return Err(refuse(Refusal::Internal)),
        };
        self.finish(req, &mut response, Some(&sid)).map_err(|refusal| {
            if let Some(session) = self.server.client(&sid) {
                session.abandon(CloseReason::Panicked);
            }
            refuse(refusal)
        })?;
        Ok(self.encode(req, response, compress))
    }

    /// Asks the application whether this handshake may come in.
    async fn allow(&self, req: &HttpRequest) -> Result<Extensions, Refused> {
        let Some(allow) = &self.allow_request else {
            return Ok(Extensions::default());
        };
        match guarded(async { allow(req).await }).await {
            Ok(Ok(accept)) => Ok(accept.extensions),
            Ok(Err(reject)) => {
                self.report(req, &reject.refusal(), reject.code);
                Err(Box::new(reject.into_response()))
            }
            Err(_) => {
                log::error!(target: "engineio::server", "allow_request panicked");
                Err(self.refuse(req, Refusal::Internal))
            }
        }
    }

    /// Whether the page that sends this may connect. Browsers send no `Origin` with a script.
    fn check_origin(&self, req: &HttpRequest, is_script: bool) -> Result<(), Refused> {
        let (config, headers) = (self.config(), req.headers());
        let origin = match headers.get(header::ORIGIN).map(|value| value.to_str()) {
            None if is_script => origin::of_referer(headers::text(headers, &header::REFERER)),
            None => return Ok(()),
            Some(Err(_)) => return Err(self.refuse(req, BadRequest::InvalidOrigin.into())),
            Some(Ok(origin)) => origin,
        };
        let own = config.cookie.as_ref().map(|cookie| &*cookie.name);
        let foreign_cookie = headers.get_all(header::COOKIE).any(|value| {
            value
                .to_str()
                .map_or(true, |value| origin::has_foreign_cookie(value, own))
        });
        let host = forwarded::source(req, config)
            .host
            .or_else(|| headers::text(headers, &header::HOST))
            .or_else(|| req.uri().authority().map(|a| a.as_str()));
        if origin::is_allowed(&config.origins, Some(origin), host, foreign_cookie) {
            return Ok(());
        }
        log::warn!(
            target: "engineio::server",
            "refused a page of {origin:?}: see the option `origins` (now {:?})", config.origins
        );
        Err(self.refuse(req, Refusal::forbidden("")))
    }

    /// The headers of an answer that is no refusal. `sid` is given with a handshake's. If a hook panics the answer
    /// is lost with all that is in it: its session cannot go on.
    fn finish(
        &self,
        req: &HttpRequest,
        response: &mut HttpResponse,
        sid: Option<&Sid>,
    ) -> Result<(), Refusal> {
        let is_websocket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let map = response.headers_mut();
        // There may be one only, and a hook may know better which.
        let protocol = match is_websocket {
            true => map.remove(header::SEC_WEBSOCKET_PROTOCOL).next(),
            false => None,
        };
        headers::decorate(req, map);
        if let Some(sid) = sid
            && let Some(cookie) = &self.config().cookie
            && let Some(value) = headers::set_cookie(cookie, sid)
        {
            map.append(header::SET_COOKIE, value);
        }
        let hooks = [
            self.initial_headers.as_ref().filter(|_| sid.is_some()),
            self.headers.as_ref(),
        ];
        for hook in hooks.into_iter().flatten() {
            if catch_unwind(AssertUnwindSafe(|| hook(map, req))).is_err() {
                log::error!(target: "engineio::server", "a header hook panicked");
                return Err(Refusal::Internal);
            }
        }
        if let Some(protocol) = protocol
            && !map.contains_key(header::SEC_WEBSOCKET_PROTOCOL)
        {
            map.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        Ok(())
    }

    /// Compresses a finished answer if its packets ask for it: after the hooks, whose headers count.
    fn encode(&self, req: &HttpRequest, response: HttpResponse, compress: bool) -> HttpResponse {
        match &self.config().http_compression {
            Some(config) if compress => compress::respond(config, req.headers(), response),
            _ => response,
        }
    }

    pub(super) fn refuse(&self, req: &HttpRequest, refusal: Refusal) -> Refused {
        self.report(req, &refusal, refusal.code().into());
        Box::new(refusal.error_response())
    }

    fn report(&self, req: &HttpRequest, refusal: &Refusal, code: u32) {
        self.note(refusal, code);
        if let Some(hook) = &self.connection_error
            && catch_unwind(AssertUnwindSafe(|| hook(req, refusal))).is_err()
        {
            log::error!(target: "engineio::server", "a connection_error hook panicked");
        }
    }

    /// Counts a refusal, and logs it.
    pub(super) fn note(&self, refusal: &Refusal, code: u32) {
        self.server.count_refusal(code, refusal.context());
        log::debug!(target: "engineio::server", "refused: {} ({})", refusal, refusal.context());
    }
}
