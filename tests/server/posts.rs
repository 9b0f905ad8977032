//! The headers of the POST that a session sent last, on this thread: what engine.io's sockets show as `dataReq`, and
//! engine.io-client's own tests ask for. The library shows an application the handshake only; a middleware sees all.

use std::cell::RefCell;
use std::collections::HashMap;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use engineio::Socket;
use serde_json::Value;

use crate::report;

thread_local! {
    static LAST: RefCell<HashMap<String, Value>> = RefCell::new(HashMap::new());
}

/// The middleware.
pub(crate) async fn remember<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if req.method() == Method::POST {
        let sid = form_urlencoded::parse(req.query_string().as_bytes()).find(|(name, _)| name == "sid");
        if let Some((_, sid)) = sid {
            LAST.with_borrow_mut(|last| last.insert(sid.into_owned(), report::headers(req.headers())));
        }
    }
    next.call(req).await
}

/// The headers, as JSON; `{}` if there was no POST.
pub(crate) fn last(socket: &Socket) -> String {
    LAST.with_borrow(|last| {
        last.get(socket.id().as_str())
            .map_or_else(|| "{}".to_owned(), Value::to_string)
    })
}
