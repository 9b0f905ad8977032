//! The options: plain numbers and switches that every room may read. Hooks are not in here; they live
//! where their types live (`Server::builder()` and `scope()`).

mod admission;

pub use admission::{Limits, Network, NetworkError, ProxyHeaders};

use std::time::Duration;

use crate::proto::{FullPolicy, Transports};

/// Everything about a server that is a number or a switch.
///
/// A server takes durations of more than a hundred years for a hundred years, and those of its heartbeat of more than
/// twelve days for twelve days: clients in JavaScript can wait for no more than both together.
///
/// `Config::default()` is what this library recommends; [`Config::engine_io_3`] and
/// [`Config::engine_io_6`] are those versions' own settings.
///
/// ```
/// use std::time::Duration;
/// use engineio::Config;
///
/// let mut config = Config::engine_io_6();
/// config.ping_interval = Duration::from_secs(10);
/// assert_eq!(config.ping_timeout, Duration::from_secs(20));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// How long the other side may be silent after a ping (revision 4), or beyond `ping_interval`
    /// (revision 3), before the session ends with `ping timeout`. Also how long the body of a POST may
    /// take. Default 60 s.
    pub ping_timeout: Duration,
    /// How long after the last sign of life a ping is sent (revision 4), or is expected (revision 3).
    /// Default 25 s.
    pub ping_interval: Duration,
    /// How long an upgrade may take, from the WebSocket's opening to `2probe` and from there to `5`.
    /// When it is over the WebSocket is closed and polling goes on. Default 10 s.
    pub upgrade_timeout: Duration,
    /// The size limit in bytes of a message on WebSocket and of a POST body, checked before anything is
    /// buffered. What exceeds it ends the session: 413 for a POST, close code 1009 on a WebSocket.
    /// Default 1,000,000.
    pub max_http_buffer_size: usize,
    /// The transports that are served. Default: all.
    pub transports: Transports,
    /// Whether a session may move from polling to WebSocket. Default true.
    pub allow_upgrades: bool,
    /// Compression of WebSocket messages (permessage-deflate, RFC 7692), with clients that offer it. Unless
    /// [`PerMessageDeflate::context_takeover`] says otherwise, neither side keeps a window from one message to the
    /// next, so an idle connection costs no more with it than without. Messages that get no shorter are sent as
    /// they are. Default on, from 1024 bytes.
    #[cfg_attr(feature = "server", doc = "")]
    #[cfg_attr(
        feature = "server",
        doc = "What it costs, and when to turn it off: [`guide::compression`](crate::guide::compression)."
    )]
    pub per_message_deflate: Option<PerMessageDeflate>,
    /// Compression of polling responses by gzip or deflate, whichever the client's `Accept-Encoding` prefers, unless
    /// all messages in one were sent with `Send::compress(false)` or a header hook has set a `Content-Encoding`.
    /// A thread keeps one stream (380 kB) for each of the two, once it is used. Default on, from 1024 bytes.
    pub http_compression: Option<HttpCompression>,
    /// The cookie that carries the session id, for sticky sessions. Default: `io`, path `/`, `HttpOnly`,
    /// `SameSite=Lax`.
    pub cookie: Option<Cookie>,
    /// Which implementation of WebSocket is used, what engine.io calls `wsEngine`. Default: the built-in one.
    pub ws_engine: WsEngine,
    /// Whether a WebSocket may come to own its TCP connection, where that is possible: plain HTTP/1.1 under Unix, on a
    /// server with `on_connect(engineio::on_connect)`. Else its bytes pass through actix's HTTP dispatcher, which costs
    /// more memory and time; with an alternative `ws_engine` they always do. Default true.
    pub handover: bool,
    /// Whether sessions that begin on a WebSocket of the built-in engine carry messages alone, without Engine.IO's
    /// packets, and in as many frames as they come: what a conformance suite of WebSocket wants. Default false.
    #[cfg(feature = "bare")]
    #[doc(hidden)]
    pub bare: bool,
    /// The path of all requests, compared exactly: nothing below it is taken. The slash at its end may be left out.
    /// Default `/engine.io/`.
    pub path: String,
    /// Whether `path` ends with a slash, however it was written, as clients expect unless they are told otherwise by
    /// an option of the same name. Default true.
    pub add_trailing_slash: bool,
    /// Whether an upgrade request under our path that no transport takes is answered and its connection
    /// closed. With `false` it is left to the application's default service. Default true. Polls and POSTs that only
    /// offer another protocol, such as `h2c`, are served as if they did not.
    pub destroy_upgrade: bool,
    /// How long after that answer the connection is closed. Default 1 s.
    pub destroy_upgrade_timeout: Duration,
    /// Whether clients of revision 3 (`EIO=3`) are served. Default true.
    pub allow_eio3: bool,
    /// From which pages browsers may connect. Default [`Origins::SameHost`].
    pub origins: Origins,
    /// How many bytes may wait in a socket's write buffer. Beyond it a send is refused with
    /// [`SendError::Full`](crate::SendError::Full), and a send that nobody awaits ends the session.
    /// Default 16 MB (16,000,000).
    pub max_buffered_bytes: usize,
    /// What becomes of a message for which there is no room in a socket's write buffer, unless
    /// `Socket::set_full_policy` says otherwise for that one. Default [`FullPolicy::Refuse`].
    pub full_policy: FullPolicy,
    /// How many bytes of a socket's events (messages, and what else its actor is told), 64 more counted for each,
    /// may wait for the actor that handles it before nothing more is read from its client. What has been read by
    /// then, a POST or 64 kB and a message at most, comes on top. It goes on when half of it is worked off.
    /// Behaviours and closures need no such bound. Default 256 kB (256,000).
    pub max_unhandled_bytes: usize,
    /// Which of the handshake's headers `Socket::request()` keeps for the session's life; the factory sees
    /// all of them. Default: none, since a browser's alone are a kilobyte.
    pub keep_headers: KeepHeaders,
    /// A message that travels along with the handshake's answer. Default: none.
    pub initial_packet: Option<crate::Data>,
    /// Over how long [`listen`](crate::listen) and [`run_until_signal`](crate::run_until_signal) spread the ends of
    /// the sessions when a signal comes, lest all clients come back at once. Default 0: all end at once.
    pub drain_window: Duration,
    /// How long sessions have after that for their last packets. Default 1 s.
    pub drain_deadline: Duration,
    /// How many are let in. Default: all.
    pub limits: Limits,
    /// The proxies in front of this server: what they say of where a request comes from is believed, hop by hop
    /// from the last proxy on, as far as they are in one of these networks. Default: none, so that nobody can
    /// give out another's address as his own.
    pub trusted_proxies: Vec<Network>,
    /// Which headers those proxies write. Default: [`ProxyHeaders::XForwarded`].
    pub proxy_headers: ProxyHeaders,
}

