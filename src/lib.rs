//! Engine.IO as an actor system.

mod config;
mod data;

pub mod proto;
pub mod ws;

pub use config::{Compression, Config, Cookie, Origins, SameSite, WsEngine};
pub use data::Data;
pub use proto::{CloseReason, SendError};
