//! What an application holds: `Server` and `Socket`, cheap to clone, to be used from any thread.

mod mail;
mod pressure;
mod sending;
mod server;
mod socket;
mod status;

pub use pressure::Credit;
pub(crate) use server::OpenError;
pub use server::Server;
pub(super) use server::ServerShared;
pub use socket::Socket;