/// Compression of WebSocket messages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerMessageDeflate {
    /// Messages of fewer bytes are sent as they are. Default 1024.
    pub threshold: usize,
    /// How hard to try, from 1 (fast) to 9 (small); 0, which would not compress, counts as 1, what is above 9 as 9.
    /// Default 4: 16 kB of JSON are 3 % larger than at zlib's own default, 6, and take a quarter less time.
    pub level: u8,
    /// How many bytes each connection may spend on remembering earlier messages (context takeover, RFC 7692 section
    /// 7.1.1), by which messages of a kilobyte that are alike get a third shorter; 0 for none. It is shared out to
    /// the two directions, each in a window of a power of two from 512 to 32,768 bytes; a direction that has no room
    /// for one, or whose client does not want it, does without. The memory is taken once there is something to
    /// remember. A broadcast is then compressed for each connection anew. 8192 gives most of what can be had.
    /// Default 0.
    pub context_takeover: usize,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        PerMessageDeflate {
            threshold: 1024,
            level: 4,
            context_takeover: 0,
        }
    }
}

/// Compression of polling responses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpCompression {
    /// Responses of fewer bytes are sent as they are. Default 1024.
    pub threshold: usize,
    /// How hard to try, from 1 (fast) to 9 (small); 0 counts as 1, what is above 9 as 9. Default 4: 16 kB of JSON are
    /// 3 % larger than at zlib's own default, 6, and take a fifth less time; a megabyte, during which its thread does
    /// nothing else, takes less by two fifths.
    pub level: u8,
}

impl Default for HttpCompression {
    fn default() -> Self {
        HttpCompression {
            threshold: 1024,
            level: 4,
        }
    }
}

/// The cookie of the handshake's answer. Its value is the session's id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cookie {
    /// Its name. Default `io`.
    pub name: String,
    /// `Path`; without one browsers send it on the path of the handshake only. Default `/`.
    pub path: Option<String>,
    /// `HttpOnly`: scripts cannot read it. Without a path it is not set, as in engine.io. Default true.
    pub http_only: bool,
    /// `SameSite`. Default [`SameSite::Lax`].
    pub same_site: Option<SameSite>,
    /// `Secure`: sent over TLS only. Default false.
    pub secure: bool,
}

impl Cookie {
    /// A cookie of this name with the defaults for everything else.
    pub fn named(name: impl Into<String>) -> Self {
        Cookie {
            name: name.into(),
            path: Some("/".to_owned()),
            http_only: true,
            same_site: Some(SameSite::Lax),
            secure: false,
        }
    }
}

/// The `SameSite` attribute of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Never sent from other sites.
    Strict,
    /// Sent from other sites on top-level navigation only.
    Lax,
    /// Always sent (browsers want `Secure` with it).
    None,
}

impl SameSite {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        }
    }
}

