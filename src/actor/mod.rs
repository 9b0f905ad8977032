//! Room 2, the processes: time, mailboxes and the application's handlers. No rule of the protocol is decided
//! here and nothing of HTTP is known; `proto` and `ws` are asked, `http` is served.

mod builder;
mod clock;
mod current;
mod event;
mod fanout;
mod guard;
mod guarded;
mod handle;
mod handler;
mod handshake;
mod hooks;
#[cfg(feature = "serde")]
mod json;
mod lane;
mod limits;
pub(crate) mod messages;
mod registry;
mod room;
mod server;
mod socket;
mod stats;
pub(crate) mod transport;

pub use builder::{IdError, ServerBuilder};
pub use event::Event;
pub use handle::{Credit, Server, Socket};
pub use handler::SocketHandler;
pub(crate) use handshake::{Addresses, Target};
pub use handshake::{Extensions, Handshake, Headers};
#[cfg(feature = "serde")]
pub use json::{BadInput, Json, JsonHandler, JsonRoom};
pub use messages::Send;
pub use room::{Room, RoomEmpty};
pub use server::ServerActor;
pub use socket::SocketActor;
pub use stats::{Refused, RoundTrips, SocketStats, Stats};

pub(crate) use guarded::guarded;
pub(crate) use socket::Opened;
