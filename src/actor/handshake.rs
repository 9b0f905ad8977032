//! The request that began a session, as the application sees it. Ours, so that it outlives the HTTP request
//! and crosses threads; knows no HTTP library.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::KeepHeaders;
use crate::proto::{Revision, Transport};

/// The request that began a session.
///
/// The factory sees all of it; `Socket::request()` keeps all but the headers, of which only
/// [`Config::keep_headers`](crate::Config::keep_headers) stay.
#[derive(Debug, Clone)]
pub struct Handshake {
    pub(crate) target: Target,
    pub(crate) headers: Headers,
    pub(crate) peer_addr: Option<SocketAddr>,
    /// Whom a proxy names. Boxed, since most servers have no proxy and all have many of these.
    pub(crate) forwarded_for: Option<Box<IpAddr>>,
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
        self.target.parts().0
    }

    /// The query of the URL as it was sent, without the `?`.
    pub fn query_string(&self) -> &str {
        self.target.parts().1
    }

    /// The first value of a parameter of the query, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query_string().as_bytes())
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

    /// The address of the TCP peer: of the proxy, if there is one in front.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }

    /// The address of the client: as the [trusted proxies](crate::Config::trusted_proxies) tell it, else the
    /// peer's. None for a Unix socket.
    pub fn remote_address(&self) -> Option<IpAddr> {
        let peer = || self.peer_addr.map(|peer| peer.ip().to_canonical());
        self.forwarded_for.as_deref().copied().or_else(peer)
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
        let headers = match keep {
            KeepHeaders::All => self.headers.clone(),
            KeepHeaders::None => Headers::default(),
            KeepHeaders::Only(names) => {
                let is_wanted = |name: &str| names.iter().any(|keep| keep.eq_ignore_ascii_case(name));
                Headers::pack(self.headers.iter().filter(|(name, _)| is_wanted(name)))
            }
        };
        Handshake {
            target: self.target.clone(),
            headers,
            extensions: self.extensions.clone(),
            forwarded_for: self.forwarded_for.clone(),
            ..*self
        }
    }
}

/// The path and the query of a request in one piece of memory: a session keeps them for life.
#[derive(Debug, Clone)]
pub(crate) struct Target(Arc<str>);

impl Target {
    pub(crate) fn new(path: &str, query: &str) -> Self {
        Target([path, query].join("?").into())
    }

    /// A path has no `?`.
    fn parts(&self) -> (&str, &str) {
        self.0.split_once('?').unwrap_or((&self.0, ""))
    }
}

/// Headers of a request, in the order in which they were given.
///
/// They lie in one piece of memory, which copies share: a session may keep them for life.
#[derive(Clone, Default)]
pub struct Headers(Arc<[u8]>);

impl Headers {
    /// Names must be in lower case.
    pub(crate) fn pack<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut bytes = Vec::with_capacity(1024); // once, for most browsers
        for part in headers.flat_map(|(name, value)| [name.as_bytes(), value]) {
            // Nobody takes a header of 4 GB.
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        Headers(bytes.into())
    }

    /// The first value of a header. The name is compared without regard to case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All of them: names in lower case, values as bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (name, behind) = split_part(rest)?;
            let (value, behind) = split_part(behind)?;
            rest = behind;
            Some((std::str::from_utf8(name).ok()?, value))
        })
    }
}

/// A part and what is behind it. In front of each stands its length.
fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |(name, value)| (name, String::from_utf8_lossy(value));
        f.debug_list().entries(self.iter().map(shown)).finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_went_in() {
        let long = vec![0xff; 70_000];
        let given: [(&str, &[u8]); 5] = [
            ("cookie", b"a=1"),
            ("x-empty", b""),
            ("cookie", b"b=2"),
            ("x-long", &long),
            ("host", b"h"),
        ];
        let headers = Headers::pack(given.into_iter());
        assert_eq!(headers.iter().collect::<Vec<_>>(), given);
        assert_eq!(headers.get("COOKIE"), Some(&b"a=1"[..]));
        assert_eq!(headers.get("cook"), None);
        assert_eq!(Headers::default().iter().count(), 0);
    }
}
