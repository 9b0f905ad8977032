//! Refusals as responses.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};

use crate::proto::Refusal;

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST)
    }

    /// `{"code":n,"message":".."}`, as engine.io answers; a 413 says all by itself, there as here.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if matches!(self, Refusal::PayloadTooLarge { .. }) {
            return response.finish();
        }
        response.content_type("application/json").body(self.body())
    }
}
