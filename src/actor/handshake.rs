//! The request that began a session, as the application sees it. Ours, so that it outlives the HTTP request
//! and crosses threads; knows no HTTP library.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
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
    pub(crate) addresses: Addresses,
    pub(crate) revision: Revision,
    /// Whether polls are answered with text alone.
    pub(crate) base64: bool,
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
        self.addresses.peer()
    }

    /// The address of the client: as the [trusted proxies](crate::Config::trusted_proxies) tell it, else the
    /// peer's. None for a Unix socket.
    pub fn remote_address(&self) -> Option<IpAddr> {
        let peer = || self.peer_addr().map(|peer| peer.ip().to_canonical());
        self.addresses.forwarded_for().or_else(peer)
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
            addresses: self.addresses.clone(),
            ..*self
        }
    }
}

/// Where a handshake came from. Small, since a session keeps it for life.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    peer: Option<SocketAddrV4>,
    other: Option<Box<OtherAddresses>>,
}

/// Most servers have no proxy, and many no peers of IPv6.
#[derive(Debug, Clone)]
struct OtherAddresses {
    peer: Option<SocketAddrV6>,
    forwarded_for: Option<IpAddr>,
}

impl Addresses {
    /// Of a peer, and of whom a proxy names.
    pub(crate) fn new(peer: Option<SocketAddr>, forwarded_for: Option<IpAddr>) -> Self {
        let (v4, v6) = match peer {
            Some(SocketAddr::V4(peer)) => (Some(peer), None),
            Some(SocketAddr::V6(peer)) => (None, Some(peer)),
            None => (None, None),
        };
        let other = OtherAddresses {
            peer: v6,
            forwarded_for,
        };
        Addresses {
            peer: v4,
            other: (v6.is_some() || forwarded_for.is_some()).then(|| Box::new(other)),
        }
    }

    fn peer(&self) -> Option<SocketAddr> {
        let v6 = || Some(SocketAddr::V6(self.other.as_ref()?.peer?));
        self.peer.map(SocketAddr::V4).or_else(v6)
    }

    fn forwarded_for(&self) -> Option<IpAddr> {
        self.other.as_ref()?.forwarded_for
    }
}

/// The path and the query of a request in one piece of memory: a session keeps them for life.
#[derive(Debug, Clone)]
pub(crate) struct Target(Arc<str>);

/// Up to this length a target is shared with the next handshake that has the same: it says which transport is asked
/// for, and nothing of the client.
const SHARED_TARGET: usize = 64;

thread_local! {
    static LAST_TARGET: RefCell<Option<Target>> = const { RefCell::new(None) };
}

impl Target {
    pub(crate) fn new(path: &str, query: &str) -> Self {
        let make = || Target([path, query].join("?").into());
        if path.len() + query.len() >= SHARED_TARGET {
            return make();
        }
        LAST_TARGET.with_borrow_mut(|last| match last {
            Some(last) if last.parts() == (path, query) => last.clone(),
            last => last.insert(make()).clone(),
        })
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
pub struct Extensions(Option<Box<Values>>);

/// Apart, since mostly there are none.
type Values = Vec<(TypeId, Arc<dyn Any + Send + Sync>)>;

impl Extensions {
    /// Puts a value in; an earlier one of the same type is replaced.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let values = self.0.get_or_insert_default();
        values.retain(|(id, _)| *id != TypeId::of::<T>());
        values.push((TypeId::of::<T>(), Arc::new(value)));
    }

    /// The value of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let (_, value) = self.0.as_ref()?.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }
}

/// Says how many there are; what they hold may be secret.
impl std::fmt::Debug for Extensions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.as_ref().map_or(0, |values| values.len());
        write!(f, "Extensions({count})")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_session_keeps_little() {
        assert!(size_of::<Handshake>() <= 64);
    }

    #[test]
    fn addresses_come_back_as_they_went_in() {
        let ip: IpAddr = Ipv4Addr::new(10, 0, 0, 1).into();
        for peer in [
            None,
            Some("10.1.1.1:80"),
            Some("[::1]:80"),
            Some("[::ffff:10.1.1.1]:80"),
        ] {
            let peer = peer.map(|peer| peer.parse::<SocketAddr>().expect(peer));
            for forwarded_for in [None, Some(ip)] {
                let addresses = Addresses::new(peer, forwarded_for);
                assert_eq!(addresses.peer(), peer);
                assert_eq!(addresses.forwarded_for(), forwarded_for);
            }
        }
    }

    #[test]
    fn short_targets_are_shared_and_long_ones_are_not() {
        let is_shared = |query: &str| {
            let (one, other) = (Target::new("/x/", query), Target::new("/x/", query));
            assert_eq!(other.parts(), ("/x/", query));
            Arc::ptr_eq(&one.0, &other.0)
        };
        assert!(is_shared("EIO=4&transport=websocket"));
        assert!(is_shared(""));
        assert!(!is_shared(&"x".repeat(SHARED_TARGET)));
        assert_ne!(Target::new("/x/", "a").parts(), Target::new("/x/", "b").parts());
    }

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