/// Which implementation of WebSocket is used. There is one besides the built-in one, with the feature `ws_engine`;
/// without that feature naming it does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WsEngine {
    /// The built-in one.
    #[default]
    BuiltIn,
    /// An actor of the crate actix-web-actors for each WebSocket (feature `ws_engine`). Sessions, limits and closing
    /// are the same, but
    ///
    /// - nothing is compressed: `per_message_deflate` is not offered;
    /// - a frame over the limit is refused when so many bytes of it have come, not at its header; text in several
    ///   frames is checked when its last one is there; what is wrong with a close frame is answered by 1002 always;
    /// - it copies more, so it is slower;
    /// - while the peer does not read nothing is read of it either
    ///   ([actix-web#2441](https://github.com/actix/actix-web/issues/2441)): its session ends with the ping timeout,
    ///   its TCP connection when the peer or the system ends it;
    /// - its authors have deprecated actix-web-actors.
    #[cfg(feature = "ws_engine")]
    ActixWebActors,
}

/// From which pages browsers may connect. Checked on handshakes and upgrades; requests without an
/// `Origin` header come from no page and pass.
///
/// But a handshake for JSONP (`j` in its query): pages of all sites may ask for a script, and browsers send no `Origin`
/// with it. It is its `Referer`'s, and without one it is as one of another site: a page that uses JSONP must not
/// withhold the referrer (`Referrer-Policy: no-referrer`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Origins {
    /// A request that carries a cookie other than our own must come from a page of this host (`Origin`
    /// equals `Host`): what guards an application that trusts its cookies against cross-site
    /// WebSocket hijacking.
    #[default]
    SameHost,
    /// Every page. For servers that do not act on cookies.
    Any,
    /// These origins only, each as browsers send it: `https://example.org`, without a slash at the end.
    List(Vec<String>),
}

/// Which headers of a handshake are kept for the session's life.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KeepHeaders {
    /// None of them.
    #[default]
    None,
    /// Those with these names, which are compared without regard to case.
    Only(Vec<String>),
    /// All, as engine.io does.
    All,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            ping_timeout: Duration::from_secs(60),
            ping_interval: Duration::from_secs(25),
            upgrade_timeout: Duration::from_secs(10),
            max_http_buffer_size: 1_000_000,
            transports: Transports::all(),
            allow_upgrades: true,
            per_message_deflate: Some(PerMessageDeflate::default()),
            http_compression: Some(HttpCompression::default()),
            cookie: Some(Cookie::named("io")),
            ws_engine: WsEngine::BuiltIn,
            handover: true,
            #[cfg(feature = "bare")]
            bare: false,
            path: "/engine.io/".to_owned(),
            add_trailing_slash: true,
            destroy_upgrade: true,
            destroy_upgrade_timeout: Duration::from_secs(1),
            allow_eio3: true,
            origins: Origins::SameHost,
            max_buffered_bytes: 16_000_000,
            full_policy: FullPolicy::Refuse,
            max_unhandled_bytes: 256_000,
            keep_headers: KeepHeaders::None,
            initial_packet: None,
            drain_window: Duration::ZERO,
            drain_deadline: Duration::from_secs(1),
            limits: Limits::default(),
            trusted_proxies: Vec::new(),
            proxy_headers: ProxyHeaders::default(),
        }
    }
}

/// Longer waits than this mean the same, and adding them to the time must not overflow.
#[cfg(feature = "server")]
const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Config {
    /// The same with durations that are not too long, and with the path as requests have it.
    #[cfg(feature = "server")]
    pub(crate) fn settled(mut self) -> Self {
        let path = self.path.strip_suffix('/').unwrap_or(&self.path);
        let slash = if self.add_trailing_slash { "/" } else { "" };
        self.path = format!("{path}{slash}");
        for duration in [&mut self.ping_timeout, &mut self.ping_interval] {
            *duration = (*duration).min(crate::proto::LONGEST_PING);
        }
        for duration in [
            &mut self.upgrade_timeout,
            &mut self.destroy_upgrade_timeout,
            &mut self.drain_window,
            &mut self.drain_deadline,
            &mut self.limits.unpolled_timeout,
        ] {
            *duration = (*duration).min(MAX_DURATION);
        }
        self
    }

    /// The settings that engine.io 3 documents, for people who move from it. Two things to think about before
    /// you keep them: `max_http_buffer_size` is its documented 10E7, which let a client fill the memory
    /// (CVE-2020-36048), and Origins are not checked.
    pub fn engine_io_3() -> Self {
        Config {
            ping_timeout: Duration::from_millis(60_000),
            max_http_buffer_size: 100_000_000,
            origins: Origins::Any,
            keep_headers: KeepHeaders::All,
            ..Config::default()
        }
    }

    /// The settings of engine.io 6: 20 s ping timeout, no cookie, no WebSocket compression, no clients
    /// of revision 3, Origins not checked.
    pub fn engine_io_6() -> Self {
        Config {
            ping_timeout: Duration::from_millis(20_000),
            max_http_buffer_size: 1_000_000,
            per_message_deflate: None,
            cookie: None,
            allow_eio3: false,
            origins: Origins::Any,
            keep_headers: KeepHeaders::All,
            ..Config::default()
        }
    }
}
