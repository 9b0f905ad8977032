//! The server's half of the opening handshake (RFC 6455 section 4.2), over header values. Knows no HTTP type.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

use super::deflate::Agreement;

/// The only version of the protocol there is: the value of `Sec-WebSocket-Version` (RFC 6455 section 4.1).
pub const VERSION: &str = "13";

/// What every server appends to the key (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Keys of clients that draw 22 random characters instead of 16 random bytes are common, hence the leniency
/// about the last character's unused bits.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Why a request is no WebSocket handshake. The answer is a 400; for [`HandshakeError::Version`] a 426 with
/// `Sec-WebSocket-Version: 13` may be given (RFC 6455 section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// `Connection` does not have the token `upgrade`.
    #[error("no `Connection: upgrade`")]
    Connection,
    /// `Upgrade` does not name `websocket`.
    #[error("no `Upgrade: websocket`")]
    Upgrade,
    /// `Sec-WebSocket-Version` is missing, given twice, or not 13.
    #[error("Sec-WebSocket-Version is not 13")]
    Version,
    /// `Sec-WebSocket-Key` is missing, given twice, or not 16 bytes in base64.
    #[error("Sec-WebSocket-Key is not 16 bytes in base64")]
    Key,
}

/// The headers of a request, as far as they count for the handshake. Each method takes the value of one header
/// line; `Connection`, `Upgrade`, the extensions and the subprotocols may come in several.
///
/// ```
/// use engineio::ws::handshake::Handshake;
///
/// let mut handshake = Handshake::new();
/// handshake.connection(b"keep-alive, Upgrade");
/// handshake.upgrade(b"websocket");
/// handshake.version(b"13");
/// handshake.key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(&handshake.accept()?.key, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok::<_, engineio::ws::handshake::HandshakeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    connection: bool,
    upgrade: bool,
    version: Once<bool>,
    key: Once<Option<[u8; 28]>>,
    deflate: Option<Agreement>,
    /// The first one offered, whatever it is.
    protocol: Option<Box<[u8]>>,
}

/// What to answer: the 101's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// The value of `Sec-WebSocket-Accept`: ASCII.
    pub key: [u8; 28],
    /// Whether messages may be compressed: displayed, it is the value of `Sec-WebSocket-Extensions`, which must be
    /// sent then; and the [`Connection`](super::Connection) must be told.
    pub deflate: Option<Agreement>,
    /// The subprotocol, a token: the value of `Sec-WebSocket-Protocol`, which must be sent then.
    pub protocol: Option<String>,
}

/// A header that must not be repeated (RFC 6455 section 11.3).
#[derive(Debug, Clone, Copy, Default)]
enum Once<T> {
    #[default]
    Missing,
    One(T),
    Repeated,
}

impl<T> Once<T> {
    fn put(&mut self, value: T) {
        *self = match self {
            Once::Missing => Once::One(value),
            Once::One(_) | Once::Repeated => Once::Repeated,
        };
    }
}

impl Handshake {
    /// A request without headers.
    pub fn new() -> Self {
        Handshake::default()
    }

    /// A `Connection` line: a list of tokens, in any case.
    pub fn connection(&mut self, value: &[u8]) {
        self.connection |= has_token(value, b"upgrade");
    }

    /// An `Upgrade` line: a list of protocols, in any case.
    pub fn upgrade(&mut self, value: &[u8]) {
        self.upgrade |= has_token(value, b"websocket");
    }

    /// The `Sec-WebSocket-Version` line.
    pub fn version(&mut self, value: &[u8]) {
        self.version.put(value.trim_ascii() == VERSION.as_bytes());
    }

    /// The `Sec-WebSocket-Key` line.
    pub fn key(&mut self, value: &[u8]) {
        self.key.put(accept_key(value.trim_ascii()).ok());
    }

    /// A `Sec-WebSocket-Extensions` line. The first offer of permessage-deflate that can be accepted is; what else
    /// is offered, or makes no sense, is passed over (RFC 6455 section 9.1). Not to be called by a server that does
    /// not want extensions.
    pub fn extensions(&mut self, value: &[u8]) {
        self.extensions_within(value, 0);
    }

    /// The same for a server that keeps windows of at most `budget` bytes for a connection
    /// ([`Agreement::negotiate_within`]).
    pub fn extensions_within(&mut self, value: &[u8], budget: usize) {
        let agreed = self
            .deflate
            .or_else(|| Agreement::negotiate_within(value, budget));
        self.deflate = agreed;
    }

    /// A `Sec-WebSocket-Protocol` line. The first subprotocol that is offered is agreed on, if it is one: a client that has
    /// offered some and is answered none fails the connection. Not to be called by a server that chooses itself.
    pub fn protocols(&mut self, value: &[u8]) {
        let mut offers = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let first = offers.find(|offer| !offer.is_empty());
        self.protocol = self.protocol.take().or_else(|| first.map(Box::from));
    }

    /// Whether the request asks for a WebSocket, well or badly: `Upgrade: websocket` is there.
    pub fn is_requested(&self) -> bool {
        self.upgrade
    }

    /// Checks the whole (RFC 6455 section 4.2.1). Method and HTTP version are the caller's to check.
    ///
    /// # Errors
    /// [`HandshakeError`], the first that applies in the order of its variants.
    pub fn accept(&self) -> Result<Accept, HandshakeError> {
        if !self.connection {
            return Err(HandshakeError::Connection);
        }
        if !self.upgrade {
            return Err(HandshakeError::Upgrade);
        }
        if !matches!(self.version, Once::One(true)) {
            return Err(HandshakeError::Version);
        }
        match self.key {
            Once::One(Some(key)) => Ok(Accept {
                key,
                deflate: self.deflate,
                protocol: self.protocol.as_deref().and_then(token).map(str::to_owned),
            }),
            _ => Err(HandshakeError::Key),
        }
    }
}

/// The value of `Sec-WebSocket-Accept` for a client's `Sec-WebSocket-Key` (RFC 6455 section 4.2.2, item 5.4).
///
/// # Errors
/// [`HandshakeError::Key`] if the key is not the base64 of exactly 16 bytes.
pub fn accept_key(sec_websocket_key: &[u8]) -> Result<[u8; 28], HandshakeError> {
    // 24 characters are at most 18 bytes; anything longer does not fit and is refused.
    let mut nonce = [0; 18];
    if sec_websocket_key.len() != 24 || KEY.decode_slice(sec_websocket_key, &mut nonce) != Ok(16) {
        return Err(HandshakeError::Key);
    }
    let digest = Sha1::new()
        .chain_update(sec_websocket_key)
        .chain_update(GUID)
        .finalize();
    let mut accept = [0; 28];
    STANDARD
        .encode_slice(digest, &mut accept)
        .map_err(|_| HandshakeError::Key)?;
    Ok(accept)
}

/// A token as text (RFC 9110 section 5.6.2).
fn token(bytes: &[u8]) -> Option<&str> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let text = std::str::from_utf8(bytes).ok()?;
    bytes.iter().all(is_token).then_some(text)
}

/// Whether a comma-separated list has this token, in any case (RFC 9110 section 5.6.1).
fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}
