//! Room 1 too: the WebSocket protocol as bytes in, messages out, and the other way round. No IO, no clock.
//!
//! [`handshake`] checks the request and makes the 101's key; from then on a [`Connection`] takes the bytes that
//! were read and gives messages, takes messages and gives bytes to write. Below it lie [`frame`], and [`deflate`] for compressed
//! messages.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use engineio::ws::{Connection, Limits, Message};
//!
//! let mut connection = Connection::new(Limits { max_message: 1_000_000, max_fragments: 1024 });
//! let mut out = BytesMut::new();
//! // "Hello", masked (RFC 6455 section 5.7)
//! connection.receive(Bytes::from_static(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"));
//! while let Some(message) = connection.poll_message()? {
//!     assert_eq!(message, Message::Text("Hello".into()));
//!     connection.send(true, None, b"Hello", &mut out);
//! }
//! connection.transmit(&mut out);
//! assert_eq!(&out[..], b"\x81\x05Hello");
//! # Ok::<_, engineio::ws::ProtocolError>(())
//! ```

mod assembly;
mod close;
mod connection;
pub mod deflate;
mod encoding;
mod error;
pub mod frame;
pub mod handshake;
pub mod mask;
mod message;
#[cfg(test)]
mod tests;

pub use close::{CloseCode, CloseFrame, MAX_REASON};
pub use connection::{CLOSE_TIMEOUT, Connection, MAX_PONGS};
pub use encoding::Encoding;
pub use error::ProtocolError;
pub use message::{Limits, Message};
