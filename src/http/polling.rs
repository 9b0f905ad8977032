//! GET: a poll and its answer.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use bytes::Bytes;

use super::jsonp;
use crate::actor::Socket;
use crate::proto::{BadRequest, Jsonp, Refusal, Reply, Revision};

/// Refuses a script for a session whose answers may be binary: only a handshake without `j` and `b64` leads
/// to that.
pub(super) fn check_jsonp(socket: &Socket, jsonp: Option<&Jsonp>) -> Result<(), Refusal> {
    if jsonp.is_some() && socket.protocol() == Revision::V3 && !socket.request().base64 {
        return Err(BadRequest::TransportMismatch.into());
    }
    Ok(())
}

/// A reply as a response.
pub(super) fn answer(reply: Reply, jsonp: Option<&Jsonp>) -> HttpResponse {
    let body = reply.body;
    let (content_type, bytes) = match jsonp {
        Some(index) => {
            let script = jsonp::script(index, &String::from_utf8_lossy(&body.bytes));
            ("text/javascript; charset=UTF-8", Bytes::from(script))
        }
        None if body.binary => ("application/octet-stream", body.bytes),
        None => ("text/plain; charset=UTF-8", body.bytes),
    };
    let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if jsonp.is_some() {
        // Nobody shall take what we echo for anything but the script it says it is.
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
    }
    response
}
