//! What `allow_request` may say.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::actor::Extensions;
use crate::proto::Refusal;

/// `allow_request` lets a handshake in.
#[derive(Debug, Clone, Default)]
pub struct Accept {
    pub(super) extensions: Extensions,
}

impl Accept {
    /// Lets it in.
    pub fn new() -> Self {
        Accept::default()
    }

    /// Lets it in, and hands a value to the application: it lies in
    /// [`Handshake::extensions`](crate::Handshake::extensions), such as the claims of a token.
    pub fn with<T: Send + Sync + 'static>(value: T) -> Self {
        Accept::new().and(value)
    }

    /// Hands another value to the application.
    pub fn and<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }
}

/// `allow_request` keeps a handshake out. The client gets `{"code":4,"message":".."}`.
///
/// [`Scope::connection_error`](crate::Scope::connection_error) hears of code 4 and status 403, whatever is said here.
#[derive(Debug, Clone)]
pub struct Reject {
    status: StatusCode,
    pub(super) code: u32,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reject {
    /// Status 403, code 4 and this message; an empty one reads "Forbidden".
    pub fn new(message: impl Into<String>) -> Self {
        let message = Refusal::forbidden(message.into()).message().to_owned();
        Reject {
            status: StatusCode::FORBIDDEN,
            code: 4,
            message,
            headers: Vec::new(),
        }
    }

    /// Another status than 403.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Another code than 4.
    pub fn code(mut self, code: u32) -> Self {
        self.code = code;
        self
    }

    /// A header for the answer.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// As what `connection_error` hears of it.
    pub(super) fn refusal(&self) -> Refusal {
        Refusal::forbidden(self.message.clone())
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        for header in self.headers {
            response.append_header(header);
        }
        let body = serde_json::json!({ "code": self.code, "message": self.message });
        response.content_type("application/json").body(body.to_string())
    }
}
