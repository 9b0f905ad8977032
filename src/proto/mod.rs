//! Room 1, the rules. No clock, lock, channel, actix or HTTP type here: time comes in as an argument.

pub mod error;
pub mod handshake;
pub mod packet;
pub mod payload;
pub mod refusal;
pub mod request;
pub mod sid;
pub mod transport;

pub use error::DecodeError;
pub use packet::{Frame, Packet, PacketType, Revision};
pub use handshake::open_packet;
pub use payload::Body;
pub use refusal::{BadRequest, Refusal};
pub use request::{Call, Head, Intent, Jsonp, Method};
pub use sid::{InvalidSid, Sid};
pub use transport::{Transport, Transports};
