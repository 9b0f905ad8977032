//! The transport side of the mailbox: what a polling request and a WebSocket say to their socket, and how
//! they hear from it. Owns no session state.

mod alarm;
mod arrival;
mod attachment;
mod bare;
mod handed;
mod handover;
mod linger;
mod link;
mod offer;
mod output;
mod polling;
mod pool;
mod stream;
#[cfg(unix)]
mod watch;
#[cfg(not(unix))]
#[path = "watch/by_runtime.rs"]
mod watch;
mod websocket;
mod wire;

pub(crate) use alarm::Alarm;
pub(super) use arrival::Arrival;
#[cfg(any(feature = "test", feature = "ws_engine"))]
pub(crate) use attachment::Attachment;
pub(super) use attachment::OPEN_DELAY;
#[cfg(feature = "test")]
pub(crate) use attachment::decode;
pub(super) use bare::Bare;
pub(crate) use handed::Handed;
pub(crate) use handover::Handover;
pub(super) use link::Glance;
pub(crate) use link::{Inbound, Link, Outbound};
pub(crate) use offer::{Carrier, Offer};
pub(super) use output::Output;
pub(crate) use polling::{PendingPoll, PendingPush};
pub(crate) use stream::Stream;
pub(crate) use watch::Acceptor;
pub(crate) use websocket::WebSocketTransport;
pub(super) use wire::Wire;
#[cfg(feature = "ws_engine")]
pub(crate) use {attachment::Failed, linger::LINGER, websocket::CHUNK};
