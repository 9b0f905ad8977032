//! The transport side of the mailbox: what a polling request and a WebSocket say to their socket, and how
//! they hear from it. Owns no session state.

mod link;
mod polling;
mod pool;
mod websocket;

pub(super) use link::Glance;
pub(crate) use link::{Link, Offer, Outbound};
pub(crate) use polling::{PendingPoll, PendingPush};
pub(crate) use websocket::WebSocketTransport;
pub(super) use websocket::decode;
