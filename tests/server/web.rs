//! The HTTP side of the test server: the scope's hooks, an App around it with CORS, middleware and a route.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use actix_web::middleware::{DefaultHeaders, Next};
use actix_web::{Error, HttpRequest, HttpResponse};
use engineio::{Accept, Reject, Scope};
use serde_json::json;

use crate::options::{CorsOptions, Gate, OneOrMany, Options, RejectFields, Step};
use crate::report::{self, report};

/// Sets the hooks of a scope.
pub(crate) fn hooks(scope: Scope, options: &Options) -> Scope {
    let mut scope = scope.connection_error(|req, refusal| {
        report(&json!({
            "event": "connection_error",
            "code": refusal.code(),
            "message": refusal.message(),
            "context": refusal.context(),
            "req": report::request(req),
        }));
    });
    if let Some(gate) = options.allow_request.clone() {
        scope = scope.allow_request(move |req| verdict(gate.clone(), req));
    }
    scope = scope.initial_headers(header_hook("initial_headers", options, &options.initial_headers));
    scope.headers(header_hook("headers", options, &options.headers))
}

fn header_hook(
    event: &'static str,
    options: &Options,
    set: &BTreeMap<String, OneOrMany>,
) -> impl Fn(&mut HeaderMap, &HttpRequest) + 'static {
    let told = options.events.iter().any(|name| name == event);
    let set = set.clone();
    move |map, req| {
        if told {
            let (headers, req) = (report::headers(map), report::request(req));
            report(&json!({ "event": event, "headers": headers, "req": req }));
        }
        for (name, values) in &set {
            let name = header_name(name);
            if name != SET_COOKIE {
                map.remove(&name);
            }
            for value in values.list() {
                map.append(name.clone(), header_value(&value));
            }
        }
    }
}

fn header_name(name: &str) -> HeaderName {
    HeaderName::try_from(name).expect("a header's name")
}

fn header_value(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("a header's value")
}

fn verdict(gate: Gate, req: &HttpRequest) -> impl Future<Output = Result<Accept, Reject>> + use<> {
    let fields = match gate {
        Gate::Reject(fields) => Some(fields),
        Gate::Verdict(word) => (word == "reject").then(RejectFields::default),
    };
    let has =
        |name: &String| form_urlencoded::parse(req.query_string().as_bytes()).any(|(key, _)| key == *name);
    let fields = fields.filter(|fields| fields.when_query.as_ref().is_none_or(has));
    async move {
        let Some(fields) = fields else {
            return Ok(Accept::new());
        };
        if fields.delay > 0 {
            actix_rt::time::sleep(Duration::from_millis(fields.delay)).await;
        }
        let mut reject = Reject::new(fields.message);
        if let Some(status) = fields.status {
            reject = reject.status(StatusCode::from_u16(status).expect("a status"));
        }
        if let Some(code) = fields.code {
            reject = reject.code(code);
        }
        for (name, value) in &fields.headers {
            reject = reject.header(header_name(name), header_value(value));
        }
        Err(reject)
    }
}

/// actix-cors as the test wants it.
pub(crate) fn cors(options: Option<&CorsOptions>) -> Cors {
    let Some(options) = options else {
        return Cors::default();
    };
    let mut cors = Cors::default().block_on_origin_mismatch(false);
    for origin in options.origin.list() {
        cors = if origin == "*" {
            cors.allow_any_origin()
        } else {
            cors.allowed_origin(&origin)
        };
    }
    if options.credentials {
        cors = cors.supports_credentials();
    }
    cors = match &options.methods {
        Some(methods) => cors.allowed_methods(methods.iter().map(String::as_str)),
        None => cors.allowed_methods(["GET", "POST"]),
    };
    cors = match &options.allowed_headers {
        Some(headers) => cors.allowed_headers(headers),
        None => cors.allow_any_header(),
    };
    if let Some(headers) = &options.exposed_headers {
        cors = cors.expose_headers(headers);
    }
    cors.max_age(options.max_age)
}

/// One middleware.
pub(crate) async fn step(
    step: Option<Step>,
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(step) = step else {
        return next.call(req).await.map(ServiceResponse::map_into_boxed_body);
    };
    if let Some(name) = &step.name {
        report(&json!({ "event": "middleware", "name": name, "req": report::request(req.request()) }));
    }
    if let Some(status) = step.fail {
        let status = StatusCode::from_u16(status).expect("a status");
        return Err(InternalError::new("will always fail", status).into());
    }
    let session = step
        .session
        .as_ref()
        .filter(|name| !has_cookie(req.headers(), name));
    let mut response = match step.end {
        Some(status) => {
            let status = StatusCode::from_u16(status).expect("a status");
            req.into_response(HttpResponse::new(status))
        }
        None => next.call(req).await?.map_into_boxed_body(),
    };
    for (name, value) in &step.headers {
        response
            .headers_mut()
            .insert(header_name(name), header_value(value));
    }
    if let Some(name) = session {
        let cookie = header_value(&format!("{name}=a-session; Path=/; HttpOnly"));
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn has_cookie(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get_all(COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .any(|pair| pair.trim().split('=').next() == Some(name))
}

/// actix's own middleware for fixed headers.
pub(crate) fn default_headers(headers: &BTreeMap<String, String>) -> DefaultHeaders {
    headers.iter().fold(DefaultHeaders::new(), |all, (name, value)| {
        all.add((name.as_str(), value.as_str()))
    })
}

/// The rest of the App: `GET /test`, and 404.
pub(crate) async fn rest(req: HttpRequest) -> HttpResponse {
    report(&json!({ "event": "request", "req": report::request(&req) }));
    match req.path() {
        "/test" => HttpResponse::Ok().body("ok"),
        _ => HttpResponse::NotFound().finish(),
    }
}

/// An application's own upgrade: says `foo`, and ends once it has heard something.
pub(crate) async fn own_upgrade(mut payload: actix_web::web::Payload) -> HttpResponse {
    let mut said = false;
    let stream = StreamFn(move |cx: &mut std::task::Context<'_>| {
        if !std::mem::replace(&mut said, true) {
            return std::task::Poll::Ready(Some(Ok::<_, Error>(bytes::Bytes::from_static(b"foo"))));
        }
        futures_core::Stream::poll_next(std::pin::Pin::new(&mut payload), cx).map(|heard| {
            if let Some(Ok(bytes)) = heard {
                report(&json!({ "event": "own_upgrade", "text": String::from_utf8_lossy(&bytes) }));
            }
            None
        })
    });
    HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS)
        .upgrade("websocket")
        .streaming(stream)
}

/// A stream out of a function.
struct StreamFn<F>(F);

impl<T, F> futures_core::Stream for StreamFn<F>
where
    F: FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<T>> + Unpin,
{
    type Item = T;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        (self.0)(cx)
    }
}
