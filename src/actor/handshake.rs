//! The request that began a session, as the application sees it. Ours, so that it outlives the HTTP request
//! and crosses threads; knows no HTTP library.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use crate::KeepHeaders;
use crate::proto::{Revision, Transport};

/// The request that began a session.
///
/// The factory sees all of it; `Socket::request()` keeps all but the headers, of which only
/// [`Config::keep_headers`](crate::Config::keep_headers) stay.
#[derive(Debug, Clone)]
pub struct Handshake {
    pub(crate) path: ByteString,
    pub(crate) query: ByteString,
    pub(crate) headers: Headers,
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) revision: Revision,
    pub(crate) transport: Transport,
    pub(crate) extensions: Extensions,
}

impl Handshake {
    /// The method: a handshake is a `GET`.
    pub fn method(&self) -> &str {
        "GET"
    }

    /// The path of the URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query of the URL as it was sent, without the `?`.
    pub fn query_string(&self) -> &str {
        &self.query
    }

    /// The first value of a parameter of the query, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The first value of a header, if it is text. The name is compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The address of the peer: of the proxy, if there is one in front.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }

    /// The protocol revision that the client speaks.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The transport on which the session begins.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// What `allow_request` accepted the handshake with.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// A copy with the headers that are to be kept.
    pub(crate) fn keep(&self, keep: &KeepHeaders) -> Handshake {
        let mut kept = self.clone();
        match keep {
            KeepHeaders::All => {}
            KeepHeaders::None => kept.headers = Headers::default(),
            KeepHeaders::Only(names) => {
                let is_wanted = |name: &str| names.iter().any(|keep| keep.eq_ignore_ascii_case(name));
                kept.headers.0.retain(|(name, _)| is_wanted(name));
                kept.headers.0.shrink_to_fit();
            }
        }
        kept
    }
}

/// Headers of a request, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub(crate) Vec<(ByteString, Bytes)>);

impl Headers {
    /// The first value of a header. The name is compared without regard to case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All of them: names in lower case, values as bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// Values by their type: what `allow_request` hands to the application, such as the claims of a token.
#[derive(Clone, Default)]
pub struct Extensions(Vec<(TypeId, Arc<dyn Any + Send + Sync>)>);

impl Extensions {
    /// Puts a value in; an earlier one of the same type is replaced.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.retain(|(id, _)| *id != TypeId::of::<T>());
        self.0.push((TypeId::of::<T>(), Arc::new(value)));
    }

    /// The value of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let (_, value) = self.0.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }
}

/// Says how many there are; what they hold may be secret.
impl std::fmt::Debug for Extensions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}
