//! Where a request comes from, by the word of the proxies that are trusted. Knows addresses and header values only.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};

use crate::{Config, Network, ProxyHeaders};

/// Where a request comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source<'a> {
    /// The client: the first address, from our end on, that is no trusted proxy's.
    pub(super) ip: Option<IpAddr>,
    /// The host that the client asked, if a trusted proxy tells.
    pub(super) host: Option<&'a str>,
}

/// Reads the headers that `config` names, from right to left and no further than the first address that is not
/// trusted: what stands left of what such a peer has sent is its own invention.
pub(super) fn source<'a>(req: &'a HttpRequest, config: &Config) -> Source<'a> {
    read(req.peer_addr().map(|peer| peer.ip()), req.headers(), config)
}

fn read<'a>(peer: Option<IpAddr>, headers: &'a HeaderMap, config: &Config) -> Source<'a> {
    let peer = peer.map(|ip| ip.to_canonical());
    let mut source = Source { ip: peer, host: None };
    let is_trusted = |ip: Option<IpAddr>| ip.is_some_and(|ip| trusts(&config.trusted_proxies, ip));
    if !is_trusted(peer) {
        return source;
    }
    let forwarded = config.proxy_headers == ProxyHeaders::Forwarded;
    let name = match forwarded {
        true => header::FORWARDED,
        false => header::X_FORWARDED_FOR,
    };
    let mut hops: usize = 0;
    for entry in from_right(headers, &name) {
        let node = match forwarded {
            true => parameter(entry, "for").unwrap_or_default(),
            false => entry,
        };
        hops += 1;
        // A proxy that hides whom it serves answers for him.
        let Some(ip) = parse_node(node) else { break };
        source.ip = Some(ip);
        if !is_trusted(source.ip) {
            break;
        }
    }
    source.host = match forwarded {
        true => from_right(headers, &name)
            .nth(hops.saturating_sub(1))
            .and_then(|entry| parameter(entry, "host")),
        // Proxies that append to it are as many as those before; one that sets it leaves one value.
        false => from_right(headers, &header::X_FORWARDED_HOST)
            .take(hops.max(1))
            .last(),
    };
    source
}

fn trusts(networks: &[Network], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(ip))
}

/// The entries of a list that may be spread over several lines, the last one first. Values of those lists have
/// no comma in them, so quotes need not be looked at: one that a client opens swallows nothing of a proxy's. Nor do bytes
/// that are no text: an entry with such is an empty one.
fn from_right<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines: Vec<&[u8]> = headers.get_all(name).map(|value| value.as_bytes()).collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(|entry| std::str::from_utf8(entry).unwrap_or_default().trim())
}

/// The value of a parameter of an element of `Forwarded` (RFC 7239, section 4).
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}

