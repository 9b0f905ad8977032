//! Who is let in: the limits of a server, and the proxies whose word is taken. Numbers and addresses only.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

/// How many a server lets in. All are off by default; one that is set is for everybody, this machine's own
/// addresses included.
///
/// ```
/// let mut config = engineio::Config::default();
/// config.limits.max_sessions = Some(10_000);
/// config.limits.max_sessions_per_ip = Some(50);
/// config.limits.max_handshakes_per_second = Some(500);
/// config.limits.max_unpolled = Some(1_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many sessions there may be, from their handshake until their last bytes have left. Beyond it a
    /// handshake is refused with 503 and `Retry-After`. Default: no limit.
    pub max_sessions: Option<usize>,
    /// How many of them one client may have: an IPv4 address, or a /64 of IPv6, which is what one household gets.
    /// Whose it is, says [`Handshake::remote_address`](crate::Handshake::remote_address); clients without an address (a
    /// Unix socket) count as one. Beyond it a handshake is refused with 429 and `Retry-After`. Default: no limit.
    pub max_sessions_per_ip: Option<usize>,
    /// How many handshakes a second the server looks at: `allow_request` is asked about no more, whether it lets
    /// them in or not. As many may come at once if there were none for a second. Beyond it a handshake is
    /// refused with 429 and `Retry-After`. Default: no limit.
    pub max_handshakes_per_second: Option<u32>,
    /// How many sessions there may be that began by polling and have not polled since. A client does so as soon
    /// as it has its id; a flood of handshakes from many addresses does not. Beyond it a handshake by polling is
    /// refused with 503 and `Retry-After`.
    ///
    /// A session gives that place up at its first poll, at its upgrade, or at its end, which comes by
    /// [`unpolled_timeout`](Self::unpolled_timeout). Default: no limit.
    pub max_unpolled: Option<usize>,
    /// While `max_unpolled` is set: how long after its handshake a session that has not polled ends with
    /// `ping timeout`, so that places do not stay taken for the whole of that timeout. Default 10 s.
    pub unpolled_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_sessions: None,
            max_sessions_per_ip: None,
            max_handshakes_per_second: None,
            max_unpolled: None,
            unpolled_timeout: Duration::from_secs(10),
        }
    }
}

/// Which headers the [trusted proxies](crate::Config::trusted_proxies) write. The others are not looked at: a proxy
/// passes on what it does not write, so a client could have written them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeaders {
    /// `X-Forwarded-For` and `X-Forwarded-Host`, as nearly all do. Let the proxy set both: if it passes on a
    /// client's `X-Forwarded-Host`, that one is believed.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239), its `for` and `host`.
    Forwarded,
}

/// A network by its address and the length of its prefix: `10.0.0.0/8`, `fd00::/8`, or one address alone.
///
/// ```
/// let network: engineio::Network = "10.0.0.0/8".parse().unwrap();
/// assert!(network.contains("10.1.2.3".parse().unwrap()));
/// assert!(!network.contains("11.1.2.3".parse().unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// IPv4 as its mapping into IPv6 (RFC 4291, section 2.5.5.2), as such addresses also arrive.
    bits: u128,
    prefix: u8,
}

/// Text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a network: {0:?} (want an address, or address/prefix)")]
pub struct NetworkError(String);

impl Network {
    /// Whether this address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        (bits(address) ^ self.bits) & mask(self.prefix) == 0
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.map_or(Ok(max), str::parse).map_err(|_| error())?;
        if prefix > max {
            return Err(error());
        }
        Ok(Network {
            bits: bits(address),
            prefix: prefix + (128 - max),
        })
    }
}

impl From<IpAddr> for Network {
    /// This address alone.
    fn from(address: IpAddr) -> Self {
        Network {
            bits: bits(address),
            prefix: 128,
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network: Network = network.parse().expect(network);
        network.contains(address.parse().expect(address))
    }

    #[test]
    fn networks_of_both_families() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("fd00::/8", "fd12::1"));
        assert!(!contains("fd00::/8", "fe80::1"));
        assert!(contains("::1", "::1"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "2001:db8::1"));
        // The bits behind the prefix do not count.
        assert!(contains("10.1.2.3/8", "10.9.9.9"));
    }

    #[test]
    fn what_is_no_network() {
        for text in [
            "",
            "/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0/8",
            "host",
            "10.0.0.0/",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
