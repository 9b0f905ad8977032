//! Room 1, the rules. No clock, lock, channel, actix or HTTP type here: time comes in as an argument.

pub mod close;
pub mod error;
pub mod event;
pub mod handshake;
pub mod packet;
pub mod payload;
mod probe;
mod queue;
pub mod refusal;
pub mod request;
mod session;
pub mod sid;
mod state;
mod timer;
pub mod transport;

pub use close::{Close, CloseReason, Detail, SendError, Side};
pub use error::DecodeError;
pub use event::{Event, Events, Output, PollId, ProbeId, PushBody, PushId, Reply};
pub use handshake::open_packet;
pub use packet::{Frame, FrameRef, Packet, PacketType, Revision};
pub use payload::Body;
pub use probe::{Probe, ProbeStep};
pub use refusal::{BadRequest, Refusal};
#[cfg(feature = "server")]
pub(crate) use request::asks_for_polling;
pub use request::{Call, Head, Intent, Jsonp, Method};
pub use session::{
    Answering, FullPolicy, Gone, Messages, OutgoingFrame, Passing, Session, Tally, Terms, cost,
};
pub use sid::{InvalidSid, Sid};
pub use state::ReadyState;
#[cfg(feature = "server")]
pub(crate) use timer::LONGEST_PING;
pub use transport::{Transport, Transports};
