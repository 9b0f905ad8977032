//! Room 1, the rules. No clock, lock, channel, actix or HTTP type here: time comes in as an argument.

pub mod error;
pub mod packet;
pub mod payload;

pub use error::DecodeError;
pub use packet::{Frame, Packet, PacketType, Revision};
