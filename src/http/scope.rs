//! The way in: `scope()` for an `App`, `handle_request` and `handle_upgrade` for people who route themselves.

use std::future::{Future, Ready, ready};
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::dev::{
    AppService, HttpServiceFactory, ResourceDef, Service, ServiceFactory, ServiceRequest, ServiceResponse,
};
use actix_web::guard::{Guard, fn_guard};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{Error, HttpRequest, HttpResponse};

use super::admission::{Accept, Reject};
use super::asked::Asked;
use super::door::Door;
use super::headers::Upgrade;
use super::linger::close_after;
use super::serving::{Serving, ServingService};
use super::short::Shortcut;
use crate::actor::Server;
use crate::proto::{BadRequest, Refusal, asks_for_polling};

/// Mounts a server in an `App`, at [`Config::path`](crate::Config::path): what engine.io calls `attach`.
///
/// ```no_run
/// # #[actix_web::main] async fn main() -> std::io::Result<()> {
/// use actix_web::{App, HttpServer};
///
/// let server = engineio::Server::builder()
///     .on_message(|socket, data| { let _ = socket.try_send(data); })
///     .start();
/// HttpServer::new(move || App::new().service(engineio::scope(&server)))
///     .on_connect(engineio::on_connect) // WebSockets get connections of their own
///     .h1_allow_half_closed(false) // else a client that leaves a poll is not seen
///     .client_disconnect_timeout(std::time::Duration::ZERO) // else a closed WebSocket lingers for 1 s
///     .bind(("127.0.0.1", 3000))?
///     .run()
///     .await
/// # }
/// ```
///
/// What else is to be set, and why: [`guide::deploying`](crate::guide::deploying).
pub fn scope(server: &Server) -> Scope {
    Scope {
        door: Door::new(server.clone()),
        unhandled: StatusCode::BAD_REQUEST,
    }
}

/// A server's place in an `App`. Made by [`scope`].
pub struct Scope {
    door: Door,
    unhandled: StatusCode,
}

impl Scope {
    /// Asks the application about each handshake (the first request of a session, on whatever transport)
    /// after our own checks. It may look at all that actix knows of the request. If it panics the request is
    /// answered with 500.
    ///
    /// ```no_run
    /// # let server: engineio::Server = todo!();
    /// use engineio::{Accept, Reject};
    ///
    /// engineio::scope(&server).allow_request(|req| {
    ///     let known = req.headers().contains_key("authorization");
    ///     async move { if known { Ok(Accept::with("somebody")) } else { Err(Reject::new("who are you?")) } }
    /// });
    /// ```
    pub fn allow_request<F, R>(mut self, allow: F) -> Self
    where
        F: Fn(&HttpRequest) -> R + 'static,
        R: Future<Output = Result<Accept, Reject>> + 'static,
    {
        self.door.allow_request = Some(Box::new(move |req| Box::pin(allow(req))));
        self
    }

    /// May change the headers of the answer to each handshake (engine.io's event `initial_headers`).
    pub fn initial_headers(mut self, hook: impl Fn(&mut HeaderMap, &HttpRequest) + 'static) -> Self {
        self.door.initial_headers = Some(Box::new(hook));
        self
    }

    /// May change the headers of each answer that is no refusal (engine.io's event `headers`).
    pub fn headers(mut self, hook: impl Fn(&mut HeaderMap, &HttpRequest) + 'static) -> Self {
        self.door.headers = Some(Box::new(hook));
        self
    }

    /// Hears of each request that is refused (engine.io's event `connection_error`). What
    /// [`allow_request`](Self::allow_request) has refused is code 4 and status 403 to it, whatever its
    /// [`Reject`] says to the client.
    pub fn connection_error(mut self, hook: impl Fn(&HttpRequest, &Refusal) + 'static) -> Self {
        self.door.connection_error = Some(Box::new(hook));
        self
    }

    /// For people who route by themselves: the same, to be called from a handler of theirs.
    pub fn into_endpoint(self) -> Endpoint {
        Endpoint(self.mount())
    }

    /// What upgrade requests are answered with that nobody takes.
    pub(super) fn unhandled(mut self, status: StatusCode) -> Self {
        self.unhandled = status;
        self
    }