/// An address, which a port may follow; one of IPv6 is in brackets then.
fn parse_node(node: &str) -> Option<IpAddr> {
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']'));
    let ip = match bare.unwrap_or(node).parse() {
        Ok(ip) => ip,
        Err(_) => node.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn source<V: AsRef<[u8]>>(
        peer: &str,
        proxy_headers: ProxyHeaders,
        lines: &[(&str, V)],
    ) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::try_from(*name).expect("a name");
            headers.append(name, HeaderValue::from_bytes(value.as_ref()).expect("a value"));
        }
        let config = Config {
            trusted_proxies: vec![
                "10.0.0.0/8".parse().expect("a network"),
                "::1".parse().expect("an address"),
            ],
            proxy_headers,
            ..Config::default()
        };
        let source = read(Some(peer.parse().expect("an address")), &headers, &config);
        let ip = source.ip.expect("an address").to_string();
        (ip, source.host.map(str::to_owned))
    }

    fn x(peer: &str, lines: &[(&str, &str)]) -> (String, Option<String>) {
        source(peer, ProxyHeaders::XForwarded, lines)
    }

    fn ip_of(peer: &str, value: &str) -> String {
        x(peer, &[("x-forwarded-for", value)]).0
    }

    #[test]
    fn a_stranger_is_himself_whatever_he_says() {
        assert_eq!(ip_of("203.0.113.9", "1.2.3.4"), "203.0.113.9");
        let lines = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil.example"),
        ];
        assert_eq!(x("203.0.113.9", &lines), ("203.0.113.9".to_owned(), None));
        assert_eq!(ip_of("::ffff:203.0.113.9", "1.2.3.4"), "203.0.113.9");
    }

    #[test]
    fn proxies_are_followed_from_right_to_left() {
        assert_eq!(x(PROXY, &[]).0, PROXY);
        assert_eq!(ip_of(PROXY, "198.51.100.7"), "198.51.100.7");
        // What the client wrote stands left of what the proxies have seen.
        assert_eq!(ip_of(PROXY, "1.2.3.4, 198.51.100.7"), "198.51.100.7");
        assert_eq!(ip_of(PROXY, "1.2.3.4, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(ip_of("::ffff:10.0.0.1", "198.51.100.7"), "198.51.100.7");
        let lines = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "198.51.100.7 ,10.0.0.2"),
        ];
        assert_eq!(x(PROXY, &lines).0, "198.51.100.7");
    }

    #[test]
    fn who_is_hidden_or_garbled_is_the_last_proxy() {
        for value in [
            "unknown",
            "_hidden",
            "",
            "1.2.3.4,",
            "1.2.3.4, evil",
            "300.1.1.1",
            "[::1",
        ] {
            assert_eq!(ip_of(PROXY, value), PROXY, "{value}");
        }
        assert_eq!(ip_of(PROXY, "1.2.3.4, unknown, 10.0.0.2"), "10.0.0.2");
    }

    #[test]
    fn what_a_client_garbles_is_its_own_entry() {
        let client = |proxy_headers, name, value: &[u8]| source(PROXY, proxy_headers, &[(name, value)]);
        let x = |value| client(ProxyHeaders::XForwarded, "x-forwarded-for", value).0;
        assert_eq!(x(b"\xff, 198.51.100.7"), "198.51.100.7");
        assert_eq!(x(b"1.2.3.4, \xff\xfe,198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(x(b"1.2.3.4, \xff198.51.100.7"), PROXY);
        let forwarded = b"for=\xff;host=evil, for=198.51.100.7;host=a.example";
        assert_eq!(
            client(ProxyHeaders::Forwarded, "forwarded", forwarded),
            ("198.51.100.7".to_owned(), Some("a.example".to_owned()))
        );
        let hosts: [(&str, &[u8]); 2] = [
            ("x-forwarded-for", b"198.51.100.7"),
            ("x-forwarded-host", b"\xff, a.example"),
        ];
        let (_, host) = source(PROXY, ProxyHeaders::XForwarded, &hosts);
        assert_eq!(host.as_deref(), Some("a.example"));
    }

    #[test]
    fn ports_and_ipv6() {
        assert_eq!(ip_of(PROXY, "198.51.100.7:4711"), "198.51.100.7");
        assert_eq!(ip_of("::1", "2001:db8::7"), "2001:db8::7");
        assert_eq!(ip_of("::1", "[2001:db8::7]"), "2001:db8::7");
        assert_eq!(ip_of("::1", "[2001:db8::7]:4711"), "2001:db8::7");
    }

    #[test]
    fn the_host_is_the_outermost_trusted_proxys() {
        let host = |lines: &[_]| x(PROXY, lines).1;
        assert_eq!(
            host(&[("x-forwarded-host", "a.example")]).as_deref(),
            Some("a.example")
        );
        let two = |hosts| {
            [
                ("x-forwarded-for", "198.51.100.7, 10.0.0.2"),
                ("x-forwarded-host", hosts),
            ]
        };
        assert_eq!(host(&two("a.example")).as_deref(), Some("a.example"));
        assert_eq!(host(&two("a.example, inner")).as_deref(), Some("a.example"));
        assert_eq!(
            host(&two("evil.example, a.example, inner")).as_deref(),
            Some("a.example")
        );
    }

    #[test]
    fn forwarded_and_the_others_do_not_mix() {
        let forwarded = |lines: &[_]| source(PROXY, ProxyHeaders::Forwarded, lines);
        let value = r#"for=1.2.3.4;host=evil, For="[2001:db8::7]:4711";proto=https;host="a.example:8080""#;
        let expected = ("2001:db8::7".to_owned(), Some("a.example:8080".to_owned()));
        assert_eq!(forwarded(&[("forwarded", value)]), expected);
        // A quote that a client opens.
        let value = r#"for=1.2.3.4;host=", for=198.51.100.7;host=a.example"#;
        let expected = ("198.51.100.7".to_owned(), Some("a.example".to_owned()));
        assert_eq!(forwarded(&[("forwarded", value)]), expected);
        for hidden in ["for=_x", "for=unknown", "proto=https", "nonsense"] {
            assert_eq!(forwarded(&[("forwarded", hidden)]).0, PROXY, "{hidden}");
        }
        assert_eq!(
            forwarded(&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-host", "evil")]).1,
            None
        );
        assert_eq!(
            x(PROXY, &[("forwarded", "for=1.2.3.4;host=evil")]),
            (PROXY.to_owned(), None)
        );
    }
}
