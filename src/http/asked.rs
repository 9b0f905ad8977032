//! A request while its answer is awaited: what of it stays in memory. Knows headers, not what they are for.

use std::cell::RefCell;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest};

use super::headers;
use crate::actor::Headers;

/// How many header maps a thread keeps.
const MAX_MAPS: usize = 16;

thread_local! {
    /// Empty maps with room. One is 7 kB, and actix makes another for each request that waits.
    static MAPS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// A request whose headers can be put away and brought back.
pub(super) struct Asked {
    request: ServiceRequest,
    /// Whether nobody else holds the request: only then may it be changed.
    is_sole: bool,
    /// The headers that were put away.
    packed: Option<Headers>,
}

impl Asked {
    /// A request as actix's router gives it to its service. That changes it right before, which it can only do
    /// to a request that nobody else holds.
    pub(super) fn routed(request: ServiceRequest) -> Self {
        Asked {
            request,
            is_sole: true,
            packed: None,
        }
    }

    /// A request that others hold too.
    pub(super) fn shared(request: HttpRequest, payload: Payload) -> Self {
        let mut request = ServiceRequest::from_request(request);
        request.set_payload(payload);
        Asked {
            request,
            is_sole: false,
            packed: None,
        }
    }

    pub(super) fn request(&self) -> &HttpRequest {
        self.request.request()
    }

    pub(super) fn take_payload(&mut self) -> Payload {
        self.request.take_payload()
    }

    /// Gives up the memory that only a request in work needs. Nobody can look at its headers until they are
    /// brought back. Returns whether there was any to give up.
    pub(super) fn pack(&mut self) -> bool {
        if !self.is_sole || self.packed.is_some() {
            return false;
        }
        let mut map = std::mem::take(self.request.headers_mut());
        self.packed = Some(headers::packed(&map));
        map.clear();
        MAPS.with_borrow_mut(|maps| {
            if maps.len() < MAX_MAPS {
                maps.push(map);
            }
        });
        true
    }

    /// Brings the headers back: for our own hooks, and for whatever middleware looks at behind us.
    pub(super) fn unpack(&mut self) {
        let Some(headers) = self.packed.take() else { return };
        let mut map = MAPS.with_borrow_mut(Vec::pop).unwrap_or_default();
        for (name, value) in headers.iter() {
            // They have been such before.
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value),
            ) {
                map.append(name, value);
            }
        }
        *self.request.headers_mut() = map;
    }
}