    /// The short way of polls and POSTs, if nobody wants to see them on the long one.
    pub(super) fn shortcut(&self) -> Option<Shortcut> {
        let is_seen = self.door.headers.is_some() || self.door.connection_error.is_some();
        (!is_seen).then(|| Shortcut::new(self.door.server().clone()))
    }

    fn mount(self) -> Mounted {
        Mounted {
            door: Rc::new(self.door),
            unhandled: self.unhandled,
        }
    }
}

/// A scope that is set up.
#[derive(Clone)]
struct Mounted {
    door: Rc<Door>,
    unhandled: StatusCode,
}

impl Mounted {
    fn serve(&self, asked: Asked) -> Serving {
        let req = asked.request();
        let upgrade = wanted(req.headers(), req.query_string());
        if upgrade != Upgrade::Foreign {
            return Serving::new(self.door.clone(), asked, upgrade);
        }
        let refusal = Refusal::from(BadRequest::TransportHandshake);
        let mut response = *self.door.refuse(req, refusal);
        *response.status_mut() = self.unhandled;
        let response = close_after(response, self.door.config().destroy_upgrade_timeout);
        Serving::done(self.door.clone(), asked, response)
    }
}

/// What a request wants to become. Polls may offer another protocol, as some HTTP clients do with whatever they send: they
/// are answered in the one that they came in.
fn wanted(headers: &HeaderMap, query: &str) -> Upgrade {
    match Upgrade::of(headers) {
        Upgrade::Foreign if asks_for_polling(query) => Upgrade::None,
        upgrade => upgrade,
    }
}

impl HttpServiceFactory for Scope {
    fn register(self, config: &mut AppService) {
        let path = ResourceDef::new(self.door.config().path.clone());
        let guards: Option<Vec<Box<dyn Guard>>> = (!self.door.config().destroy_upgrade).then(|| {
            let ours = fn_guard(|ctx| {
                let head = ctx.head();
                wanted(head.headers(), head.uri.query().unwrap_or_default()) != Upgrade::Foreign
            });
            vec![Box::new(ours) as Box<dyn Guard>]
        });
        config.register_service(path, guards, ScopeFactory(self.mount()), None);
    }
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("path", &self.door.config().path)
            .finish_non_exhaustive()
    }
}

/// A server's requests without a route. Made by [`Scope::into_endpoint`].
#[derive(Clone)]
pub struct Endpoint(Mounted);

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Answers a request of any kind. The path is not looked at.
    pub async fn handle_request(&self, req: &HttpRequest, payload: actix_web::web::Payload) -> HttpResponse {
        let asked = Asked::shared(req.clone(), payload.into_inner());
        self.0.serve(asked).await
    }
}

/// Answers a request for `server`, with no hooks. See [`Scope::into_endpoint`] for those.
///
/// ```no_run
/// use actix_web::{HttpRequest, HttpResponse, web};
///
/// async fn route(req: HttpRequest, body: web::Payload, server: web::Data<engineio::Server>) -> HttpResponse {
///     engineio::handle_request(&server, &req, body).await
/// }
/// ```
pub async fn handle_request(
    server: &Server,
    req: &HttpRequest,
    payload: actix_web::web::Payload,
) -> HttpResponse {
    let asked = Asked::shared(req.clone(), payload.into_inner());
    scope(server).mount().serve(asked).await
}

/// Answers an upgrade request for `server`, with no hooks. In actix an upgrade is a request like any other, so
/// this is [`handle_request`] under the name that engine.io gives it.
pub async fn handle_upgrade(
    server: &Server,
    req: &HttpRequest,
    payload: actix_web::web::Payload,
) -> HttpResponse {
    handle_request(server, req, payload).await
}

struct ScopeFactory(Mounted);

impl ServiceFactory<ServiceRequest> for ScopeFactory {
    type Response = ServiceResponse;
    type Error = Error;
    type Config = ();
    type Service = ScopeService;
    type InitError = ();
    type Future = Ready<Result<ScopeService, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        ready(Ok(ScopeService(self.0.clone())))
    }
}

struct ScopeService(Mounted);

impl Service<ServiceRequest> for ScopeService {
    type Response = ServiceResponse;
    type Error = Error;
    type Future = ServingService;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, req: ServiceRequest) -> Self::Future {
        ServingService(self.0.serve(Asked::routed(req)))
    }
}
