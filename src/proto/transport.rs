//! The transports and sets of them. Knows names, not connections.

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling: GET requests that wait for packets, POST requests that bring them. XHR and JSONP.
    Polling,
    /// One WebSocket (RFC 6455), a message per packet.
    WebSocket,
}

impl Transport {
    const ALL: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

    /// The name in the query and in the handshake: `polling` or `websocket`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Polling => "polling",
            Transport::WebSocket => "websocket",
        }
    }

    /// The transport of that name, in that very spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.as_str() == name)
    }

    /// The transports that a session on this one may swap to.
    pub fn upgrades_to(self) -> Transports {
        match self {
            Transport::Polling => Transports::from([Transport::WebSocket]),
            Transport::WebSocket => Transports::none(),
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of transports: those that a server offers, or those that a session may swap to.
///
/// ```
/// use engineio::proto::{Transport, Transports};
///
/// let offered = Transports::all();
/// assert!(offered.contains(Transport::Polling));
/// let upgrades: Vec<_> = (Transport::Polling.upgrades_to() & offered).iter().collect();
/// assert_eq!(upgrades, [Transport::WebSocket]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transports(u8);

impl Transports {
    /// Polling and WebSocket.
    pub fn all() -> Self {
        Transport::ALL.into_iter().collect()
    }

    /// The empty set.
    pub fn none() -> Self {
        Transports(0)
    }

    /// Whether `transport` is in the set.
    pub fn contains(self, transport: Transport) -> bool {
        self.0 & transport.bit() != 0
    }

    /// Whether there is none in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The transports in the set, polling first.
    pub fn iter(self) -> impl Iterator<Item = Transport> + Clone {
        Transport::ALL
            .into_iter()
            .filter(move |transport| self.contains(*transport))
    }
}

impl Default for Transports {
    /// All of them.
    fn default() -> Self {
        Self::all()
    }
}

impl std::fmt::Debug for Transports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl std::ops::BitAnd for Transports {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Transports(self.0 & other.0)
    }
}

impl FromIterator<Transport> for Transports {
    fn from_iter<I: IntoIterator<Item = Transport>>(transports: I) -> Self {
        Transports(
            transports
                .into_iter()
                .fold(0, |bits, transport| bits | transport.bit()),
        )
    }
}

impl<const N: usize> From<[Transport; N]> for Transports {
    fn from(transports: [Transport; N]) -> Self {
        transports.into_iter().collect()
    }
}

impl From<Transport> for Transports {
    fn from(transport: Transport) -> Self {
        Transports(transport.bit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        assert_eq!(Transport::from_name("polling"), Some(Transport::Polling));
        assert_eq!(Transport::from_name("websocket"), Some(Transport::WebSocket));
        for name in ["", "Polling", "websocket ", "webtransport", "__proto__", "tobi"] {
            assert_eq!(Transport::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = Transports::from([Transport::WebSocket]);
        assert!(set.contains(Transport::WebSocket) && !set.contains(Transport::Polling));
        assert!(Transports::none().is_empty() && !set.is_empty());
        assert_eq!(format!("{:?}", Transports::all()), "{Polling, WebSocket}");
        assert!((set & Transport::Polling.into()).is_empty());
        assert!(Transport::WebSocket.upgrades_to().is_empty());
    }
}
