//! Room 3, the doors: requests and responses. No session state and no rule of the protocol here; a request is
//! read once, its socket is asked, the answer is written.

mod admission;
mod asked;
mod compress;
mod door;
mod forwarded;
mod handover;
mod headers;
mod jsonp;
mod linger;
mod listen;
#[cfg(feature = "metrics")]
mod metrics;
mod origin;
mod polling;
mod push;
mod refuse;
mod scope;
mod serving;
mod short;
mod websocket;
#[cfg(feature = "ws_engine")]
mod websocket_actors;

pub use admission::{Accept, Reject};
pub use handover::on_connect;
#[cfg(feature = "rustls")]
pub use listen::listen_rustls;
pub use listen::{Listener, listen, run_until_signal};
#[cfg(feature = "metrics")]
pub use metrics::{MetricsCollector, metrics};
pub use scope::{Endpoint, Scope, handle_request, handle_upgrade, scope};
